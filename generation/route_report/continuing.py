"""A model that goes on writing from a context whose last token took another route at one layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch

from generation.moe_models.forcing import STANDARD, forced_routes
from generation.moe_models.loading import LoadedModel
from generation.moe_models.readout import Readout

Draw = Callable[[torch.Tensor, int], int]
"""From logits (V,) and the number of the token within the response to the token that is written."""
Route = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From the router's logits (1, E) and its own route (1, k), of the context's last token, to a route (1, k)."""


class Continuer:
    """Writes on, token by token. The forced route is in the cache from then on, as if the router had taken it."""

    def __init__(self, loaded: LoadedModel, layer: int) -> None:
        """Nothing is computed yet.

        Raises:
            InputError: the layer has no experts.
        """
        self._model, self._layer = loaded.model, loaded.layer(layer)
        self._readout = Readout(loaded.model)
        self._end = loaded.tokenizer.eos_token_id
        self._changes_later_tokens = layer < len(loaded.model.get_decoder().layers) - 1

    @property
    def changes_later_tokens(self) -> bool:
        """Whether a route at this layer reaches later tokens otherwise than by the token that is drawn."""
        return self._changes_later_tokens

    def logits_along(self, prompt: Sequence[int], tokens: Sequence[int]) -> torch.Tensor:
        """Logits (n, V) in float32 from which each of n tokens of a response was drawn, by the router's own routes."""
        states, _ = self._forward([*prompt, *tokens[:-1]], None)
        return self._readout.logits(states[len(prompt) - 1 :])

    def logits_after(self, context: Sequence[int], route: Route | None) -> tuple[torch.Tensor, Any]:
        """Logits (V,) after a context whose last token takes this route, None for its own; and the cache."""
        forcing = nullcontext() if route is None else forced_routes(self._layer, _at_the_end(route))
        with forcing:
            states, cache = self._forward(context, None)
        return self._readout.logits(states[-1]), cache

    def write(self, logits: torch.Tensor, cache: Any, draw: Draw, *, first: int, longest: int) -> list[int]:
        """The tokens that follow.

        Args:
            logits: (V,) for the first of them.
            cache: Of what stands before it.
            draw: Chooses.
            first: Number of the first token within the response.
            longest: Tokens of the whole response at most.
        """
        written: list[int] = []
        for number in range(first, longest):
            written.append(draw(logits, number))
            if written[-1] == self._end or number + 1 == longest:
                break
            states, cache = self._forward(written[-1:], cache)
            logits = self._readout.logits(states[-1])
        return written

    def _forward(self, tokens: Sequence[int], cache: Any) -> tuple[torch.Tensor, Any]:
        """States (T, D) after the last layer, before the final norm, of tokens that follow what is cached."""
        kept: list[torch.Tensor] = []
        decoder = self._model.get_decoder()
        hook = decoder.norm.register_forward_pre_hook(lambda module, arguments: kept.append(arguments[0][0]))
        try:
            ids = torch.tensor([list(tokens)], device=self._model.device)
            with torch.no_grad():
                output = decoder(ids, past_key_values=cache, use_cache=True)
        finally:
            hook.remove()
        return kept[0], output.past_key_values


def _at_the_end(route: Route) -> Route:
    """A route for the last of many tokens; all others keep their own."""

    def choose(logits: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
        routes = torch.full_like(own, STANDARD)
        routes[-1:] = route(logits[-1:], own[-1:]).to(own)
        return routes

    return choose
