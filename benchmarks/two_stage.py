"""Whether an interval of two stages holds the truth, and has the width that was wanted.

Each study is drawn pair by pair from known variance components. A pilot is judged, `pairs_needed` decides from it how
many pairs a group are judged in all, and the interval is made from these as `score` and `compare` make it.

    python -m benchmarks.two_stage [--studies 1000] [--seed 0]

Wanted: the interval holds the truth in 93 to 98 %, and in 90 % it is no more than 10 % wider than wanted. Exits with 1
if a row is outside by more than its Monte Carlo error explains.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diversity_judge.choices import Level
from diversity_judge.measures.intervals import Estimate, group_estimate, strategy_estimate
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.measures.moments import JudgedGroup
from diversity_judge.measures.paired import mean_difference
from diversity_judge.measures.two_stage import pairs_needed
from diversity_judge.measures.variances import ASSUMED, Variances
from diversity_judge.planning.pairs import circulant_pairs
from diversity_judge.rubric import MAX_SCORE

COVERAGE = (0.93, 0.98)
TOLERANCE, KEPT = 0.1, 0.9


@dataclass(frozen=True)
class Setting:
    """Studies of one kind.

    Attributes:
        level: Whose interval is to have a width.
        share: Where the target lies between the width of all pairs (0) and that of the pilot (1), both as they are
            without chance.
        problems: Problems of each of two strategies.
        responses: Responses a group.
        variances: Where the spread comes from.
    """

    level: Level
    share: float
    problems: int = 13
    responses: int = 16
    variances: Variances = ASSUMED

    def __str__(self) -> str:
        return f"{self.level}, target {self.share:.0%} from all pairs to the pilot, {self.problems} problems"


SETTINGS = tuple(Setting(level, share) for level in ("strategy", "difference", "group") for share in (0.2, 0.5, 0.8))


@dataclass(frozen=True)
class Row:
    """What became of a setting's studies.

    Attributes:
        setting: Which.
        studies: How many.
        pairs: Mean number of pairs a group that were judged.
        coverage: Share of the intervals that hold the truth.
        kept: Share that is no more than 10 % wider than wanted.
    """

    setting: Setting
    studies: int
    pairs: float
    coverage: float
    kept: float

    @property
    def is_wanted(self) -> bool:
        """Within what is wanted, give or take two Monte Carlo errors."""
        slack = [2 * math.sqrt(max(p * (1 - p), 1 / self.studies) / self.studies) for p in (self.coverage, self.kept)]
        holds = COVERAGE[0] - slack[0] <= self.coverage <= COVERAGE[1] + slack[0]
        return holds and self.kept >= KEPT - slack[1]

    def __str__(self) -> str:
        verdict = "" if COVERAGE[0] <= self.coverage <= COVERAGE[1] and self.kept >= KEPT else "  (outside)"
        return f"{self.setting!s:62s} {self.pairs:6.1f} {self.coverage:8.1%} {self.kept:7.1%}{verdict}"


class Simulation:
    """Studies of a setting, drawn with all pairs; a design looks at some of them."""

    def __init__(self, setting: Setting, generator: np.random.Generator) -> None:
        self.setting = setting
        self._generator = generator
        n = setting.responses
        self.first, self.second = np.triu_indices(n, 1)
        self._number = np.full((n, n), -1)
        self._number[self.first, self.second] = self._number[self.second, self.first] = np.arange(len(self.first))

    def draw(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(2, P, pairs) diversities of all pairs, and (2, P) the true diversities of the groups."""
        parts, setting = self.setting.variances, self.setting
        common = self._generator.normal(0, math.sqrt(parts.problem - parts.difference / 2), setting.problems)
        own = self._generator.normal(0, math.sqrt(parts.difference / 2), (2, setting.problems))
        levels = parts.diversity + common + own
        effect = self._generator.normal(0, math.sqrt(parts.response), (2, setting.problems, setting.responses))
        pair = self._generator.normal(0, math.sqrt(parts.residual()), (2, setting.problems, len(self.first)))
        return levels[:, :, None] + effect[:, :, self.first] + effect[:, :, self.second] + pair, levels

    def matrix(self, diversities: NDArray[np.float64], pairs: int) -> SimilarityMatrix:
        """Of a group, with so many of its pairs judged."""
        n = self.setting.responses
        wanted = np.zeros((n, n), dtype=np.bool_)
        first, second = np.array(circulant_pairs(n, pairs, seed=1)).T
        wanted[first, second] = True
        scores = np.full((n, n), np.nan)
        scores[first, second] = np.clip(1 - diversities[self._number[first, second]], 0, 1) * MAX_SCORE
        # All pairs stand in another orientation, which makes no difference to a judge that does not look at it.
        return SimilarityMatrix(scores, wanted)

    def groups(self, drawn: NDArray[np.float64], pairs: int) -> list[JudgedGroup]:
        """All groups of a study."""
        return [
            JudgedGroup(str(problem), str(strategy), self.matrix(drawn[strategy, problem], pairs))
            for strategy in range(2)
            for problem in range(self.setting.problems)
        ]


def intervals(groups: Sequence[JudgedGroup], level: Level) -> list[Estimate]:
    """The intervals that a target width of this level is about."""
    if level == "group":
        return [group_estimate(group.matrix) for group in groups]
    values = {
        name: np.array([group.matrix.diversity for group in groups if group.strategy == name]) for name in ("0", "1")
    }
    if level == "strategy":
        return [strategy_estimate(found) for found in values.values()]
    return [mean_difference(values["0"] - values["1"])[0]]


def simulate(setting: Setting, studies: int, generator: np.random.Generator) -> Row:
    """Carry out some studies in two stages."""
    simulation = Simulation(setting, generator)
    n, whole = setting.responses, len(simulation.first)
    drawn, _ = simulation.draw()
    widths = []
    for pairs in (whole, n):  # Without chance: the mean over some studies.
        found = [
            np.mean([e.high - e.low for e in intervals(simulation.groups(simulation.draw()[0], pairs), setting.level)])
            for _ in range(40)
        ]
        widths.append(float(np.mean(found)))
    target = widths[0] + setting.share * (widths[1] - widths[0])
    held, kept, used = [], [], []
    for _ in range(studies):
        drawn, levels = simulation.draw()
        needed = pairs_needed(simulation.groups(drawn, n), setting.level, target, n)
        estimates = intervals(simulation.groups(drawn, needed.pairs), setting.level)
        parts = setting.variances
        strategies = [parts.diversity] * 2
        truths = {"group": levels.reshape(-1).tolist(), "strategy": strategies, "difference": [0.0]}[setting.level]
        held += [e.low <= truth <= e.high for e, truth in zip(estimates, truths, strict=True)]
        found_widths = [e.high - e.low for e in estimates]
        width = float(np.mean(found_widths)) if setting.level == "group" else max(found_widths)
        if needed.is_reached:
            kept.append(width <= target * (1 + TOLERANCE))
        used.append(needed.pairs)
    return Row(setting, studies, float(np.mean(used)), float(np.mean(held)), float(np.mean(kept)))


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 1 if a row is clearly outside what is wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies a row (default 1000)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    print(f"{options.studies} simulated studies a row, seed {options.seed}")
    print(f"{'setting':62s} {'pairs':>6s} coverage    kept")
    rows = []
    for index, setting in enumerate(SETTINGS):
        rows.append(simulate(setting, options.studies, np.random.default_rng([options.seed, index])))
        print(rows[-1], flush=True)
    outside = [row for row in rows if not row.is_wanted]
    print(f"\nClearly outside, by more than 2 Monte Carlo errors: {len(outside)} of {len(rows)}")
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
