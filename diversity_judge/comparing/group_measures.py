"""Everything that is measured of one group: its process diversity, and what its responses achieve."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from diversity_judge.comparing.parts import PARTS, is_cut, judged_part, part_diversities
from diversity_judge.measures.approaches import (
    OTHER_ROUTE,
    SAME_APPROACH,
    ApproachCount,
    OtherRoute,
    count_approaches,
    other_route,
)
from diversity_judge.measures.diversity import estimate
from diversity_judge.measures.intervals import Estimate, outcome_estimate, strategy_estimate
from diversity_judge.measures.matrix import VendiScore, population_vendi_2
from diversity_judge.measures.outcomes import Outcome, Skipped, curve_sizes, outcomes
from diversity_judge.measures.rarefaction import rarefied_approaches, rarefied_vendi
from diversity_judge.measures.retest import Retest, retest
from diversity_judge.measures.selected import SelectedDiversity
from diversity_judge.rubric import MAX_SCORE
from diversity_judge.runs.loading import RunGroup

SENSITIVITY_THRESHOLDS = (3.0, 4.0, 5.0)
"""The number of approaches is shown at these too, so that a reader sees how much hangs on the threshold."""
FEW_RESPONSES = 10
"""Up to here a count has so few values that its mean is treated like an outcome's."""
ALL_RESPONSES = "all"
"""What most metrics look at."""
LARGEST_SD = MAX_SCORE / math.sqrt(2)
"""Of two draws, 0 and 5; more draws spread less."""
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


@dataclass(frozen=True)
class ProcessMetric:
    """A figure of the process side, as all tables name it.

    Attributes:
        name: In the tables.
        label: For people.
        value: Of one group; NaN where it is not known.
        bounds: Smallest and largest value; None where it has none that an interval should respect.
        is_compared: Whether strategies are tested for a difference in it.
        depends_on_n: Whether more responses alone make it larger, so that groups of two sizes cannot be compared.
        needs: What would give it a value where it has none; empty where nothing need be said of that.
        is_count: Whether it counts whole things, which few values tell apart.
        needs_every_group: Whether what it lacks depends on the value itself, so that the groups that have one are
            not a fair choice: it then has a value only where every judged group has.
        part: Which responses it looks at.
        is_detail: Whether it stands in the tables and not on the console.
    """

    name: str
    label: str
    value: Callable[[Process], float]
    bounds: tuple[float, float] | None = None
    is_compared: bool = True
    depends_on_n: bool = False
    needs: str = "pairs with a score"
    is_count: bool = False
    needs_every_group: bool = False
    part: str = ALL_RESPONSES
    is_detail: bool = False

    def range_of(self, n: int) -> tuple[float, float] | None:
        """Smallest and largest value among groups of up to n responses; None where there is none."""
        return (1.0, float(max(n, 2))) if self.depends_on_n else self.bounds

    def level(self, values: Sequence[float], n: int) -> Estimate:
        """Mean over problems with its interval.

        Args:
            values: One a problem.
            n: Responses of a group, where the metric depends on them.
        """
        bounds = self.range_of(n)
        if bounds is None:
            return strategy_estimate(values, bounds=None)
        held = np.clip(values, *bounds)  # a Vendi score of 1 may come out below it in the last digit
        return (outcome_estimate if self.is_count and n <= FEW_RESPONSES else strategy_estimate)(held, bounds=bounds)


def process_metrics(thresholds: Thresholds) -> tuple[ProcessMetric, ...]:
    """The metrics of the process side, in the order of the tables."""
    share = (0.0, 1.0)
    answers = "`answer` on the responses"
    all_pairs = "a score for every pair (no --pairs-per-group, nothing missing)"
    others = [t for t in SENSITIVITY_THRESHOLDS if t != thresholds.approach]
    return (
        ProcessMetric("diversity", "process diversity", lambda p: p.diversity.value, share),
        ProcessMetric("vendi", "Vendi score", lambda p: p.vendi.value, depends_on_n=True, needs=all_pairs),
        ProcessMetric(
            "vendi_clipped_mass",
            "clipped mass of the Vendi score",
            lambda p: p.vendi.clipped_mass,
            is_compared=False,
            needs=all_pairs,
        ),
        ProcessMetric(
            "approaches",
            f"distinct approaches (joined at {thresholds.approach:g})",
            _approaches_at(thresholds.approach),
            depends_on_n=True,
            needs=all_pairs,
            is_count=True,
            needs_every_group=True,
        ),
        *(
            ProcessMetric(
                f"approaches_at_{threshold:g}",
                f"distinct approaches (joined at {threshold:g})",
                _approaches_at(threshold),
                is_compared=False,
                depends_on_n=True,
                needs=all_pairs,
                is_count=True,
                needs_every_group=True,
            )
            for threshold in others
        ),
        ProcessMetric(
            "same_answer_other_route",
            f"same answer, other route (similarity up to {thresholds.other_route:g})",
            lambda p: p.other_route.share,
            share,
            needs=answers,
        ),
        ProcessMetric(
            "other_route_of_same_answer",
            "other route, of the pairs with the same answer",
            lambda p: p.other_route.share_of_same_answer,
            share,
            is_compared=False,
            needs=answers,
        ),
        ProcessMetric(
            "order_asymmetry",
            "order asymmetry (points)",
            lambda p: p.order_asymmetry,
            (0.0, MAX_SCORE),
            needs="both orders judged (score --orders both)",
        ),
        ProcessMetric(
            "retest_sd",
            "retest noise (standard deviation, points)",
            lambda p: p.retest.sd,
            (0.0, LARGEST_SD),
            needs="",
        ),
        ProcessMetric(
            "vendi_2",
            "Vendi score of order 2 of the population",
            lambda p: p.vendi_2,
            needs="a pair with a score above 0",
            needs_every_group=True,
            is_detail=True,
        ),
        *(
            ProcessMetric(
                part.metric,
                f"process diversity, {part.label}",
                _part_value(part.metric),
                share,
                needs=part.needs,
                part=part.label,
                is_detail=True,
            )
            for part in PARTS
        ),
    )


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
        diversity=estimate(matrix, member.estimator),
        vendi=_vendi(similarity, reading),
        vendi_2=population_vendi_2(similarity),
        approaches=_approaches(similarity, reading),
        other_route=other_route(similarity, answers, limit=reading.thresholds.other_route),
        order_asymmetry=matrix.order_asymmetry,
        parts=part_diversities(matrix, member.responses),
        retest=retest(member.judgments),
    )


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


def _part_value(metric: str) -> Callable[[Process], float]:
    return lambda process: process.parts[metric].value if metric in process.parts else math.nan


def _approaches_at(threshold: float) -> Callable[[Process], float]:
    return lambda process: process.approaches[threshold].value


def values_of(
    groups: Iterable[GroupMeasures], value: Callable[[Process], float]
) -> Iterator[tuple[GroupMeasures, float]]:
    """Each judged group with its value of a process metric."""
    for group in groups:
        if group.process is not None:
            yield group, value(group.process)


def known_values(groups: Sequence[GroupMeasures], metric: ProcessMetric) -> Iterator[tuple[GroupMeasures, float]]:
    """Each judged group with its value where it is known.

    Of a metric that needs every group, nothing of a strategy of which one judged group lacks it; a group of which no
    two responses are looked at is none.
    """
    found = [(g, value) for g, value in values_of(groups, metric.value) if g.process and g.process.n_responses > 1]
    lacking = {group.strategy for group, value in found if metric.needs_every_group and not is_known(value)}
    yield from ((group, value) for group, value in found if is_known(value) and group.strategy not in lacking)


def is_known(value: float) -> bool:
    """Whether there is a value."""
    return not math.isnan(value)
