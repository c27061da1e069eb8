"""`python -m generation.sample`: sample responses to problems by several strategies.

options -> sample -> what came of it on the console
"""

from __future__ import annotations

if __name__ == "__main__":  # Before the imports: they take a second, in which Ctrl-C may come.
    from diversity_judge.command_process import run_as_process

    run_as_process("generation.sample")

from collections.abc import Sequence
from contextlib import suppress

from rich.console import Console

from diversity_judge.command import exit_code
from diversity_judge.errors import InputError
from diversity_judge.hosts.descriptors import fitting_concurrency
from diversity_judge.interrupts import EXIT_INTERRUPTED
from generation.interrupts import signals_interrupt
from generation.response_file import waiting_note
from generation.sampling.arguments import parse_arguments
from generation.sampling.bill import print_bill
from generation.sampling.console import ConsoleReporter
from generation.sampling.options import SampleOptions
from generation.sampling.run import check_file, missing_samples, plan_sampling, sample

EXIT_OK, EXIT_FAILED, EXIT_MISSING = 0, 1, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the contract (0, 1, 2, 3, 130)."""
    with signals_interrupt():
        parsed = parse_arguments(argv)
        code = exit_code(
            lambda: _dry_run(parsed.options()) if parsed.dry_run else run(parsed.options()),
            when_interrupted=f"interrupted; the same command continues {parsed.out}",
        )
        if code in (EXIT_FAILED, EXIT_INTERRUPTED):
            with suppress(InputError):  # a file that cannot be read is the next run's to say
                for note in waiting_note(parsed.out):
                    Console(stderr=True).print(note, markup=False, highlight=False, soft_wrap=True)
        return code


def run(options: SampleOptions) -> int:
    """Sample, and say what came of it."""
    reporter = ConsoleReporter(Console(stderr=True))
    if options.base_urls:
        reporter.notes(fitting_concurrency(options.concurrency)[1])
    result = sample(options, reporter)
    reporter.ends(result)
    return EXIT_MISSING if result.missing else EXIT_OK


def _dry_run(options: SampleOptions) -> int:
    plan = plan_sampling(options)
    check_file(options, plan)
    print_bill(Console(), options, plan, missing_samples(options, plan))
    return EXIT_OK
