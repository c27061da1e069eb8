"""A mixture-of-experts layer of a model in memory: what it consists of, and what it computes for any route.

    state before the block -> norm -> router -> route -> experts, weighted -> + shared experts -> + state before

All shapes are of T tokens, width D, E experts, k of them in a route.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from diversity_judge.errors import InputError
from generation.moe_models.routers import RouterKind, check_router

_ROUTER_NAMES = ("gate", "router")
"""How the four architectures call the router of a block."""


@dataclass(frozen=True, eq=False)
class MoeLayer:
    """One layer with experts.

    Attributes:
        index: Which of the model's layers, from 0; dense layers are counted.
        name: The layer's name in the model, such as `model.layers.3`.
        decoder_layer: The module of the whole layer.
        block: Its mixture-of-experts block.
        router: Chooses and weighs.
        router_name: The router's name in the model.
        kind: How this architecture weighs a route.
    """

    index: int
    name: str
    decoder_layer: Any
    block: Any
    router: Any
    router_name: str
    kind: RouterKind

    @property
    def k(self) -> int:
        """Experts in a route."""
        return int(self.router.top_k)

    @property
    def n_experts(self) -> int:
        """Routed experts of the layer."""
        return int(self.router.num_experts)

    def router_parameters(self) -> Mapping[str, Any]:
        """The router's weight, and its bias where it has one, by their names in the model's checkpoint."""
        return {f"{self.router_name}.{name}": value for name, value in self.router.named_parameters(recurse=False)}

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Router logits (T, E) of what enters the block (T, D)."""
        return self.router(hidden)[0]

    def standard_route(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The router's own choice: weights (T, k) and experts (T, k), in its order."""
        _, weights, experts = self.router(hidden)
        return weights, experts

    def weights(self, logits: torch.Tensor, routes: torch.Tensor) -> torch.Tensor:
        """What the model itself would weigh routes with.

        Args:
            logits: (T, E) router logits.
            routes: (T, k) or (T, M, k) distinct experts of each token's route or routes, int64.

        Returns:
            Weights of the shape of `routes`, differentiable in the logits.
        """
        if routes.dim() == 2:
            return self.kind.weigh(self.router, logits, routes[:, None])[:, 0]
        return self.kind.weigh(self.router, logits, routes)

    def expert_outputs(self, hidden: torch.Tensor) -> torch.Tensor:
        """What each expert makes of what enters the block: (T, D) to (T, E, D), in the model's own precision."""
        experts = self.block.experts
        up = _each(hidden, experts.gate_up_proj, experts)
        if experts.has_bias:
            up = up + experts.gate_up_proj_bias[:, None]
        down = _each(experts._apply_gate(up), experts.down_proj, experts)
        if experts.has_bias:
            down = down + experts.down_proj_bias[:, None]
        return down.transpose(0, 1)

    def shared_output(self, hidden: torch.Tensor) -> torch.Tensor | None:
        """What the experts that every token goes through add (T, D); None where the layer has none."""
        shared = getattr(self.block, "shared_experts", None)
        return None if shared is None else shared(hidden)


def moe_layers(model: Any) -> tuple[MoeLayer, ...]:
    """The layers with experts of a causal language model, from the first to the last.

    Raises:
        InputError: it has none, or one of its routers is not known.
    """
    name_of = {id(module): name for name, module in model.named_modules()}
    found = []
    for index, decoder_layer in enumerate(_decoder_layers(model)):
        block = getattr(decoder_layer, "mlp", None)
        router = _router(block)
        if router is not None:
            kind = check_router(router)
            name, router_name = name_of[id(decoder_layer)], name_of[id(router)]
            found.append(MoeLayer(index, name, decoder_layer, block, router, router_name, kind))
    if not found:
        strange = _strange_router(model)
        if strange is not None:
            check_router(strange)
        raise InputError(
            f"{type(model).__name__} is a dense model: none of its layers has experts, so there are no other routes"
        )
    return tuple(found)


def _decoder_layers(model: Any) -> Any:
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else None
    return getattr(decoder, "layers", ())


def _router(block: Any) -> Any | None:
    """The router of a block that has experts; None for a dense one."""
    if block is None or not hasattr(block, "experts"):
        return None
    return next((getattr(block, name) for name in _ROUTER_NAMES if hasattr(block, name)), None)


def _strange_router(model: Any) -> Any | None:
    """A router somewhere else than in the four architectures."""
    for name, module in model.named_modules():
        if name.rpartition(".")[2] in _ROUTER_NAMES or "Router" in type(module).__name__:
            return module
    return None


def _each(inputs: torch.Tensor, matrices: torch.Tensor, experts: Any) -> torch.Tensor:
    """Inputs (T, D) or (E, T, D) through every expert's matrix: (E, T, width)."""
    return inputs @ (matrices if experts.is_transposed else matrices.transpose(1, 2))
