"""What the loaded model allows, asked of the workers by the front end.

Only a worker knows the layers of the model and the kernels that were chosen for them, but only the front end
can turn a request away with a reason. So the front end asks once, when the first request wants Expert-Sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from generation.expert_sample.vllm.patching import replace

RPC = "expert_sample_support"
"""Name under which workers answer `collective_rpc`."""


@dataclass(frozen=True)
class ModelSupport:
    """Whether a model can do Expert-Sample.

    Attributes:
        k: number of active experts a token, 0 where there is no supported layer.
        n_experts: number of routed experts a layer.
        reason: why it can't, one sentence without a full stop; None where it can.
    """

    k: int
    n_experts: int
    reason: str | None

    @classmethod
    def of_ranks(cls, answers: Sequence[dict[str, Any]]) -> ModelSupport:
        """Combine the answers of all workers, among them those of other pipeline stages."""
        from generation.expert_sample.vllm.refusals import NO_EXPERTS

        ranks = [cls(**answer) for answer in answers]
        refused = [rank for rank in ranks if rank.reason not in (None, NO_EXPERTS)]
        able = [rank for rank in ranks if rank.reason is None]
        if refused or not able:
            return (refused or ranks)[0]
        if len({(rank.k, rank.n_experts) for rank in able}) > 1:
            return cls(0, 0, "its pipeline stages differ in the number of experts")
        return able[0]


def of_model(model: Any, vllm_config: Any) -> ModelSupport:
    """Inspect a model after its weights are loaded, when its kernels are known."""
    from vllm.model_executor.layers.fused_moe.runner.moe_runner import MoERunner

    from generation.expert_sample.vllm import refusals
    from generation.expert_sample.vllm.router import ExpertSampleRouter

    runners = [module for module in model.modules() if isinstance(module, MoERunner)]
    if not runners:
        return ModelSupport(0, 0, refusals.NO_EXPERTS)
    reasons = [refusals.config_reason(vllm_config)]
    for runner in runners:
        if not isinstance(runner.router, ExpertSampleRouter):
            unknown = "its routers were made without the plugin"
            reasons.append(refusals.router_reason(runner.router) or unknown)
        reasons.append(refusals.runner_reason(runner))
    reason = next((reason for reason in reasons if reason is not None), None)
    sizes = {(runner.router.top_k, runner.moe_config.num_logical_experts) for runner in runners}
    if reason is None and len(sizes) > 1:
        reason = "its layers differ in the number of experts"
    if reason is not None:
        return ModelSupport(0, 0, reason)
    return ModelSupport(*sizes.pop(), reason=None)


def install() -> None:
    """Let workers answer, and let them refuse to start with a default that the model can't do."""
    from vllm.v1.worker.gpu_worker import Worker
    from vllm.v1.worker.worker_base import WorkerBase

    if not hasattr(WorkerBase, RPC):
        setattr(WorkerBase, RPC, _answer)
    replace(Worker, "load_model", _with_default_check)


def _answer(worker: Any) -> dict[str, Any]:
    """Describe the worker's model, and get the routing ready if it can be used."""
    from generation.expert_sample.dispatch import warm_up

    support = of_model(worker.model_runner.get_model(), worker.vllm_config)
    if support.reason is None:
        warm_up(
            worker.device,
            k=support.k,
            n_experts=support.n_experts,
            dtype=worker.vllm_config.model_config.dtype,
        )
    return asdict(support)


def _with_default_check(original: Any) -> Any:
    def load_model(self: Any, *args: Any, **kwargs: Any) -> None:
        from generation.expert_sample.vllm import server_default

        original(self, *args, **kwargs)
        default = server_default.read(self.vllm_config.additional_config)
        if default is None:
            return
        support = ModelSupport(**_answer(self))
        if support.reason is not None:
            raise RuntimeError(f"Expert-Sample is the default but can't be used: {support.reason}.")
        try:
            default.resolve(support.k, support.n_experts)
        except ValueError as error:
            raise RuntimeError(f"Expert-Sample is the default but can't be used: {error}") from error

    return load_model
