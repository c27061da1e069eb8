"""The analysis of responses: each computed once, and at each layer its routes drawn, weighed and put into rows.

responses -> parts -> one forward a response -> routes of its tokens -> utilities -> rows of tokens.parquet
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diversity_judge.errors import InputError
from generation.moe_models.layers import MoeLayer
from generation.moe_models.loading import LoadedModel
from generation.moe_models.readout import Readout, entropy_of, token_logprobs
from generation.routing_study.alternatives import Drawing, contexts_of
from generation.routing_study.options import EACH, LAST, CounterfactualOptions
from generation.routing_study.parts import PartFolder, parts_of
from generation.routing_study.search import exchanged
from generation.routing_study.token_rows import RoutedTokens, columns_of, of_equal_routes
from generation.routing_study.trajectories import Trajectories, Trajectory, token_texts
from generation.routing_study.utilities import ResponseForward, TokenStates

_FLOATS_AT_ONCE = 1 << 25
"""Of the largest tensor, where no batch size is given: 128 MiB."""
_ROWS_AT_ONCE = 2048
"""States that go through the remaining layers at once; each has a place in the mask of every other."""
_ONE_THREAD_BELOW = 512
"""Width of a model whose products are too small to be shared between threads on a CPU."""


class Analysis:
    """One model's routes, ready to be compared."""

    def __init__(self, loaded: LoadedModel, options: CounterfactualOptions) -> None:
        """Choose the layers.

        Raises:
            InputError: the model has no experts at the layer, or the scheme's settings do not fit it.
        """
        self._loaded, self._readout = loaded, Readout(loaded.model)
        self._drawing = Drawing(
            options.scheme, options.tau, options.seed, options.alternatives, options.k_keep, options.r
        )
        self.layers = _layers(loaded, options.layer)
        self._check_scheme()
        self._asked_at_once = options.batch_size
        if options.device == "cpu" and loaded.model.config.hidden_size < _ONE_THREAD_BELOW:
            torch.set_num_threads(1)

    def responses(self, items: list[Trajectory], on_tokens: Callable[[int], None]) -> list[Mapping[str, Any]]:
        """Columns of the rows of responses, piece by piece; `on_tokens` is told of the tokens of each."""
        drawing = self._drawing
        pieces: list[Mapping[str, Any]] = []
        for item in items:
            texts = token_texts(self._loaded.tokenizer, item)
            pieces.extend(
                columns_of(tokens, item, texts, scheme=drawing.scheme, tau=drawing.tau, n=drawing.n)
                for tokens in self.response(item)
            )
            on_tokens(item.n_tokens)
        return pieces

    def response(self, item: Trajectory) -> Iterator[RoutedTokens]:
        """What the routes of one response's tokens are worth, layer by layer."""
        with torch.inference_mode():
            forward = ResponseForward(self._loaded, self._readout, item, list(self.layers))
            contexts = contexts_of(item.prompt_ids, item.token_ids)
            for layer in self.layers:
                first = 0
                for tokens in forward.tokens(layer, self._at_once(layer)):
                    here = contexts[first : first + len(tokens.positions)]
                    yield self._routed(forward, tokens, first, here)
                    first += len(here)

    def _routed(
        self, forward: ResponseForward, tokens: TokenStates, first: int, contexts: NDArray[np.uint64]
    ) -> RoutedTokens:
        layer, drawing = tokens.layer, self._drawing
        standard = tokens.standard.sort(dim=1).values
        routes = torch.cat([standard[:, None], drawing.routes(layer, tokens.logits, standard, contexts)], dim=1)
        logits = forward.logits(tokens, routes)
        logprobs = of_equal_routes(token_logprobs(logits, tokens.targets), routes, layer.n_experts)
        shares = torch.softmax(tokens.logits.float(), dim=1)
        masses = shares[:, None].expand(-1, routes.shape[1], -1).gather(2, routes).sum(2)
        return RoutedTokens(
            first,
            layer.index,
            _integers(routes),
            logprobs.cpu().numpy(),
            masses.cpu().numpy(),
            entropy_of(logits[:, 0]).cpu().numpy(),
            contexts,
            self._searched(forward, tokens, routes, logprobs) if drawing.scheme == "optimum" else None,
        )

    def _searched(
        self, forward: ResponseForward, tokens: TokenStates, routes: torch.Tensor, logprobs: torch.Tensor
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The best route by search, from the best of the standard route and the first set."""
        values, places = logprobs[:, : self._drawing.n + 1].max(dim=1)
        start = routes[torch.arange(len(places), device=places.device), places]

        def utility(rows: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
            some = tokens.at(rows)
            return token_logprobs(forward.logits(some, candidates), some.targets)

        found, best = exchanged(utility, start, values, tokens.layer.n_experts)
        return _integers(found), np.asarray(best.cpu().numpy())

    def _at_once(self, layer: MoeLayer) -> int:
        """Tokens whose routes are computed together."""
        if self._asked_at_once is not None:
            return self._asked_at_once
        n_routes = self._drawing.n_drawn + 1
        if self._drawing.scheme == "optimum":
            n_routes = max(n_routes, layer.k * (layer.n_experts - layer.k))
        width = int(self._loaded.model.config.hidden_size)
        largest = max(n_routes * max(self._readout.n_tokens, layer.n_experts, width), layer.n_experts * width)
        rows = _FLOATS_AT_ONCE // largest
        later = layer.index < self._loaded.model.config.num_hidden_layers - 1
        return max(1, min(rows, _ROWS_AT_ONCE // n_routes) if later else rows)

    def _check_scheme(self) -> None:
        for layer in self.layers:
            if layer.k >= layer.n_experts:
                raise InputError(f"layer {layer.index} uses all of its {layer.k} experts: there is no other route")
            if self._drawing.scheme in ("tail", "expert-sample"):
                try:
                    self._drawing.head_and_tail(layer)
                except ValueError as error:
                    raise InputError(f"--scheme {self._drawing.scheme}: {error}") from error


def analyse(
    analysis: Analysis,
    trajectories: Trajectories,
    folder: PartFolder,
    about: Mapping[str, Any],
    on_tokens: Callable[[int], None],
) -> None:
    """Compute what the folder lacks, and join it.

    Raises:
        RunError: the disk refuses. What is finished is kept.
    """
    parts = parts_of(trajectories.items)
    folder.begin(about)
    missing = folder.missing(parts)
    for number in sorted(set(range(len(parts))) - set(missing)):
        on_tokens(sum(item.n_tokens for item in parts[number]))
    for number in missing:
        folder.keep(number, analysis.responses(parts[number], on_tokens))
    folder.join(len(parts), about)


def _layers(loaded: LoadedModel, asked: str | int) -> tuple[MoeLayer, ...]:
    if asked == EACH:
        return loaded.layers
    return (loaded.layers[-1] if asked == LAST else loaded.layer(int(asked)),)


def _integers(routes: torch.Tensor) -> NDArray[np.int32]:
    return np.asarray(routes.cpu().numpy(), np.int32)
