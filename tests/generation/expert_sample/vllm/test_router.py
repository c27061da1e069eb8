"""The routers that stand in for vLLM's, layer by layer: exact when off, the reference's choice when on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("vllm")

import torch
from vllm.config import VllmConfig, set_current_vllm_config
from vllm.model_executor.layers.fused_moe.config import RoutingMethodType
from vllm.model_executor.layers.fused_moe.router.cpu_router import CPURouter

from generation.expert_sample import reference
from generation.expert_sample.rows import RowSettings
from generation.expert_sample.vllm import router
from generation.expert_sample.vllm.routing_request import RoutingRequest
from generation.expert_sample.vllm.step import STEP, drawn_rows

N_EXPERTS, K, LAYER, N_ROWS = 64, 6, 3, 17
REQUEST = RoutingRequest(seed=8, sample_index=2, k_keep=2, r=24, tau=1.5, scope="all")


@pytest.fixture(autouse=True)
def _idle_step() -> Iterator[None]:
    yield
    STEP.static = None
    STEP.set(None)


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def logits(request: pytest.FixtureRequest) -> torch.Tensor:
    made = torch.randn(N_ROWS, N_EXPERTS, generator=torch.Generator().manual_seed(1)) * 2
    return made.to(request.param)


def _wrapped(original: Any, additional_config: dict[str, Any] | None = None) -> Any:
    config = VllmConfig()
    config.additional_config = additional_config or {}
    with set_current_vllm_config(config):
        wrapped = router.wrap(original)
    if wrapped is not original:
        wrapped.bind(LAYER)
    return wrapped


def _plain(renormalize: bool, **options: Any) -> Any:
    return CPURouter(K, N_EXPERTS, renormalize=renormalize, **options)


def _grouped(renormalize: bool) -> Any:
    return _plain(renormalize, use_grouped_topk=True, num_expert_group=1, topk_group=1)


def _select(some_router: Any, logits: torch.Tensor) -> Any:
    return some_router.select_experts(torch.zeros(len(logits), 4), logits)


def _draw(*n_tokens: int) -> RowSettings:
    """Put a batch into the step whose requests are drawn and not in turn; return its rows' settings."""
    requests = [REQUEST if number % 2 == 0 else None for number in range(len(n_tokens))]
    first = np.arange(len(n_tokens), dtype=np.int64)
    counts = np.array(n_tokens, dtype=np.int64)
    drawn = drawn_rows(requests, n_prompt_tokens=[1] * len(n_tokens), first_positions=first, n_tokens=counts)
    STEP.set(drawn)
    assert drawn is not None
    whole = RowSettings.off(sum(n_tokens), torch.device("cpu"))
    for column, of_drawn in zip(whole.tensors, drawn.settings.tensors, strict=True):
        column[drawn.numbers] = of_drawn
    return whole


def _reference(logits: torch.Tensor, rows: RowSettings, *, renormalize: bool, of: Any) -> Any:
    """Overlay the reference's choice on what the original router gives."""
    weights, ids = of._compute_routing(torch.zeros(len(logits), 4), logits, None)
    return reference.route(logits, rows, k=K, renormalize=renormalize, layer=LAYER, out=(weights.clone(), ids.clone()))


@pytest.mark.parametrize("renormalize", [True, False])
@pytest.mark.parametrize("make", [_plain, _grouped])
def test_off_is_the_original_router_to_the_bit(make: Any, renormalize: bool, logits: torch.Tensor) -> None:
    original = make(renormalize)
    for ours, theirs in zip(_select(_wrapped(original), logits), _select(original, logits), strict=True):
        assert torch.equal(ours, theirs)
        assert ours.dtype == theirs.dtype


@pytest.mark.parametrize("batch", [(N_ROWS,), (5, 4, 8), (0, 9, 8)], ids=["all", "mixed", "one of two"])
@pytest.mark.parametrize("renormalize", [True, False])
@pytest.mark.parametrize("make", [_plain, _grouped])
@pytest.mark.parametrize("static", [False, True], ids=["host rows", "static rows"])
def test_drawn_rows_are_the_references_and_the_others_the_originals(
    make: Any, renormalize: bool, batch: tuple[int, ...], static: bool, logits: torch.Tensor
) -> None:
    original = make(renormalize)
    rows = _draw(*batch)
    wrapped = router.OverlayRouter(original, armed=False) if static else _wrapped(original)
    wrapped.bind(LAYER)
    if static:  # as on a GPU: longer than the batch, at a fixed address
        STEP.static = rows.map(lambda column: torch.cat([column, torch.zeros(3, dtype=column.dtype)]))
    weights, ids = _select(wrapped, logits)
    expected_weights, expected_ids = _reference(logits, rows, renormalize=renormalize, of=original)
    assert torch.equal(ids[~rows.enabled], expected_ids[~rows.enabled])
    assert torch.equal(weights[~rows.enabled], expected_weights[~rows.enabled])
    order, expected_order = ids.argsort(dim=1), expected_ids.argsort(dim=1)
    assert torch.equal(ids.gather(1, order), expected_ids.gather(1, expected_order))
    # vLLM weighs in the logits' own precision where it renormalises.
    tolerance = 1e-6 if logits.dtype is torch.float32 else 1e-2
    torch.testing.assert_close(
        weights.gather(1, order), expected_weights.gather(1, expected_order), rtol=tolerance, atol=tolerance
    )


def test_drawn_rows_do_differ_from_the_original(logits: torch.Tensor) -> None:
    original = _plain(True)
    _draw(N_ROWS)
    ours, theirs = _select(_wrapped(original), logits)[1], _select(original, logits)[1]
    assert not torch.equal(ours.sort(dim=1).values, theirs.sort(dim=1).values)


def test_captured_ids_are_those_that_were_drawn(logits: torch.Tensor) -> None:
    _draw(N_ROWS)
    wrapped = _wrapped(_plain(True))
    captured: list[torch.Tensor] = []
    wrapped.set_capture_fn(captured.append)
    _, ids = _select(wrapped, logits)
    assert torch.equal(captured[0], ids)


@pytest.mark.parametrize(
    "options",
    [
        {"scoring_func": "sigmoid"},
        {"e_score_correction_bias": torch.zeros(N_EXPERTS)},
        {"custom_routing_function": print},
        {"use_grouped_topk": True, "num_expert_group": 4, "topk_group": 2},
        {"use_grouped_topk": True, "num_expert_group": 1, "topk_group": 1, "routed_scaling_factor": 2.5},
        {"hash_indices_table": torch.zeros(1)},
    ],
    ids=lambda options: next(reversed(options)),
)
def test_a_router_that_cant_be_right_is_left_alone(options: dict[str, Any]) -> None:
    original = _plain(True, **options)
    assert _wrapped(original) is original


@pytest.mark.parametrize(
    ("additional_config", "custom"),
    [({}, False), ({"expert_sample": {"enabled": False}}, True), ({"expert_sample": {}}, True)],
)
def test_kernels_are_chosen_anew_only_for_a_server_that_was_started_for_it(
    additional_config: dict[str, Any], custom: bool
) -> None:
    original = _plain(True)
    kind = _wrapped(original, additional_config).routing_method_type
    assert kind == (RoutingMethodType.Custom if custom else original.routing_method_type)


@pytest.mark.parametrize("drawn", [False, True])
def test_the_ops_keep_their_promises_to_the_compiler(drawn: bool) -> None:
    logits = torch.randn(N_ROWS, N_EXPERTS)
    if drawn:
        _draw(5, 4, 8)
    torch.library.opcheck(torch.ops.expert_sample.top_k.default, (logits, K, LAYER))
    weights, ids = torch.zeros(N_ROWS, K), torch.zeros(N_ROWS, K, dtype=torch.int32)
    torch.library.opcheck(torch.ops.expert_sample.overlay.default, (logits, weights, ids, K, True, LAYER))
