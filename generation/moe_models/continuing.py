"""The rest of the model for one token in many states: what follows at later layers when a layer made another state.

A sequence is computed once, with its keys and values kept. A token's other state then goes through the remaining
layers as a row of its own, at the token's position: it sees the keys and values of the earlier tokens, which do not
change, and its own, which do. So rows of many tokens and many states of each go through a layer at once, and none
sees another. That is exact for the token, and what the model would compute if only this token's state were changed.
"""

from __future__ import annotations

from typing import Any

import torch


class Sequence:
    """One sequence with its keys and values, computed once.

    Attributes:
        n_tokens: Its length T.
    """

    def __init__(self, model: Any, token_ids: torch.Tensor) -> None:
        """Compute a sequence.

        Args:
            model: A causal language model of transformers.
            token_ids: (T,) int64.
        """
        from transformers import DynamicCache

        self._decoder = model.get_decoder()
        self._config = model.config
        self.n_tokens = int(token_ids.shape[0])
        cache = DynamicCache()  # Without the configuration: layers with a sliding window keep all of it, too.
        self._decoder(token_ids[None], past_key_values=cache, use_cache=True)
        self._cache = cache

    def continued(self, layer: int, states: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """States after the last layer, of states after another.

        Args:
            layer: Number of the layer that the states come out of.
            states: (N, D).
            positions: (N,) int64, the position in the sequence of the token that each state belongs to.

        Returns:
            (N, D); in the model's precision where there are layers to go through.
        """
        rest = list(enumerate(self._decoder.layers))[layer + 1 :]
        if not rest:
            return states
        hidden = states.to(next(self._decoder.parameters()).dtype)[None]
        position_ids = positions[None]
        embeddings = self._decoder.rotary_emb(hidden, position_ids)
        masks: dict[int | None, torch.Tensor] = {}
        for index, decoder_layer in rest:
            window = self._window(index)
            if window not in masks:
                masks[window] = self._mask(positions, window, hidden.dtype)
            hidden = decoder_layer(
                hidden,
                attention_mask=masks[window],
                position_ids=position_ids,
                position_embeddings=embeddings,
                past_key_values=_Beside(self._cache),
                use_cache=True,
            )
        return hidden[0]

    def _window(self, index: int) -> int | None:
        """How far back a layer sees, itself included; None for everything."""
        window = getattr(self._config, "sliding_window", None)
        kinds = getattr(self._config, "layer_types", None)
        if window is None or (kinds is not None and kinds[index] != "sliding_attention"):
            return None
        return int(window)

    def _mask(self, positions: torch.Tensor, window: int | None, dtype: torch.dtype) -> torch.Tensor:
        """(1, 1, N, T + N), added to attention scores: earlier tokens of the sequence, and the row itself."""
        there = torch.arange(self.n_tokens, device=positions.device)
        sees = there < positions[:, None]
        if window is not None:
            sees &= there > positions[:, None] - window
        itself = torch.eye(len(positions), dtype=torch.bool, device=positions.device)
        seen = torch.cat([sees, itself], dim=1)
        mask = torch.zeros(seen.shape, dtype=dtype, device=positions.device)
        return mask.masked_fill_(~seen, torch.finfo(dtype).min)[None, None]


class _Beside:
    """Looks like a cache to a layer: new keys and values are put after the sequence's and not kept."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def update(self, keys: torch.Tensor, values: torch.Tensor, layer: int, *_: Any) -> tuple[torch.Tensor, ...]:
        kept = self._cache.layers[layer]
        return torch.cat([kept.keys, keys], dim=-2), torch.cat([kept.values, values], dim=-2)
