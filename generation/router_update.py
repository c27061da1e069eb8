"""`python -m generation.router_update`: train one router on right responses, everything else frozen.

options -> right trajectories -> steps of Adam, stopped by held-out problems -> a checkpoint -> what came of it
"""

from __future__ import annotations

if __name__ == "__main__":  # Before the imports: they take a second, in which Ctrl-C may come.
    from diversity_judge.command_process import run_as_process

    run_as_process("generation.router_update")

from collections.abc import Sequence

from rich.console import Console

from diversity_judge.command import exit_code
from generation.interrupts import signals_interrupt
from generation.router_training.arguments import parse_arguments
from generation.router_training.options import UpdateOptions

EXIT_OK = 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the contract (0, 1, 2, 130)."""
    with signals_interrupt():
        return exit_code(
            lambda: run(parse_arguments(argv)), when_interrupted="interrupted; nothing was written: start it again"
        )


def run(options: UpdateOptions) -> int:
    """Train and write the checkpoint, and say what came of it."""
    from generation.router_training.console import ConsoleReporter, print_result
    from generation.router_training.update import update

    console = Console(stderr=True)
    result = update(options, ConsoleReporter(console))
    print_result(console, result)
    return EXIT_OK
