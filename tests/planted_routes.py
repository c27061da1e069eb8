"""Tokens whose truth is known: how good the standard route is among others was planted.

A token has a difficulty, shared within its problem and its own. A route's logit for the written token is the difficulty
plus the route's own deviation, normal of spread SPREAD and alike for all drawn routes; the standard route's deviation
is moved by `lead`. Its chance to beat a drawn route is then Phi(lead / (SPREAD sqrt 2)), whatever the difficulty.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.route_utility import TokenUtilities

SPREAD = 0.7

Lead = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def no_lead(difficulty: NDArray[np.float64]) -> NDArray[np.float64]:
    """The router knows nothing."""
    return np.zeros_like(difficulty)


def planted_tokens(
    generator: np.random.Generator,
    *,
    lead: Lead = no_lead,
    n_problems: int = 60,
    tokens_each: int = 40,
    n_alternatives: int = 16,
    problem_spread: float = 1.0,
) -> TokenUtilities:
    """Tokens of so many problems; `lead` maps (N,) difficulties (logits) to what the standard route has ahead."""
    n = n_problems * tokens_each
    problems = np.repeat(np.arange(n_problems), tokens_each)
    difficulty = problem_spread * generator.standard_normal(n_problems)[problems] + 2 * generator.standard_normal(n)

    def drawn(count: int) -> NDArray[np.float64]:
        return _log_sigmoid(difficulty[:, None] + SPREAD * generator.standard_normal((n, count)))

    first, second, placebo = drawn(n_alternatives), drawn(n_alternatives), drawn(1)[:, 0]
    standard = _log_sigmoid(difficulty + lead(difficulty) + SPREAD * generator.standard_normal(n))
    return TokenUtilities(
        problems=problems,
        standard=standard,
        median=np.median(first, axis=1),
        best=first.max(axis=1),
        mean=first.mean(axis=1),
        rank=rank_among(standard, first),
        second_median=np.median(second, axis=1),
        placebo=placebo,
        placebo_rank=rank_among(placebo, first),
        chosen=np.full(n, np.nan),
        router_mass=np.full(n, 0.5),
        mass_correlation=generator.uniform(-1, 1, n),
        entropy=np.full(n, 1.0),
    )


def rank_among(route: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) share of (N, M) others that a route beats, ties as half."""
    beaten = np.where(others < route[:, None], 1.0, np.where(others == route[:, None], 0.5, 0.0))
    return np.asarray(beaten.mean(axis=1), np.float64)


def _log_sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return -np.logaddexp(0.0, -logits)
