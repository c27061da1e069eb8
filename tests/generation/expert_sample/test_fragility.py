"""Where the router is certain the model's own experts work; elsewhere the draw is what it is without a threshold."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")

from generation.expert_sample import reference
from generation.expert_sample.fragility import exponential, fragile, threshold
from generation.expert_sample.rows import RowSettings
from tests.generation.expert_sample import cases

all_routers = pytest.mark.parametrize("router", cases.ROUTERS, ids=cases.ROUTER_IDS)
all_dtypes = pytest.mark.parametrize("dtype", cases.DTYPES, ids=cases.DTYPE_IDS)
N = 400
SLACK = 1e-5
"""A threshold is rounded up to 2**-16, about 1.5e-5, and the mass to far less: half of it is room enough either way."""


def untaken(logits: torch.Tensor, k: int) -> torch.Tensor:
    """1 - the softmax of the k best, in double precision."""
    return 1 - logits.double().softmax(dim=1).topk(k, dim=1).values.sum(1)


def route(router: cases.Router, logits: torch.Tensor, rows: RowSettings) -> tuple[torch.Tensor, torch.Tensor]:
    return reference.route(logits, rows, k=router.k, renormalize=router.renormalize, layer=5)


def test_the_exponential_is_that_of_double_precision() -> None:
    x = torch.cat([-torch.logspace(-30, math.log10(86.9), 4001), torch.zeros(1)]).float()
    exact = x.double().exp()
    assert ((exponential(x).double() - exact).abs() <= 2 * 2.0**-23 * exact).all()  # 2 units in the last place
    assert exponential(torch.tensor([-87.5, -1e30, -torch.inf])).tolist() == [0, 0, 0]
    assert exponential(torch.zeros(1)).item() == 1


@all_routers
@all_dtypes
def test_certain_rows_take_the_top_k_and_uncertain_ones_the_same_draw_as_without(
    router: cases.Router, dtype: torch.dtype
) -> None:
    logits = cases.logits(router, dtype, N)
    mass = untaken(logits, router.k)
    gate = mass.median().item() + SLACK
    drawn = route(router, logits, cases.rows(router, N))
    plain = route(router, logits, cases.rows(router, N, k_keep=router.k))
    weights, ids = route(router, logits, cases.rows(router, N, fragile_from=gate))
    clear = (mass - gate).abs() > SLACK / 2
    on = mass > gate
    assert 0 < int((on & clear).sum()) < int(clear.sum())
    for mask, expected in ((on & clear, drawn), (~on & clear, plain)):
        assert torch.equal(ids[mask], expected[1][mask])
        assert torch.equal(weights[mask], expected[0][mask])
    assert not torch.equal(drawn[1][on], plain[1][on])


@all_routers
def test_the_ends_are_every_row_and_none(router: cases.Router) -> None:
    logits = torch.cat([cases.logits(router, torch.float32, N), cases.awkward_logits(router.n_experts)])
    n = len(logits)
    ranked = logits.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf).sort(1, descending=True).values
    assert fragile(ranked, torch.zeros(n, dtype=torch.int32), k=router.k).all()
    assert not fragile(ranked, torch.full((n,), threshold(1.0), dtype=torch.int32), k=router.k).any()


@pytest.mark.parametrize(("value", "is_fragile"), [(0.875, True), (0.875 + 1e-9, False)])
def test_equal_logits_leave_exactly_their_share(value: float, is_fragile: bool) -> None:
    for logit in (0.0, -3e38, -torch.inf, torch.inf):
        ranked = torch.full((1, 64), logit)
        at = torch.tensor([threshold(value)], dtype=torch.int32)
        assert fragile(ranked, at, k=8).item() is is_fragile


def test_the_least_threshold_is_not_taken_for_none() -> None:
    assert [threshold(value) for value in (0.0, 1e-12, 2**-16, 0.5, 1.0)] == [0, 1, 1, 2**15, 2**16]
    sure = torch.full((1, 64), -50.0).index_fill(1, torch.tensor([0]), 0.0)
    assert not fragile(sure, torch.tensor([1], dtype=torch.int32), k=8).item()


def test_out_keeps_what_stands_there_in_certain_rows() -> None:
    router = cases.ROUTERS[0]
    logits, rows = cases.logits(router, torch.float32, 40), cases.rows(router, 40, fragile_from=0.5)
    ranked = logits.sort(1, descending=True).values
    on = fragile(ranked, rows.fragile_from, k=router.k)
    assert 0 < int(on.sum()) < 40
    out = (torch.full((40, 8), 9.0), torch.full((40, 8), -9, dtype=torch.int32))
    options: dict[str, Any] = {"k": 8, "renormalize": True, "layer": 5}
    reference.route(logits, rows, out=out, **options)
    expected = reference.route(logits, rows, **options)
    assert torch.equal(out[1][on], expected[1][on])
    assert (out[1][~on] == -9).all()
    assert (out[0][~on] == 9).all()


@all_routers
@all_dtypes
def test_the_cpu_kernel_equals_the_reference_at_thresholds_that_rows_just_reach(
    router: cases.Router, dtype: torch.dtype
) -> None:
    pytest.importorskip("numba")
    from generation.expert_sample import cpu
    from generation.expert_sample.rows import DrawnRows

    logits = cases.logits(router, dtype, N, seed=3)
    # Each row's own mass to 2**-16, one less or one more: a single bit of difference between the sums would show.
    own = (untaken(logits, router.k) * 2**16).ceil() + torch.arange(N) % 3 - 1
    rows = replace(cases.rows(router, N), fragile_from=own.clamp(0, 2**16).to(torch.int32))
    expected = route(router, logits, rows)
    result = cpu.route(logits, rows, k=router.k, renormalize=router.renormalize, layer=5)
    assert torch.equal(result[1], expected[1])
    torch.testing.assert_close(result[0], expected[0], rtol=1e-6, atol=1e-37)
    _, ids = cpu.top_k(logits, DrawnRows(torch.arange(N), rows), k=router.k, layer=5)
    assert torch.equal(ids, expected[1].long())


def test_the_cpu_kernel_takes_broken_logits_for_what_the_reference_does() -> None:
    pytest.importorskip("numba")
    from generation.expert_sample import cpu

    logits, router = cases.awkward_logits(64), cases.ROUTERS[4]
    for gate in (2**-16, 0.4, 0.875):
        rows = cases.rows(router, len(logits), k_keep=2, fragile_from=gate)
        _, expected = route(router, logits, rows)
        assert torch.equal(cpu.route(logits, rows, k=8, renormalize=False, layer=5)[1], expected)
