"""Drift against its closed forms and by simulation: an unchanged judge is rarely accused, a changed one is found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from diversity_judge.measures.drift import LEAST_NOISE, LEVEL, drift


def test_a_shift_by_hand() -> None:
    # 4 anchors, 2 askings before: variances 0.36 (1 + 1/2) = 0.54 each, so the mean's is 0.54 / 4.
    now, before = np.array([3, 4, 2, 5.0]), np.array([[2, 2], [3, 3], [1, 1], [4, 4.0]])
    found = drift(now, before, noise_sd=0.6, noise_degrees=30)
    se = np.sqrt(0.54 / 4)
    assert (found.n, found.mean, found.rms) == (4, 1.0, 1.0)
    assert found.high == pytest.approx(1 + stats.t.ppf(0.975, 30) * se)
    assert found.expected_rms == pytest.approx(np.sqrt(0.54))
    shift, apart = 2 * stats.t.sf(1 / se, 30), stats.f.sf(1 / 0.54, 4, 30)
    assert found.p == pytest.approx(2 * min(shift, apart))


def test_missing_scores_are_left_out() -> None:
    now, before = np.array([3, np.nan, 2, 5.0]), np.array([[3, np.nan], [1, 1], [np.nan, np.nan], [4, 5.0]])
    found = drift(now, before, noise_sd=0.6, noise_degrees=30)
    assert found.n == 2
    assert found.mean == pytest.approx(0.25)
    assert drift(now[1:2], before[1:2], noise_sd=1, noise_degrees=9).n == 0


def test_a_judge_without_measured_noise_may_flip_once() -> None:
    now, before = np.full(20, 3.0), np.full((20, 1), 3.0)
    now[0] = 4
    found = drift(now, before, noise_sd=0.0, noise_degrees=200)
    assert found.expected_rms == pytest.approx(LEAST_NOISE * np.sqrt(2))
    assert not found.is_beyond_noise


def asked(rng: np.random.Generator, truth: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Any:
    return np.clip(np.round(truth + rng.normal(0, 0.5, len(truth))), 0, 5)


def test_an_unchanged_judge_is_rarely_accused_and_half_a_point_is_found() -> None:
    rng = np.random.default_rng(0)
    accused, found = [], []
    for _ in range(1_000):
        truth = rng.uniform(0.5, 4.5, 20)
        before = np.column_stack([asked(rng, truth) for _ in range(3)])
        # Rounding adds a twelfth of a point squared to the noise of 0.5.
        noise = {"noise_sd": float(np.sqrt(0.25 + 1 / 12)), "noise_degrees": 200}
        accused.append(drift(asked(rng, truth), before, **noise).is_beyond_noise)
        found.append(drift(asked(rng, truth + 0.6), before, **noise).is_beyond_noise)
    # 3.3 standard errors of a share of 0.01 in 1,000.
    assert np.mean(accused) <= LEVEL + 3.3 * np.sqrt(LEVEL * (1 - LEVEL) / 1_000)
    assert np.mean(found) > 0.85
