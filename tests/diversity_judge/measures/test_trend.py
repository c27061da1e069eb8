"""Trends against a straight line by problem, enumerated signs, and Page's test."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy import stats

from diversity_judge.measures.trend import trend

Array = np.ndarray[Any, Any]
NUMBERS = (0.3, 0.7, 1.0, 1.5)


def values(table: Array) -> list[dict[str, float]]:
    """Of each strategy (column) by problem (row)."""
    return [{f"p{problem}": float(value) for problem, value in enumerate(column)} for column in table.T]


def rising(seed: int, problems: int = 9) -> Array:
    generator = np.random.default_rng(seed)
    level = generator.uniform(0.2, 0.5, (problems, 1))
    return level + 0.1 * np.array(NUMBERS) + generator.normal(0, 0.05, (problems, len(NUMBERS)))


def test_the_slope_is_the_mean_of_the_problems_straight_lines() -> None:
    table = rising(0)
    lines = [np.polyfit(NUMBERS, row, 1)[0] for row in table]
    found = trend(NUMBERS, values(table))
    assert found.estimate.value == pytest.approx(np.mean(lines))
    assert found.sd == pytest.approx(np.std(lines, ddof=1))
    flips = [abs(np.dot(signs, lines)) for signs in product((1, -1), repeat=len(lines))]
    flipped = np.mean([flip >= abs(sum(lines)) - 1e-9 for flip in flips])
    assert found.test.p == pytest.approx(max(flipped, stats.ttest_1samp(lines, 0).pvalue))


@pytest.mark.parametrize("seed", range(4))
def test_a_clear_trend_is_seen_by_pages_test_too(seed: int) -> None:
    table = rising(seed)
    found = trend(NUMBERS, values(table))
    assert found.estimate.low > 0
    assert stats.page_trend_test(table).pvalue < 0.05
    down = trend(NUMBERS, values(table[:, ::-1]))
    assert down.estimate.high < 0


def test_no_trend_is_found_as_seldom_as_the_level_says() -> None:
    generator = np.random.default_rng(1)
    p = [trend(NUMBERS, values(generator.uniform(0.3, 0.7, (8, 4)))).test.p for _ in range(400)]
    assert np.mean(np.array(p) <= 0.05) < 0.075


def test_a_problem_counts_where_all_strategies_have_a_value() -> None:
    mine = values(rising(2))
    del mine[1]["p3"]
    mine[2]["p5"] = math.nan
    found = trend(NUMBERS, mine)
    assert found.estimate.n == 7
    assert set(found.unpaired) == {"p3", "p5"}


def test_equal_slopes_have_an_interval_within_what_the_metric_allows() -> None:
    """The steepest: 0 at the two low numbers and 1 at the two high ones."""
    table = np.tile([0.0, 0.0, 1.0, 1.0], (8, 1))
    found = trend(NUMBERS, values(table))
    steepest = np.polyfit(NUMBERS, [0, 0, 1, 1], 1)[0]
    assert found.estimate.value == pytest.approx(steepest)
    assert found.estimate.low < found.estimate.high <= steepest * (1 + 1e-9)


@pytest.mark.parametrize("numbers", [(1.0, 1.0, 1.0, 1.0), (0.3, 0.7)])
def test_numbers_must_order_the_strategies(numbers: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="strategies with different numbers"):
        trend(numbers, values(rising(0)))
