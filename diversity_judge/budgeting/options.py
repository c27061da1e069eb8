"""Everything that `plan` is asked, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from diversity_judge.choices import LEVELS, USUAL_RESPONSE_TOKENS, Level
from diversity_judge.errors import InputError
from diversity_judge.runs.sources import RunLike
from diversity_judge.scoring.options import ScoreOptions

Part = Literal["all", "correct", "complete"]


@dataclass(frozen=True)
class Counts:
    """A study that is no more than numbers.

    Attributes:
        problems: Problems.
        responses: Responses to each problem under each strategy.
        strategies: Strategies.
        tokens: Tokens of a response.
    """

    problems: int
    responses: int
    strategies: int = 1
    tokens: int = USUAL_RESPONSE_TOKENS

    def __post_init__(self) -> None:
        """Refuse what is no study.

        Raises:
            InputError: a number is too small.
        """
        for name, fewest in (("problems", 1), ("responses", 2), ("strategies", 1), ("tokens", 1)):
            if getattr(self, name) < fewest:
                raise InputError(f"--{name} must be at least {fewest}, not {getattr(self, name)}")


@dataclass(frozen=True)
class PlanOptions:
    """What is planned, and for what.

    Attributes:
        score: How it would be scored: responses, judge, prompt, view, orders, strategies. Nothing is sent.
        counts: The study in numbers, where there are no responses yet; None: those of `score`.
        level: Whose interval is planned; None: of a difference where there are two strategies, else of a strategy.
        target_width: The width that this interval is to have.
        detect: The true difference of two strategies that is to be confirmed.
        budget: USD that may be spent.
        pilot: A run whose variances are taken.
        part: Responses that `compare` would look at.
        surrogate_r2: Share of the variance of scores that a surrogate explains; None: the pilot's, if it had one.
        comparisons: Among how many a difference is to be confirmed; None: each strategy with a baseline.
    """

    score: ScoreOptions
    counts: Counts | None = None
    level: Level | None = None
    target_width: float | None = None
    detect: float | None = None
    budget: float | None = None
    pilot: RunLike | None = None
    part: Part = "all"
    surrogate_r2: float | None = None
    comparisons: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            InputError: a number is out of its range, two aims are given, or a part is asked of counts.
        """
        if self.level is not None and self.level not in LEVELS:
            raise InputError(f"--for must be one of {', '.join(LEVELS)}, not {self.level!r}")
        aims = {"--target-width": self.target_width, "--detect": self.detect, "--budget": self.budget}
        given = [name for name, value in aims.items() if value is not None]
        if len(given) > 1:
            raise InputError(f"{' and '.join(given)} are two aims: give one")
        for name, value in list(aims.items())[:2]:
            if value is not None and not 0 < value < 1:
                raise InputError(f"{name} is in units of diversity: between 0 and 1, not {value:g}")
        if self.budget is not None and not self.budget > 0:
            raise InputError(f"--budget must be more than 0 USD, not {self.budget:g}")
        if self.surrogate_r2 is not None and not 0 <= self.surrogate_r2 < 1:
            raise InputError(f"--surrogate-r2 is a share from 0 and below 1, not {self.surrogate_r2:g}")
        if self.comparisons is not None and self.comparisons < 1:
            raise InputError(f"--comparisons must be at least 1, not {self.comparisons}")
        if self.part != "all" and self.counts is not None:
            raise InputError(f"--{self.part}-only looks at the responses themselves: name their file")
