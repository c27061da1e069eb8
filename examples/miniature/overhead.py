"""`python -m examples.miniature.overhead`: tokens a second on the miniature without and with Expert-Sample, in turn.

Every request is asked for the same number of tokens and of the same prompts, so that the work is the same. On a model
of this size the engine's own work by far outweighs the layers', which makes the routing's share small; the benchmark
`benchmarks.expert_sample_overhead` measures a larger one step by step.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from diversity_judge.files import write_csv
from generation.problems import read_problems
from generation.strategies import Strategy, load_presets, parse_strategies

STRATEGIES = ("token-normal", "expert-sample")
_TOKENS = 26
_REQUESTS = 256
_CACHE_BYTES = 2**28
"""Three times what the requests fill, each a block of 128 tokens of 2.5 KiB."""


@dataclass(frozen=True)
class Measurement:
    """One batch of requests."""

    round: int
    strategy: str
    tokens: int
    seconds: float


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m examples.miniature.overhead", description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--problems", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    return write(args.model, args.problems, args.rounds, args.out)


def write(model: str, problems: Path, rounds: int, out: Path) -> int:
    """Measure, write the table and print it; returns 0. Only for a process that does nothing else with vLLM."""
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    rows = measure(model, [problem.text for problem in read_problems(problems)], rounds)
    write_csv(out, map(asdict, rows))
    for row in rows:
        sys.stdout.write(f"round {row.round}  {row.strategy:<14} {row.tokens / row.seconds:8,.0f} tokens a second\n")
    sys.stdout.flush()
    return 0


def measure(model: str, problems: Sequence[str], rounds: int) -> list[Measurement]:
    """All strategies in turn, every second round in reverse order, after one round that is not counted."""
    from vllm import LLM

    llm = LLM(
        model,
        dtype="float32",
        max_model_len=96,
        max_num_seqs=_REQUESTS,
        enforce_eager=True,
        enable_chunked_prefill=False,
        kv_cache_memory_bytes=_CACHE_BYTES,
    )
    strategies = parse_strategies(STRATEGIES, load_presets())
    chats = [[{"role": "user", "content": problems[i % len(problems)]}] for i in range(_REQUESTS)]
    rows = []
    for number in range(rounds + 1):
        for strategy in strategies if number % 2 else reversed(strategies):
            start = time.perf_counter()
            outputs = llm.chat(chats, [_params(strategy, seed) for seed in range(_REQUESTS)], use_tqdm=False)
            seconds = time.perf_counter() - start
            rows.append(Measurement(number, strategy.name, sum(len(o.outputs[0].token_ids) for o in outputs), seconds))
    return [row for row in rows if row.round]


def _params(strategy: Strategy, seed: int) -> Any:
    from vllm import SamplingParams

    tokens = strategy.tokens
    return SamplingParams(
        temperature=tokens.temperature,
        top_p=tokens.top_p,
        top_k=tokens.top_k,
        seed=seed,
        max_tokens=_TOKENS,
        ignore_eos=True,
        extra_args=strategy.extra_args(seed) or None,
    )


if __name__ == "__main__":
    sys.exit(main())
