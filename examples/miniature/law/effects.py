"""What Expert-Sample adds to each cell, paired on problems with the tokens alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from diversity_judge.measures.intervals import Estimate, strategy_estimate
from diversity_judge.measures.paired import DifferenceTest, holm, mean_difference
from examples.miniature.law.grid import KEYS, METRICS, Cell, TaskGrid
from examples.miniature.law.plan import experts_drawn
from examples.miniature.law.resampling import DRAWS, means, problem_counts

_SMALLEST_SHARE = 1e-6
_MANY = 100
"""Problems from which on the flipping of signs, slow for hundreds of cells, would say what Student's t says."""


@dataclass(frozen=True)
class LawData:
    """What a law is fitted to; row 0 is what was measured, the others are draws.

    Attributes:
        gain: (R, K) of one metric.
        se: (K,) its standard error over problems.
        weight: (R, K) on new experts.
        entropy: (R, K) of the next token under the tokens alone, in nats.
        diversity: (R, K) of the tokens alone.
        drawn: (K,) experts that a token draws.
    """

    gain: NDArray[np.float64]
    se: NDArray[np.float64]
    weight: NDArray[np.float64]
    entropy: NDArray[np.float64]
    diversity: NDArray[np.float64]
    drawn: NDArray[np.float64]

    def of(self, chosen: NDArray[np.bool_]) -> LawData:
        """The same for some of the cells."""
        tables = (self.gain, self.weight, self.entropy, self.diversity)
        gain, weight, entropy, diversity = (table[:, chosen] for table in tables)
        return LawData(gain, self.se[chosen], weight, entropy, diversity, self.drawn[chosen])

    def first(self, n_rows: int) -> LawData:
        """The same for fewer draws."""
        return replace(
            self,
            gain=self.gain[:n_rows],
            weight=self.weight[:n_rows],
            entropy=self.entropy[:n_rows],
            diversity=self.diversity[:n_rows],
        )


@dataclass(frozen=True)
class Effects:
    """What Expert-Sample adds, of all tasks.

    Attributes:
        cells: (K,) those with Expert-Sample.
        n_problems: (K,) paired ones, of the diversity.
        alone: Metric to (K,) of the tokens alone, on the paired problems.
        estimates: Metric to (K,) differences, each with its paired interval.
        tests: Metric to (K,) their tests.
        data: Metric to what a law is fitted to.
    """

    cells: tuple[Cell, ...]
    n_problems: NDArray[np.intp]
    alone: Mapping[str, NDArray[np.float64]]
    estimates: Mapping[str, tuple[Estimate, ...]]
    tests: Mapping[str, tuple[DifferenceTest, ...]]
    data: Mapping[str, LawData]


def effects_of(grids: Sequence[TaskGrid], *, draws: int = DRAWS, seed: int = 0) -> Effects:
    """The effects of every cell with Expert-Sample that has the tokens alone beside it.

    Problems are drawn again within a task, each task apart. The two numbers that a cell is placed by come with standard
    errors alone, so they are drawn from normals: the entropy once a token sampling, the weight once a cell.

    Raises:
        ValueError: no cell has the tokens alone beside it.
    """
    generator = np.random.default_rng(seed)
    parts = [_of_task(grid, draws, generator) for grid in grids if len(grid.pairs()[0])]
    if not parts:
        raise ValueError("no cell has Expert-Sample and, beside it, the tokens alone with the same temperature")
    return Effects(
        cells=tuple(cell for part in parts for cell in part.cells),
        n_problems=np.concatenate([part.n_problems for part in parts]),
        alone={metric: np.concatenate([part.alone[metric] for part in parts]) for metric in METRICS},
        estimates={metric: tuple(e for part in parts for e in part.estimates[metric]) for metric in METRICS},
        tests={metric: tuple(t for part in parts for t in part.tests[metric]) for metric in METRICS},
        data={metric: _joined([part.data[metric] for part in parts]) for metric in METRICS},
    )


def effect_rows(effects: Effects) -> pd.DataFrame:
    """A row a cell: its two numbers, then of each metric the tokens alone, what is added, its interval and p."""
    rows: dict[str, Sequence[object] | NDArray[np.float64]] = {
        key: [getattr(cell, key) for cell in effects.cells] for key in (*KEYS, "entropy", "new_share")
    }
    rows["n_problems"] = effects.n_problems.tolist()
    for metric in METRICS:
        estimates = effects.estimates[metric]
        rows[f"{metric}_tokens"] = effects.alone[metric]
        rows[f"{metric}_gain"] = [e.value for e in estimates]
        rows[f"{metric}_ci_low"] = [e.low for e in estimates]
        rows[f"{metric}_ci_high"] = [e.high for e in estimates]
        rows[f"{metric}_p_holm"] = holm([test.p for test in effects.tests[metric]])
    return pd.DataFrame(rows)


def _of_task(grid: TaskGrid, draws: int, generator: np.random.Generator) -> Effects:
    own, beside = grid.pairs()
    cells = tuple(grid.cells[place] for place in own)
    counts = problem_counts(len(grid.problems), draws, generator)
    weight, entropy = _numbers(cells, draws, generator)
    differences = {metric: grid.values[metric][:, own] - grid.values[metric][:, beside] for metric in METRICS}
    found = {metric: [_difference(column) for column in differences[metric].T] for metric in METRICS}
    paired = {m: np.where(np.isnan(d), np.nan, grid.values[m][:, beside]) for m, d in differences.items()}
    diversity = means(paired["diversity"], counts)
    return Effects(
        cells,
        (~np.isnan(differences["diversity"])).sum(axis=0),
        {metric: means(values, counts[:1])[0] for metric, values in paired.items()},
        {metric: tuple(estimate for estimate, _ in pairs) for metric, pairs in found.items()},
        {metric: tuple(test for _, test in pairs) for metric, pairs in found.items()},
        {
            metric: LawData(
                means(differences[metric], counts),
                np.array([estimate.se for estimate, _ in found[metric]]),
                weight,
                entropy,
                diversity,
                np.array([experts_drawn(cell.setting) for cell in cells], dtype=np.float64),
            )
            for metric in METRICS
        },
    )


def _difference(differences: NDArray[np.float64]) -> tuple[Estimate, DifferenceTest]:
    """The mean of the differences that are known; of many that differ by Student's t alone, which is right for them."""
    known = differences[~np.isnan(differences)]
    if len(known) < _MANY or np.ptp(known) == 0:
        return mean_difference(known)
    estimate = strategy_estimate(known, bounds=None)
    p = float(2 * stats.t.sf(abs(estimate.value) / estimate.se, len(known) - 1))
    return estimate, DifferenceTest(p, exact=False, smallest_p=0.0)


def _numbers(
    cells: Sequence[Cell], draws: int, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(1 + draws, K) weights and entropies."""
    samplings = list(dict.fromkeys(cell.tokens for cell in cells))
    noise = np.vstack([np.zeros(len(samplings)), generator.normal(size=(draws, len(samplings)))])
    noise = noise[:, [samplings.index(cell.tokens) for cell in cells]]
    entropy = np.array([c.entropy for c in cells]) + noise * np.array([c.entropy_se for c in cells])
    noise = np.vstack([np.zeros(len(cells)), generator.normal(size=(draws, len(cells)))])
    weight = np.array([c.new_share for c in cells]) + noise * np.array([c.new_share_se for c in cells])
    return np.maximum(weight, _SMALLEST_SHARE), np.maximum(entropy, 0.0)


def _joined(parts: Sequence[LawData]) -> LawData:
    def beside(name: str) -> NDArray[np.float64]:
        return np.concatenate([getattr(part, name) for part in parts], axis=-1)

    names = ("gain", "se", "weight", "entropy", "diversity", "drawn")
    return LawData(**{name: beside(name) for name in names})
