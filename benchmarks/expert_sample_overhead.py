"""What Expert-Sample costs vLLM on the CPU: baseline and Expert-Sample in turn, on a mid-size random Qwen3-MoE.

    python -m benchmarks.expert_sample_overhead                   half an hour; a table on the console, after
                                                                  Ctrl-C of the rounds until then
    python -m benchmarks.expert_sample_overhead --json out.json   and every run

Two engines stand side by side in two processes, one whose vLLM never loads the plugin and one that has it. They are
asked in turn, so that whatever else the machine does falls on all of them alike, and the ratios are taken between
neighbours in time:

    off            plugin installed, request does not ask; against the process without the plugin
    same experts   drawn at a temperature so low that the best experts win; against off, in one process: what the
                   routing itself costs
    defaults       the paper's settings; against off, in one process: that, and other experts' weights being read
    whole prompt   as defaults, the prompt drawn as well (differs from defaults in prefill only)

One engine step is one measurement: the first computes all prompts (prefill), the others one token of every request
(decode). A run's decode time is the median of its steps. Rows show the median and quartiles of the ratios of
throughput over the runs: 1.00 is as fast, 0.97 is 3 % slower.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
READY = "ready"
BATCH_SIZES = (1, 8, 32)

SEED = {"expert_sample": 1, "expert_sample_seed": 1}
MODES: dict[str, dict[str, Any] | None] = {
    "off": None,
    "same experts": {**SEED, "expert_sample_tau": 1e-9},
    "defaults": SEED,
    "whole prompt": {**SEED, "expert_sample_scope": "all"},
}
WITHOUT = "without plugin"


@dataclass(frozen=True)
class Shape:
    """Size of the model and of the work."""

    layers: int
    hidden: int
    expert_width: int
    experts: int
    active: int
    prompt: int
    decode: int

    def config(self) -> dict[str, Any]:
        """Make the model's configuration (vLLM makes the weights)."""
        return {
            "architectures": ["Qwen3MoeForCausalLM"],
            "model_type": "qwen3_moe",
            "vocab_size": 4096,
            "hidden_size": self.hidden,
            "intermediate_size": 2 * self.hidden,
            "moe_intermediate_size": self.expert_width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.hidden // 64,
            "num_key_value_heads": max(1, self.hidden // 256),
            "head_dim": 64,
            "num_experts": self.experts,
            "num_experts_per_tok": self.active,
            "norm_topk_prob": True,
            "max_position_embeddings": 4096,
            "rms_norm_eps": 1e-6,
            "rope_theta": 1e6,
            "tie_word_embeddings": False,
            "hidden_act": "silu",
            "attention_bias": False,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
            "torch_dtype": "bfloat16",
        }


@dataclass(frozen=True)
class Run:
    """One measured run.

    Attributes:
        mode: a key of `MODES`, or `WITHOUT`.
        batch: number of requests that run together.
        prefill_s: seconds of the step that computed the prompts.
        decode_s: median seconds of the steps that computed one token of every request.
    """

    mode: str
    batch: int
    prefill_s: float
    decode_s: float


class Worker:
    """An engine in a process of its own that measures when it is asked."""

    def __init__(self, folder: Path, shape: Shape, *, plugin: bool) -> None:
        environment = {
            **os.environ,
            "VLLM_PLUGINS": "expert_sample" if plugin else "",
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_LOGGING_LEVEL": "ERROR",
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", __spec__.name, "--worker", str(folder), json.dumps(dataclasses.asdict(shape))]
        # A session of its own: Ctrl-C is for the benchmark, and a worker ends when its standard input does.
        self._process = subprocess.Popen(
            command,
            env=environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._await(READY)

    def measure(self, mode: str, batch: int) -> Run:
        """Run one batch of requests."""
        assert self._process.stdin is not None
        asked = "off" if mode == WITHOUT else mode
        self._process.stdin.write(json.dumps([asked, batch]) + "\n")
        self._process.stdin.flush()
        return dataclasses.replace(Run(**json.loads(self._await("{"))), mode=mode)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def _await(self, start: str) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(start):
                return line
        raise SystemExit(f"A worker ended with {self._process.wait()}; its errors are above.")


def _work(folder: str, shape: Shape) -> None:
    """Answer each line of standard input with a run."""
    from vllm import LLM

    largest = max(BATCH_SIZES)
    llm = LLM(
        folder,
        load_format="dummy",
        skip_tokenizer_init=True,
        max_model_len=shape.prompt + shape.decode + 8,
        max_num_seqs=largest,
        max_num_batched_tokens=largest * shape.prompt,
        enable_prefix_caching=False,
        async_scheduling=False,
    )
    has_plugin = os.environ["VLLM_PLUGINS"] != ""
    for batch in BATCH_SIZES:  # the first long batch also warms up the kernels
        for mode in MODES if has_plugin else ("off",):
            _measure(llm, shape, mode, batch)
    sys.stdout.write(READY + "\n")
    sys.stdout.flush()
    for line in sys.stdin:
        mode, batch = json.loads(line)
        sys.stdout.write(json.dumps(dataclasses.asdict(_measure(llm, shape, mode, batch))) + "\n")
        sys.stdout.flush()


def _measure(llm: Any, shape: Shape, mode: str, batch: int) -> Run:
    from vllm import SamplingParams

    params = SamplingParams(
        temperature=0.0, max_tokens=shape.decode + 1, ignore_eos=True, detokenize=False, extra_args=MODES[mode]
    )
    engine = llm.llm_engine
    for number in range(batch):
        prompt = [(31 * number + 7 * position) % 4000 for position in range(shape.prompt)]
        engine.add_request(f"{mode}-{batch}-{number}-{time.monotonic_ns()}", {"prompt_token_ids": prompt}, params)
    steps = []
    while engine.has_unfinished_requests():
        start = time.perf_counter()
        engine.step()
        steps.append(time.perf_counter() - start)
    if len(steps) < shape.decode + 1:
        raise RuntimeError(f"expected at least {shape.decode + 1} steps, not {len(steps)}")
    return Run(mode, batch, prefill_s=steps[0], decode_s=statistics.median(steps[1 : shape.decode + 1]))


def _measured(shape: Shape, repeats: int) -> Iterator[Run]:
    """Start both engines and ask them in turn, every second time in reverse order."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(shape.config()))
        without, with_plugin = (Worker(Path(folder), shape, plugin=plugin) for plugin in (False, True))
        order = [WITHOUT, *MODES]
        for repeat in range(repeats):
            for batch in BATCH_SIZES:
                for mode in order if repeat % 2 == 0 else reversed(order):
                    yield (without if mode == WITHOUT else with_plugin).measure(mode, batch)
        without.close()
        with_plugin.close()


def _ratios(runs: Sequence[Run], mode: str, against: str, batch: int, part: str) -> list[float]:
    """Throughput of a mode over that of the run of the other mode in the same round."""
    own, others = ([run for run in runs if (run.mode, run.batch) == (name, batch)] for name in (mode, against))
    return [getattr(other, part) / getattr(one, part) for one, other in zip(own, others, strict=True)]


def _print_table(runs: Sequence[Run], shape: Shape) -> None:
    rows = [("off", WITHOUT), *((mode, "off") for mode in list(MODES)[1:])]
    for part, tokens in (("prefill_s", shape.prompt), ("decode_s", 1)):
        print(f"\n{part.removesuffix('_s')}: ratio of throughput, median [quartiles]")
        print(f"{'mode':<14}{'against':<16}" + "".join(f"{f'batch {batch}':>24}" for batch in BATCH_SIZES))
        for mode, against in rows:
            cells = []
            for batch in BATCH_SIZES:
                low, middle, high = statistics.quantiles(_ratios(runs, mode, against, batch, part), n=4)
                cells.append(f"{f'{middle:.3f} [{low:.3f}, {high:.3f}]':>24}")
            print(f"{mode:<14}{against:<16}" + "".join(cells))
        speeds = []
        for batch in BATCH_SIZES:
            times = [getattr(run, part) for run in runs if (run.mode, run.batch) == ("off", batch)]
            speeds.append(f"{f'{batch * tokens / statistics.median(times):,.0f}':>24}")
        print(f"{'off, tokens a second':<30}" + "".join(speeds))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=12, help="rounds over all modes and batch sizes (default 12)")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--hidden", type=int, default=1024)
    parser.add_argument("--expert-width", type=int, default=256)
    parser.add_argument("--experts", type=int, default=128)
    parser.add_argument("--active", type=int, default=8)
    parser.add_argument("--prompt", type=int, default=64, help="tokens of a prompt (default 64)")
    parser.add_argument("--decode", type=int, default=24, help="decode steps of a run (default 24)")
    parser.add_argument("--json", type=Path, help="write every run here")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        folder, shape_json = args.worker
        _work(folder, Shape(**json.loads(shape_json)))
        return
    shape = Shape(args.layers, args.hidden, args.expert_width, args.experts, args.active, args.prompt, args.decode)
    print(f"{shape}\nstarting two engines (compiling takes a minute or two) ...", flush=True)
    runs: list[Run] = []
    per_round = len(BATCH_SIZES) * (len(MODES) + 1)
    try:
        for run in _measured(shape, args.repeats):
            runs.append(run)
            if len(runs) % per_round == 0:
                print(f"round {len(runs) // per_round} of {args.repeats}", flush=True)
    except KeyboardInterrupt:  # minutes a round: what is there is shown
        runs = runs[: len(runs) // per_round * per_round]
        if len(runs) < 2 * per_round:
            raise
    _print_table(runs, shape)
    if args.json:
        args.json.write_text(json.dumps([dataclasses.asdict(run) for run in runs]))


if __name__ == "__main__":
    main()
