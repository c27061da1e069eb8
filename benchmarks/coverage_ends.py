"""How often the 95 % intervals hold the truth where values pile up at the ends of their range.

    python -m benchmarks.coverage_ends [--reps 2000] [--seed 0]

Pass rates of hard problems, curves that saturate, counts near their largest value: here Student's t has no width, or
covers the truth half of the time. Each population's mean is known in closed form or from two million draws. Three more
tables: contradictions between a difference's interval and its p-value, the power that the advised number of problems
has, and how far that advice is off when the pilot is small.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.coverage import Row, count_coverage
from diversity_judge.measures.intervals import Estimate, outcome_estimate, strategy_estimate, t_interval
from diversity_judge.measures.paired import mean_difference
from diversity_judge.measures.power import fewest_problems, problems_needed

N_RESPONSES = 32
PROBLEMS = (4, 8, 13, 30)
Values = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Values]


def rates_near_0(generator: np.random.Generator, n: int) -> Values:
    """pass@1 of 32 responses, problems of a mean pass rate of 0.05."""
    return generator.binomial(N_RESPONSES, generator.beta(0.3, 5.7, n)) / N_RESPONSES


def rare_rates(generator: np.random.Generator, n: int) -> Values:
    """pass@1 where nine problems of ten are never solved, the tenth half of the time."""
    solvable = generator.random(n) < 0.1
    return np.where(solvable, generator.binomial(N_RESPONSES, generator.beta(2, 2, n)) / N_RESPONSES, 0.0)


def saturated(generator: np.random.Generator, n: int) -> Values:
    """pass@32 of problems that are solved nearly always or nearly never: 0 and 1."""
    return (generator.binomial(N_RESPONSES, generator.beta(0.15, 0.6, n)) > 0).astype(np.float64)


def saturated_near_1(generator: np.random.Generator, n: int) -> Values:
    """The same where most are solved."""
    return (generator.binomial(N_RESPONSES, generator.beta(0.5, 0.8, n)) > 0).astype(np.float64)


def votes(generator: np.random.Generator, n: int) -> Values:
    """A majority vote: right or wrong, now and then a tie."""
    return generator.choice([0.0, 0.5, 1.0], n, p=[0.45, 0.05, 0.5])


def approaches_near_n(generator: np.random.Generator, n: int) -> Values:
    """Distinct approaches of 10 responses that are nearly all different."""
    return generator.choice([8.0, 9.0, 10.0], n, p=[0.05, 0.15, 0.8])


def diversity_near_0(generator: np.random.Generator, n: int) -> Values:
    """Diversities of a strategy that nearly repeats itself."""
    return generator.beta(0.6, 12.0, n)


def diversity_mostly_0(generator: np.random.Generator, n: int) -> Values:
    """Diversities of which half are 0."""
    return np.where(generator.random(n) < 0.5, 0.0, generator.beta(1.0, 9.0, n))


def saturated_differences(generator: np.random.Generator, n: int) -> Values:
    """Differences of two pass@32: mostly 0, some 1, few -1."""
    return generator.choice([-1.0, 0.0, 1.0], n, p=[0.05, 0.75, 0.2])


def rate_differences(generator: np.random.Generator, n: int) -> Values:
    """Differences of two pass@1 on the same problems."""
    level = generator.beta(0.6, 1.2, n)
    better = np.clip(level + generator.normal(0.03, 0.05, n), 0, 1)
    return (generator.binomial(N_RESPONSES, better) - generator.binomial(N_RESPONSES, level)) / N_RESPONSES


def skewed_differences(generator: np.random.Generator, n: int) -> Values:
    """Differences in diversity of which a few are large."""
    return generator.gamma(0.7, 0.08, n) - 0.02


def normal_differences(generator: np.random.Generator, n: int) -> Values:
    """Differences in diversity as they usually are."""
    return generator.normal(0.03, 0.05, n)


@dataclass(frozen=True)
class Population:
    """Values of a metric over problems, and the interval that they get.

    Attributes:
        name: What it stands for.
        draw: Values of n problems.
        interval: What is examined.
        before: What stood there before, for the comparison.
    """

    name: str
    draw: Draw
    interval: Callable[[Values], Estimate]
    before: Callable[[Values], Estimate]

    @cached_property
    def truth(self) -> float:
        """The mean, from two million problems."""
        return float(self.draw(np.random.default_rng(99), 2_000_000).mean())


def _logit_t(values: Values) -> Estimate:
    """Student's t on the logit, of no width where all values are equal."""
    mean, n = float(values.mean()), len(values)
    se = float(values.std(ddof=1) / np.sqrt(n))
    low, high = t_interval(mean, se, n, bounds=(0.0, 1.0)) if se else (mean, mean)
    return Estimate(mean, low, high, se, n, "")


def _plain_t(values: Values) -> Estimate:
    mean, n = float(values.mean()), len(values)
    se = float(values.std(ddof=1) / np.sqrt(n))
    return Estimate(mean, *t_interval(mean, se, n, bounds=None), se, n, "")


def _counts(values: Values) -> Estimate:
    return outcome_estimate(values, bounds=(1.0, 10.0))


def _difference(values: Values) -> Estimate:
    return mean_difference(values)[0]


POPULATIONS = (
    Population("pass@1 near 0", rates_near_0, outcome_estimate, _logit_t),
    Population("pass@1 rare", rare_rates, outcome_estimate, _logit_t),
    Population("pass@32 saturated", saturated, outcome_estimate, _logit_t),
    Population("pass@32 near 1", saturated_near_1, outcome_estimate, _logit_t),
    Population("votes", votes, outcome_estimate, _logit_t),
    Population("approaches near n", approaches_near_n, _counts, _plain_t),
    Population("diversity near 0", diversity_near_0, strategy_estimate, _logit_t),
    Population("diversity half 0", diversity_mostly_0, strategy_estimate, _logit_t),
    Population("difference, saturated", saturated_differences, _difference, _plain_t),
    Population("difference, pass@1", rate_differences, _difference, _plain_t),
    Population("difference, skewed", skewed_differences, _difference, _plain_t),
    Population("difference, normal", normal_differences, _difference, _plain_t),
)


def coverage(population: Population, n: int, reps: int, generator: np.random.Generator) -> tuple[Row, Row]:
    """Coverage of the interval, and of the one before it, over so many studies of n problems."""
    studies = [population.draw(generator, n) for _ in range(reps)]
    return tuple(
        count_coverage(population.name, str(n), population.truth, [interval(study) for study in studies])
        for interval in (population.interval, population.before)
    )  # type: ignore[return-value]


def contradictions(reps: int, generator: np.random.Generator) -> tuple[int, int, int]:
    """Studies whose interval and p-value say different things: of the old pair, of the new, and how many there were."""
    draws = (saturated_differences, rate_differences, skewed_differences, normal_differences)
    old = new = total = 0
    for index in range(reps):
        values = draws[index % len(draws)](generator, int(generator.integers(6, 31)))
        estimate, test = mean_difference(values)
        total += 1
        new += (estimate.low > 0 or estimate.high < 0) != (test.p <= 0.05)
        before = _plain_t(values)
        flips = stats.permutation_test(
            (values,), np.mean, permutation_type="samples", n_resamples=4999, rng=np.random.default_rng(index)
        )
        old += (before.low > 0 or before.high < 0) != (flips.pvalue <= 0.05)
    return old, new, total


def power_rows(reps: int, generator: np.random.Generator) -> Iterator[str]:
    """Power of the whole rule (both tests, Holm's first step) with the advised number of problems."""
    for comparisons in (1, 3, 5):
        for sd in (0.03, 0.05, 0.08):
            n = problems_needed(sd, 0.03, pilot=13, n_comparisons=comparisons)
            assert n is not None
            p = np.array([mean_difference(generator.normal(0.03, sd, n.n), seed=1)[1].p for _ in range(reps)])
            share = float((p <= 0.05 / comparisons).mean())
            yield f"{comparisons:11d} {sd:6.2f} {n.n:9d} {share:7.1%}   (at least {fewest_problems(comparisons)})"


def pilot_rows(reps: int, generator: np.random.Generator) -> Iterator[str]:
    """What pilots of a few problems say where the truth is 24."""
    sd = 0.05
    truth = problems_needed(sd, 0.03, pilot=13)
    assert truth is not None
    for pilot in (4, 8, 13, 30):
        found = [problems_needed(s, 0.03, pilot=pilot) for s in generator.normal(0, sd, (reps, pilot)).std(1, ddof=1)]
        said = np.array([(f.n, f.low, f.high) for f in found if f is not None])
        low, high = np.quantile(said[:, 0], [0.1, 0.9])
        inside = ((said[:, 1] <= truth.n) & (truth.n <= said[:, 2])).mean()
        yield f"{pilot:5d} {truth.n:5d} {low:9.0f} - {high:<6.0f} {inside:7.1%}"


def main() -> int:
    """Print the tables; 1 if an interval and its p-value contradict each other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--reps", type=int, default=2000, help="simulated studies a row (default 2000)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"95 % intervals, {options.reps} simulated studies a cell, seed {options.seed}")
    print("coverage (mean width); in brackets the interval that stood there before\n")
    print(f"{'metric':22s} {'truth':>6s}" + "".join(f"{f'{n} problems':>22s}" for n in PROBLEMS))
    for index, population in enumerate(POPULATIONS):
        cells = []
        for n in PROBLEMS:
            now, before = coverage(population, n, options.reps, np.random.default_rng([options.seed, index, n]))
            cells.append(f"{now.coverage:8.1%} ({now.width:.2f}) [{before.coverage:4.0%}]")
        print(f"{population.name:22s} {population.truth:6.3f}" + "".join(f"{cell:>22s}" for cell in cells), flush=True)
    old, new, total = contradictions(min(options.reps, 1200), np.random.default_rng([options.seed, 90]))
    print(f"\ninterval and p-value contradict each other: {new} of {total} studies (t and sign flips apart: {old})")
    print("\nPower of the advised number of problems for a difference of 0.03 (wanted: 80 %)")
    print("comparisons     sd  problems   power")
    for line in power_rows(options.reps, np.random.default_rng([options.seed, 91])):
        print(line, flush=True)
    print(
        "\nWhat pilots say where the truth is 24 problems: middle 80 % of their advice; how often their range holds it"
    )
    print("pilot truth      advice      range holds it")
    for line in pilot_rows(options.reps, np.random.default_rng([options.seed, 92])):
        print(line)
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main())
