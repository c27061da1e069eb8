"""The utility of routes: the log-probability that each gives the token that was written, one token changed at a time.

At the last layer every expert's output is computed once a token. A route is then a weighted sum of k of them, and final
norm and head make a probability of it. At other layers the state that a route makes goes through the remaining layers
anew (`moe_models.continuing`). The standard route goes the same way as all others, so that nothing but the route
differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import torch

from generation.moe_models.continuing import Sequence
from generation.moe_models.forcing import BlockRecord, recorded
from generation.moe_models.layers import MoeLayer
from generation.moe_models.loading import LoadedModel
from generation.moe_models.readout import Readout
from generation.routing_study.trajectories import Trajectory


@dataclass(frozen=True, eq=False)
class TokenStates:
    """Tokens of one response at one layer, ready for any route.

    Attributes:
        layer: Which layer.
        positions: (T,) positions in the sequence of the tokens that are routed: each predicts the next.
        targets: (T,) the tokens that were written next.
        base: (T, D) float32: what no route changes, the state before the block and shared experts.
        outputs: (T, E, D) float32 of every expert.
        logits: (T, E) of the router.
        standard: (T, k) the router's own route.
    """

    layer: MoeLayer
    positions: torch.Tensor
    targets: torch.Tensor
    base: torch.Tensor
    outputs: torch.Tensor
    logits: torch.Tensor
    standard: torch.Tensor

    def states(self, routes: torch.Tensor) -> torch.Tensor:
        """States (T, R, D) after the block by routes (T, R, k)."""
        weights = self.layer.weights(self.logits, routes).float()
        of_all = weights.new_zeros(*routes.shape[:2], self.layer.n_experts).scatter_(2, routes, weights)
        return torch.baddbmm(self.base[:, None], of_all, self.outputs)

    def at(self, rows: torch.Tensor) -> TokenStates:
        """Some of the tokens."""
        tensors = (self.positions, self.targets, self.base, self.outputs, self.logits, self.standard)
        return TokenStates(self.layer, *(tensor[rows] for tensor in tensors))


class ResponseForward:
    """One response, computed once with every layer that is asked for recorded."""

    def __init__(self, loaded: LoadedModel, readout: Readout, trajectory: Trajectory, layers: list[MoeLayer]) -> None:
        self._readout = readout
        device = next(loaded.model.parameters()).device
        ids = torch.tensor([*trajectory.prompt_ids, *trajectory.token_ids], device=device)
        first = len(trajectory.prompt_ids) - 1
        self._positions = torch.arange(first, len(ids) - 1, device=device)
        self._targets = ids[first + 1 :]
        with ExitStack() as stack:
            self._records: Mapping[int, BlockRecord] = {
                layer.index: stack.enter_context(recorded(layer)) for layer in layers
            }
            self._sequence = Sequence(loaded.model, ids[:-1])

    def tokens(self, layer: MoeLayer, at_once: int) -> Iterator[TokenStates]:
        """The response's tokens at a layer, so many at once, in order."""
        record = self._records[layer.index]
        for start in range(0, len(self._positions), at_once):
            positions = self._positions[start : start + at_once]
            hidden = record.hidden[positions]
            shared = layer.shared_output(hidden)
            before = record.before[positions].float()
            yield TokenStates(
                layer,
                positions,
                self._targets[start : start + at_once],
                before if shared is None else before + shared.float(),
                layer.expert_outputs(hidden).float(),
                record.logits[positions],
                record.routes[positions],
            )

    def logits(self, tokens: TokenStates, routes: torch.Tensor) -> torch.Tensor:
        """Logits (T, R, V) of the next token by routes (T, R, k), float32."""
        states = tokens.states(routes)
        n_tokens, n_routes, width = states.shape
        positions = tokens.positions.repeat_interleave(n_routes)
        after = self._sequence.continued(tokens.layer.index, states.view(-1, width), positions)
        return self._readout.logits(after.view(n_tokens, n_routes, width))
