"""A panel as one value: how its judges agree, what is theirs of the variance, and the mean of their scores as a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from diversity_judge.display import block, counted, html_block, short
from diversity_judge.measures.intervals import Estimate, strategy_estimate
from diversity_judge.measures.judge_variance import DISAGREEMENT, JUDGE, JudgeVariance, judge_variance
from diversity_judge.measures.raters import RaterPair, rater_pairs, raters_alpha
from diversity_judge.pooling.members import PanelGroup
from diversity_judge.rubric import MAX_SCORE
from diversity_judge.runs.loading import Run
from diversity_judge.scoring.result import ScoreResult
from diversity_judge.wording import interval, number

_SHOWN_COLUMNS = ("one", "other", "pairs", "equal", "within 1", "kappa", "bias")


@dataclass(frozen=True, eq=False)
class Together:
    """How the judges agree, in one strategy or in all.

    Attributes:
        strategy: The strategy; None: all together.
        alpha: Krippendorff's ordinal alpha of all judges.
        pairs: Each two of them.
        variance: What is theirs of the variance of a score.
        diversities: (J,) of each judge, the mean over problems.
    """

    strategy: str | None
    alpha: Estimate
    pairs: tuple[RaterPair, ...]
    variance: JudgeVariance
    diversities: tuple[Estimate, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Panel:
    """Several judges over the same responses.

    Attributes:
        members: Their runs.
        names: What the tables call them, in this order.
        groups: Their scores.
        rows: How they agree, one a strategy and last all together.
        mean: The mean of their scores, as `score` gives a judge's.
        notes: What is to be kept in mind; one sentence each.
    """

    members: tuple[Run, ...]
    names: tuple[str, ...]
    groups: tuple[PanelGroup, ...]
    rows: tuple[Together, ...]
    mean: ScoreResult
    notes: tuple[str, ...]

    @property
    def run(self) -> Run:
        """The mean as a run, which `compare` and `agree` take."""
        return self.mean.run

    @property
    def pooled(self) -> Together:
        """All strategies together."""
        return self.rows[-1]

    @property
    def sentence(self) -> str:
        """How much of the variance is the judges', in plain words."""
        variance = self.pooled.variance
        strictness, disagreement = variance.share(JUDGE), variance.share(DISAGREEMENT)
        if math.isnan(strictness):
            return "The scores do not vary, so nothing of a variance is the judges'."
        return (
            f"Of the variance of one judge's score, {strictness + disagreement:.0%} is the judges': {strictness:.0%} "
            f"how strict they are, {disagreement:.0%} that they disagree on pairs. Their mean has 1/{len(self.names)} "
            "of that."
        )

    def __repr__(self) -> str:
        return self._shown(block)

    def _repr_html_(self) -> str:
        return self._shown(html_block)

    def _shown(self, how: Callable[[str, Sequence[str], Sequence[Sequence[str]], Iterable[str]], str]) -> str:
        title = f"Panel of {counted(len(self.names), 'judge')}: {counted(len(self.groups), 'group')}"
        return how(title, _SHOWN_COLUMNS, [_cells(pair) for pair in self.pooled.pairs], self._lines())

    def _lines(self) -> Iterator[str]:
        alpha = self.pooled.alpha
        yield f"alpha of all {interval(alpha.value, alpha.low, alpha.high)}"
        yield self.sentence
        if self.notes:
            yield f"{counted(len(self.notes), 'note')} in .notes"


def _cells(pair: RaterPair) -> tuple[str, ...]:
    shares = (number(pair.exact.value), number(pair.within_one.value))
    kappa = interval(pair.kappa.value, pair.kappa.low, pair.kappa.high)
    return short(pair.one), short(pair.other), f"{pair.n:,}", *shares, kappa, number(pair.bias.value, 2, signed=True)


def agreement_of(groups: Sequence[PanelGroup], names: Sequence[str]) -> tuple[Together, ...]:
    """How the judges agree, one a strategy in order of appearance and last all together."""
    strategies = dict.fromkeys(group.group.strategy for group in groups)
    each = (_together([g for g in groups if g.group.strategy == name], names, name) for name in strategies)
    return *each, _together(groups, names, None)


def _together(groups: Sequence[PanelGroup], names: Sequence[str], strategy: str | None) -> Together:
    scores = np.concatenate([group.scores for group in groups])
    problem = np.concatenate([np.full(len(group.pairs), group.group.problem_id) for group in groups])
    return Together(
        strategy,
        raters_alpha(scores, problem),
        rater_pairs(scores, names, problem),
        judge_variance(scores, problem),
        tuple(_diversity(groups, at) for at in range(len(names))),
    )


def _diversity(groups: Sequence[PanelGroup], judge: int) -> Estimate:
    """Of one judge, from the pairs that all have scored; a problem with several strategies counts with their mean."""
    by_problem: dict[str, list[float]] = {}
    for group in groups:
        whole = np.flatnonzero(~np.isnan(group.scores).any(axis=1))
        if len(whole):
            value = 1 - float(group.scores[whole, judge].mean()) / MAX_SCORE
            by_problem.setdefault(group.group.problem_id, []).append(value)
    return strategy_estimate([float(np.mean(values)) for values in by_problem.values()])
