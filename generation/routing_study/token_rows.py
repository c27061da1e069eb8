"""`tokens.parquet`: a row a token and layer, with what the routes were worth there.

Log-probabilities are of the token that was written, natural, in float32. The first route of a token is its standard
route, then come the first set, the placebo and the second set (`alternatives`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diversity_judge.measures.route_ranks import beaten_shares, rank_correlations
from generation.routing_study.alternatives import route_codes
from generation.routing_study.trajectories import Trajectory

COLUMNS: Mapping[str, str] = {
    "problem_id": "string",
    "strategy": "string",
    "response": "int32",
    "correct": "bool",
    "position": "int32",
    "token_id": "int32",
    "token": "string",
    "layer": "int32",
    "scheme": "string",
    "tau": "float64",
    "n_alternatives": "int32",
    "standard_logprob": "float32",
    "median_logprob": "float32",
    "best_logprob": "float32",
    "mean_logprob": "float32",
    "rank": "float32",
    "router_mass": "float32",
    "mass_correlation": "float32",
    "entropy": "float32",
    "second_median_logprob": "float32",
    "second_best_logprob": "float32",
    "placebo_logprob": "float32",
    "placebo_rank": "float32",
    "chosen_logprob": "float32",
    "standard_route": "list<int32>",
    "best_route": "list<int32>",
    "context": "int64",
    "alternative_logprobs": "list<float32>",
}
"""Names and types, in order."""


@dataclass(frozen=True, eq=False)
class RoutedTokens:
    """What was computed of T tokens of one response at one layer, R = 2 M + 2 routes of each.

    Attributes:
        first: Number of the first token within the response.
        layer: Number of the layer.
        routes: (T, R, k) experts, each route rising.
        logprobs: (T, R) utilities.
        masses: (T, R) probability that the router's softmax over all experts gives a route's experts.
        entropy: (T,) of the next token by the standard route, in nats.
        contexts: (T,) from `contexts_of`.
        best: (T, k) and (T,), the best route and its utility, where a search found one; None for the best of the set.
    """

    first: int
    layer: int
    routes: NDArray[np.int32]
    logprobs: NDArray[np.float32]
    masses: NDArray[np.float32]
    entropy: NDArray[np.float32]
    contexts: NDArray[np.uint64]
    best: tuple[NDArray[np.int32], NDArray[np.float32]] | None = None


def of_equal_routes(logprobs: torch.Tensor, routes: torch.Tensor, n_experts: int) -> torch.Tensor:
    """Utilities (T, R) in which routes (T, R, k) of the same experts have the same to the bit.

    Rounding depends on where in a batch a route stands; without this a route would now beat, now lose to itself.
    """
    codes = route_codes(routes, n_experts)
    first = (codes[:, :, None] == codes[:, None, :]).to(torch.uint8).argmax(dim=2)
    return logprobs.gather(1, first)


def columns_of(
    tokens: RoutedTokens, trajectory: Trajectory, texts: Sequence[str], *, scheme: str, tau: float, n: int
) -> dict[str, Any]:
    """The columns of these tokens, without `chosen_logprob`, which needs all responses.

    Args:
        tokens: What was computed.
        trajectory: The response.
        texts: The text of each of its tokens.
        scheme: How alternatives were drawn.
        tau: At which temperature.
        n: Alternatives M of a set.
    """
    logprobs = tokens.logprobs
    standard, first = logprobs[:, 0], logprobs[:, 1 : n + 1]
    placebo, second = logprobs[:, n + 1], logprobs[:, n + 2 :]
    best_routes, best = tokens.best or _best(tokens.routes[:, 1 : n + 1], first)
    n_tokens = len(logprobs)
    positions = np.arange(tokens.first, tokens.first + n_tokens)
    return {
        "problem_id": [trajectory.problem_id] * n_tokens,
        "strategy": [trajectory.strategy] * n_tokens,
        "response": np.full(n_tokens, trajectory.response),
        "correct": [trajectory.correct] * n_tokens,
        "position": positions,
        "token_id": np.asarray(trajectory.token_ids)[positions],
        "token": list(texts[tokens.first : tokens.first + n_tokens]),
        "layer": np.full(n_tokens, tokens.layer),
        "scheme": [scheme] * n_tokens,
        "tau": np.full(n_tokens, tau),
        "n_alternatives": np.full(n_tokens, n),
        "standard_logprob": standard,
        "median_logprob": np.median(first, axis=1),
        "best_logprob": best,
        "mean_logprob": first.mean(axis=1),
        "rank": beaten_shares(standard, first),
        "router_mass": tokens.masses[:, 0],
        "mass_correlation": rank_correlations(tokens.masses[:, : n + 1], logprobs[:, : n + 1]),
        "entropy": tokens.entropy,
        "second_median_logprob": np.median(second, axis=1),
        "second_best_logprob": second.max(axis=1),
        "placebo_logprob": placebo,
        "placebo_rank": beaten_shares(placebo, first),
        "standard_route": list(tokens.routes[:, 0]),
        "best_route": list(best_routes),
        "context": tokens.contexts.view(np.int64),
        "alternative_logprobs": list(first),
    }


def _best(routes: NDArray[np.int32], logprobs: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    place = logprobs.argmax(axis=1)
    rows = np.arange(len(place))
    return routes[rows, place], logprobs[rows, place]
