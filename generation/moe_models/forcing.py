"""One hook for the four routers: what a layer routes is watched, or another route is put in its place.

Each router returns logits, weights and indices, and its block hands the last two to the experts. A hook that exchanges
these two changes the route and nothing else.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from generation.moe_models.layers import MoeLayer

STANDARD = -1
"""In the routes that are forced: this token keeps the router's own."""

Choose = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From logits (T, E) and the router's own choice (T, k) to routes (T, k)."""


@contextlib.contextmanager
def forced_routes(
    layer: MoeLayer, routes: torch.Tensor | Choose, weights: torch.Tensor | None = None
) -> Iterator[None]:
    """Make a layer take other routes while the block runs, in every forward of the model.

    Args:
        layer: Where.
        routes: (T, k) experts of each token that enters the layer, row by row as the router sees them; a row of
            `STANDARD` (-1) leaves that token to the router. Or a function that chooses them.
        weights: (T, k) weights of these experts; None for those that the model itself would give them.

    Raises:
        ValueError: the forward has another number of tokens than `routes`; raised from inside the forward.
    """

    def exchange(router: Any, arguments: Any, output: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> Any:
        logits, own_weights, own = output
        wanted = (routes(logits, own) if callable(routes) else routes).to(own.device)
        if wanted.shape != own.shape:
            raise ValueError(f"routes of shape {tuple(wanted.shape)} are forced on {tuple(own.shape)} in {layer.name}")
        keeps = wanted == STANDARD
        chosen = torch.where(keeps, own, wanted.to(own.dtype))
        given = layer.weights(logits, chosen) if weights is None else weights.to(own_weights)
        return logits, torch.where(keeps, own_weights, given.to(own_weights.dtype)), chosen

    hook = layer.router.register_forward_hook(exchange)
    try:
        yield
    finally:
        hook.remove()


@dataclass
class BlockRecord:
    """What one forward left at a layer, for T tokens (all sequences after one another).

    Attributes:
        before: (T, D) the state that the block's output is added to.
        hidden: (T, D) what enters router and experts: the state before, normalised.
        logits: (T, E) of the router.
        weights: (T, k) that the router gave, or was made to give.
        routes: (T, k) experts of the route that was taken.
    """

    before: torch.Tensor = None
    hidden: torch.Tensor = None
    logits: torch.Tensor = None
    weights: torch.Tensor = None
    routes: torch.Tensor = None


@contextlib.contextmanager
def recorded(layer: MoeLayer) -> Iterator[BlockRecord]:
    """Record the next forward's states at a layer; a later forward overwrites an earlier one.

    Within `forced_routes` of the same layer, entered before, the forced route is recorded.
    """
    record = BlockRecord()

    def keep_state(module: Any, arguments: tuple[torch.Tensor, ...]) -> None:
        record.before = arguments[0].reshape(-1, arguments[0].shape[-1])

    def keep_routing(module: Any, arguments: tuple[torch.Tensor, ...], output: tuple[torch.Tensor, ...]) -> None:
        record.hidden = arguments[0].reshape(-1, arguments[0].shape[-1])
        record.logits, record.weights, record.routes = output

    hooks = (
        layer.decoder_layer.post_attention_layernorm.register_forward_pre_hook(keep_state),
        layer.router.register_forward_hook(keep_routing),
    )
    try:
        yield record
    finally:
        for hook in hooks:
            hook.remove()
