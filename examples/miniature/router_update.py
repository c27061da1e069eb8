"""`python -m examples.miniature.router_update`: does a router-only update pay? On problems that no step has seen.

    training problems -> sample -> one checkpoint an update -> held-out problems -> sample -> score exactly -> compare

Every step is a command of this project, printed as it is run; what is there already is not made again, so the same
command continues a run that was killed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from rich.console import Console

from diversity_judge.command import exit_code
from diversity_judge.countdown import Countdown
from diversity_judge.files import write_text
from diversity_judge.inputs.reading import read_responses
from diversity_judge.inputs.responses import Response, write_responses
from examples.miniature.problems import draw_training, held_out
from examples.miniature.run import MODEL, SEED
from generation import children
from generation.interrupts import signals_interrupt

BEFORE = "before"
BOTH = ("token-normal", "expert-sample")
UPDATES: Mapping[str, tuple[str, ...]] = {
    "nll": ("--objective", "nll"),
    "best-route": ("--objective", "best-route", "--stop-by", "objective"),
    "advantage": ("--objective", "advantage"),
    "output-scale": ("--control", "output-scale"),
    "norm-scale": ("--control", "norm-scale"),
    "other-layer": ("--control", "other-layer"),
    "shuffled-targets": ("--control", "shuffled-targets"),
}
"""What is compared with the shipped model, by name: the objectives, then the controls."""
_LIKE_EACH_OTHER = ("--steps", "300", "--evaluate-every", "30", "--patience", "3", "--dtype", "float32")
_PAIRS = 32
_TRAINING_PROBLEMS, _TRAINING_SAMPLES = 1000, 8
_ENGINE = (
    *("--dtype", "float32", "--max-model-len", "96", "--enforce-eager", "--engine-arg", "max_num_seqs=1024"),
    *("--max-tokens", "26", "--concurrency", "1024", "--repeatable"),
)


class CommandError(Exception):
    """A command failed; its own message is above."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the command that failed, or 0."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.miniature.router_update", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=Path("results/router-update"), help="default %(default)s")
    parser.add_argument("--model", type=Path, default=MODEL, help="default %(default)s")
    parser.add_argument("--problems", type=int, default=300, metavar="N", help="held-out problems (default 300)")
    parser.add_argument("--n", type=int, default=32, help="responses a problem and strategy (default 32)")
    parser.add_argument("--cpu-replicas", type=int, default=2, metavar="N", help="default %(default)s")
    parser.add_argument("--updates", default=",".join(UPDATES), metavar="NAME,...", help="of %(default)s (default all)")
    args = parser.parse_args(argv)
    wanted = args.updates.split(",")
    if unknown := sorted(set(wanted) - set(UPDATES)):
        parser.error(f"no update is called {unknown[0]}")
    study = Study(args.out, args.model, args.problems, args.n, args.cpu_replicas, Console())
    with signals_interrupt():
        try:
            return exit_code(
                lambda: study.everything(wanted), when_interrupted="interrupted; the same command continues"
            )
        except CommandError as error:
            return int(error.args[0])


class Study:
    """The steps of one folder."""

    def __init__(self, folder: Path, model: Path, n_problems: int, n: int, replicas: int, console: Console) -> None:
        self._folder, self._model, self._n_problems, self._n = folder, model, n_problems, n
        self._replicas, self._console = replicas, console

    def everything(self, updates: Sequence[str]) -> int:
        """All steps; returns 0."""
        training, test = self._folder / "training_problems.jsonl", self._folder / "held_out_problems.jsonl"
        write_problems(training, "t", islice(training_problems(SEED), _TRAINING_PROBLEMS))
        write_problems(test, "c", islice(held_out(SEED), self._n_problems))
        self._sample(self._model, training, "training", BOTH[:1], _TRAINING_SAMPLES)
        self._sample(self._model, test, BEFORE, BOTH, self._n)
        for name in updates:
            checkpoint = self._folder / "checkpoints" / name
            if not checkpoint.exists():
                source = (self._model, self._file("training"), "--out", checkpoint)
                self._run("generation.router_update", *source, *_LIKE_EACH_OTHER, *UPDATES[name])
            self._sample(checkpoint, test, name, BOTH, self._n)
        write_responses(self._folder / "compared.jsonl", together([BEFORE, *updates], self._file))
        scores = self._folder / "scores"
        words = ("--judge", "countdown", "--pairs-per-group", _PAIRS, "--no-heatmaps", "--out", scores)
        self._run("diversity_judge.score", self._folder / "compared.jsonl", *words)
        self._run("diversity_judge.compare", scores, "--baseline", BEFORE, "--out", self._folder / "compare")
        return 0

    def _file(self, name: str) -> Path:
        return self._folder / "responses" / f"{name}.jsonl"

    def _sample(self, model: Path, problems: Path, name: str, strategies: Sequence[str], n: int) -> None:
        self._run(
            *("generation.sample", problems, "--model", model, "--strategy", ",".join(strategies), "--n", n),
            *("--seed", SEED, "--cpu-replicas", self._replicas, *_ENGINE, "--out", self._file(name)),
        )

    def _run(self, module: str, *arguments: object) -> None:
        """Run one of the commands.

        Raises:
            CommandError: it failed; it holds the exit code.
        """
        words = [module, *map(str, arguments)]
        self._console.print(f"\n$ python -m {' '.join(words)}", style="bold cyan", markup=False, soft_wrap=True)
        code = children.exit_code_of(words)
        if code:
            raise CommandError(code)


def training_problems(seed: int) -> Iterator[Countdown]:
    """Problems of four numbers that training may have seen, without end and without repetition."""
    rng = random.Random(f"router update {seed}")
    seen = set()
    while True:
        problem, _ = draw_training(rng)
        if len(problem.numbers) == 4 and problem.identity not in seen:
            seen.add(problem.identity)
            yield problem


def write_problems(file: Path, letter: str, problems: Iterator[Countdown]) -> None:
    """Write problems as `generation.sample` reads them."""
    rows = (
        {"problem_id": f"{letter}{number:04}", "problem": problem.text, "meta": {"kind": "countdown"}}
        for number, problem in enumerate(problems)
    )
    write_text(file, "".join(json.dumps(row) + "\n" for row in rows))


def together(names: Sequence[str], file_of: Callable[[str], Path]) -> Iterator[Response]:
    """The responses of all checkpoints, each checkpoint and way of sampling as a strategy of its own."""
    for name in names:
        for group in sorted(read_responses(file_of(name)).groups, key=lambda group: group.problem_id):
            for response in sorted(group.responses, key=lambda response: int(response.sample_id)):
                yield replace(response, strategy=strategy_name(name, group.strategy))


def strategy_name(checkpoint: str, sampled: str) -> str:
    """What a checkpoint that is sampled in one of the two ways is called."""
    return checkpoint if sampled == BOTH[0] else f"{checkpoint}, {sampled}"


if __name__ == "__main__":
    sys.exit(main())
