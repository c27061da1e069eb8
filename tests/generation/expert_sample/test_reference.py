"""The method against its own statement; the fast paths are held against the reference elsewhere."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")

from scipy import stats

from generation.expert_sample import noise
from generation.expert_sample.reference import route
from generation.expert_sample.rows import RowSettings
from tests.generation.expert_sample import cases
from tests.generation.expert_sample.plackett_luce import (
    inclusion_probabilities,
    set_probabilities,
)

all_routers = pytest.mark.parametrize("router", cases.ROUTERS, ids=cases.ROUTER_IDS)
all_dtypes = pytest.mark.parametrize("dtype", cases.DTYPES, ids=cases.DTYPE_IDS)
QWEN, OLMOE = cases.ROUTERS[0], cases.ROUTERS[4]


def ranking(logits: torch.Tensor) -> torch.Tensor:
    """Rank experts with Python's own sort: greatest logit first, then the lowest number."""
    return torch.tensor([sorted(range(len(row)), key=lambda e: (-row[e], e)) for row in logits.float().tolist()])


@all_routers
@all_dtypes
def test_the_head_is_always_kept_and_the_tail_comes_from_the_pool(router: cases.Router, dtype: torch.dtype) -> None:
    logits = cases.logits(router, dtype, 200)
    rows = cases.rows(router, 200)
    _, ids = route(logits, rows, k=router.k, renormalize=router.renormalize, layer=1)
    k_keep, r = router.k // 2 + 1, min(4 * router.k, router.n_experts)
    for chosen, order in zip(ids.tolist(), ranking(logits).tolist(), strict=True):
        assert chosen[:k_keep] == order[:k_keep]
        assert set(chosen[k_keep:]) <= set(order[k_keep:r])
        assert len(set(chosen)) == router.k
        assert chosen == sorted(chosen, key=order.index)


@all_routers
@all_dtypes
def test_weights_are_the_softmax_of_the_original_logits(router: cases.Router, dtype: torch.dtype) -> None:
    logits = cases.logits(router, dtype, 200)
    rows = cases.rows(router, 200)
    weights, ids = route(logits, rows, k=router.k, renormalize=router.renormalize, layer=1)
    gates = torch.softmax(logits.double(), dim=1).gather(1, ids.long())
    expected = gates / gates.sum(1, keepdim=True) if router.renormalize else gates
    torch.testing.assert_close(weights.double(), expected, rtol=1e-6, atol=0)
    assert weights.dtype == torch.float32
    assert ids.dtype == torch.int32


@all_routers
@all_dtypes
def test_keeping_all_k_is_the_baseline(router: cases.Router, dtype: torch.dtype) -> None:
    logits = cases.logits(router, dtype, 200)
    kept = cases.rows(router, 200, k_keep=router.k)
    off = replace(cases.rows(router, 200), enabled=torch.zeros(200, dtype=torch.bool))
    options: dict[str, Any] = {"k": router.k, "renormalize": router.renormalize, "layer": 0}
    weights, ids = route(logits, kept, **options)
    assert torch.equal(ids.long(), ranking(logits)[:, : router.k])
    assert all(map(torch.equal, (weights, ids), route(logits, off, **options)))


def test_a_softmax_over_the_chosen_logits_is_the_renormalised_gate_to_the_bit() -> None:
    gpt_oss = cases.ROUTERS[1]
    logits = cases.logits(gpt_oss, torch.bfloat16, 400)
    weights, ids = route(logits, cases.rows(gpt_oss, 400), k=4, renormalize=True, layer=1)
    assert torch.equal(weights, torch.softmax(logits.float().gather(1, ids.long()), dim=1))


@all_routers
def test_r_equal_to_k_leaves_no_choice(router: cases.Router) -> None:
    logits = cases.logits(router, torch.bfloat16, 100)
    rows = cases.rows(router, 100, k_keep=0, r=router.k)
    _, ids = route(logits, rows, k=router.k, renormalize=True, layer=1)
    assert torch.equal(ids.long(), ranking(logits)[:, : router.k])


@pytest.mark.parametrize("tau", [1e-30, 1e-5])
def test_a_vanishing_temperature_is_the_baseline(tau: float) -> None:
    logits = cases.logits(QWEN, torch.float32, 100)[::4]  # rows without ties, 1e-3 apart or more at rank k
    _, ids = route(logits, cases.rows(QWEN, 25, k_keep=0, tau=tau), k=8, renormalize=True, layer=1)
    assert torch.equal(ids.long(), ranking(logits)[:, :8])


def many_draws(logits: list[float], n: int, *, k: int, k_keep: int, r: int, tau: float, layer: int = 0) -> np.ndarray:
    """Route the same logits n times with different keys: (n, E) bool, which experts were chosen."""
    keys = noise.row_keys(torch.arange(n) % 7, torch.arange(n) % 32, torch.arange(n))
    rows = RowSettings.alike(keys, k_keep=k_keep, r=r, tau=tau)
    _, ids = route(torch.tensor([logits]).expand(n, -1), rows, k=k, renormalize=True, layer=layer)
    return np.asarray(torch.zeros((n, len(logits)), dtype=torch.bool).scatter_(1, ids.long(), True))


@pytest.mark.parametrize(("k", "k_keep", "r", "tau"), [(5, 2, 8, 1.0), (4, 0, 7, 0.5), (3, 2, 9, 2.0)])
def test_sets_are_drawn_as_by_drawing_without_replacement(k: int, k_keep: int, r: int, tau: float) -> None:
    n, logits = 40_000, [2.0, 1.5, 1.25, 1.25, 0.5, 0.0, -0.25, -1.0, -1.5, -4.0]
    chosen = many_draws(logits, n, k=k, k_keep=k_keep, r=r, tau=tau, layer=3)
    exact = set_probabilities(np.exp(np.array(logits[k_keep:r]) / tau), k - k_keep)
    codes = chosen[:, k_keep:r] @ (1 << np.arange(r - k_keep))
    observed = np.array([np.count_nonzero(codes == sum(1 << i for i in items)) for items in exact])
    assert observed.sum() == n  # the head is in every row and nothing comes from outside the pool
    # Rare sets together: a chi-square cell needs about five expected counts.
    expected = n * np.array(list(exact.values()))
    rare = expected < 5
    cells = [(observed[~rare], expected[~rare]), ([observed[rare].sum()], [expected[rare].sum()])]
    observed, expected = (np.concatenate(parts) for parts in zip(*cells[: 1 + rare.any()], strict=True))
    result = stats.chisquare(observed, expected)
    sys.stdout.write(f"{len(exact)} sets: chi2 {result.statistic:.1f}, p {result.pvalue:.3f}\n")
    assert result.pvalue > 1e-3


def test_inclusion_in_a_full_size_router_follows_the_exact_formula() -> None:
    n = 10_000
    row = sorted((torch.randn(128, generator=torch.Generator().manual_seed(4)) * 1.5).tolist(), reverse=True)
    chosen = many_draws(row, n, k=8, k_keep=5, r=32, tau=1.0)
    exact = inclusion_probabilities(np.exp(np.array(row[5:32])), 3)
    z = (chosen[:, 5:32].mean(axis=0) - exact) / np.sqrt(exact * (1 - exact) / n)
    sys.stdout.write(f"27 experts: greatest |z| {np.abs(z).max():.2f}, mean z^2 {np.mean(z**2):.2f}\n")
    assert np.abs(z).max() < 4  # 27 normal z exceed 4 once in 600 seeds
    assert 0.4 < np.mean(z**2) < 2


def test_a_huge_temperature_draws_the_pool_uniformly() -> None:
    n = 20_000
    chosen = many_draws([5.0, 3.0, 1.0, 0.0, -1.0, -3.0, -20.0, -50.0], n, k=4, k_keep=1, r=7, tau=1e6)
    counts = chosen.sum(axis=0)
    assert counts[0] == n
    assert counts[7] == 0
    np.testing.assert_allclose(counts[1:7] / n, 0.5, atol=4 * (0.25 / n) ** 0.5)


def test_rows_do_not_depend_on_their_neighbours() -> None:
    logits = cases.logits(OLMOE, torch.bfloat16, 60)
    rows = cases.mixed_rows(OLMOE, 60)
    options: dict[str, Any] = {"k": 8, "renormalize": False, "layer": 2}
    weights, ids = route(logits, rows, **options)
    shuffled = torch.randperm(60, generator=torch.Generator().manual_seed(1))[:37]
    some = route(logits[shuffled], rows.map(lambda column: column[shuffled]), **options)
    assert torch.equal(some[1], ids[shuffled])
    assert torch.equal(some[0], weights[shuffled])


def test_layers_and_keys_draw_different_tails() -> None:
    logits = torch.zeros((64, 128))
    rows = cases.rows(QWEN, 64)
    layers = [route(logits, rows, k=8, renormalize=True, layer=layer)[1] for layer in range(3)]
    tails = {tuple(row) for ids in layers for row in ids.tolist()}
    assert len(tails) > 180  # of 192; 2925 tails are equally likely


def test_rows_that_are_off_keep_what_stands_in_out() -> None:
    logits = cases.logits(QWEN, torch.bfloat16, 40)
    on = cases.mixed_rows(QWEN, 40).enabled
    rows = replace(cases.mixed_rows(QWEN, 40), fragile_from=torch.zeros(40, dtype=torch.int32))
    out = (torch.full((40, 8), 9.0), torch.full((40, 8), -9, dtype=torch.int32))
    expected = route(logits, rows, k=8, renormalize=True, layer=1)
    result = route(logits, rows, k=8, renormalize=True, layer=1, out=out)
    assert all(a is b for a, b in zip(result, out, strict=True))
    assert torch.equal(out[1][on], expected[1][on])
    assert torch.equal(out[0][on], expected[0][on])
    assert bool((out[1][~on] == -9).all())
    assert bool((out[0][~on] == 9).all())


def test_broken_logits_still_give_k_distinct_experts() -> None:
    logits = cases.awkward_logits(64)
    for tau in (1e-30, 1.0, 1e30):
        rows = cases.rows(OLMOE, len(logits), k_keep=2, tau=tau)
        weights, ids = route(logits, rows, k=8, renormalize=True, layer=1)
        assert all(len(set(row)) == 8 for row in ids.tolist())
        assert bool(((ids >= 0) & (ids < 64)).all())
        assert bool(torch.isfinite(weights[1]).all())  # minus infinity is an honest logit: weight 0
        assert bool(weights[3].isnan().all())  # plus infinity is not
