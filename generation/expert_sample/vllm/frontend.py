"""Admitting requests: checking what they ask, settling their seed, and telling the caller what was used.

The front end is the one place that can turn a request away (a `ValueError` from `LLM`, HTTP 400 from a
server) and that every request passes exactly once, before it is split into samples and sent to the ranks.
"""

from __future__ import annotations

import dataclasses
import secrets
from copy import copy
from typing import Any

from vllm.exceptions import VLLMValidationError
from vllm.sampling_params import SamplingParams
from vllm.v1.engine import EngineCoreRequest

from generation.expert_sample.settings import PREFIX, ExpertSampleSettings
from generation.expert_sample.vllm import server_default
from generation.expert_sample.vllm.outputs import install_server
from generation.expert_sample.vllm.patching import replace
from generation.expert_sample.vllm.routing_request import WIRE, RoutingRequest
from generation.expert_sample.vllm.support import RPC, ModelSupport

SEED_BITS = 63


class RefusedRequestError(VLLMValidationError, ValueError):  # type: ignore[misc]
    """A request that asks for what this model or these settings don't allow."""


class Admission:
    """What one engine's front end knows: the server-wide default and, once asked, what the model allows."""

    def __init__(self, additional_config: Any) -> None:
        self.default = server_default.read(additional_config)
        self.support = _REFUSAL

    def concerns(self, params: Any) -> bool:
        """Tell whether a request has anything to do with Expert-Sample."""
        if not isinstance(params, SamplingParams):
            return False
        names = params.extra_args or ()
        return self.default is not None or any(name.startswith(PREFIX) or name == WIRE for name in names)

    def settings(self, params: Any) -> ExpertSampleSettings | None:
        """Read a request's settings, None where Expert-Sample is off for it."""
        if WIRE in (params.extra_args or ()):
            raise RefusedRequestError(f"{WIRE} can't be set by a request.")
        try:
            return ExpertSampleSettings.from_mapping(params.extra_args or {}, default=self.default)
        except ValueError as error:
            raise RefusedRequestError(str(error)) from error

    def admit(self, params: Any, settings: ExpertSampleSettings) -> Any:
        """Copy a request's parameters with its routing settled.

        The seed is the one of the settings, or the request's own, or a fresh one.

        Raises:
            RefusedRequestError: the model or the settings don't allow it.
        """
        support = self.support
        assert support is not None, "the workers are asked before a request is admitted"
        if support.reason is not None:
            raise RefusedRequestError(f"Expert-Sample can't be used: {support.reason}.")
        try:
            resolved = settings.resolve(support.k, support.n_experts)
        except ValueError as error:
            raise RefusedRequestError(str(error)) from error
        seed = settings.seed if settings.seed is not None else params.seed
        if seed is None:
            seed = secrets.randbits(SEED_BITS)
        request = RoutingRequest.of(resolved, seed=seed)
        if not request.draws(support.k):
            # Off, so that the model's own top k decides ties as it always does, and blocks of the cache are shared.
            return params
        admitted = copy(params)
        admitted.extra_args = request.put(params.extra_args)
        return admitted


_REFUSAL: ModelSupport | None = None
"""Answers for all engines of this process where the plugin could not be installed into vLLM."""


def install(refusal: str | None = None) -> None:
    """Hook the synchronous and the asynchronous front end, and the splitting of a request into samples.

    Args:
        refusal: why no model can be served at all, as one sentence without a full stop.
    """
    global _REFUSAL
    if refusal is not None:
        _REFUSAL = ModelSupport(0, 0, refusal)
    from vllm.v1.engine.async_llm import AsyncLLM
    from vllm.v1.engine.llm_engine import LLMEngine
    from vllm.v1.engine.parallel_sampling import ParentRequest

    replace(LLMEngine, "add_request", _admitting)
    replace(AsyncLLM, "add_request", _admitting_async)
    replace(ParentRequest, "get_child_info", _numbering_samples)


def _admission(engine: Any) -> Admission:
    admission = getattr(engine, "_expert_sample_admission", None)
    if admission is None:
        admission = engine._expert_sample_admission = Admission(engine.vllm_config.additional_config)
    assert isinstance(admission, Admission)
    return admission


def _params_of(prompt: Any, params: Any) -> Any:
    return prompt.params if isinstance(prompt, EngineCoreRequest) else params


def _with_params(prompt: Any, params: Any, admitted: Any) -> tuple[Any, Any]:
    """Put the admitted parameters where the engine reads them: a ready-made request has its own."""
    if isinstance(prompt, EngineCoreRequest):
        prompt = copy(prompt)
        prompt.sampling_params = admitted
        return prompt, params
    return prompt, admitted


def _admitting(original: Any) -> Any:
    def add_request(self: Any, request_id: str, prompt: Any, params: Any, *args: Any, **kwargs: Any) -> Any:
        admission, asked = _admission(self), _params_of(prompt, params)
        if admission.concerns(asked) and (settings := admission.settings(asked)) is not None:
            if admission.support is None:
                admission.support = ModelSupport.of_ranks(self.collective_rpc(RPC))
            prompt, params = _with_params(prompt, params, admission.admit(asked, settings))
        return original(self, request_id, prompt, params, *args, **kwargs)

    return add_request


def _admitting_async(original: Any) -> Any:
    async def add_request(self: Any, request_id: str, prompt: Any, params: Any, *args: Any, **kwargs: Any) -> Any:
        admission, asked = _admission(self), _params_of(prompt, params)
        if admission.concerns(asked) and (settings := admission.settings(asked)) is not None:
            if hasattr(prompt, "__anext__"):
                raise RefusedRequestError("Expert-Sample can't be used for a prompt that is still arriving.")
            if admission.support is None:
                install_server()
                admission.support = ModelSupport.of_ranks(await self.collective_rpc(RPC))
            prompt, params = _with_params(prompt, params, admission.admit(asked, settings))
        return await original(self, request_id, prompt, params, *args, **kwargs)

    return add_request


def _numbering_samples(original: Any) -> Any:
    def get_child_info(self: Any, index: int) -> tuple[str, Any]:
        request_id, params = original(self, index)
        routing = RoutingRequest.find(params.extra_args)
        if routing is not None:
            params = copy(params)  # vLLM gives unseeded samples one object
            params.extra_args = dataclasses.replace(routing, sample_index=index).put(params.extra_args)
        return request_id, params

    return get_child_info
