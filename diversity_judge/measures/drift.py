"""Has a judge changed? The same pairs asked again, held against earlier askings and the judge's own noise.

Terms, used with just these meanings below:
    now: the scores of one asking.
    before: those of all earlier askings.
    noise: standard deviation of a draw within its pair, known beforehand with so many degrees of freedom.

An unchanged judge's differences d = now - mean of before have mean 0 and variance noise^2 (1 + 1/m), m askings being
before. Two things can give a change away: a shift of all (the mean of d, by t) and pairs that move apart (the mean of
squares over their variance, by F). The smaller P counts twice. Scores are whole numbers, so that a judge that never
flipped in a few draws may still flip: noise is taken to be at least a quarter of a point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.01
"""A change is claimed below this: a run of many months asks often."""
LEAST_NOISE = 0.25
"""Points: one flip by one point in sixteen draws."""
ASSUMED_NOISE = 0.5
"""Points, where nobody has measured it."""
ASSUMED_DEGREES = 10
"""How little an assumption is worth."""


@dataclass(frozen=True)
class Drift:
    """What an asking says.

    Attributes:
        n: Anchors with a score now and before.
        mean: Mean of now minus before, in points; NaN without an anchor.
        low: Lower end of its 95 % interval.
        high: Upper end.
        rms: Root mean square difference, in points.
        expected_rms: What noise alone would give.
        p: Of an unchanged judge.
    """

    n: int
    mean: float
    low: float
    high: float
    rms: float
    expected_rms: float
    p: float

    @property
    def is_beyond_noise(self) -> bool:
        """Whether it is more than the judge's own noise."""
        return self.p < LEVEL


def drift(now: NDArray[np.float64], before: NDArray[np.float64], *, noise_sd: float, noise_degrees: float) -> Drift:
    """Hold an asking against earlier ones.

    Args:
        now: (A,) scores, NaN where one is missing.
        before: (A, M) of M earlier askings, NaN likewise.
        noise_sd: In points.
        noise_degrees: Degrees of freedom of it.
    """
    from scipy import stats

    times = (~np.isnan(before)).sum(axis=1)
    used = ~np.isnan(now) & (times > 0)
    n, nan = int(used.sum()), float("nan")
    if not n:
        return Drift(0, nan, nan, nan, nan, nan, nan)
    sums = np.where(np.isnan(before), 0.0, before).sum(axis=1)
    differences = now[used] - sums[used] / times[used]
    variances = max(noise_sd, LEAST_NOISE) ** 2 * (1 + 1 / times[used])
    mean, se = float(differences.mean()), math.sqrt(float(variances.sum())) / n
    ratio = float((differences**2 / variances).mean())
    p_shift = 2 * float(stats.t.sf(abs(mean) / se, noise_degrees))
    p_apart = float(stats.f.sf(ratio, n, noise_degrees))
    half = float(stats.t.ppf(0.975, noise_degrees)) * se
    return Drift(
        n,
        mean,
        mean - half,
        mean + half,
        math.sqrt(float((differences**2).mean())),
        math.sqrt(float(variances.mean())),
        min(1.0, 2 * min(p_shift, p_apart)),
    )
