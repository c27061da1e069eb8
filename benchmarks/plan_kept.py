"""Whether a plan keeps its promise: widths and power in simulated studies against what was planned for them.

Each study is drawn pair by pair from known variance variances, judged by the design that was planned, and evaluated as
`score` and `compare` do it. Wanted over 500 studies: an interval no more than 10 % wider than planned in 90 % of them,
and the planned difference confirmed in 80 % of them, within 5 points.

    python -m benchmarks.plan_kept [--studies 500] [--seed 0]

Exits with 1 if a row is outside by more than its Monte Carlo error explains.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.intervals import group_estimate, strategy_estimate
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.measures.paired import mean_difference
from diversity_judge.measures.power import POWER
from diversity_judge.measures.study import (
    ASSURANCE,
    TOLERANCE,
    Sample,
    detectable,
    difference_width,
    group_variance,
    group_width,
    strategy_width,
)
from diversity_judge.measures.variances import ASSUMED, Variances
from diversity_judge.planning.pairs import circulant_pairs
from diversity_judge.rubric import MAX_SCORE

POWER_WITHIN = 0.05
"""Wanted: the share of studies that confirm the difference is this close to the planned power."""
COMMON_SHARE = 0.8
"""Of the variance of problems, what does not differ between the two strategies; s_D^2 is what is left of both."""


@dataclass(frozen=True)
class Study:
    """A design that is planned and then carried out.

    Attributes:
        problems: Problems, the same for both strategies.
        sample: What is judged of a group.
        variances: Where the spread comes from.
    """

    problems: int
    sample: Sample
    variances: Variances = ASSUMED

    def __str__(self) -> str:
        return f"{self.problems} problems, {self.sample.responses} responses, {self.sample.pairs:g} pairs"


STUDIES = tuple(
    Study(problems, Sample(responses, pairs))
    for problems in (8, 13, 40)
    for responses, pairs in ((32, 32), (32, 124), (32, 496), (12, 66))
)


@dataclass(frozen=True)
class Kept:
    """How often a promise was kept.

    Attributes:
        what: Which promise, of which study.
        planned: The width or the difference that was planned.
        found: Mean width; or share of studies that confirmed the difference.
        share: Of the studies that kept it; for the power the same as `found`.
        studies: How many were simulated.
        wanted: Smallest and largest share that is wanted.
    """

    what: str
    planned: float
    found: float
    share: float
    studies: int
    wanted: tuple[float, float]

    @property
    def is_kept(self) -> bool:
        """Within what is wanted, give or take two Monte Carlo errors."""
        slack = 2 * math.sqrt(max(self.share * (1 - self.share), 1 / self.studies) / self.studies)
        return self.wanted[0] - slack <= self.share <= self.wanted[1] + slack

    def __str__(self) -> str:
        return f"{self.what:62s} {self.planned:8.4f} {self.found:8.4f} {self.share:7.1%}" + (
            "" if self.wanted[0] <= self.share <= self.wanted[1] else "  (outside)"
        )


def cells(sample: Sample) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(m,) first and (m,) second response of the judged pairs; responses are exchangeable, so any seed does."""
    first, second = np.array(circulant_pairs(sample.responses, int(sample.pairs), seed=0)).T
    return first, second


def draw_scores(study: Study, levels: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """Diversities of the judged pairs of groups with these true levels.

    Args:
        study: Its variances and sample.
        levels: (G,) true diversity of each group.
        generator: Source of all randomness.

    Returns:
        (G, m).
    """
    parts, (first, second) = study.variances, cells(study.sample)
    effect = generator.normal(0, math.sqrt(parts.response), (len(levels), study.sample.responses))
    residual = math.sqrt(parts.residual(study.sample.draws))
    return (
        levels[:, None]
        + effect[:, first]
        + effect[:, second]
        + generator.normal(0, residual, (len(levels), len(first)))
    )


def draw_study(
    study: Study, difference: float, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores (P, m) of a strategy and of a baseline that is less diverse by the difference."""
    parts = study.variances
    common = generator.normal(0, math.sqrt(parts.problem - parts.difference / 2), study.problems)
    own = generator.normal(0, math.sqrt(parts.difference / 2), (2, study.problems))
    mean = parts.diversity + common
    return (
        draw_scores(study, mean + difference + own[0], generator),
        draw_scores(study, mean + own[1], generator),
    )


def kept_by(study: Study, studies: int, generator: np.random.Generator) -> Iterator[Kept]:
    """Each promise that is made of a study."""
    parts = study.variances
    variance = group_variance(parts, study.sample)
    effect = detectable(parts, variance, study.problems)
    widths: dict[str, list[float]] = {"strategy": [], "difference": [], "group": []}
    confirmed = 0
    for _ in range(studies):
        treated, baseline = draw_study(study, 0.0 if math.isnan(effect) else effect, generator)
        estimate, test = mean_difference(treated.mean(axis=1) - baseline.mean(axis=1))
        confirmed += test.p <= 0.05
        widths["difference"].append(estimate.high - estimate.low)
        found = strategy_estimate(np.clip(baseline.mean(axis=1), 0, 1))
        widths["strategy"].append(found.high - found.low)
        widths["group"].append(mean_group_width(baseline, study.sample))
    planned = {
        "group": group_width(parts, variance, study.sample.responses, study.problems),
        "strategy": strategy_width(parts, variance, study.problems),
        "difference": difference_width(parts, variance, study.problems),
    }
    for level, width in planned.items():
        found_widths = np.array(widths[level])
        share = float((found_widths <= width * (1 + TOLERANCE)).mean())
        yield Kept(f"width, {level}: {study}", width, float(found_widths.mean()), share, studies, (ASSURANCE, 1.0))
    share = confirmed / studies
    yield Kept(f"power: {study}", effect, share, share, studies, (POWER - POWER_WITHIN, POWER + POWER_WITHIN))


def mean_group_width(diversities: NDArray[np.float64], sample: Sample) -> float:
    """Mean width of the intervals of groups over their responses.

    Args:
        diversities: (G, m) of the judged pairs.
        sample: Which pairs these are.
    """
    n, (first, second) = sample.responses, cells(sample)
    wanted = np.zeros((n, n), dtype=np.bool_)
    wanted[first, second] = True
    widths = []
    for group in diversities:
        scores = np.full((n, n), np.nan)
        scores[first, second] = np.clip(1 - group, 0, 1) * MAX_SCORE
        found = group_estimate(SimilarityMatrix(scores, wanted))
        widths.append(found.high - found.low)
    return float(np.mean(widths))


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 1 if a promise is clearly broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--studies", type=int, default=500, help="simulated studies a row (default 500)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    print(f"{options.studies} simulated studies a row, seed {options.seed}")
    print(f"{'promise':62s} {'planned':>8s} {'found':>8s} {'kept':>7s}")
    rows = []
    for index, study in enumerate(STUDIES):
        for row in kept_by(study, options.studies, np.random.default_rng([options.seed, index])):
            print(row, flush=True)
            rows.append(row)
    broken = [row for row in rows if not row.is_kept]
    print(f"\nClearly broken, by more than 2 Monte Carlo errors: {len(broken)} of {len(rows)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
