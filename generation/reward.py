"""`python -m generation.reward responses.jsonl`: score responses by a reward model.

options -> score -> what came of it on the console
"""

from __future__ import annotations

if __name__ == "__main__":  # Before the imports: they take a second, in which Ctrl-C may come.
    from diversity_judge.command_process import run_as_process

    run_as_process("generation.reward")

from collections.abc import Sequence

from rich.console import Console

from diversity_judge.command import exit_code
from diversity_judge.display import counted
from diversity_judge.hosts.descriptors import fitting_concurrency
from generation.interrupts import signals_interrupt
from generation.rewarding.arguments import RewardCommand, parse_arguments
from generation.rewarding.bill import print_bill
from generation.rewarding.console import ConsoleReporter
from generation.rewarding.files import reaggregate
from generation.rewarding.journal import known_scores
from generation.rewarding.options import RewardOptions
from generation.rewarding.plan import plan_rewards
from generation.rewarding.run import reward

EXIT_OK, EXIT_MISSING = 0, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the contract (0, 1, 2, 3, 130)."""
    with signals_interrupt():
        command = parse_arguments(argv)
        return exit_code(
            lambda: _work(command), when_interrupted=f"interrupted; the same command continues {command.out}"
        )


def _work(command: RewardCommand) -> int:
    if command.reaggregate:
        return _reaggregate(command)
    options = command.options()
    return _dry_run(options) if command.dry_run else _run(options)


def _run(options: RewardOptions) -> int:
    reporter = ConsoleReporter(Console(stderr=True))
    if options.base_urls and (note := fitting_concurrency(options.concurrency)[1]):
        reporter.say(f"note: {note}")
    result = reward(options, reporter)
    reporter.ends(result)
    return EXIT_MISSING if result.missing else EXIT_OK


def _dry_run(options: RewardOptions) -> int:
    plan = plan_rewards(options)
    print_bill(Console(), options, plan, known_scores(options.target, options.responses, plan.rows))
    return EXIT_OK


def _reaggregate(command: RewardCommand) -> int:
    done, left = reaggregate(command.responses, command.out, command.aggregate)
    reporter = ConsoleReporter(Console(stderr=True))
    reporter.say(f"{done} rewards are the {command.aggregate} of their steps now; written to {command.out}")
    if left:
        have = counted(
            left,
            "response has no scores of steps and is as it was",
            "responses have no scores of steps and are as they were",
        )
        reporter.say(have)
    return EXIT_OK
