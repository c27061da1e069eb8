"""Does `reliability` find what is wrong with a judge, and does it leave an honest one alone?

Judges with a known flaw are asked what the command asks at its default budget, and the same formulas and verdicts look
at their answers. Nothing is called: answers are drawn from a model of responses and judges, in which everything is
known, so that a flaw is found when the metric that it belongs to is outside its band, and an honest judge is accused
when any metric at all is. Second, how often the 95 % intervals of the retest spread and of the components of variance
hold the truth, which follows for scores rounded to 0..5 from the bivariate normal distribution. Third, how often those
of diversities and differences do that labels correct (`coverage_surrogate`).

    python -m benchmarks.planted_bias [--runs 500] [--problems 30] [--responses 8] [--seed 0]

Wanted: each flaw found in 95 % of the runs, an honest judge accused in 5 % at most, intervals right in 93 to 98 %.
Exits with 1 where that is missed by more than 2 Monte Carlo errors.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from benchmarks.coverage_surrogate import LABELLINGS, corrected_row
from benchmarks.planted_judges import (
    DRAWS,
    JUDGES,
    PAIRS,
    UNRELATED_A_STRATEGY,
    Bought,
    Judge,
    World,
    buy,
    true_components,
    true_size,
)
from diversity_judge.bands import Bands, read_bands
from diversity_judge.measures.probes.controls import (
    CUT,
    HIGH,
    INJECTION,
    PADDING,
    UNRELATED,
    control_findings,
    separation_findings,
    stress_findings,
)
from diversity_judge.measures.probes.findings import Finding, Verdict
from diversity_judge.measures.probes.nuisance import nuisance_findings
from diversity_judge.measures.probes.order import order_findings
from diversity_judge.measures.probes.retest import retest_findings
from diversity_judge.measures.probes.strategy import strategy_findings
from diversity_judge.measures.probes.template import template_findings

WANTED_FOUND, WANTED_ACCUSED, WANTED_COVERAGE = 0.95, 0.05, (0.93, 0.98)


def examine(bought: Bought, bands: Bands) -> tuple[Finding, ...]:
    """Everything that the command finds, but for `instrument`, which needs no statistics."""
    controls, base = bought.controls, bought.retest.pair_means
    found = [*retest_findings(bought.retest, bands)]
    found += order_findings(bought.retest, bought.swapped, bought.longer_first, bands)
    for probe in (*HIGH, UNRELATED):
        found += control_findings(probe, controls[probe], bands)
    found += separation_findings([controls[probe] for probe in HIGH], controls[UNRELATED], bands)
    for probe in (PADDING, CUT):
        found += stress_findings(probe, controls[probe], base, bands)
    found += stress_findings(INJECTION, controls[INJECTION], base, bands, bought.asked_for)
    first = bought.retest.with_scores(bought.retest.scores[:, 0])
    found += template_findings(first, bought.templates, bands)
    found += nuisance_findings(bought.run, {"length_ratio": bought.gap}, bands)
    found += strategy_findings(controls, bought.retest, bands)
    return tuple(found)


@dataclass(frozen=True)
class Row:
    """What became of one judge.

    Attributes:
        judge: The judge.
        share: How often its flaw was found, or how often it was accused.
        runs: Of so many.
        planted: Size of the flaw as its metric has it; NaN where that is not known exactly.
        mean: Mean of what was found.
        coverage: How often the interval holds the planted size.
    """

    judge: Judge
    share: float
    runs: int
    planted: float
    mean: float
    coverage: float

    @property
    def is_right(self) -> bool:
        """Whether the share is as wanted, give or take 2 Monte Carlo errors."""
        if self.judge.found_by is None:
            return self.share <= WANTED_ACCUSED + 2 * _error(WANTED_ACCUSED, self.runs)
        return self.share >= WANTED_FOUND - 2 * _error(WANTED_FOUND, self.runs)

    def __str__(self) -> str:
        verb = "accused" if self.judge.found_by is None else "found"
        line = f"{self.judge.name:32s} {verb:8s} {self.share:6.1%}"
        if not math.isnan(self.planted):
            line += f"   {self.planted:6.3f}  {self.mean:6.3f}   {self.coverage:6.1%}"
        return line if self.is_right else f"{line}  (not as wanted)"


def study(judge: Judge, world: World, runs: int, seed: int) -> Row:
    """How often a judge is found out."""
    bands, hits, known = read_bands(), 0, true_size(world, judge)
    seen: list[Finding] = []
    for run in range(runs):
        found = examine(buy(judge, world, np.random.default_rng([seed, run])), bands)
        outside = {(one.probe, one.metric) for one in found if one.verdict is Verdict.OUTSIDE}
        hits += bool(outside if judge.found_by is None else outside & set(judge.found_by))
        seen += [one for one in found if known is not None and (one.probe, one.metric, one.strategy) == known[0]]
    if known is None:
        return Row(judge, hits / runs, runs, math.nan, math.nan, math.nan)
    held = np.mean([one.ci_low <= known[1] <= one.ci_high for one in seen])
    return Row(judge, hits / runs, runs, known[1], float(np.mean([one.value for one in seen])), float(held))


@dataclass(frozen=True)
class Coverage:
    """How often the interval of a component holds the truth."""

    name: str
    truth: float
    mean: float
    share: float
    runs: int

    @property
    def is_right(self) -> bool:
        """Whether it is as wanted, give or take 2 Monte Carlo errors."""
        slack = 2 * _error(WANTED_COVERAGE[0], self.runs)
        return WANTED_COVERAGE[0] - slack <= self.share <= WANTED_COVERAGE[1] + slack

    def __str__(self) -> str:
        return f"{self.name:22s} {self.truth:7.4f} {self.mean:7.4f} {self.share:7.1%}"


def component_coverage(judge: Judge, world: World, runs: int, seed: int) -> list[Coverage]:
    """One row a component."""
    truth = true_components(world, judge)
    studies = [buy(judge, world, np.random.default_rng([seed, 1, run])).components() for run in range(runs)]
    rows = []
    for name, value in truth.items():
        found = [next(c for c in components.all if c.name == name) for components in studies]
        held = float(np.mean([c.ci_low <= value <= c.ci_high for c in found]))
        rows.append(Coverage(name, value, float(np.mean([c.variance for c in found])), held, runs))
    return rows


def _error(share: float, runs: int) -> float:
    return math.sqrt(share * (1 - share) / runs)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; 1 where something is clearly not as wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=500, help="simulated runs a judge (default 500)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--problems", type=int, default=World.n_problems, help="problems of a run (default 30)")
    parser.add_argument("--responses", type=int, default=World.n_responses, help="responses of a group (default 8)")
    options = parser.parse_args(argv)
    world = World(n_problems=options.problems, n_responses=options.responses)
    size = f"{world.n_problems} problems, {world.n_strategies} strategies, groups of {world.n_responses}"
    print(f"{options.runs} runs a judge, seed {options.seed}: {size}")
    print(f"{PAIRS} pairs, {DRAWS} draws, {UNRELATED_A_STRATEGY} unrelated controls a strategy\n")
    print(f"{'judge':41s} {'share':>6s}   planted  found   interval right")
    right = True
    for judge in JUDGES:
        row = study(judge, world, options.runs, options.seed)
        right &= row.is_right
        print(row, flush=True)
    print(f"\nComponents of variance, the honest judge, points squared\n{'':22s}   truth    mean   interval right")
    for coverage in component_coverage(JUDGES[0], world, options.runs, options.seed):
        right &= coverage.is_right
        print(coverage)
    print("\nCorrected by labels, where one strategy gets 0.4 points more (diversities)\n")
    for index, (labelling, level) in enumerate(product(LABELLINGS, ("diversity", "difference"))):
        corrected = corrected_row(labelling, level, options.runs, np.random.default_rng([options.seed, 2, index]))
        right &= corrected.inside
        print(f"{corrected.setting:24s} {corrected.design:12s} interval right {corrected.coverage:6.1%}")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
