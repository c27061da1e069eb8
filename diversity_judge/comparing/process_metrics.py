"""The figures of the process side of a comparison, by name: what each is of one group, and its mean over problems."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from diversity_judge.comparing.group_measures import (
    SENSITIVITY_THRESHOLDS,
    GroupMeasures,
    Process,
    Thresholds,
    is_known,
    values_of,
)
from diversity_judge.comparing.parts import PARTS
from diversity_judge.measures.intervals import Estimate, outcome_estimate, strategy_estimate
from diversity_judge.rubric import MAX_SCORE

FEW_RESPONSES = 10
"""Up to here a count has so few values that its mean is treated like an outcome's."""
ALL_RESPONSES = "all"
"""What most metrics look at."""
LARGEST_SD = MAX_SCORE / math.sqrt(2)
"""Of two draws, 0 and 5; more draws spread less."""


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
        needs: What would give it a value where it has none.
        is_count: Whether it counts whole things, which few values tell apart.
        needs_every_group: Whether what it lacks depends on the value itself, so that the groups that have one are
            not a fair choice: it then has a value only where every judged group has.
        part: Which responses it looks at.
        is_optional: Whether it has values only where they were asked for: where no group has one, nothing is lacking.
        is_detail: Whether it stands in the tables and not on the console.
        is_check: Whether it says how far another one can be trusted: shown beside it, though no strategy is better
            for a higher one.
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
    is_optional: bool = False
    is_detail: bool = False
    is_check: bool = False

    @property
    def is_shown(self) -> bool:
        """Whether people see it; the others are in the tables only."""
        return self.is_compared or self.is_check

    def range_of(self, n: int) -> tuple[float, float] | None:
        """Smallest and largest value among groups of up to n responses; None where there is none."""
        return (1.0, float(max(n, 2))) if self.depends_on_n and self.bounds is None else self.bounds

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
            "judged_approaches",
            "distinct approaches (sorted by the judge)",
            lambda p: p.judged_approaches,
            depends_on_n=True,
            needs="a sorting by the judge (score --clusters judge)",
            is_optional=True,
            is_count=True,
        ),
        ProcessMetric(
            "clusters_agreement",
            "agreement of the judge's sorting with the similarities (adjusted Rand index)",
            lambda p: p.clusters_agreement,
            (-1.0, 1.0),
            is_compared=False,
            is_check=True,
            needs="a sorting by the judge, and a score for every pair",
            is_optional=True,
        ),
        ProcessMetric(
            "reference_coverage",
            "covered reference approaches",
            lambda p: p.reference_coverage,
            share,
            depends_on_n=True,
            needs="a list of reference approaches, and an answer about it (score --reference-approaches)",
            is_optional=True,
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
            is_optional=True,
        ),
        ProcessMetric(
            "retest_sd",
            "retest noise (standard deviation, points)",
            lambda p: p.retest.sd,
            (0.0, LARGEST_SD),
            needs="a pair that was drawn twice (score --draws)",
            is_optional=True,
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


def known_values(groups: Sequence[GroupMeasures], metric: ProcessMetric) -> Iterator[tuple[GroupMeasures, float]]:
    """Each judged group with its value where it is known.

    Of a metric that needs every group, nothing of a strategy of which one judged group lacks it; a group of which no
    two responses are looked at is none.
    """
    found = [(g, value) for g, value in values_of(groups, metric.value) if g.process and g.process.n_responses > 1]
    lacking = {group.strategy for group, value in found if metric.needs_every_group and not is_known(value)}
    yield from ((group, value) for group, value in found if is_known(value) and group.strategy not in lacking)


def _part_value(metric: str) -> Callable[[Process], float]:
    return lambda process: process.parts[metric].value if metric in process.parts else math.nan


def _approaches_at(threshold: float) -> Callable[[Process], float]:
    return lambda process: process.approaches[threshold].value
