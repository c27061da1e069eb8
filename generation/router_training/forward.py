"""Log-probabilities of realised tokens as a function of what is trained: two ways to compute the same.

`Tail`   the last layer: the state before its experts does not depend on what is trained, so it is computed once and
         kept, and a step computes one block, norm and head
`Whole`  any other layer: all layers are computed, with gradients from the trained one on
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.func import functional_call

from generation.moe_models.forcing import recorded
from generation.moe_models.layers import MoeLayer
from generation.moe_models.loading import LoadedModel
from generation.moe_models.readout import Readout
from generation.router_training.trained import final_norm

MOST_IN_MEMORY = 1 << 31
"""Bytes of kept states; more lie in a file that the system pages in and out."""
_MOST_VALUES = 1 << 26
"""Numbers in a working array where tokens can be taken in pieces."""


class Tokens(Protocol):
    """A trajectory: a prompt, and the tokens that were realised after it."""

    @property
    def prompt_ids(self) -> Sequence[int]:
        """Token ids of the prompt."""

    @property
    def token_ids(self) -> Sequence[int]:
        """Token ids of the response."""


class Forward(Protocol):
    """From trajectories to the log-probabilities of their tokens."""

    def logprobs(self, batch: Sequence[int], values: Mapping[str, Tensor], targets: Tensor) -> Tensor:
        """Log-probabilities of tokens.

        Args:
            batch: Numbers of trajectories.
            values: Parameters of the model that take the place of its own, by name.
            targets: (T,) the tokens whose probability is asked for, at all places of all these trajectories.

        Returns:
            (T,) in nats, float32, differentiable in `values`.
        """


class Whole:
    """All layers are computed at each step."""

    def __init__(self, model: LoadedModel, trajectories: Sequence[Tokens]) -> None:
        self._model, self._trajectories = model, trajectories
        self._readout = Readout(model.model)
        self._norm = final_norm(model)

    def logprobs(self, batch: Sequence[int], values: Mapping[str, Tensor], targets: Tensor) -> Tensor:
        """See `Forward`."""
        states: list[Tensor] = []
        decoder = self._model.model.get_decoder()
        hook = decoder.norm.register_forward_pre_hook(lambda module, inputs: states.append(inputs[0]))
        ids, mask, places = _padded([self._trajectories[number] for number in batch], targets.device)
        try:
            prefix = _name_of(self._model.model, decoder)
            functional_call(decoder, _below(values, prefix), (), {"input_ids": ids, "attention_mask": mask})
        finally:
            hook.remove()
        reached = states[0].reshape(-1, states[0].shape[-1])[places]
        return self._readout.logprobs(reached, targets, norm_weight=values.get(self._norm))


class Tail:
    """The last layer's block, norm and head, on states that were computed once.

    Attributes:
        layer: The last layer.
    """

    def __init__(
        self, model: LoadedModel, layer: MoeLayer, trajectories: Sequence[Tokens], *, at_once: int = 64
    ) -> None:
        self.layer = layer
        self._readout = Readout(model.model)
        self._norm = final_norm(model)
        self._states, self._starts = _states_before(model, layer, trajectories, at_once)
        self._device = next(model.model.parameters()).device

    def logprobs(self, batch: Sequence[int], values: Mapping[str, Tensor], targets: Tensor) -> Tensor:
        """See `Forward`."""
        before, hidden = self._inputs(batch)
        _, weights, experts = self._route(hidden, values)
        mixed = functional_call(
            self.layer.block.experts, _below(values, f"{self.layer.name}.mlp.experts"), (hidden, experts, weights)
        )
        return self._readout.logprobs(self._after(before, hidden, mixed), targets, norm_weight=values.get(self._norm))

    def logits(self, batch: Sequence[int], values: Mapping[str, Tensor]) -> Tensor:
        """(T, E) router logits of all places of these trajectories, differentiable in `values`."""
        return self._route(self._inputs(batch)[1], values)[0]

    def utilities(self, batch: Sequence[int], logits: Tensor, routes: Tensor, targets: Tensor) -> Tensor:
        """Log-probabilities of tokens by each of several routes.

        Args:
            batch: Numbers of trajectories, of T places together.
            logits: (T, E) router logits, which weigh the routes.
            routes: (T, M, k) experts.
            targets: (T,) tokens.

        Returns:
            (T, M) in nats, float32.
        """
        before, hidden = self._inputs(batch)
        width = max(self.layer.n_experts * hidden.shape[1], routes.shape[1] * self._readout.n_tokens)
        pieces = torch.arange(len(hidden), device=hidden.device).split(max(1, _MOST_VALUES // width))
        with torch.no_grad():
            return torch.cat([self._utilities(before[p], hidden[p], logits[p], routes[p], targets[p]) for p in pieces])

    def _utilities(self, before: Tensor, hidden: Tensor, logits: Tensor, routes: Tensor, targets: Tensor) -> Tensor:
        weights = self.layer.weights(logits, routes)
        dense = torch.zeros((*routes.shape[:2], self.layer.n_experts), dtype=weights.dtype, device=weights.device)
        outputs = self.layer.expert_outputs(hidden)
        mixed = dense.scatter(2, routes, weights).to(outputs.dtype) @ outputs  # (T, M, E) @ (T, E, D)
        shared = self.layer.shared_output(hidden)
        mixed = mixed if shared is None else mixed + shared[:, None]
        return self._readout.logprobs(before[:, None] + mixed, targets)

    def _inputs(self, batch: Sequence[int]) -> tuple[Tensor, Tensor]:
        """(T, D) states before the block, and the same normalised."""
        before = torch.cat([self._states[self._starts[n] : self._starts[n + 1]] for n in batch]).to(self._device)
        return before, self.layer.decoder_layer.post_attention_layernorm(before)

    def _route(self, hidden: Tensor, values: Mapping[str, Tensor]) -> Any:
        return functional_call(self.layer.router, _below(values, self.layer.router_name), (hidden,))

    def _after(self, before: Tensor, hidden: Tensor, mixed: Tensor) -> Tensor:
        shared = self.layer.shared_output(hidden)
        return before + (mixed if shared is None else mixed + shared)


def _states_before(
    model: LoadedModel, layer: MoeLayer, trajectories: Sequence[Tokens], at_once: int
) -> tuple[Tensor, list[int]]:
    """(N, D) states before the block at the places that predict the response's tokens; where each trajectory starts."""
    starts = [0]
    for trajectory in trajectories:
        starts.append(starts[-1] + len(trajectory.token_ids))
    weight = layer.decoder_layer.post_attention_layernorm.weight
    kept = _array(starts[-1], weight.shape[0], model.model.dtype)
    device = next(model.model.parameters()).device
    with torch.no_grad(), recorded(layer) as record:
        for first in range(0, len(trajectories), at_once):
            some = trajectories[first : first + at_once]
            ids, mask, places = _padded(some, device)
            model.model.get_decoder()(input_ids=ids, attention_mask=mask)
            kept[starts[first] : starts[first + len(some)]] = record.before[places].to(kept.device)
    return kept, starts


def _array(rows: int, columns: int, dtype: torch.dtype) -> Tensor:
    """An array in memory, or, where it is large, in a file that is gone with the process."""
    if rows * columns * dtype.itemsize <= MOST_IN_MEMORY:
        return torch.empty(rows, columns, dtype=dtype)
    with tempfile.NamedTemporaryFile() as file:
        return torch.from_file(file.name, shared=True, size=rows * columns, dtype=dtype).reshape(rows, columns)


def _padded(trajectories: Sequence[Tokens], device: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Ids and mask (B, L), padded on the right, and the places in (B x L) that predict a token of the responses."""
    rows = [[*trajectory.prompt_ids, *trajectory.token_ids] for trajectory in trajectories]
    longest = max(map(len, rows))
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    places = []
    for number, (row, trajectory) in enumerate(zip(rows, trajectories, strict=True)):
        ids[number, : len(row)] = torch.tensor(row)
        mask[number, : len(row)] = 1
        first = number * longest + len(trajectory.prompt_ids) - 1
        places.append(torch.arange(first, first + len(trajectory.token_ids)))
    return ids.to(device), mask.to(device), torch.cat(places).to(device)


def _below(values: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The parameters of one module, by their names in it."""
    return {name[len(prefix) + 1 :]: value for name, value in values.items() if name.startswith(f"{prefix}.")}


def _name_of(model: Any, wanted: Any) -> str:
    return next(str(name) for name, module in model.named_modules() if module is wanted)
