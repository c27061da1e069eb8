"""`python -m generation.demo`: the whole way on a model of 5 MB that really solves problems, on a CPU, in minutes.

    the miniature -> generation.sample -> diversity_judge.score --judge countdown and --judge proxy -> agree

What is done is printed as a user would type it, in Python and on a command line, so that the demo is also an example.
The paper's experiments on the same model are `python -m examples.miniature.run`.
"""

from __future__ import annotations

if __name__ == "__main__":  # Before the imports: they take a second, in which Ctrl-C may come.
    from diversity_judge.command_process import run_as_process

    run_as_process("generation.demo")

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from diversity_judge.command import exit_code
from diversity_judge.command_line import CommandParser
from generation import children
from generation.interrupts import signals_interrupt
from generation.sample import run as run_sampling
from generation.sampling.options import SampleOptions

MODEL = Path(__file__).resolve().parents[1] / "examples" / "miniature" / "model"
STRATEGIES = "token-normal,token-high,edt,expert-sample"
PROBLEMS = ("12 2 11 6 target 52", "3 7 8 9 target 60", "4 5 6 10 target 26")

REMINDER = (
    "Three problems show that sampling, routing, grading and scoring work on this machine, nothing else: "
    "the intervals above are wide. `make miniature` is the whole experiment."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; returns the exit code of the first command that fails, or 0."""
    parser = CommandParser(prog="python -m generation.demo", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("results/generate-demo"), help="default %(default)s")
    parser.add_argument("--n", type=int, default=8, help="responses a problem and strategy (default 8)")
    args = parser.parse_args(argv)
    console = Console()
    if not (MODEL / "config.json").exists():
        console.print(f"error: the demo's model is not in {MODEL}: run the demo in a checkout", style="red")
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    with signals_interrupt():
        return exit_code(
            lambda: _demo(console, args.out, args.n), when_interrupted="interrupted; the same command continues"
        )


def _demo(console: Console, out: Path, n: int) -> int:
    """All steps; returns the exit code of the first that fails, or 0."""
    code = _sample(console, _options(out, n))
    for command in _commands(out):
        code = code or _run(console, command)
    if not code:
        console.print(f"\n{REMINDER}", style="bold", soft_wrap=True)
    return code


def _options(out: Path, n: int) -> SampleOptions:
    rows = [
        {"problem_id": f"countdown-{number}", "problem": text, "meta": {"kind": "countdown"}}
        for number, text in enumerate(PROBLEMS, start=1)
    ]
    problems = out / "problems.jsonl"
    problems.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return SampleOptions(
        problems=problems,
        model=MODEL,
        strategies=STRATEGIES,
        n=n,
        seed=0,
        engine_args={"dtype": "float32", "max_model_len": 96, "enforce_eager": True},
        cpu_replicas=2,
        out=out / "responses.jsonl",
    )


def _commands(out: Path) -> list[list[str]]:
    score = ["diversity_judge.score", str(out / "responses.jsonl"), "--judge"]
    exact = [*score, "countdown", "--out", str(out / "countdown")]
    proxy = [*score, "proxy", "--out", str(out / "proxy"), "--quiet"]
    agree = ["diversity_judge.agree", str(out / "proxy"), str(out / "countdown"), "--out", str(out / "agreement")]
    return [exact, proxy, agree]


def _sample(console: Console, options: SampleOptions) -> int:
    console.print(f"\n>>> generation.sample({options!r})", style="bold cyan", soft_wrap=True, markup=False)
    return run_sampling(options)


def _run(console: Console, command: Sequence[str]) -> int:
    console.print(f"\n$ python -m {' '.join(command)}", style="bold cyan", soft_wrap=True, markup=False)
    return children.exit_code_of(command)
