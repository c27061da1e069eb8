"""Run batches of requests on real vLLM engines in a process of its own, with or without the plugin.

What the plugin does to a process can't be undone, so "as without the plugin" needs a process that never had it, and
engines of several ranks need one anyway. A job is data: engines, and for each the batches to run. `run` starts
this file as a script, which answers with data as well. Several engines share a process, as importing vLLM takes
longer than running them.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 800


@dataclass(frozen=True)
class Ask:
    """One request.

    Attributes:
        prompt: token ids.
        extra_args: as of `SamplingParams`.
        params: further arguments of `SamplingParams`.
        after: (batch, request) whose prompt and first answer stand before this prompt, as in a follow-up turn.
    """

    prompt: Sequence[int]
    extra_args: Mapping[str, Any] | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[int, int] | None = None


@dataclass(frozen=True)
class Answer:
    """What came back for one request.

    Attributes:
        tokens: token ids of each sample.
        routing: the routing that each sample's output names, None where it names none.
        n_cached: number of prompt tokens found in the prefix cache.
        error: why the request was refused; then there are no samples.
        logprobs: log-probability of each token of each sample, where the request asks for `logprobs`.
    """

    tokens: list[list[int]] = field(default_factory=list)
    routing: list[dict[str, Any] | None] = field(default_factory=list)
    n_cached: int = 0
    error: str | None = None
    logprobs: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True)
class Done:
    """What an engine did: its answers by batch and request, and how often it preempted a request."""

    batches: list[list[Answer]]
    n_preemptions: int


@dataclass(frozen=True)
class Engine:
    """An engine and the batches to run on it, one after the other; requests of a batch run together."""

    model: str
    batches: Sequence[Sequence[Ask]]
    args: Mapping[str, Any] = field(default_factory=dict)


def settings(seed: int | None = 0, **changes: Any) -> dict[str, Any]:
    """Make the `extra_args` of a request that wants Expert-Sample."""
    given = {"seed": seed, **changes}
    return {"expert_sample": 1} | {f"expert_sample_{name}": value for name, value in given.items() if value is not None}


def environment(*, plugin: bool) -> dict[str, str]:
    """Make the environment of a process that runs vLLM on the CPU."""
    plugins = {"VLLM_PLUGINS": "expert_sample" if plugin else ""}
    sizes = {"VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "2", "PYTHONPATH": str(ROOT)}
    return {**os.environ, **sizes, **plugins}


def run(engines: Sequence[Engine], folder: Path, *, plugin: bool = True) -> list[Done]:
    """Run engines in a new process.

    Args:
        engines: what to run.
        folder: for the job, the answers and the log.
        plugin: whether vLLM loads the plugin.

    Returns:
        What each engine did.
    """
    name = "with" if plugin else "without"
    job, answers, log = (folder / f"{name}-plugin.{part}" for part in ("job.json", "answers.json", "log"))
    job.write_text(json.dumps([dataclasses.asdict(engine) for engine in engines]))
    with log.open("w") as output:
        done = subprocess.run(
            [sys.executable, __file__, str(job), str(answers)],
            env=environment(plugin=plugin),
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S,
            check=False,
        )
    if done.returncode:
        raise AssertionError(f"vLLM ended with {done.returncode}:\n{log.read_text()[-6000:]}")
    return [
        Done([[Answer(**answer) for answer in batch] for batch in engine["batches"]], engine["n_preemptions"])
        for engine in json.loads(answers.read_text())
    ]


def generate(llm: Any, batch: Sequence[Ask]) -> list[Answer]:
    """Run one batch on a `vllm.LLM`, greedily and without a tokenizer unless a request says otherwise."""
    from vllm import SamplingParams

    params = [
        SamplingParams(
            **{"temperature": 0.0, "max_tokens": 24, "ignore_eos": True, "detokenize": False, **ask.params},
            extra_args=dict(ask.extra_args) if ask.extra_args else None,
        )
        for ask in batch
    ]
    try:
        outputs = llm.generate([{"prompt_token_ids": list(ask.prompt)} for ask in batch], params, use_tqdm=False)
    except ValueError as error:
        return [Answer(error=str(error)) for _ in batch]
    return [_answer(output) for output in outputs]


def _answer(output: Any) -> Answer:
    routing = [getattr(sample, "expert_sample", None) for sample in output.outputs]
    return Answer(
        tokens=[list(sample.token_ids) for sample in output.outputs],
        routing=[None if one is None else dataclasses.asdict(one) for one in routing],
        n_cached=output.num_cached_tokens or 0,
        logprobs=[
            [place[token].logprob for place, token in zip(sample.logprobs, sample.token_ids, strict=True)]
            for sample in output.outputs
            if sample.logprobs
        ],
    )


def _run_engine(engine: Engine) -> Done:
    from vllm import LLM
    from vllm.distributed import cleanup_dist_env_and_memory

    small = {"max_model_len": 256, "max_num_seqs": 40, "enforce_eager": True, "disable_log_stats": False}
    llm = LLM(engine.model, trust_remote_code=True, **{**small, **engine.args})
    asked: list[list[Ask]] = []
    answers: list[list[Answer]] = []
    for batch in engine.batches:
        asked.append([_continued(ask, asked, answers) for ask in batch])
        answers.append(generate(llm, asked[-1]))
    preemptions = sum(metric.value for metric in llm.get_metrics() if metric.name == "vllm:num_preemptions")
    llm.llm_engine.engine_core.shutdown()
    del llm
    cleanup_dist_env_and_memory()
    return Done(answers, int(preemptions))


def _continued(ask: Ask, asked: Sequence[Sequence[Ask]], answers: Sequence[Sequence[Answer]]) -> Ask:
    if ask.after is None:
        return ask
    batch, request = ask.after
    before = [*asked[batch][request].prompt, *answers[batch][request].tokens[0]]
    return dataclasses.replace(ask, prompt=[*before, *ask.prompt])


def _main(job: Path, answers: Path) -> None:
    engines = [
        Engine(**{**engine, "batches": [[Ask(**ask) for ask in batch] for batch in engine["batches"]]})
        for engine in json.loads(job.read_text())
    ]
    ranks = ("tensor_parallel_size", "pipeline_parallel_size")
    if all(engine.args.get(name, 1) == 1 for engine in engines for name in ranks):
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    else:
        os.environ["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"  # vLLM wants a memory node for each rank
    answers.write_text(json.dumps([dataclasses.asdict(_run_engine(engine)) for engine in engines]))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
