"""`diversity-judge COMMAND ...`, the console command; `python -m` with a command's module is the same."""

from __future__ import annotations

import sys

from diversity_judge import __version__
from diversity_judge.command_process import run_as_process

_COMMANDS = {
    "plan": ("diversity_judge.plan", "how many pairs, problems and responses a study needs, and what they cost"),
    "score": ("diversity_judge.score", "process diversity of the responses in a file"),
    "compare": ("diversity_judge.compare", "strategies side by side: diversity, outcomes, differences, and a report"),
    "agree": ("diversity_judge.agree", "two judges on the same responses: does one score as the other does?"),
    "labels": ("diversity_judge.labels", "labels of people for pairs of a run: a blinded sheet, and what comes back"),
    "reliability": ("diversity_judge.reliability", "can a run's judge be believed? asks it again, with known answers"),
    "batch": ("diversity_judge.batch", "judge by files: a provider's batch API, or vLLM on your own machines"),
    "panel": (
        "diversity_judge.panel",
        "several judges on the same responses: their agreement, and their mean as a run",
    ),
    "generate": ("generation.sample", "sample responses to problems by several strategies"),
    "grade": ("generation.grade", "extract and grade the answers of a file of responses again"),
    "routing": ("generation.routing", "which experts a model uses, and how many of them it needs"),
    "docs": ("diversity_judge.documentation", "where the documentation lies that came with the package"),
}
"""Name to module and purpose. A command that needs an extra says so itself, in one sentence."""


def main() -> int:
    """Run the command that the first argument names; returns its exit code."""
    name, *arguments = sys.argv[1:] or [""]
    if name in _COMMANDS:
        run_as_process(_COMMANDS[name][0], arguments)
    listed = "\n".join(f"  {command:11} {purpose}" for command, (_, purpose) in _COMMANDS.items())
    usage = f"usage: diversity-judge COMMAND ...\n\n{listed}\n\ndiversity-judge COMMAND --help says more.\n"
    if name in ("-h", "--help"):
        sys.stdout.write(usage)
        return 0
    if name == "--version":
        sys.stdout.write(f"{__version__}\n")
        return 0
    if name:
        from diversity_judge.command import meant
        from diversity_judge.text_safety import printable

        sys.stderr.write(f"error: there is no command {printable(repr(name), 60)}{meant(name, _COMMANDS)}\n\n")
    sys.stderr.write(usage)
    return 2


if __name__ == "__main__":
    sys.exit(main())
