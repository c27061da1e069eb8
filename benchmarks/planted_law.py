"""Grids whose law is known, and token curves on which points are known to lie: what the miniature's law is tested on.

Problems differ as real ones do. What Expert-Sample adds to a problem is the law's gain times a factor of the problem's
own (a quarter of the problems gain nothing), and on top come the sampling errors of both strategies; the tokens alone
are the same ones beside every setting. A point of the frontier is made from chances of being right that every problem
has at every temperature, so that a point on the curve is the tokens themselves at a temperature between two others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, norm

from examples.miniature.law.effects import LawData
from examples.miniature.law.grid import METRICS, Cell, TaskGrid
from examples.miniature.law.plan import experts_drawn
from examples.miniature.law.resampling import means, problem_counts

ROUTERS = {"peaked": 0.035, "middle": 0.07, "flat": 0.105}
"""Weight on new experts under the defaults."""
SETTINGS = {"k_keep=7": 0.35, "default": 1.0, "k_keep=2": 1.6}
"""Of Expert-Sample, with what each does to that weight."""
ENTROPIES = (0.01, 0.06, 0.15, 0.3, 0.55, 0.8)
TASKS = ("four", "eight")
N = 32
"""Responses a problem."""
_SHARE_SE, _ENTROPY_SE = 0.001, 0.004
_NO_GAIN = 0.25
"""Share of the problems to which Expert-Sample adds nothing."""
_NOISE_ALONE, _NOISE_OWN = 0.05, 0.07
"""Sampling error of a problem's diversity: of the tokens alone and of Expert-Sample."""
_PROBLEMS = 0.12
"""Spread of the problems' diversities."""

Law = Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""Gain of cells from weight, entropy and the diversity of the tokens alone."""


def law(a: float, b: float, c: float) -> Law:
    """The hypothesis with these parameters."""
    return lambda weight, entropy, diversity: a * (weight / 0.1) ** b * np.exp(-c * entropy)


def drawn_law(a: float, b: float, c: float) -> Law:
    """The rival in which the experts drawn count too, for the cells of `planted`, whose settings stand innermost."""
    drawn = [float(experts_drawn(setting)) for setting in SETTINGS]
    return lambda weight, entropy, diversity: (
        a * (weight / 0.1 * np.resize(drawn, weight.shape) / 3) ** b * np.exp(-c * entropy)
    )


def headroom_law(a: float, b: float, c: float) -> Law:
    """The rival in which the room left, not the entropy, ends the gain."""
    return lambda weight, entropy, diversity: a * (weight / 0.1) ** b * (1 - diversity) ** c


@dataclass(frozen=True)
class Planted:
    """A grid with its data.

    Attributes:
        data: As `effects` makes it.
        cells: (K,) in its order.
        truth: (K,) the law's gains.
    """

    data: LawData
    cells: tuple[Cell, ...]
    truth: NDArray[np.float64]

    @property
    def routers(self) -> list[str]:
        """(K,) of the cells."""
        return [cell.router for cell in self.cells]


def token_diversity(entropy: NDArray[np.float64], task: str) -> NDArray[np.float64]:
    """Mean diversity of the tokens alone: the longer task has more of it at the same entropy."""
    return np.asarray(0.85 * (1 - np.exp(-(3.0 if task == "four" else 6.0) * entropy)) + 0.1)


def planted(gain: Law, generator: np.random.Generator, *, n_problems: int = 300, draws: int = 400) -> Planted:
    """One study: both tasks, three routers, six temperatures, three settings.

    Args:
        gain: What is true.
        generator: Of the problems and of the draws.
        n_problems: Of each task.
        draws: Of the bootstrap over problems.
    """
    parts = [_planted_task(task, gain, generator, n_problems, draws) for task in TASKS]
    tables = zip(*((p.data.gain, p.data.weight, p.data.entropy, p.data.diversity) for p in parts), strict=True)
    gains, weight, entropy, diversity = (np.concatenate(table, axis=1) for table in tables)
    se, drawn = (np.concatenate([getattr(p.data, name) for p in parts]) for name in ("se", "drawn"))
    data = LawData(gains, se, weight, entropy, diversity, drawn)
    cells = tuple(cell for part in parts for cell in part.cells)
    return Planted(data, cells, np.concatenate([part.truth for part in parts]))


def _planted_task(task: str, gain: Law, generator: np.random.Generator, n_problems: int, draws: int) -> Planted:
    cells = [
        Cell(router, task, 0.1 * (place + 1), 0.8, setting, entropy, _ENTROPY_SE, share * factor, _SHARE_SE)
        for router, share in ROUTERS.items()
        for place, entropy in enumerate(ENTROPIES)
        for setting, factor in SETTINGS.items()
    ]
    weight = np.array([cell.new_share for cell in cells])
    entropy = np.array([cell.entropy for cell in cells])
    truth = gain(weight, entropy, token_diversity(entropy, task))
    samplings = list(dict.fromkeys(cell.tokens for cell in cells))
    beside = np.array([samplings.index(cell.tokens) for cell in cells])
    noise = generator.normal(0, _NOISE_ALONE, (n_problems, len(samplings)))
    level = token_diversity(np.array([e for _ in ROUTERS for e in ENTROPIES]), task)
    alone = level + generator.normal(0, _PROBLEMS, (n_problems, 1)) + noise
    own = _factors(n_problems, generator)[:, None] * truth + generator.normal(0, _NOISE_OWN, (n_problems, len(cells)))
    differences = own - noise[:, beside]
    counts = problem_counts(n_problems, draws, generator)
    data = LawData(
        means(differences, counts),
        differences.std(axis=0, ddof=1) / np.sqrt(n_problems),
        _seen(weight, _SHARE_SE, np.arange(len(cells)), draws, generator),
        _seen(entropy, _ENTROPY_SE, beside, draws, generator),
        means(alone, counts)[:, beside],
        np.array([experts_drawn(cell.setting) for cell in cells], dtype=np.float64),
    )
    return Planted(data, tuple(cells), truth)


def _factors(n_problems: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """(P,) what the gain of a problem is multiplied by: 1 in the mean."""
    gains = generator.gamma(2.0, 1 / (2 * (1 - _NO_GAIN)), n_problems)
    return np.where(generator.random(n_problems) < _NO_GAIN, 0.0, gains)


def _seen(
    truth: NDArray[np.float64], se: float, owner: NDArray[np.intp], draws: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """(1 + draws, K) a number as it is measured, and drawn again around that; cells of one owner share its errors."""
    errors = generator.normal(0, se, (1 + draws, owner.max() + 1))
    errors[1:] += errors[0]
    return np.maximum(truth + errors[:, owner], 1e-6)


TOKEN_TEMPERATURES = (0.05, 0.2, 0.4, 0.7, 1.0)
"""Of the tokens alone."""
BETWEEN = (0.1, 0.3, 0.55, 0.85)
"""Temperatures whose tokens are called Expert-Sample: points that lie on the curve."""
_SAME_PROBLEM = 0.9
"""Correlation of a problem's place among all problems, from one way of sampling to another."""


def planted_frontier(generator: np.random.Generator, *, n_problems: int = 300, above: float = 0.0) -> TaskGrid:
    """One task and three routers: the tokens alone, and points on their curve or above it.

    Args:
        generator: Of the problems.
        n_problems: Of the task.
        above: What the points have more in pass@1 than the curve at their diversity.
    """
    ability, level = generator.normal(size=n_problems), generator.normal(0, _PROBLEMS, n_problems)
    unknown = np.full(n_problems, np.nan)
    cells, columns = [], []
    for router in ROUTERS:
        for setting, temperatures in (("", TOKEN_TEMPERATURES), ("default", BETWEEN)):
            for temperature in temperatures:
                place = _SAME_PROBLEM * ability + np.sqrt(1 - _SAME_PROBLEM**2) * generator.normal(size=n_problems)
                right = _chances(place, temperature)
                if setting:
                    right = np.where(generator.random(n_problems) < above / (1 - _accuracy(temperature)), 1.0, right)
                n_right = generator.binomial(N, right)
                diversity = _diversity_at(temperature) + level + generator.normal(0, _NOISE_ALONE, n_problems)
                cells.append(Cell(router, "four", temperature, 0.8, setting, 0.0))
                solved = (n_right > 0).astype(float)
                columns.append({"diversity": diversity, "pass_at_1": n_right / N, "pass_at_n": solved})
    values = {m: np.stack([column.get(m, unknown) for column in columns], axis=1) for m in METRICS}
    return TaskGrid("four", tuple(map(str, range(n_problems))), tuple(cells), values, N)


def _chances(place: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """(P,) a problem's chance of being solved: cold tokens solve it always or never, hot ones now and then."""
    mean, spread = _accuracy(temperature), 0.05 + 2.6 * temperature
    return np.asarray(beta.ppf(norm.cdf(place), mean * spread, (1 - mean) * spread))


def _accuracy(temperature: float) -> float:
    return 0.55 - 0.14 * float(temperature**1.3)


def _diversity_at(temperature: float) -> float:
    return 0.05 + 0.8 * (1 - float(np.exp(-3 * temperature)))
