"""Why a model or a way of running it can't do Expert-Sample, each as one sentence.

Expert-Sample replaces which experts a softmax router selects, row by row of the batch. Where the model
selects otherwise, or the rows that a router sees are not the batch's rows, a plugin that carried on would
either do nothing or perturb the wrong tokens, and the responses would look just as good. So each such case
has a reason here, and a request that asks for Expert-Sample is answered with it. Requests that do not ask are
left alone.
"""

from __future__ import annotations

from typing import Any

from vllm.model_executor.layers.fused_moe.router.cpu_router import CPURouter
from vllm.model_executor.layers.fused_moe.router.fused_topk_router import FusedTopKRouter
from vllm.model_executor.layers.fused_moe.router.grouped_topk_router import GroupedTopKRouter
from vllm.model_executor.layers.fused_moe.runner.moe_runner import MoERunner

NO_EXPERTS = "this model has no mixture-of-experts layer"


def router_reason(router: Any) -> str | None:
    """Say why a model's own router can't be replaced, or None where it can."""
    if not isinstance(router, (CPURouter, FusedTopKRouter, GroupedTopKRouter)):
        return f"its layers route with {type(router).__name__}, and only softmax top-k routing is supported"
    # The checks read each router's own attributes; a router without the attribute has no such feature.
    if getattr(router, "custom_routing_function", None) is not None:
        return "its layers route with a function of their own"
    if getattr(router, "_hash_indices_table", None) is not None:
        return "its layers choose experts by a table of token ids, not by router logits"
    if router.scoring_func != "softmax":
        return f"its layers score experts by {router.scoring_func}, and only softmax scores are supported"
    if getattr(router, "e_score_correction_bias", None) is not None:
        return "its layers select by biased scores, so that the best experts are not those with the best logits"
    if _is_grouped(router) and (router.num_expert_group or 1) > 1:
        return f"its layers select within {router.num_expert_group} groups of experts, and only one is supported"
    if getattr(router, "routed_scaling_factor", 1.0) != 1.0:
        return "its routers scale the weights of the chosen experts"
    if getattr(router, "num_fused_shared_experts", 0):
        return "its shared experts are fused into the routed ones"
    return None


def runner_reason(runner: Any) -> str | None:
    """Say why a layer's way of running can't do Expert-Sample (after the weights are loaded), or None."""
    if type(runner)._apply_quant_method is not MoERunner._apply_quant_method:
        return f"its layers run in {type(runner).__name__}, which does not ask the router"
    if runner.is_monolithic:
        return (
            "its experts run in a kernel that routes by itself; start vLLM with "
            """--additional-config '{"expert_sample": {"enabled": false}}' to have another kernel chosen"""
        )
    if runner.moe_config.is_sequence_parallel:
        return "its layers run sequence-parallel, so that a router does not see the whole batch"
    if runner.do_naive_dispatch_combine or runner.moe_config.pcp_size > 1:
        return "its routers see the tokens of several ranks at once"
    return None


def config_reason(vllm_config: Any) -> str | None:
    """Say why an engine's configuration can't do Expert-Sample, or None."""
    parallel = vllm_config.parallel_config
    if vllm_config.speculative_config is not None:
        return "speculative decoding is on, whose draft tokens would be routed with the noise of other tokens"
    if getattr(parallel, "use_ubatching", parallel.enable_dbo):
        return "dual-batch overlap is on, which splits the batch's rows"
    if getattr(parallel, "prefill_context_parallel_size", 1) > 1:
        return "prefill context parallelism is on, which splits the batch's rows"
    if vllm_config.cache_config.kv_sharing_fast_prefill:
        return "fast prefill by sharing keys and values is on, which drops rows of the batch"
    if vllm_config.model_config.is_diffusion:
        return "the model is a diffusion model, whose tokens have no order in which they are generated"
    return None


def _is_grouped(router: Any) -> bool:
    return isinstance(router, GroupedTopKRouter) or bool(getattr(router, "use_grouped_topk", False))
