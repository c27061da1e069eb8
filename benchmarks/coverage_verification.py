"""How often the 95 % intervals of Best-of-N at n of N responses hold the truth, on problems made from a known model.

A problem's pass rate is Beta distributed, a verifier's reward is normal and higher by a constant where a response is
right. What Best-of-n achieves over all problems is then an integral, and the share of intervals that hold it can be
counted.

    python -m benchmarks.coverage_verification [--reps 400] [--seed 0]

Wanted: 93 to 98 %; exits with 1 where a row is outside by more than its Monte Carlo error explains.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, norm

from diversity_judge.measures.intervals import outcome_estimate
from diversity_judge.measures.verification import best_of_n_at

WANTED = (0.93, 0.98)
N_RESPONSES = 32
SIZES = (1, 4, 16, 32)
RATES = {"spread pass rates": (0.6, 0.9), "hard problems": (0.3, 2.0)}
"""Parameters of the Beta distribution of pass rates."""
SHIFT = 1.0
"""Of the reward of a right response, in standard deviations: an AUC of 0.76."""


def truth(rates: tuple[float, float], n: int) -> float:
    """E over problems of the integral over x of p f_right(x) n F(x)^(n - 1): the best of n is right."""
    p = beta.ppf((np.arange(2_000) + 0.5) / 2_000, *rates)[:, None]
    x = np.linspace(-8, 9, 3_401)[None]
    below = p * norm.cdf(x - SHIFT) + (1 - p) * norm.cdf(x)
    return float((p * norm.pdf(x - SHIFT) * n * below ** (n - 1)).sum(axis=1).mean() * (x[0, 1] - x[0, 0]))


def values(rates: tuple[float, float], n_problems: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """(P, sizes) Best-of-n of each of some problems, as `compare` estimates it."""
    p = generator.beta(*rates, n_problems)[:, None]
    correct = (generator.random((n_problems, N_RESPONSES)) < p).astype(float)
    rewards = generator.normal(size=correct.shape) + SHIFT * correct
    return np.array([best_of_n_at(c, r, SIZES) for c, r in zip(correct, rewards, strict=True)])


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    generator, is_fine = np.random.default_rng(options.seed), True
    slack = 3 * np.sqrt(0.95 * 0.05 / options.reps)
    print(f"{'problems':<22} {'P':>4} {'n':>4} {'truth':>7} {'mean':>7} {'width':>7} {'coverage':>9}")
    for name, rates in RATES.items():
        for n_problems in (13, 50):
            found = np.array([values(rates, n_problems, generator) for _ in range(options.reps)])
            for place, n in enumerate(SIZES):
                wanted = truth(rates, n)
                estimates = [outcome_estimate(run[:, place]) for run in found]
                held = float(np.mean([e.low <= wanted <= e.high for e in estimates]))
                width = float(np.mean([e.high - e.low for e in estimates]))
                is_fine &= WANTED[0] - slack <= held <= WANTED[1] + slack
                mean = found[:, :, place].mean()
                print(f"{name:<22} {n_problems:>4} {n:>4} {wanted:>7.3f} {mean:>7.3f} {width:>7.3f} {held:>9.1%}")
    return 0 if is_fine else 1


if __name__ == "__main__":
    sys.exit(main())
