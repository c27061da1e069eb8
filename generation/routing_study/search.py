"""The best route of a token at the last layer, by search: experts are exchanged for as long as that helps.

Each round tries every exchange of one expert of the route for one outside and takes the best; it ends where none
helps. That is a local optimum: a route that differs in two experts at once may be better still.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

Utility = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From rows (A,) of the tokens and routes (A, C, k) to their utilities (A, C)."""

MOST_ROUNDS = 32
"""Far more than it takes: a route of k experts is changed about k times."""


def exchanged(
    utility: Utility, routes: torch.Tensor, logprobs: torch.Tensor, n_experts: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Improve routes.

    Args:
        utility: What routes are worth.
        routes: (T, k) to begin with.
        logprobs: (T,) their utilities.
        n_experts: Experts that there are.

    Returns:
        Routes (T, k), experts rising, and their utilities (T,), nowhere lower than before.
    """
    routes, logprobs = routes.clone(), logprobs.clone()
    active = torch.arange(len(routes), device=routes.device)
    for _ in range(MOST_ROUNDS):
        if not len(active):
            break
        candidates = neighbours(routes[active], n_experts)
        best, place = utility(active, candidates).max(dim=1)
        better = best > logprobs[active]
        active, place, best, candidates = active[better], place[better], best[better], candidates[better]
        routes[active] = candidates[torch.arange(len(active), device=routes.device), place]
        logprobs[active] = best
    return routes.sort(dim=1).values, logprobs


def neighbours(routes: torch.Tensor, n_experts: int) -> torch.Tensor:
    """All routes that differ from these (T, k) in one expert: (T, k (E - k), k)."""
    n_tokens, k = routes.shape
    outside = torch.ones(n_tokens, n_experts, dtype=torch.bool, device=routes.device).scatter_(1, routes, False)
    others = outside.nonzero()[:, 1].view(n_tokens, n_experts - k)
    candidates = routes[:, None, None].repeat(1, k, n_experts - k, 1)
    for place in range(k):
        candidates[:, place, :, place] = others
    return candidates.view(n_tokens, -1, k)
