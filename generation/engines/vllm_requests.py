"""Between a request of ours and one of vLLM's: prompts, sampling parameters, answers. For any of its front ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diversity_judge.errors import RunError
from diversity_judge.rubric import THINK_START
from generation.engines.base import Engine, Generation, GenerationRequest, SampleFailedError, Settings
from generation.engines.pooling import PoolingRequest, Rows, rows_of
from generation.engines.vllm_options import VLLMOptions
from generation.prompt_formats import Message
from generation.strategies import TokenSampling


class RequestRefusedError(SampleFailedError):
    """vLLM or a plugin turns this request away; `args[0]` is its sentence."""

    def __str__(self) -> str:
        return f"vLLM refuses the request: {self.args[0]}"


@dataclass(frozen=True)
class Prompt:
    """A tokenised prompt, and whether it ends by opening the reasoning."""

    engine_input: Any
    opens_reasoning: bool


class Prompts:
    """The prompts of one engine, each tokenised once, as `vllm serve` does: by the engine's own renderer."""

    def __init__(self, renderer: Any, options: VLLMOptions) -> None:
        self._renderer, self._options = renderer, options
        self._known: dict[tuple[Message, ...], Prompt] = {}

    def of(self, messages: tuple[Message, ...]) -> Prompt:
        """The prompt of these messages.

        Raises:
            Exception: what vLLM raises for a prompt that it does not take, such as one beyond the context.
        """
        if messages not in self._known:
            self._known[messages] = self._render(messages)
        return self._known[messages]

    def _render(self, messages: tuple[Message, ...]) -> Prompt:
        from vllm.inputs import TextPrompt
        from vllm.renderers.params import ChatParams

        if self._options.chat_template:
            kwargs = {"add_generation_prompt": True} | dict(self._options.chat_template_kwargs)
            chat = [{"role": message.role, "content": message.content} for message in messages]
            _, (engine_input,) = self._renderer.render_chat([chat], ChatParams(chat_template_kwargs=kwargs))
        else:
            (engine_input,) = self._renderer.render_cmpl([TextPrompt(prompt=messages[-1].content)])
        tail = self._renderer.get_tokenizer().decode(list(engine_input["prompt_token_ids"])[-8:])
        return Prompt(engine_input, tail.rstrip().endswith(THINK_START))


def sampling_params(request: GenerationRequest, prompt: Prompt, max_model_len: int) -> Any:
    """VLLM's `SamplingParams` of a request, for one answer when it is finished.

    Raises:
        SampleFailedError: the prompt leaves no room for an answer.
    """
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    room = max_model_len - len(prompt.engine_input["prompt_token_ids"])
    if room < 1:
        raise SampleFailedError(f"the prompt fills the model's context of {max_model_len} tokens")
    tokens = request.tokens
    return SamplingParams(
        temperature=tokens.temperature,
        top_p=tokens.top_p,
        top_k=tokens.top_k,
        min_p=tokens.min_p,
        repetition_penalty=tokens.repetition_penalty,
        presence_penalty=tokens.presence_penalty,
        seed=request.seed,
        max_tokens=room if request.max_tokens is None else min(room, request.max_tokens),
        extra_args=dict(request.extra_args) or None,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def generation_of(prompt: Prompt, output: Any) -> Generation:
    """The response in vLLM's finished `RequestOutput`."""
    final = output.outputs[0]
    # The chat template put the opening tag into the prompt; a reader of the response needs it.
    text = f"{THINK_START}\n{final.text}" if prompt.opens_reasoning else final.text
    return Generation(text, final.finish_reason, len(final.token_ids))


async def rejection(engine: Engine, extra_args: Settings) -> str | None:
    """The sentence with which an engine on vLLM refuses these settings, None if it accepts them.

    Raises:
        RunError: it fails for another reason.
    """
    try:
        await engine.generate(GenerationRequest((Message("user", "1"),), TokenSampling(), 0, extra_args, max_tokens=1))
    except RequestRefusedError as error:
        return str(error.args[0])
    except SampleFailedError as error:
        raise RunError(f"vLLM fails on a request of one token: {error}") from error
    return None


def pooling_prompt(renderer: Any, request: PoolingRequest) -> Any:
    """What vLLM is given to read."""
    (prompt,) = renderer.render_cmpl([{"prompt_token_ids": list(request.token_ids)}])
    return prompt


def pooling_params(request: PoolingRequest) -> Any:
    """VLLM's `PoolingParams` of a request."""
    from vllm import PoolingParams

    return PoolingParams(task=request.task, use_activation=request.activation)


def pooled(output: Any) -> Rows:
    """The rows in vLLM's finished `PoolingRequestOutput`."""
    return rows_of(output.outputs.data.tolist())
