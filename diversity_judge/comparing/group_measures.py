"""Everything that is measured of one group: its process diversity, and what its responses achieve."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from diversity_judge.choices import OTHER_ROUTE, SAME_APPROACH
from diversity_judge.comparing.parts import is_cut, judged_part, part_diversities
from diversity_judge.measures.approaches import ApproachCount, OtherRoute, count_approaches, other_route
from diversity_judge.measures.diversity import estimate
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.matrix import VendiScore, population_vendi_2
from diversity_judge.measures.outcomes import Outcome, Skipped, curve_sizes, outcomes
from diversity_judge.measures.rarefaction import rarefied_approaches, rarefied_vendi
from diversity_judge.measures.retest import Retest, retest
from diversity_judge.measures.selected import SelectedDiversity
from diversity_judge.measures.sortings import clusters_agreement, expected_classes, expected_coverage
from diversity_judge.runs.loading import RunGroup

SENSITIVITY_THRESHOLDS = (3.0, 4.0, 5.0)
"""The number of approaches is shown at these too, so that a reader sees how much hangs on the threshold."""
NEVER_BELOW = 0.95
"""A group of less coverage is marked: too much of its diversity rests on what is missing."""


@dataclass(frozen=True)
class Thresholds:
    """Where similar ends and different begins, in points of 0..5.

    Attributes:
        approach: From here on two responses are joined to one approach.
        other_route: Up to here two responses went different ways.
    """

    approach: float = SAME_APPROACH
    other_route: float = OTHER_ROUTE


@dataclass(frozen=True)
class Reading:
    """How a group is measured.

    Attributes:
        thresholds: Of approaches and routes.
        size: Responses at which figures that grow with their number are taken; 0: at the group's own number.
        complete_only: Whether responses that were cut are left out of the process side.
        seed: Of random subsets of responses.
    """

    thresholds: Thresholds = field(default_factory=Thresholds)
    size: int = 0
    complete_only: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Process:
    """How differently the responses of a group reason.

    Attributes:
        n_responses: Responses that were looked at.
        n_pairs: Unordered pairs of them that have a score.
        coverage: Share of the wanted judgments that have a score.
        diversity: With its interval over responses.
        vendi: Vendi score and the mass that its repair clipped, at the common number of responses.
        vendi_2: Vendi score of order 2 of the population, which needs no common number.
        approaches: Number of distinct approaches by threshold, the user's first, at the common number of responses.
        other_route: Pairs of the same answer by another route.
        order_asymmetry: Mean difference between the two orders; NaN unless both were judged.
        parts: Diversity of parts of the responses, by the metric's name.
        retest: Spread of repeated draws.
        judged_approaches: Approaches as the judge sorts them, at the common number of responses; NaN unless it did.
        clusters_agreement: Agreement of its sorting with the clusters of the matrix; NaN where one is not known.
        reference_coverage: Share of the problem's reference approaches that the common number of responses takes.
    """

    n_responses: int
    n_pairs: int
    coverage: float
    diversity: Estimate
    vendi: VendiScore
    vendi_2: float
    approaches: Mapping[float, ApproachCount]
    other_route: OtherRoute
    order_asymmetry: float
    parts: Mapping[str, SelectedDiversity]
    retest: Retest
    judged_approaches: float = math.nan
    clusters_agreement: float = math.nan
    reference_coverage: float = math.nan


@dataclass(frozen=True)
class GroupMeasures:
    """One problem under one strategy, measured.

    Attributes:
        member: The group.
        process: None where nothing was judged.
        outcomes: Metric and k to outcome.
        skipped: Metrics that cannot be computed, and what they need.
    """

    member: RunGroup
    process: Process | None
    outcomes: Mapping[tuple[str, int], Outcome] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()

    @property
    def problem_id(self) -> str:
        """The problem."""
        return self.member.problem_id

    @property
    def strategy(self) -> str:
        """How the responses were sampled."""
        return self.member.strategy

    @property
    def n_responses(self) -> int:
        """Number of responses."""
        return self.member.group.n_responses

    @property
    def has_low_coverage(self) -> bool:
        """Whether so many judgments are missing that the diversity should be read with care."""
        return self.process is not None and not self.process.coverage >= NEVER_BELOW

    def outcome(self, metric: str, k: int | None = None) -> Outcome | None:
        """An outcome by its metric, and by k where the metric has several."""
        for (name, size), found in self.outcomes.items():
            if name == metric and k in (None, size):
                return found
        return None


def measure(member: RunGroup, sizes: Sequence[int], reading: Reading) -> GroupMeasures:
    """Measure one group.

    Args:
        member: The group.
        sizes: The k of pass@k; a group with fewer responses than the largest has no curve, so that a curve has
            the same problems at each k.
        reading: How.
    """
    found = list(outcomes(member.group, [k for k in sizes if k <= member.group.n_responses] or None))
    if sizes and member.group.n_responses < sizes[-1]:
        found = [o for o in found if o.metric != "pass_at_k"]
        found.append(Skipped("pass_at_k", f"{sizes[-1]} responses; there are {member.group.n_responses}"))
    return GroupMeasures(
        member,
        _process(judged_part(member, complete_only=reading.complete_only), reading) if member.judgments else None,
        {(o.metric, o.k): o for o in found if isinstance(o, Outcome)},
        tuple(o for o in found if isinstance(o, Skipped)),
    )


def common_size(members: Iterable[RunGroup], *, complete_only: bool) -> tuple[int, int]:
    """Responses of the smallest and of the largest judged group that has a pair; 0 and 0 without one."""
    counts = [
        sum(not (complete_only and is_cut(response)) for response in member.responses)
        for member in members
        if member.judgments
    ]
    counts = [count for count in counts if count > 1]
    return (min(counts), max(counts)) if counts else (0, 0)


def typical_size(groups: Iterable[RunGroup]) -> int:
    """The commonest number of responses, the larger one on a tie; 0 without a group."""
    counts = Counter(group.group.n_responses for group in groups)
    return max(counts, key=lambda n: (counts[n], n), default=0)


def common_curve_sizes(sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """The k of each strategy's pass@k curve: 1, 2, 4, ... N, and the N of the smallest, where all can be compared."""
    shared = min((n for n in sizes.values() if n), default=0)
    return {strategy: tuple(sorted({*curve_sizes(n), shared} - {0})) for strategy, n in sizes.items()}


def _process(member: RunGroup, reading: Reading) -> Process:
    matrix = member.matrix
    similarity = matrix.symmetric()
    answers = [response.answer for response in member.responses]
    return Process(
        n_responses=matrix.n_responses,
        n_pairs=int(np.triu(matrix.scored | matrix.scored.T, 1).sum()),
        coverage=matrix.coverage,
        diversity=estimate(matrix, member.surrogate),
        vendi=_vendi(similarity, reading),
        vendi_2=population_vendi_2(similarity),
        approaches=_approaches(similarity, reading),
        other_route=other_route(similarity, answers, limit=reading.thresholds.other_route),
        order_asymmetry=matrix.order_asymmetry,
        parts=part_diversities(matrix, member.responses),
        retest=retest(member.judgments),
        judged_approaches=_judged_approaches(member, reading),
        clusters_agreement=(
            clusters_agreement(member.approaches, similarity, threshold=reading.thresholds.approach)
            if member.approaches
            else math.nan
        ),
        reference_coverage=_reference_coverage(member, reading),
    )


def _judged_approaches(member: RunGroup, reading: Reading) -> float:
    labels = member.approaches
    return expected_classes(labels, reading.size or len(labels)) if labels else math.nan


def _reference_coverage(member: RunGroup, reading: Reading) -> float:
    labels = member.references
    if not labels or not member.n_references:
        return math.nan
    return expected_coverage(labels, member.n_references, reading.size or len(labels))


def _vendi(similarity: NDArray[np.float64], reading: Reading) -> VendiScore:
    if len(similarity) < 2:
        return VendiScore(math.nan, math.nan, 1.0)
    return rarefied_vendi(similarity, reading.size or len(similarity), seed=reading.seed)


def _approaches(similarity: NDArray[np.float64], reading: Reading) -> dict[float, ApproachCount]:
    n = len(similarity)
    wanted = dict.fromkeys((reading.thresholds.approach, *SENSITIVITY_THRESHOLDS))
    if n < 2:
        return {threshold: ApproachCount(threshold, 0, n) for threshold in wanted}
    if reading.size in (0, n):
        return {threshold: count_approaches(similarity, threshold=threshold) for threshold in wanted}
    return {
        threshold: rarefied_approaches(similarity, reading.size, threshold=threshold, seed=reading.seed)
        for threshold in wanted
    }


def values_of(
    groups: Iterable[GroupMeasures], value: Callable[[Process], float]
) -> Iterator[tuple[GroupMeasures, float]]:
    """Each judged group with its value of a process metric."""
    for group in groups:
        if group.process is not None:
            yield group, value(group.process)


def is_known(value: float) -> bool:
    """Whether there is a value."""
    return not math.isnan(value)
