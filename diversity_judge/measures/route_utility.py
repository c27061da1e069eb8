"""How good the routes are that a router takes, beside others of equal cost, by class of token.

A route's utility at a token is the log-probability (nats) that it gives the token that was written. Of each token M
other routes were drawn, the first set, and as many again, the second set, which takes part in no comparison, and one
route more, the placebo, which stands where the model's own route stands. If a router knew nothing, its route would be
one more draw of the same kind: M + 1 exchangeable routes. Then the share of the first set that it beats has the mean
1/2, the best of the M beats it in M / (M + 1) of the tokens (the largest of M + 1 is as likely to be any of them), and
its distance from that best is what the placebo's is. So the null is no assumption of a distribution: it is counted.

Classes. *Naive*: by the probability that the route compared gives the token itself. Such a class selects its own
finding: a route is in the lowest class also because it was unlucky there, and its rank among others is then low though
all are alike (regression to the mean). *Second set*: by the median of the second set, which shares the token with the
routes compared and nothing else: given the token, it is independent of them, so that exchangeable routes have rank 1/2
in every class. The placebo is classed by the same rule, by its own probability or by the same median, and shows which
of the two rules finds what is not there.

The problem is the unit of every interval (`clustered`): tokens of one problem share their difficulty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.clustered import CONFIDENCE, mean_of, share_of
from diversity_judge.measures.intervals import Estimate

NAIVE, SECOND_SET = "naive", "second-set"
DEFINITIONS = (NAIVE, SECOND_SET)
ALL = "all"
_UNIT = (0.0, 1.0)
_ANY = (-np.inf, np.inf)

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TokenUtilities:
    """Tokens with the utilities of their routes, all (N,); log-probabilities in nats, shares in 0..1, NaN unknown.

    Attributes:
        problems: The tokens' problems.
        standard: Log-probability by the model's own route.
        median: Median of the first set.
        best: Best of the first set.
        mean: Mean of the first set.
        rank: Share of the first set that the model's own route beats, ties as half.
        second_median: Median of the second set, without the placebo.
        placebo: Log-probability by a route that was drawn like all others, in the standard route's place.
        placebo_rank: Share of the first set that it beats, ties as half.
        chosen: Log-probability by the route that other continuations of the same context choose (`split_choice`).
        router_mass: Probability that the router gives the experts of the model's own route.
        mass_correlation: Rank correlation of the routes' router mass with their utility at this token.
        entropy: Of the next token, in nats.
    """

    problems: NDArray[np.str_ | np.intp]
    standard: Values
    median: Values
    best: Values
    mean: Values
    rank: Values
    second_median: Values
    placebo: Values
    placebo_rank: Values
    chosen: Values
    router_mass: Values
    mass_correlation: Values
    entropy: Values

    def __len__(self) -> int:
        """Number of tokens."""
        return len(self.problems)

    def where(self, chosen: NDArray[np.bool_]) -> TokenUtilities:
        """Those tokens alone."""
        return TokenUtilities(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


@dataclass(frozen=True)
class ClassFinding:
    """What holds of one class of tokens.

    Attributes:
        definition: One of DEFINITIONS.
        place: Of the class, 0 for the least confident; None for all tokens.
        n_tokens: In the class.
        n_problems: Of these tokens.
        placebo_tokens: Tokens in the class by the same rule with the placebo in the standard route's place.
        chosen_tokens: Tokens whose context has other continuations.
        estimates: By name, as STATISTICS.
    """

    definition: str
    place: int | None
    n_tokens: int
    n_problems: int
    placebo_tokens: int
    chosen_tokens: int
    estimates: Mapping[str, Estimate]


def classes(log_probabilities: Values, boundaries: Sequence[float]) -> NDArray[np.intp]:
    """(N,) classes 0..len(boundaries): 0 up to the first boundary, itself included, the last above the last one.

    Raises:
        ValueError: the boundaries do not rise within (0, 1).
    """
    ends = np.asarray(boundaries, np.float64)
    if not len(ends) or not (np.diff(np.concatenate([[0.0], ends, [1.0]])) > 0).all():
        raise ValueError(f"boundaries must rise between 0 and 1, not {', '.join(map(str, boundaries))}")
    return np.searchsorted(ends, np.exp(log_probabilities), side="left")


def findings(
    tokens: TokenUtilities, boundaries: Sequence[float], *, confidence: float = CONFIDENCE
) -> Iterator[ClassFinding]:
    """What holds of all tokens and of every class, by both definitions.

    Args:
        tokens: Of one layer and one scheme of drawing routes.
        boundaries: Of the classes, probabilities.
        confidence: Of the intervals, between 0 and 1.

    Raises:
        ValueError: as `classes`.
    """
    everywhere = np.ones(len(tokens), bool)
    for definition in DEFINITIONS:
        by_standard = class_of(definition, tokens.standard, tokens, boundaries)
        by_placebo = class_of(definition, tokens.placebo, tokens, boundaries)
        yield _finding(definition, None, tokens, everywhere, everywhere, confidence)
        for place in range(len(boundaries) + 1):
            yield _finding(definition, place, tokens, by_standard == place, by_placebo == place, confidence)


def class_of(definition: str, route: Values, tokens: TokenUtilities, boundaries: Sequence[float]) -> NDArray[np.intp]:
    """(N,) classes of the tokens where a route, of these log-probabilities, stands in the standard route's place."""
    return classes(route if definition == NAIVE else tokens.second_median, boundaries)


def null_best_beats(n_alternatives: int) -> float:
    """How often the best of M routes beats one that is like them: M / (M + 1)."""
    return n_alternatives / (n_alternatives + 1)


def _finding(
    definition: str,
    place: int | None,
    tokens: TokenUtilities,
    standard: NDArray[np.bool_],
    placebo: NDArray[np.bool_],
    confidence: float,
) -> ClassFinding:
    members, stand_ins = tokens.where(standard), tokens.where(placebo)
    estimates = {}
    for name, statistic in STATISTICS.items():
        of = stand_ins if name.startswith("placebo") else members
        values = statistic.values(of)
        if statistic.is_share:
            estimates[name] = share_of(values > 0, of.problems, confidence=confidence)
        else:
            estimates[name] = mean_of(values, of.problems, bounds=statistic.bounds, confidence=confidence)
    return ClassFinding(
        definition, place, len(members), len(np.unique(members.problems)), len(stand_ins),
        int(np.isfinite(members.chosen).sum()), estimates,
    )  # fmt: skip


@dataclass(frozen=True)
class _Statistic:
    """A mean over tokens: of what, and between which ends."""

    values: Callable[[TokenUtilities], Values]
    bounds: tuple[float, float] = _ANY
    is_share: bool = False


def _where_chosen(tokens: TokenUtilities, route: Values) -> Values:
    return np.where(np.isfinite(tokens.chosen), route - tokens.standard, np.nan)


STATISTICS: Mapping[str, _Statistic] = {
    "rank": _Statistic(lambda t: t.rank, _UNIT),
    "beaten_by": _Statistic(lambda t: 1 - t.rank, _UNIT),
    "best_beats": _Statistic(lambda t: t.best - t.standard, is_share=True),
    "regret": _Statistic(lambda t: t.best - t.standard),
    "mean_gain": _Statistic(lambda t: t.mean - t.standard),
    "median_gain": _Statistic(lambda t: t.median - t.standard),
    "chosen_gain": _Statistic(lambda t: _where_chosen(t, t.chosen)),
    "regret_where_chosen": _Statistic(lambda t: _where_chosen(t, t.best)),
    "placebo_rank": _Statistic(lambda t: t.placebo_rank, _UNIT),
    "placebo_best_beats": _Statistic(lambda t: t.best - t.placebo, is_share=True),
    "placebo_regret": _Statistic(lambda t: t.best - t.placebo),
    "standard_nll": _Statistic(lambda t: -t.standard, (0.0, np.inf)),
    "best_nll": _Statistic(lambda t: -t.best, (0.0, np.inf)),
    "router_mass": _Statistic(lambda t: t.router_mass, _UNIT),
    "mass_correlation": _Statistic(lambda t: t.mass_correlation, (-1.0, 1.0)),
    "entropy": _Statistic(lambda t: t.entropy, (0.0, np.inf)),
}
"""Name of a column to what it is the mean of; `best_beats` and `placebo_best_beats` are shares of tokens."""
