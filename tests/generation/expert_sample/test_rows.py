"""The one value that carries a batch's settings: what it refuses, and the order in which kernels get it."""

from __future__ import annotations

import dataclasses
import inspect
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")

from generation.expert_sample.rows import DrawnRows, RowSettings
from tests.generation.expert_sample import cases

ROUTER = cases.ROUTERS[0]
FIELDS = [column.name for column in dataclasses.fields(RowSettings)]


def assert_equal(some: RowSettings, other: RowSettings) -> None:
    assert all(map(torch.equal, some.tensors, other.tensors))


@pytest.mark.parametrize(
    "change",
    [
        {"keys": torch.zeros(4, dtype=torch.int32)},
        {"keys": torch.zeros((2, 2), dtype=torch.int64)},
        {"enabled": torch.ones(4, dtype=torch.int32)},
        {"k_keep": torch.ones(4, dtype=torch.int64)},
        {"r": torch.ones(3, dtype=torch.int32)},
        {"inv_tau": torch.ones(4, dtype=torch.float64)},
        {"inv_tau": torch.ones(8)[::2]},
        {"fragile_from": torch.ones(4)},
        {"r": torch.ones(4, dtype=torch.int32, device="meta")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_a_kernel_would_misread_is_refused_when_the_rows_are_made(change: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match=r"A tensor is .* it must be"):
        dataclasses.replace(cases.rows(ROUTER, 4), **change)


@pytest.mark.parametrize("numbers", [torch.arange(3), torch.arange(4).int(), torch.arange(8)[::2]])
def test_numbers_that_do_not_fit_their_settings_are_refused(numbers: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="A tensor is"):
        DrawnRows(numbers, cases.rows(ROUTER, 4))


def test_rows_on_another_device_have_no_address() -> None:
    with pytest.raises(ValueError, match="on meta"):
        _ = RowSettings.off(2, torch.device("meta")).addresses


def test_rows_that_are_alike_are_the_settings_of_each_row() -> None:
    expected = cases.rows(ROUTER, 5, k_keep=3, r=17, tau=0.7, fragile_from=0.3)
    assert_equal(RowSettings.alike(expected.keys, k_keep=3, r=17, tau=0.7, fragile_from=0.3), expected)


def test_addresses_are_those_of_the_tensors_in_order() -> None:
    rows, numbers = cases.mixed_rows(ROUTER, 4), torch.arange(4)
    expected = [getattr(rows, name).data_ptr() for name in FIELDS]
    assert list(rows.addresses) == expected
    assert list(DrawnRows(numbers, rows).addresses) == [numbers.data_ptr(), *expected]


def test_overwriting_changes_the_drawn_rows_alone_and_to_the_bit() -> None:
    before, drawn = cases.mixed_rows(ROUTER, 9, seed=1), cases.mixed_rows(ROUTER, 3, seed=2)
    rows, numbers = before.map(torch.clone), torch.tensor([7, 0, 4])
    rows.overwrite(DrawnRows(numbers, drawn))
    assert_equal(rows.map(lambda column: column[numbers]), drawn)
    others = torch.tensor([1, 2, 3, 5, 6, 8])
    assert_equal(rows.map(lambda column: column[others]), before.map(lambda column: column[others]))


def _run_of_fields(parameters: list[str]) -> bool:
    """Whether the fields stand in the parameters side by side and in order."""
    at = [parameters.index(name) for name in FIELDS]
    return all(later == earlier + 1 for earlier, later in pairwise(at))


def test_the_cpu_kernel_takes_the_fields_in_their_order() -> None:
    cpu_kernel = pytest.importorskip("generation.expert_sample.cpu_kernel")
    assert _run_of_fields(list(inspect.signature(cpu_kernel._route_rows).parameters))


def test_the_gpu_kernel_takes_the_fields_in_their_order() -> None:
    pytest.importorskip("triton")
    from generation.expert_sample import triton_kernel

    assert _run_of_fields(list(triton_kernel._route_row.arg_names))
