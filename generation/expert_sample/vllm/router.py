"""The router that stands in for a model's own softmax top-k router, and the custom ops it routes with.

Off must be exact to the bit, also where the model is compiled, so the model's own routing stays in place and
Expert-Sample only overrides rows. Two ways of doing that:

- `OverlayRouter` lets the model's router do its work and then overwrites the weights and ids of the drawn
  rows. That is what GPUs use (one more launch, which returns at once for rows that are not drawn), and
  grouped routers of a single group on the CPU.
- `CpuTopKRouter` replaces the top-k alone, since on a CPU a second selection would cost as much as the first.
  The weights are the same function of the chosen experts' logits whoever chose them, so that formula, and
  what Inductor makes of it, stay as they are; without drawn rows the op is the `torch.topk` that stood there
  before.

The ops are opaque to `torch.compile`: on the CPU vLLM traces through routers, the drawn rows change every
step, and Inductor cannot hold the hash's 64-bit constants.
"""

from __future__ import annotations

from typing import Any

import torch
from vllm.config import get_current_vllm_config
from vllm.model_executor.layers.fused_moe.config import RoutingMethodType
from vllm.model_executor.layers.fused_moe.router.base_router import BaseRouter
from vllm.model_executor.layers.fused_moe.router.cpu_router import CPURouter
from vllm.utils.torch_utils import direct_register_custom_op

from generation.expert_sample import cpu
from generation.expert_sample.dispatch import route
from generation.expert_sample.vllm.patching import replace
from generation.expert_sample.vllm.refusals import router_reason
from generation.expert_sample.vllm.server_default import is_armed
from generation.expert_sample.vllm.step import STEP

UNBOUND = -1
_LIBRARY = torch.library.Library("expert_sample", "FRAGMENT")


def _top_k(logits: torch.Tensor, k: int, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Select k experts a row: logits and int64 ids, both (T, k), as `torch.topk` would or as drawn."""
    if STEP.drawn is None:
        values, ids = torch.topk(logits, k, dim=-1, sorted=False)
        return values, ids
    return cpu.top_k(logits, STEP.drawn, k=k, layer=layer)


def _top_k_fake(logits: torch.Tensor, k: int, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
    shape = (logits.shape[0], k)
    return logits.new_empty(shape), logits.new_empty(shape, dtype=torch.int64)


def _overlay(
    logits: torch.Tensor, weights: torch.Tensor, ids: torch.Tensor, k: int, renormalize: bool, layer: int
) -> None:
    """Overwrite the weights and ids (T, k) of the drawn rows in place."""
    if STEP.static is not None:
        route(logits, STEP.static, k=k, renormalize=renormalize, layer=layer, out=(weights, ids))
    elif STEP.drawn is not None:
        numbers, rows = STEP.drawn.numbers, STEP.drawn.settings
        of_drawn = logits.index_select(0, numbers)
        drawn_weights, drawn_ids = route(of_drawn, rows, k=k, renormalize=renormalize, layer=layer)
        weights.index_copy_(0, numbers, drawn_weights)
        ids.index_copy_(0, numbers, drawn_ids)


def _overlay_fake(
    logits: torch.Tensor, weights: torch.Tensor, ids: torch.Tensor, k: int, renormalize: bool, layer: int
) -> None:
    return None


direct_register_custom_op("top_k", _top_k, fake_impl=_top_k_fake, target_lib=_LIBRARY)
direct_register_custom_op(
    "overlay", _overlay, mutates_args=["weights", "ids"], fake_impl=_overlay_fake, target_lib=_LIBRARY
)


class ExpertSampleRouter(BaseRouter):  # type: ignore[misc]
    """Routes as the model's own router, except for the rows of the step that are drawn.

    Capturing of expert ids and expert load balancing are `BaseRouter`'s and work on what is chosen here.
    """

    def __init__(self, original: Any, *, armed: bool) -> None:
        super().__init__(
            top_k=original.top_k,
            global_num_experts=original.global_num_experts,
            eplb_state=original.eplb_state,
        )
        self.original = original
        self.renormalize = bool(original.renormalize)
        self.layer = UNBOUND
        self._armed = armed

    @property
    def routing_method_type(self) -> Any:
        """What kernels are chosen by; `Custom` keeps those away that route by themselves.

        Only where the server was started for Expert-Sample: merely installing the package must not change the
        kernels of anyone's model.
        """
        return RoutingMethodType.Custom if self._armed else self.original.routing_method_type

    def bind(self, layer: int) -> None:
        """Learn which layer of the whole model this is (also on a later pipeline stage)."""
        self.layer = layer


class OverlayRouter(ExpertSampleRouter):
    """Any supported router, followed by the overlay of the drawn rows."""

    def _compute_routing(
        self,
        hidden_states: torch.Tensor,
        router_logits: torch.Tensor,
        indices_type: torch.dtype | None,
        *,
        input_ids: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        weights, ids = self.original._compute_routing(hidden_states, router_logits, None, input_ids=input_ids)
        torch.ops.expert_sample.overlay(router_logits, weights, ids, self.top_k, self.renormalize, self.layer)
        return weights, ids


class CpuTopKRouter(ExpertSampleRouter):
    """vLLM's plain softmax top-k router on the CPU (`cpu_router._softmax_topk`) with another top-k."""

    def _compute_routing(
        self,
        hidden_states: torch.Tensor,
        router_logits: torch.Tensor,
        indices_type: torch.dtype | None,
        *,
        input_ids: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        logits, ids = torch.ops.expert_sample.top_k(router_logits, self.top_k, self.layer)
        if self.renormalize:
            weights = torch.softmax(logits, dim=-1)
        else:
            weights = (logits - torch.logsumexp(router_logits, dim=-1, keepdim=True)).exp()
        return weights.to(torch.float32), ids.to(torch.int32)


def wrap(original: Any) -> Any:
    """Put an Expert-Sample router around a model's router, or return it where that can't be right."""
    if router_reason(original) is not None:
        return original
    config = get_current_vllm_config()
    capture = config.compilation_config.max_cudagraph_capture_size or 0
    STEP.reserve(
        max(config.scheduler_config.max_num_batched_tokens, capture),
        torch.device(config.device_config.device),
    )
    armed = is_armed(config.additional_config)
    if isinstance(original, CPURouter) and not original.use_grouped_topk:
        return CpuTopKRouter(original, armed=armed)
    return OverlayRouter(original, armed=armed)


def install() -> None:
    """Wrap every router that a model's layers are made with, and tell it which layer it is in."""
    from vllm.compilation import caching
    from vllm.model_executor.layers.fused_moe import layer
    from vllm.model_executor.layers.fused_moe.runner.moe_runner import MoERunner

    replace(layer, "create_fused_moe_router", _wrapping)
    replace(MoERunner, "__init__", _binding)
    replace(caching, "aot_compile_hash_factors", _naming)


def _wrapping(original: Any) -> Any:
    def create_fused_moe_router(*args: Any, **kwargs: Any) -> Any:
        return wrap(original(*args, **kwargs))

    return create_fused_moe_router


def _binding(original: Any) -> Any:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - replaces MoERunner.__init__
        original(self, *args, **kwargs)
        if isinstance(self.router, ExpertSampleRouter):
            self.router.bind(self.layer_id)

    return __init__


def _naming(original: Any) -> Any:
    """Keep models that were compiled with these routers apart from those that were compiled without."""

    def aot_compile_hash_factors(*args: Any, **kwargs: Any) -> list[str]:
        return [*original(*args, **kwargs), "expert_sample"]

    return aot_compile_hash_factors
