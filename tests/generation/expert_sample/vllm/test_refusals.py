"""Each case that can't be right has its reason, and supported ones have none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("vllm")

import torch
from vllm.model_executor.layers.fused_moe.router.custom_routing_router import CustomRoutingRouter
from vllm.model_executor.layers.fused_moe.router.fused_topk_bias_router import FusedTopKBiasRouter
from vllm.model_executor.layers.fused_moe.router.fused_topk_router import FusedTopKRouter
from vllm.model_executor.layers.fused_moe.router.grouped_topk_router import GroupedTopKRouter
from vllm.model_executor.layers.fused_moe.runner.moe_runner import MoERunner

from generation.expert_sample.vllm import refusals, support
from generation.expert_sample.vllm.support import ModelSupport

BIAS = torch.zeros(64)


def _grouped(**options: Any) -> Any:
    """Make a grouped router's attributes without the kernels that its constructor looks for."""
    made = GroupedTopKRouter.__new__(GroupedTopKRouter)
    defaults = {"scoring_func": "softmax", "num_expert_group": 1, "e_score_correction_bias": None}
    vars(made).update(defaults, routed_scaling_factor=1.0, num_fused_shared_experts=0)
    vars(made).update(options)
    return made


@pytest.mark.parametrize("router", [FusedTopKRouter(8, 64), FusedTopKRouter(8, 64, renormalize=False), _grouped()])
def test_softmax_top_k_routers_are_supported(router: Any) -> None:
    assert refusals.router_reason(router) is None


@pytest.mark.parametrize(
    ("router", "word"),
    [
        (FusedTopKRouter(8, 64, scoring_func="sigmoid"), "sigmoid"),
        (FusedTopKBiasRouter(8, 64, e_score_correction_bias=BIAS, scoring_func="sigmoid"), "FusedTopKBiasRouter"),
        (CustomRoutingRouter(8, 64, custom_routing_function=print), "CustomRoutingRouter"),
        (_grouped(num_expert_group=8), "8 groups"),
        (_grouped(e_score_correction_bias=BIAS), "biased"),
        (_grouped(routed_scaling_factor=2.5), "scale the weights"),
        (_grouped(num_fused_shared_experts=1), "fused"),
    ],
)
def test_other_routers_are_refused_by_name(router: Any, word: str) -> None:
    assert word in (refusals.router_reason(router) or "")


def _runner(**changes: Any) -> Any:
    """Make a layer that runs as supported layers do, except for the changes."""
    moe_config = SimpleNamespace(is_sequence_parallel=False, pcp_size=1)
    vars(moe_config).update({name: changes.pop(name) for name in list(changes) if name in vars(moe_config)})
    attributes = {"is_monolithic": False, "do_naive_dispatch_combine": False, "moe_config": moe_config, **changes}
    return type("Runner", (), {"_apply_quant_method": MoERunner._apply_quant_method, **attributes})()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, None),
        ({"is_monolithic": True}, "routes by itself"),
        ({"is_sequence_parallel": True}, "sequence-parallel"),
        ({"do_naive_dispatch_combine": True}, "several ranks"),
        ({"pcp_size": 2}, "several ranks"),
        ({"_apply_quant_method": lambda self: None}, "does not ask the router"),
    ],
)
def test_ways_of_running_a_layer(changes: dict[str, Any], word: str | None) -> None:
    reason = refusals.runner_reason(_runner(**changes))
    assert reason is None if word is None else word in (reason or "")


@pytest.mark.parametrize(
    ("part", "changes", "word"),
    [
        ("", {}, None),
        ("", {"speculative_config": object()}, "speculative decoding"),
        ("parallel_config", {"use_ubatching": True}, "dual-batch overlap"),
        ("parallel_config", {"prefill_context_parallel_size": 2}, "context parallelism"),
        ("cache_config", {"kv_sharing_fast_prefill": True}, "fast prefill"),
        ("model_config", {"is_diffusion": True}, "diffusion"),
    ],
)
def test_configurations(part: str, changes: dict[str, Any], word: str | None) -> None:
    config = SimpleNamespace(
        speculative_config=None,
        parallel_config=SimpleNamespace(use_ubatching=False, enable_dbo=False, prefill_context_parallel_size=1),
        cache_config=SimpleNamespace(kv_sharing_fast_prefill=False),
        model_config=SimpleNamespace(is_diffusion=False),
    )
    vars(getattr(config, part) if part else config).update(changes)
    reason = refusals.config_reason(config)
    assert reason is None if word is None else word in (reason or "")


def test_the_attributes_that_are_read_exist_in_this_vllm() -> None:
    from vllm.config import CacheConfig, ModelConfig, ParallelConfig
    from vllm.model_executor.layers.fused_moe.config import FusedMoEConfig

    assert hasattr(ParallelConfig(), "use_ubatching")
    assert hasattr(ParallelConfig(), "prefill_context_parallel_size")
    assert hasattr(CacheConfig(), "kv_sharing_fast_prefill")
    assert hasattr(ModelConfig, "is_diffusion")
    assert {"is_sequence_parallel", "pcp_size"} <= set(dir(FusedMoEConfig))


@pytest.mark.parametrize(("default", "fits"), [({}, False), ({"k_keep": 1}, True), ({"enabled": False}, True)])
def test_a_default_that_leaves_nothing_to_draw_keeps_the_worker_from_starting(
    default: dict[str, Any], fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(support, "_answer", lambda worker: {"k": 2, "n_experts": 8, "reason": None})
    load_model = support._with_default_check(lambda worker: None)
    worker = SimpleNamespace(vllm_config=SimpleNamespace(additional_config={"expert_sample": default}))
    if fits:
        load_model(worker)
        return
    with pytest.raises(
        RuntimeError, match=r"is the default but can't be used: k_keep is 'k//2\+1' = 2; .* from 0 to 1"
    ):
        load_model(worker)


ABLE = {"k": 8, "n_experts": 64, "reason": None}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([ABLE, ABLE], ModelSupport(8, 64, None)),
        ([{"k": 0, "n_experts": 0, "reason": refusals.NO_EXPERTS}, ABLE], ModelSupport(8, 64, None)),
        ([ABLE, {"k": 0, "n_experts": 0, "reason": "because"}], ModelSupport(0, 0, "because")),
        ([{"k": 0, "n_experts": 0, "reason": refusals.NO_EXPERTS}] * 2, ModelSupport(0, 0, refusals.NO_EXPERTS)),
    ],
    ids=["all can", "a stage without experts", "one can't", "no experts at all"],
)
def test_ranks_answer_together(answers: list[dict[str, Any]], expected: ModelSupport) -> None:
    assert ModelSupport.of_ranks(answers) == expected


def test_stages_that_differ_are_refused() -> None:
    of_both = ModelSupport.of_ranks([ABLE, {"k": 4, "n_experts": 64, "reason": None}])
    assert of_both.reason == "its pipeline stages differ in the number of experts"
