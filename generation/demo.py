"""`python -m generation.demo`: the whole way on a model of 5 MB that really solves problems, on a CPU, in minutes.

    the miniature -> generation.sample -> diversity_judge.score --judge countdown and --judge proxy -> agree

The commands are run as a user would run them and are printed, so that the demo is also their example. The paper's
experiments on the same model are `python -m examples.miniature.run`.
"""

from __future__ import annotations

if __name__ == "__main__":  # Before the imports: they take a second, in which Ctrl-C may come.
    from diversity_judge.process import run_as_process

    run_as_process("generation.demo")

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

MODEL = Path(__file__).resolve().parents[1] / "examples" / "miniature" / "model"
STRATEGIES = "token-normal,token-high,edt,expert-sample"
PROBLEMS = ("12 2 11 6 target 52", "3 7 8 9 target 60", "4 5 6 10 target 26")

REMINDER = (
    "Three problems show that sampling, routing, grading and scoring work on this machine, nothing else: "
    "the intervals above are wide. `make miniature` is the whole experiment."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; returns the exit code of the first command that fails, or 0."""
    parser = argparse.ArgumentParser(prog="python -m generation.demo", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("results/generate-demo"), help="default %(default)s")
    parser.add_argument("--n", type=int, default=8, help="responses a problem and strategy (default 8)")
    args = parser.parse_args(argv)
    console = Console()
    if not (MODEL / "config.json").exists():
        console.print(f"error: the demo's model is not in {MODEL}: run the demo in a checkout", style="red")
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    for command in _commands(args.out, args.n):
        code = _run(console, command)
        if code:
            return code
    console.print(f"\n{REMINDER}", style="bold", soft_wrap=True)
    return 0


def _commands(out: Path, n: int) -> list[list[str]]:
    problems, responses = out / "problems.jsonl", str(out / "responses.jsonl")
    rows = [
        {"problem_id": f"countdown-{number}", "problem": text, "meta": {"kind": "countdown"}}
        for number, text in enumerate(PROBLEMS, start=1)
    ]
    problems.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    sample = ["generation.sample", str(problems), "--model", str(MODEL), "--strategy", STRATEGIES]
    sample += ["--n", str(n), "--seed", "0", "--dtype", "float32", "--max-model-len", "96", "--enforce-eager"]
    sample += ["--cpu-replicas", "2"]
    score = ["diversity_judge.score", responses, "--judge"]
    exact = [*score, "countdown", "--out", str(out / "countdown")]
    proxy = [*score, "proxy", "--out", str(out / "proxy"), "--quiet"]
    agree = ["diversity_judge.agree", str(out / "proxy"), str(out / "countdown"), "--out", str(out / "agreement")]
    return [[*sample, "--out", responses], exact, proxy, agree]


def _run(console: Console, command: Sequence[str]) -> int:
    console.print(f"\n$ python -m {' '.join(command)}", style="bold cyan", soft_wrap=True, markup=False)
    # vLLM's default takes 40 % of a CPU's memory for the cache of a model that needs next to none.
    environment = {"VLLM_CPU_KVCACHE_SPACE": "1"} | os.environ
    return subprocess.run([sys.executable, "-m", *command], env=environment, check=False).returncode  # noqa: S603
