"""Watch a model from inside vLLM's workers: its routers, and how sure it is of its next token.

vLLM mixes this class into its workers (`worker_extension_cls`). The routers are asked through their common
base class, so every softmax-routed model that vLLM runs can be watched, at any size and parallelism,
without a copy of its modelling code. Only in eager mode: a compiled graph would have traced the router
without its watcher. What is watched is only read: no token changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from generation.expert_use.asked import Asked

EXTENSION = "generation.expert_use.probe.RoutingProbe"


class RoutingProbe:
    """What a worker can be told by `collective_rpc`; `self` is the worker."""

    model_runner: Any
    vllm_config: Any
    _watched: Any = None

    def routing_probe_support(self) -> dict[str, Any]:
        """Whether experts could be drawn in this model: the fields of `ModelSupport`."""
        from generation.expert_sample.vllm.support import of_model

        return asdict(of_model(self.model_runner.get_model(), self.vllm_config))

    def start_routing_probe(self, asked: Mapping[str, Any]) -> str | None:
        """Begin to watch, anew if it watches already; None, or the reason why this model can't be watched.

        Args:
            asked: What `Asked.plain` made.
        """
        from generation.expert_sample.vllm.refusals import router_reason
        from generation.expert_use.watched import WatchedModel

        if self._watched is not None:
            self._watched.stop()
        if self.vllm_config.speculative_config is not None:
            return "speculative decoding is on, whose draft tokens are not those that are sampled"
        runners = _moe_runners(self.model_runner.get_model())
        for runner in runners:
            reason = router_reason(getattr(runner.router, "original", runner.router))
            if reason is not None:
                return reason
        self._watched = WatchedModel(self.model_runner, runners, Asked.read(asked))
        return None

    def read_routing_probe(self) -> dict[str, Any]:
        """What was seen so far, as plain data: see `WatchedModel.read`."""
        found: dict[str, Any] = self._watched.read()
        return found


def _moe_runners(model: Any) -> list[Any]:
    from vllm.model_executor.layers.fused_moe.runner.moe_runner import MoERunner

    return [module for module in model.modules() if isinstance(module, MoERunner)]
