"""The distribution of the next token at decisions: by the model's own routes, and by Expert-Sample's in all layers.

Each draw is a forward of the whole sequence in which every layer routes the rows that Expert-Sample would draw (from
the pass that yields the first new token on) as its reference does; so a decision also sees the keys and values that
drawn routes left at earlier tokens, as it does while sampling.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from examples.miniature.tokens import PAD, TOKEN_ID
from examples.miniature.why.decisions import Decisions
from generation.expert_sample.noise import row_keys
from generation.expert_sample.reference import route
from generation.expert_sample.rows import RowSettings
from generation.expert_sample.settings import ExpertSampleSettings
from generation.moe_models.forcing import STANDARD, Choose, forced_routes
from generation.moe_models.layers import MoeLayer
from generation.moe_models.loading import LoadedModel

_AT_ONCE = 64
"""Sequences in a forward."""

Logits = NDArray[np.float64]


def standard_logits(loaded: LoadedModel, decisions: Decisions) -> Logits:
    """(D, V) by the model's own routes."""
    return _logits(loaded, decisions, None)


def drawn_logits(
    loaded: LoadedModel, decisions: Decisions, settings: ExpertSampleSettings, *, draws: int, seed: int
) -> Logits:
    """(M, D, V) by M draws of Expert-Sample's routes, each of all layers at once."""
    return np.stack([_logits(loaded, decisions, _Draw(settings, seed, number)) for number in range(draws)])


class _Draw:
    """One draw of all routes."""

    def __init__(self, settings: ExpertSampleSettings, seed: int, number: int) -> None:
        self._settings, self._seed, self._number = settings, seed, number

    def chooser(self, layer: MoeLayer, first: int, begins: torch.Tensor, width: int) -> Choose:
        """Routes of a batch at a layer.

        Args:
            layer: Which.
            first: Number of the first of its sequences: each has noise of its own.
            begins: (B,) position from which each is drawn.
            width: Length of the longest.
        """
        found = self._settings.resolve(layer.k, layer.n_experts)
        positions = torch.arange(width)[None].expand(len(begins), -1)
        seeds = (self._seed + first + torch.arange(len(begins)))[:, None].expand(-1, width)
        keys = row_keys(seeds, self._number, positions).reshape(-1).contiguous()
        rows = RowSettings.alike(keys, k_keep=found.k_keep, r=found.r, tau=found.tau, fragile_from=found.fragile_from)
        is_drawn = (positions >= begins[:, None]).reshape(-1, 1)

        def choose(logits: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
            _, chosen = route(logits, rows, k=layer.k, renormalize=True, layer=layer.index)
            return torch.where(is_drawn, chosen.long(), STANDARD)

        return choose


def _logits(loaded: LoadedModel, decisions: Decisions, draw: _Draw | None) -> Logits:
    found = np.empty((len(decisions.sequence), decisions.live.shape[1]))
    with torch.inference_mode():
        for first, ids, begins in _batches(decisions):
            with ExitStack() as stack:
                if draw is not None:
                    for layer in loaded.layers:
                        chooser = draw.chooser(layer, first, begins, ids.shape[1])
                        stack.enter_context(forced_routes(layer, chooser))
                logits = loaded.model(input_ids=ids).logits.float()
            own = (decisions.sequence >= first) & (decisions.sequence < first + len(ids))
            found[own] = logits[decisions.sequence[own] - first, decisions.position[own]].numpy()
    return found


def _batches(decisions: Decisions) -> Iterator[tuple[int, Any, Any]]:
    """Number of the first sequence, ids (B, L) filled up behind (which no earlier token sees), (B,) first drawn."""
    for first in range(0, len(decisions.sequences), _AT_ONCE):
        some = decisions.sequences[first : first + _AT_ONCE]
        ids = torch.full((len(some), max(map(len, some))), TOKEN_ID[PAD])
        for row, sequence in enumerate(some):
            ids[row, : len(sequence)] = torch.tensor(sequence)
        yield first, ids, torch.tensor(decisions.n_prompt[first : first + _AT_ONCE]) - 1
