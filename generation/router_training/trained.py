"""What is trained: a few tensors in float32, and what they become in the model and in its checkpoint.

The forward sees the values as they will be written, rounded to the type of the checkpoint, and gradients pass through
the rounding as if it were not there: what was trained, what was measured and what is written is one thing.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from diversity_judge.errors import InputError
from generation.moe_models.layers import MoeLayer
from generation.moe_models.loading import LoadedModel
from generation.router_training.checkpoint import Checkpoint
from generation.router_training.options import Control


class Trained(ABC):
    """Tensors that an optimizer changes."""

    def __init__(self, leaves: Sequence[Tensor]) -> None:
        self.leaves = [leaf.detach().float().clone().requires_grad_(True) for leaf in leaves]

    @abstractmethod
    def written(self) -> dict[str, Tensor]:
        """The checkpoint's tensors by name, in its type; differentiable in the leaves."""

    @abstractmethod
    def in_model(self) -> dict[str, Tensor]:
        """The model's parameters by name, in its type; differentiable in the leaves."""

    @property
    def n_parameters(self) -> int:
        """How many numbers the optimizer changes."""
        return sum(leaf.numel() for leaf in self.leaves)

    def state(self) -> list[Tensor]:
        """A copy of the leaves."""
        return [leaf.detach().clone() for leaf in self.leaves]

    def restore(self, state: Sequence[Tensor]) -> None:
        """Take a copy's values again."""
        with torch.no_grad():
            for leaf, value in zip(self.leaves, state, strict=True):
                leaf.copy_(value)


class WholeTensors(Trained):
    """Tensors that the model and its checkpoint hold under one name: a router's, or a norm's."""

    def __init__(self, model: LoadedModel, checkpoint: Checkpoint, names: Sequence[str]) -> None:
        parameters = dict(model.model.named_parameters())
        stored = {name: checkpoint.tensor(name) for name in names}
        super().__init__([value.to(parameters[name].device) for name, value in stored.items()])
        self._names = tuple(names)
        self._file_types = [value.dtype for value in stored.values()]
        self._model_types = [parameters[name].dtype for name in names]

    def written(self) -> dict[str, Tensor]:
        """See `Trained`."""
        return {
            name: leaf.to(kind) for name, leaf, kind in zip(self._names, self.leaves, self._file_types, strict=True)
        }

    def in_model(self) -> dict[str, Tensor]:
        """See `Trained`."""
        values = self.written().items()
        return {name: value.to(kind) for (name, value), kind in zip(values, self._model_types, strict=True)}


class OutputScale(Trained):
    """A factor for each row of each expert's output: as many numbers as the router's matrix has."""

    def __init__(self, model: LoadedModel, checkpoint: Checkpoint, layer: MoeLayer) -> None:
        self._experts = f"{layer.name}.mlp.experts"
        down = layer.block.experts.down_proj
        self._transposed = bool(layer.block.experts.is_transposed)
        self._has_bias = bool(layer.block.experts.has_bias)
        width = down.shape[2] if self._transposed else down.shape[1]
        super().__init__([torch.ones(layer.n_experts, width, device=down.device)])
        self._model_type = down.dtype
        self._stored = {name: checkpoint.tensor(name).to(down.device) for name in self._file_names(layer.n_experts)}

    def _file_names(self, n_experts: int) -> list[str]:
        if self._transposed:  # GPT-OSS keeps all experts in one tensor, in the checkpoint too.
            return [f"{self._experts}.down_proj", *([f"{self._experts}.down_proj_bias"] if self._has_bias else [])]
        return [f"{self._experts}.{expert}.down_proj.weight" for expert in range(n_experts)]

    def written(self) -> dict[str, Tensor]:
        """See `Trained`."""
        scale = self.leaves[0]
        if self._transposed:
            matrix, *bias = self._stored.items()
            scaled = {matrix[0]: (matrix[1].float() * scale[:, None, :]).to(matrix[1].dtype)}
            return scaled | {name: (value.float() * scale).to(value.dtype) for name, value in bias}
        return {
            name: (value.float() * row[:, None]).to(value.dtype)
            for (name, value), row in zip(self._stored.items(), scale, strict=True)
        }

    def in_model(self) -> dict[str, Tensor]:
        """See `Trained`."""
        written = {name: value.to(self._model_type) for name, value in self.written().items()}
        if self._transposed:
            return written
        return {f"{self._experts}.down_proj": torch.stack(list(written.values()))}


def make_trained(model: LoadedModel, checkpoint: Checkpoint, layer: MoeLayer, control: Control) -> Trained:
    """What an update of this layer trains.

    Raises:
        InputError: the checkpoint does not hold it under the model's name, or in a type that can't be trained.
    """
    if control is Control.OUTPUT_SCALE:
        return OutputScale(model, checkpoint, layer)
    names = [final_norm(model)] if control is Control.NORM_SCALE else list(layer.router_parameters())
    return WholeTensors(model, checkpoint, names)


def final_norm(model: LoadedModel) -> str:
    """The name of the final norm's weight.

    Raises:
        InputError: the model calls it otherwise.
    """
    norm = model.model.get_decoder().norm
    for name, parameter in model.model.named_parameters():
        if parameter is norm.weight:
            return str(name)
    raise InputError(f"{model.name}: the final norm has no weight of its own")


def distance(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> float:
    """The Euclidean norm of all differences together."""
    squares = [float(((after[name].double() - before[name].double()) ** 2).sum()) for name in after]
    return math.sqrt(sum(squares))
