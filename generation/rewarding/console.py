"""What `python -m generation.reward` says on the console while it runs."""

from __future__ import annotations

from contextlib import AbstractContextManager

from rich.console import Console

from diversity_judge.display import counted
from generation.rewarding.plan import RewardPlan
from generation.rewarding.run import RewardResult
from generation.rewarding.scorer import OnScore
from generation.sampling.progress import sampling_progress


class ConsoleReporter:
    """A `RewardReporter` on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def begins(self, plan: RewardPlan, n_missing: int) -> None:
        """Say how much is scored, and how much is there."""
        self.say(
            f"{counted(len(plan.jobs), 'response')}, {counted(n_missing, 'text')} to score, recipe {plan.recipe.name}"
        )

    def progress(self, total: int) -> AbstractContextManager[OnScore]:
        """A bar on a terminal."""
        return sampling_progress(self._console, total, "scoring")

    def ends(self, result: RewardResult) -> None:
        """Say what came of it."""
        self.say(str(result))

    def say(self, text: str) -> None:
        """Print a text as it is."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
