"""The compiled CPU path equals the reference: experts exactly, weights within rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from generation.expert_sample import cpu, reference
from generation.expert_sample.rows import DrawnRows, RowSettings
from tests.generation.expert_sample import cases

all_routers = pytest.mark.parametrize("router", cases.ROUTERS, ids=cases.ROUTER_IDS)
all_dtypes = pytest.mark.parametrize("dtype", cases.DTYPES, ids=cases.DTYPE_IDS)
QWEN = cases.ROUTERS[0]

# Two roundings of exp, a sum of at most 512 and a division: a few float32 units.
RELATIVE = 1e-6


def assert_same(result: Any, expected: Any) -> None:
    assert torch.equal(result[1], expected[1])
    torch.testing.assert_close(result[0], expected[0], rtol=RELATIVE, atol=1e-37, equal_nan=True)


def check_same(logits: torch.Tensor, rows: RowSettings, **options: Any) -> None:
    assert_same(cpu.route(logits, rows, **options), reference.route(logits.contiguous(), rows, **options))


@all_routers
@all_dtypes
def test_the_papers_settings(router: cases.Router, dtype: torch.dtype) -> None:
    logits = cases.logits(router, dtype, 400)
    check_same(logits, cases.rows(router, 400), k=router.k, renormalize=router.renormalize, layer=5)


@all_routers
@all_dtypes
def test_each_row_with_its_own_settings(router: cases.Router, dtype: torch.dtype) -> None:
    logits = cases.logits(router, dtype, 800, seed=1)
    check_same(logits, cases.mixed_rows(router, 800), k=router.k, renormalize=router.renormalize, layer=47)


@pytest.mark.parametrize("n_experts", [1, 2, 7, 33, 100, 257])
def test_numbers_of_experts_that_fill_no_block(n_experts: int) -> None:
    for k in sorted({1, (n_experts + 1) // 2, n_experts}):
        router = cases.Router("", n_experts, k, True)
        logits = cases.logits(router, torch.bfloat16, 60)
        for renormalize in (False, True):
            check_same(logits, cases.mixed_rows(router, 60), k=k, renormalize=renormalize, layer=0)


@pytest.mark.parametrize("renormalize", [False, True])
@all_dtypes
def test_broken_logits(dtype: torch.dtype, renormalize: bool) -> None:
    logits = cases.awkward_logits(64).to(dtype)
    router = cases.Router("", 64, 8, renormalize)
    for k_keep in (0, 3, 8):
        for tau in (1e-30, 1.0, 1e30):
            rows = cases.rows(router, len(logits), k_keep=k_keep, tau=tau)
            check_same(logits, rows, k=8, renormalize=renormalize, layer=1)


def test_every_16_bit_float_is_read_exactly() -> None:
    patterns = torch.arange(-(2**15), 2**15).to(torch.int16).view(-1, 64)
    router = cases.Router("", 64, 8, True)
    for dtype in (torch.bfloat16, torch.float16):
        logits = patterns.view(dtype)
        check_same(logits, cases.rows(router, len(logits)), k=8, renormalize=True, layer=1)


def test_settings_outside_the_range_are_clipped_alike() -> None:
    logits = cases.logits(QWEN, torch.bfloat16, 40)
    for k_keep, r in ((-5, 4), (99, 999), (2, -1)):
        check_same(logits, cases.rows(QWEN, 40, k_keep=k_keep, r=r), k=8, renormalize=True, layer=1)


def test_rows_may_be_strided_and_settings_longer_than_the_batch() -> None:
    wide = cases.logits(cases.Router("", 160, 8, True), torch.bfloat16, 50)
    for logits in (wide[:, :128], wide[:1, :128].expand(50, -1), wide[:0, :128]):
        check_same(logits, cases.mixed_rows(QWEN, 64), k=8, renormalize=True, layer=1)


def test_out_is_written_in_place_and_rows_that_are_off_are_left_alone() -> None:
    logits = cases.logits(QWEN, torch.bfloat16, 40)
    rows = cases.mixed_rows(QWEN, 40)
    options: dict[str, Any] = {"k": 8, "renormalize": True, "layer": 1}
    outs = [(torch.full((40, 8), 9.0), torch.full((40, 8), -9, dtype=torch.int32)) for _ in range(2)]
    result = cpu.route(logits, rows, out=outs[0], **options)
    assert result[0] is outs[0][0]
    assert_same(result, reference.route(logits, rows, out=outs[1], **options))


@all_routers
@all_dtypes
def test_top_k_gives_the_same_experts_with_their_logits(router: cases.Router, dtype: torch.dtype) -> None:
    logits, rows = cases.logits(router, dtype, 200), cases.rows(router, 200)
    _, expected = reference.route(logits, rows, k=router.k, renormalize=True, layer=2)
    values, ids = cpu.top_k(logits, DrawnRows(torch.arange(200), rows), k=router.k, layer=2)
    assert ids.dtype == torch.int64
    assert torch.equal(ids, expected.long())
    assert torch.equal(values, logits.gather(1, ids))


def test_top_k_leaves_the_other_rows_to_torch() -> None:
    logits, rows = cases.logits(QWEN, torch.bfloat16, 50), cases.rows(QWEN, 3)
    numbers = torch.tensor([41, 3, 17])
    _, expected = reference.route(logits[numbers], rows, k=8, renormalize=True, layer=2)
    values, ids = cpu.top_k(logits, DrawnRows(numbers, rows), k=8, layer=2)
    base = torch.topk(logits, 8, dim=-1, sorted=False).indices
    base[numbers] = expected.long()
    assert torch.equal(ids, base)
    assert torch.equal(values, logits.gather(1, base))


def test_what_the_kernel_would_misread_is_refused() -> None:
    logits, rows = cases.logits(QWEN, torch.bfloat16, 4), cases.rows(QWEN, 4)
    options: dict[str, Any] = {"k": 8, "renormalize": True, "layer": 0}
    for out in (
        (torch.zeros(4, 8), torch.zeros(4, 8, dtype=torch.int64)),
        (torch.zeros(3, 8), torch.zeros(3, 8, dtype=torch.int32)),
    ):
        with pytest.raises(ValueError, match="A tensor is"):
            cpu.route(logits, rows, out=out, **options)
    for unfit in (logits.double(), logits.t().contiguous().t()):
        with pytest.raises(ValueError, match="The logits are"):
            cpu.route(unfit, rows, **options)
    for k in (0, 129):
        with pytest.raises(ValueError, match="of 128 experts"):
            cpu.route(logits, rows, **(options | {"k": k}))
    with pytest.raises(ValueError, match="4 rows of logits and settings for 3"):
        cpu.route(logits, cases.rows(QWEN, 3), **options)


def test_top_k_refuses_rows_that_are_not_there() -> None:
    logits, rows = cases.logits(QWEN, torch.bfloat16, 4), cases.rows(QWEN, 2)
    for numbers in ([1, 4], [-1, 2]):
        with pytest.raises(ValueError, match=r"1 of the rows to draw are outside 0\.\.3"):
            cpu.top_k(logits, DrawnRows(torch.tensor(numbers), rows), k=8, layer=0)
