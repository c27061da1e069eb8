"""How each architecture weighs the experts of a route, whichever experts they are.

The four routers of transformers 5 return logits, weights and indices, and the block hands the last two to its experts.
They differ in what makes weights of logits g over E experts, for a route S of k experts:

    Qwen3-MoE, OLMoE    softmax over all E in float32; divided by its sum over S where `norm_topk_prob` says so
    GPT-OSS             the router has a bias; softmax over the k logits of S, in the model's own precision
    DeepSeek-V2         routes in float32; softmax over all E, times `routed_scaling_factor`, never renormalised

Each formula repeats the router's own operations in their order, so that the standard route's weights are the router's
own to the bit. They are differentiable in the logits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from diversity_judge.errors import InputError

Weigh = Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor]
"""From a router, logits (T, E) and routes (T, M, k) to weights (T, M, k)."""


@dataclass(frozen=True)
class RouterKind:
    """One architecture's router.

    Attributes:
        weigh: What weights the model would give routes.
        refuse: Says why a router of this kind cannot be studied after all; None where it can.
    """

    weigh: Weigh
    refuse: Callable[[Any], str | None] = lambda router: None


def router_kind(router: Any) -> RouterKind | None:
    """The kind of a router module; None where it is not known."""
    return ROUTERS.get(type(router).__name__)


def check_router(router: Any) -> RouterKind:
    """The kind of a router that can be studied.

    Raises:
        InputError: it is not known, or chooses in a way that other routes cannot be compared with.
    """
    kind = router_kind(router)
    if kind is None:
        raise InputError(
            f"the router {type(router).__name__} is not known, so what weights it would give to other experts "
            f"is not either; known are {', '.join(ROUTERS)}"
        )
    reason = kind.refuse(router)
    if reason is not None:
        raise InputError(reason)
    return kind


def _gathered(values: torch.Tensor, routes: torch.Tensor) -> torch.Tensor:
    """Values (T, E) of the experts of routes (T, M, k)."""
    return values[:, None].expand(-1, routes.shape[1], -1).gather(2, routes)


def _softmax_then_chosen(router: Any, logits: torch.Tensor, routes: torch.Tensor) -> torch.Tensor:
    weights = _gathered(torch.softmax(logits, dim=-1, dtype=torch.float), routes)
    if router.norm_topk_prob:
        weights = weights / weights.sum(dim=-1, keepdim=True)
    return weights.to(logits.dtype)


def _softmax_of_chosen(router: Any, logits: torch.Tensor, routes: torch.Tensor) -> torch.Tensor:
    return torch.softmax(_gathered(logits, routes), dim=-1, dtype=logits.dtype)


def _scaled_softmax(router: Any, logits: torch.Tensor, routes: torch.Tensor) -> torch.Tensor:
    return _gathered(torch.softmax(logits, dim=-1, dtype=torch.float32), routes) * router.routed_scaling_factor


def _grouped(router: Any) -> str | None:
    if router.topk_method == "greedy" or router.topk_group == router.num_group:
        return None
    return (
        f"this model's routers choose within {router.topk_group} of {router.num_group} groups of experts "
        f"(topk_method {router.topk_method}); routes are compared only where every expert could be taken"
    )


ROUTERS: Mapping[str, RouterKind] = {
    "Qwen3MoeTopKRouter": RouterKind(_softmax_then_chosen),
    "OlmoeTopKRouter": RouterKind(_softmax_then_chosen),
    "GptOssTopKRouter": RouterKind(_softmax_of_chosen),
    "DeepseekV2TopkRouter": RouterKind(_scaled_softmax, _grouped),
}
"""By the name of the router's class in transformers 5."""
