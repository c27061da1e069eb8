"""The engine that options name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diversity_judge.errors import InputError
from generation.engines.base import Engine
from generation.engines.cpu_cache import Workload
from generation.engines.options import EngineOptions
from generation.strategies import Strategy

if TYPE_CHECKING:
    from generation.engines.pooling import PoolingEngine
    from generation.engines.server_pool import ServerPool

_PARALLEL = (
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "data_parallel_size",
    "distributed_executor_backend",
)


def make_engine(
    options: EngineOptions, strategies: Sequence[Strategy], *, workload: Workload, log: Path | None = None
) -> Engine:
    """The engine that the options name, for these strategies.

    Args:
        options: Which model, and where it runs.
        strategies: All that the engine will be asked to sample by.
        workload: How many requests of which length; what the cache of a CPU is for.
        log: The file for what vLLM's processes say; named in errors, and gone after a run without one.

    Raises:
        InputError: options that contradict each other, or vLLM or a plugin is needed and not installed.
    """
    return _servers(options) if options.base_urls else _vllm(options, strategies, workload, log)


def make_pooling_engine(
    options: EngineOptions, started_with: Mapping[str, Any], *, workload: Workload, log: Path | None = None
) -> PoolingEngine:
    """The engine of a reward model that the options name.

    Args:
        options: Which model, and where it runs.
        started_with: Arguments of vLLM's `EngineArgs` by which a model in this process becomes a reward model; what
            the options say of the same goes before.
        workload: How many texts of which length; what the cache of a CPU is for.
        log: As for `make_engine`.

    Raises:
        InputError: options that contradict each other, or vLLM is needed and not installed.
    """
    if options.base_urls:
        from generation.engines.pooling_servers import PoolingServers

        return PoolingServers(_pool(options))
    from generation.engines.pooling_in_process import PoolingInProcess
    from generation.engines.replicas import ReplicasEngine
    from generation.engines.vllm_options import VLLMOptions, import_failure

    if find_spec("vllm") is None:
        raise import_failure(None)
    _refuse_parallel_replicas(options)
    vllm = VLLMOptions(
        model=str(options.model),
        engine_args=_both(started_with, options.engine_args),
        workload=replace(workload, copies=options.cpu_replicas or 1),
        log=log,
    )
    return ReplicasEngine(vllm, options.cpu_replicas) if options.cpu_replicas else PoolingInProcess(vllm)


def _both(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `EngineArgs` with the user's before ours, also within those that are mappings."""
    inner = {
        name: {**ours[name], **value}
        for name, value in theirs.items()
        if isinstance(value, Mapping) and isinstance(ours.get(name), Mapping)
    }
    return {**ours, **theirs, **inner}


def _pool(options: EngineOptions) -> ServerPool:
    from generation.engines.server_pool import LONGEST_WAIT, ServerPool

    _refuse_engine_args(options)
    return ServerPool(
        options.base_urls,
        model=str(options.model),
        api_key_env=options.api_key_env,
        deadline=options.deadline,
        attempts=options.max_attempts,
        longest_wait=LONGEST_WAIT,
    )


def _refuse_engine_args(options: EngineOptions) -> None:
    given = sorted(options.engine_args) + [n for n in ("active_experts", "cpu_replicas") if getattr(options, n)]
    if given:
        raise InputError(
            f"--{given[0].replace('_', '-')} is for vLLM in this process; with --base-url give it to the server"
        )


def _refuse_parallel_replicas(options: EngineOptions) -> None:
    parallel = next((name for name in _PARALLEL if options.engine_args.get(name)), None)
    if options.cpu_replicas and parallel:
        raise InputError(f"--cpu-replicas runs each copy in one process: no --{parallel.replace('_', '-')} beside it")


def _servers(options: EngineOptions) -> Engine:
    from generation.engines.servers import ServerOptions, ServersEngine

    _refuse_engine_args(options)
    return ServersEngine(
        ServerOptions(
            base_urls=tuple(options.base_urls),
            model=str(options.model),
            api_key_env=options.api_key_env,
            chat_template=options.chat_template,
            chat_template_kwargs=options.chat_template_kwargs,
            deadline=options.deadline,
            attempts=options.max_attempts,
        )
    )


def _vllm(options: EngineOptions, strategies: Sequence[Strategy], workload: Workload, log: Path | None) -> Engine:
    from generation.engines.in_process import InProcessEngine
    from generation.engines.replicas import ReplicasEngine
    from generation.engines.vllm_options import VLLMOptions, import_failure, require_plugins

    if find_spec("vllm") is None:
        raise import_failure(None)
    require_plugins(strategies)
    _refuse_parallel_replicas(options)
    speculative = {"speculative_config", "spec_method", "spec_model"} & set(options.engine_args)
    if speculative and any(strategy.edt is not None for strategy in strategies):
        raise InputError("edt cannot be combined with speculative decoding: vLLM loads no logits processors then")
    vllm = VLLMOptions(
        model=str(options.model),
        engine_args=options.engine_args,
        active_experts=options.active_experts,
        chat_template=options.chat_template,
        chat_template_kwargs=options.chat_template_kwargs,
        expert_sample=any(strategy.expert_sample is not None for strategy in strategies),
        workload=replace(workload, copies=options.cpu_replicas or 1),
        log=log,
    )
    return ReplicasEngine(vllm, options.cpu_replicas) if options.cpu_replicas else InProcessEngine(vllm)
