"""What `python -m generation.sample` says on the console while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from rich.console import Console

from diversity_judge.display import counted
from generation.sampling.progress import sampling_progress
from generation.sampling.run import SamplingResult
from generation.sampling.sampler import OnResponse, Sample, SamplingPlan


class ConsoleReporter:
    """A `SamplingReporter` on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def begins(self, plan: SamplingPlan, missing: Sequence[Sample], out: Path) -> None:
        """Say how much is sampled, and how much is there."""
        total = sum(1 for _ in plan.samples())
        lines = [
            f"{counted(len(plan.problems), 'problem')} x {counted(len(plan.strategies), 'strategy', 'strategies')}, "
            f"{counted(plan.n, 'sample')} each: {counted(total, 'response')}, {len(missing)} to sample, "
            f"seed {plan.run_seed}"
        ]
        if len(missing) < total:
            lines.append(f"{total - len(missing)} of {out} are sampled already")
        lines += [f"{s.name} is greedy: one response a problem" for s in plan.strategies if s.is_greedy and plan.n > 1]
        self._say("\n".join(lines))

    def notes(self, note: str | None) -> None:
        """Say what the user should know; None is nothing."""
        if note:
            self._say(f"note: {note}")

    def progress(self, total: int) -> AbstractContextManager[OnResponse]:
        """A bar on a terminal."""
        return sampling_progress(self._console, total)

    def waits(self, n_ungraded: int) -> None:
        """Say so where there are any: the bar is at its end, and the command is not."""
        if n_ungraded:
            self._say(f"{counted(n_ungraded, 'response is', 'responses are')} still to be graded")

    def ends(self, result: SamplingResult) -> None:
        """Say what came of it; nothing where nothing was to do."""
        if result.written or result.missing or result.n_graded or result.ungraded:
            self._say(str(result))

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
