"""A point is held beside the tokens that equal it, and is called above their curve only where it is."""

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator
from sklearn.isotonic import IsotonicRegression

from benchmarks.law_coverage import frontier_calls
from examples.miniature.law.curves import between, rising
from examples.miniature.law.frontier import Place, Point, frontier_of
from examples.miniature.law.grid import Cell, TaskGrid


def test_curves_are_scipys() -> None:
    generator = np.random.default_rng(0)
    x = np.sort(generator.uniform(size=(50, 5)), axis=1)
    y = generator.normal(size=(50, 5))
    y[:25].sort(axis=1)
    at = generator.uniform(-0.1, 1.1, (50, 9))
    wanted = [PchipInterpolator(one, two, extrapolate=False)(points) for one, two, points in zip(x, y, at, strict=True)]
    assert between(x, y, at) == pytest.approx(np.array(wanted), abs=1e-5, nan_ok=True)


def test_two_points_are_a_line() -> None:
    found = between(np.array([[0.0, 1.0]]), np.array([[2.0, 4.0]]), np.array([[0.25, 1.5]]))
    assert found == pytest.approx(np.array([[2.5, np.nan]]), nan_ok=True)


def test_rising_is_isotonic_regression() -> None:
    values = np.random.default_rng(1).normal(size=(40, 6))
    wanted = [IsotonicRegression().fit_transform(np.arange(6), row) for row in values]
    assert rising(values) == pytest.approx(np.array(wanted))


def grid(tokens: list[tuple[float, float, float]], expert: tuple[float, float, float]) -> TaskGrid:
    """Tokens at temperatures .1, .2, ... and one point; problems differ by a constant that all of them share."""
    cells = [Cell("flat", "four", (i + 1) / 10, 0.8, "", 0.0) for i in range(len(tokens))]
    cells.append(Cell("flat", "four", 0.1, 0.8, "default", 0.0))
    generator = np.random.default_rng(0)
    common = generator.normal(0, 0.1, (400, 1))
    noise = generator.normal(0, 0.01, (400, len(cells)))
    noise -= noise.mean(axis=0)
    columns = np.array([*tokens, expert])
    values = {
        metric: columns[:, place] + (common - common.mean()) + noise
        for place, metric in enumerate(("diversity", "pass_at_1", "pass_at_n"))
    }
    values["best_of_n"] = np.full((400, len(cells)), np.nan)
    return TaskGrid("four", tuple(map(str, range(400))), tuple(cells), values, 32)


def points_of(grid: TaskGrid) -> dict[tuple[str, str], Point]:
    return {(point.equal, point.metric): point for point in frontier_of([grid], draws=200)}


TOKENS = [(0.2, 0.6, 0.7), (0.4, 0.5, 0.8)]
"""Of diversity, pass@1, pass@n: with two temperatures the curve is a line."""


def test_what_a_point_has_more_than_the_equal_tokens() -> None:
    found = points_of(grid(TOKENS, (0.3, 0.58, 0.75)))
    assert found["diversity", "pass_at_1"].difference.value == pytest.approx(0.03, abs=1e-3)
    assert found["diversity", "pass_at_n"].difference.value == pytest.approx(0.0, abs=1e-3)
    assert found["diversity", "pass_at_1"].temperature == pytest.approx(0.15, abs=1e-3)
    # The tokens with .58 right have a diversity of .24.
    assert found["pass_at_1", "diversity"].difference.value == pytest.approx(0.06, abs=1e-3)
    assert {key: point.place for key, point in found.items()} == {
        ("diversity", "pass_at_1"): Place.ABOVE,
        ("diversity", "pass_at_n"): Place.ON,
        ("pass_at_1", "diversity"): Place.ABOVE,
        ("pass_at_1", "pass_at_n"): Place.ABOVE,
    }


def test_a_point_with_less_is_below() -> None:
    assert points_of(grid(TOKENS, (0.3, 0.52, 0.75)))["diversity", "pass_at_1"].place is Place.BELOW


def test_beyond_the_hottest_tokens_nothing_is_said() -> None:
    point = points_of(grid(TOKENS, (0.5, 0.58, 0.9)))["diversity", "pass_at_n"]
    assert point.place is Place.HOTTER
    assert np.isnan(point.tokens)
    assert np.isnan(point.difference.value)


def test_too_near_to_the_end_cannot_be_told() -> None:
    point = points_of(grid(TOKENS, (0.4 - 1e-6, 0.6, 0.9)))["diversity", "pass_at_n"]
    assert point.place is Place.OPEN
    assert "too near to the end" in point.difference.reason


def test_more_right_than_the_coldest_tokens_has_no_equal_in_that() -> None:
    point = points_of(grid(TOKENS, (0.3, 0.65, 0.75)))["pass_at_1", "diversity"]
    assert point.place is Place.COLDER
    assert np.isnan(point.tokens)


def test_one_temperature_is_no_curve() -> None:
    assert frontier_of([grid(TOKENS[:1], (0.3, 0.6, 0.7))], draws=10) == []


def test_points_on_the_curve_are_not_called_above_and_higher_ones_are_found() -> None:
    on = {(row.equal, row.metric): row for row in frontier_calls(0.0, 20, seed=0, draws=100)}
    # 4 of 20 families: 1 in 60 where 5 % of them have a false call.
    assert all(row.false_families < 4 / 20 for row in on.values()), on
    assert abs(on["diversity", "pass_at_1"].bias) < 0.01
    high = {(row.equal, row.metric): row for row in frontier_calls(0.1, 4, seed=0, draws=100)}
    assert high["diversity", "pass_at_1"].found > 0.8
    assert high["diversity", "pass_at_1"].bias == pytest.approx(0.1, abs=0.02)
