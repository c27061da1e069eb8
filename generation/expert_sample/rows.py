"""How each token row of a batch is routed: the one value that the reference and every fast path take.

A row's settings are a few numbers, and a batch's are a tensor for each of them. They travel together, so that a
setting is added in one place and not at each step of the way. Only kernels can't take the value: they get
`RowSettings.tensors` (in Triton) or `addresses` (compiled for the CPU), which stand in the order of the fields.

What a kernel could misread is refused when the value is made, once a step and not once a layer. Nothing here waits
for a device.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch

from generation.expert_sample.fragility import threshold


@dataclass(frozen=True, eq=False)
class RowSettings:
    """Settings of n token rows, each of shape (n,), contiguous and on one device.

    Attributes:
        keys: int64 row keys from `noise.row_keys`.
        enabled: bool; a row that is not enabled gets its plain top k.
        k_keep: int32, number of experts that are always kept.
        r: int32, rank of the last expert that can be drawn.
        inv_tau: float32, 1 / tau.
        fragile_from: int32, least untaken mass of a row that is drawn, from `fragility.threshold`; 0 draws all.

    Raises:
        ValueError: a tensor of the wrong type, size or layout.
    """

    keys: torch.Tensor = field(metadata={"dtype": torch.int64})
    enabled: torch.Tensor = field(metadata={"dtype": torch.bool})
    k_keep: torch.Tensor = field(metadata={"dtype": torch.int32})
    r: torch.Tensor = field(metadata={"dtype": torch.int32})
    inv_tau: torch.Tensor = field(metadata={"dtype": torch.float32})
    fragile_from: torch.Tensor = field(metadata={"dtype": torch.int32})

    def __post_init__(self) -> None:
        for column, tensor in zip(dataclasses.fields(self), self.tensors, strict=True):
            check_tensor(tensor, column.metadata["dtype"], (self.n,), self.keys.device)

    @classmethod
    def alike(
        cls, keys: torch.Tensor, *, k_keep: int, r: int, tau: float = 1.0, fragile_from: float = 0.0
    ) -> RowSettings:
        """Draw every row with the same settings, each by its own key (n,)."""
        on = torch.ones_like(keys, dtype=torch.bool)
        return cls(
            keys=keys,
            enabled=on,
            k_keep=torch.full_like(keys, k_keep, dtype=torch.int32),
            r=torch.full_like(keys, r, dtype=torch.int32),
            inv_tau=torch.full_like(keys, 1 / tau, dtype=torch.float32),
            fragile_from=torch.full_like(keys, threshold(fragile_from), dtype=torch.int32),
        )

    @classmethod
    def off(cls, n: int, device: torch.device) -> RowSettings:
        """Allocate n rows of which none is enabled."""
        return cls(*(torch.zeros(n, dtype=f.metadata["dtype"], device=device) for f in dataclasses.fields(cls)))

    @cached_property
    def n(self) -> int:
        """How many rows there are."""
        rows: int = self.keys.numel()
        return rows

    @cached_property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All tensors in the order of the fields, for a kernel's launch."""
        return tuple(getattr(self, column.name) for column in dataclasses.fields(self))

    @cached_property
    def addresses(self) -> tuple[int, ...]:
        """Where the tensors' data stand in the host's memory, in the order of the fields.

        Raises:
            ValueError: the rows are on another device.
        """
        return tuple(map(_address, self.tensors))

    def map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> RowSettings:
        """Make new rows of each changed tensor: move them to a device, say, or select some."""
        return RowSettings(*map(change, self.tensors))

    def overwrite(self, drawn: DrawnRows) -> None:
        """Copy drawn rows to where they belong among these, by one transfer that the host does not wait for."""
        packed = torch.stack([_as_int64(column) for column in (drawn.numbers, *drawn.settings.tensors)])
        if self.keys.is_cuda:
            packed = packed.pin_memory()
        numbers, *columns = packed.to(self.keys.device, non_blocking=True)
        for own, column in zip(self.tensors, columns, strict=True):
            own.index_copy_(0, numbers, _from_int64(column, own.dtype))


@dataclass(frozen=True, eq=False)
class DrawnRows:
    """The rows of a batch that experts are drawn for, where most rows may be none of them.

    Attributes:
        numbers: (D,) int64, distinct numbers of the rows in the batch.
        settings: the settings of these rows, in the same order.

    Raises:
        ValueError: numbers of the wrong type, size or layout.
    """

    numbers: torch.Tensor
    settings: RowSettings

    def __post_init__(self) -> None:
        check_tensor(self.numbers, torch.int64, (self.settings.n,), self.settings.keys.device)

    @cached_property
    def addresses(self) -> tuple[int, ...]:
        """Those of the numbers and of the settings, as `RowSettings.addresses`."""
        return (_address(self.numbers), *self.settings.addresses)


def check_tensor(tensor: torch.Tensor, dtype: torch.dtype, shape: tuple[int, ...], device: torch.device) -> None:
    """Refuse what a kernel would misread.

    Raises:
        ValueError: another type, shape or device, or values that are not contiguous.
    """
    if (tensor.dtype, tensor.shape, tensor.device) != (dtype, shape, device) or not tensor.is_contiguous():
        raise ValueError(
            f"A tensor is {tensor.dtype} of shape {tuple(tensor.shape)} with strides {tensor.stride()} on "
            f"{tensor.device}; it must be {dtype} of shape {shape}, contiguous, on {device}."
        )


def _address(tensor: torch.Tensor) -> int:
    if not tensor.is_cpu:
        raise ValueError(f"The rows are on {tensor.device}; the compiled path reads them on the CPU.")
    address: int = tensor.data_ptr()
    return address


def _as_int64(column: torch.Tensor) -> torch.Tensor:
    """A column's bits as whole numbers, so that all columns are one tensor on their way to a device."""
    return (column.view(torch.int32) if column.is_floating_point() else column).to(torch.int64)


def _from_int64(column: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Undo `_as_int64`."""
    return column.to(torch.int32).view(dtype) if dtype.is_floating_point else column.to(dtype)
