"""`diversity-judge COMMAND ...`, the console command; `python -m diversity_judge.COMMAND` is the same."""

from __future__ import annotations

import sys
from importlib import import_module

_COMMANDS = {
    "score": "process diversity of the responses in a file",
    "compare": "strategies side by side: diversity, outcomes, differences, and a report",
    "agree": "two judges on the same responses: does one score as the other does?",
}


def main() -> int:
    """Run the command that the first argument names; returns its exit code."""
    name, *arguments = sys.argv[1:] or [""]
    if name in _COMMANDS:
        command = import_module(f"diversity_judge.{name}")
        return int(command.main(arguments))
    listed = "\n".join(f"  {command:10} {purpose}" for command, purpose in _COMMANDS.items())
    usage = f"usage: diversity-judge COMMAND ...\n\n{listed}\n\ndiversity-judge COMMAND --help says more.\n"
    if name in ("-h", "--help"):
        sys.stdout.write(usage)
        return 0
    sys.stderr.write(usage)
    return 2


if __name__ == "__main__":
    sys.exit(main())
