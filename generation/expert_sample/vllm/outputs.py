"""Telling the caller which routing a response was sampled with.

A response can only be sampled again with its seed, and an unseeded request gets a fresh one. So each
completion carries its `RoutingRequest`: as `CompletionOutput.expert_sample` from `LLM`, and as
`expert_sample` in each choice of a server's (not streamed) answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict
from typing import Any

from generation.expert_sample.vllm.patching import replace
from generation.expert_sample.vllm.routing_request import RoutingRequest

FIELD = "expert_sample"
_ON_STATE = "_expert_sample_routing"


def install() -> None:
    """Hook the engine's completions and the server's answers."""
    from vllm.v1.engine.output_processor import RequestState

    replace(RequestState, "_new_completion_output", _with_routing)
    from_new_request = RequestState.from_new_request.__func__
    if not hasattr(from_new_request, _ON_STATE):
        RequestState.from_new_request = classmethod(_remembering(from_new_request))


def install_server() -> None:
    """Hook the OpenAI-compatible server, in the process that runs it."""
    from vllm.entrypoints.openai.chat_completion.serving import OpenAIServingChat
    from vllm.entrypoints.openai.completion.serving import OpenAIServingCompletion

    replace(OpenAIServingCompletion, "request_output_to_completion_response", _in_completion_choices)
    replace(OpenAIServingChat, "chat_completion_full_generator", _in_chat_choices)


def _remembering(original: Any) -> Any:
    def from_new_request(cls: Any, *args: Any, **kwargs: Any) -> Any:
        state = original(cls, *args, **kwargs)
        request = kwargs["request"] if "request" in kwargs else args[1]
        params = request.sampling_params
        routing = None if params is None else RoutingRequest.find(params.extra_args)
        if routing is not None:
            setattr(state, _ON_STATE, routing)
        return state

    setattr(from_new_request, _ON_STATE, original)
    return from_new_request


def _with_routing(original: Any) -> Any:
    def _new_completion_output(self: Any, *args: Any, **kwargs: Any) -> Any:
        output = original(self, *args, **kwargs)
        routing = getattr(self, _ON_STATE, None)
        if routing is not None:
            setattr(output, FIELD, routing)
        return output

    return _new_completion_output


def _label(choices: Iterable[Any], outputs: Iterable[Any]) -> None:
    for choice, output in zip(choices, outputs, strict=True):
        routing = getattr(output, FIELD, None)
        if routing is not None:
            setattr(choice, FIELD, asdict(routing))


def _in_completion_choices(original: Any) -> Any:
    def request_output_to_completion_response(self: Any, final_res_batch: Any, *args: Any, **kwargs: Any) -> Any:
        response = original(self, final_res_batch, *args, **kwargs)
        _label(response.choices, [output for result in final_res_batch for output in result.outputs])
        return response

    return request_output_to_completion_response


def _in_chat_choices(original: Any) -> Any:
    async def chat_completion_full_generator(
        self: Any, request: Any, result_generator: AsyncIterator[Any], *args: Any, **kwargs: Any
    ) -> Any:
        last: list[Any] = []

        async def watched() -> AsyncIterator[Any]:
            async for result in result_generator:
                last[:] = [result]
                yield result

        response = await original(self, request, watched(), *args, **kwargs)
        if last and hasattr(response, "choices"):
            _label(response.choices, last[0].outputs)
        return response

    return chat_completion_full_generator
