"""`python -m examples.miniature.run`: the paper's experiments on the miniature, ending with one report.

    held-out problems -> sample -> reward -> score exactly -> compare -> figures, tables, claims, report.html

Every step is a command of this project, printed as it is run; the same command again continues a run that was killed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from pathlib import Path

from rich.console import Console

from diversity_judge.files import write_text
from diversity_judge.inputs.responses import Group, write_responses
from examples.miniature import responses, sweeps
from examples.miniature.plan import COMPARED, FULL, QUICK, STRATEGIES, Size
from examples.miniature.problems import held_out
from examples.miniature.verifier import with_rewards

MODEL = Path(__file__).parent / "model"
SEED = 0
_ENVIRONMENT = {
    # vLLM's default takes 40 % of a CPU's memory for the cache of a model that needs next to none.
    "VLLM_CPU_KVCACHE_SPACE": "1",
    # What many starts say again and again buries what the steps say.
    "VLLM_LOGGING_LEVEL": "ERROR",
    "TRANSFORMERS_VERBOSITY": "error",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "PYTHONWARNINGS": "ignore::FutureWarning",
}
STEPS = "steps.jsonl"
"""What was run, and how long it took."""
_ENGINE = ("--dtype", "float32", "--max-model-len", "96", "--enforce-eager", "--engine-arg", "max_num_seqs=1024")
_SILENT = ("--engine-arg", "use_tqdm_on_load=false")
_ROUNDS = ("--repeatable", "--concurrency", "1024", "--max-tokens", "26")
"""The longest right solution has 25 tokens, with its end."""
_MOST_REPLICAS = 8
"""Each takes 3 GB; more cores than that are not needed."""


class CommandError(Exception):
    """A command of the run failed; its own message is above."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the command that failed, or 0."""
    parser = argparse.ArgumentParser(prog="python -m examples.miniature.run", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="default results/miniature, with --quick results/miniature-quick")
    parser.add_argument("--model", type=Path, default=MODEL, help="default %(default)s")
    parser.add_argument("--quick", action="store_true", help="a few problems, 8 samples: to see that everything works")
    args = parser.parse_args(argv)
    out = args.out or Path("results/miniature-quick" if args.quick else "results/miniature")
    try:
        return MiniatureRun(out, args.model, QUICK if args.quick else FULL, Console()).everything()
    except CommandError as error:
        return int(error.args[0])
    except KeyboardInterrupt:
        return 130


class MiniatureRun:
    """The experiments of one folder, in order; each step leaves files and skips what is there."""

    def __init__(self, folder: Path, model: Path, size: Size, console: Console) -> None:
        self._folder, self._model, self._size, self._console = folder, model, size, console
        self._began = time.monotonic()

    def everything(self) -> int:
        """All steps; returns 0."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._write_problems()
        (whole, strategies), *others = self._size.strategies().items()
        self._sample(whole, strategies, replicas=_cores())
        # An engine's start takes longer than a small sample: these get half of the cores each.
        self._side_by_side(self._sample_active, lambda: self._sample_others(others))
        self._measure_overhead()
        self._reward()
        self._side_by_side(self._judge_main, self._judge_sweeps)
        self._report()
        return 0

    def _side_by_side(self, shown: Callable[[], None], aside: Callable[[], None]) -> None:
        """Do two things at the same time; what the second one prints comes when it is done."""
        with ThreadPoolExecutor(1) as pool:
            second = pool.submit(aside)
            shown()
            second.result()

    # --- steps -----------------------------------------------------------------------------------------------------

    def _write_problems(self) -> None:
        lines = (
            json.dumps({"problem_id": f"c{number:04}", "problem": problem.text, "meta": {"kind": "countdown"}}) + "\n"
            for number, problem in enumerate(islice(held_out(SEED), self._size.problems))
        )
        write_text(self._folder / "problems.jsonl", "".join(lines))

    def _sample_others(self, others: Sequence[tuple[int, Sequence[str]]]) -> None:
        for n_problems, strategies in others:
            self._sample(n_problems, strategies, replicas=_cores() // 2, aside=True)

    def _sample_active(self) -> None:
        for active, n_problems in self._size.active.items():
            self._sample(n_problems, ["greedy", COMPARED[0]], replicas=_cores() // 2, active=active)

    def _sample(
        self,
        n_problems: int,
        strategies: Sequence[str],
        *,
        replicas: int,
        active: int | None = None,
        aside: bool = False,
    ) -> None:
        file = responses.file_of(self._size, n_problems) if active is None else responses.active_file(active)
        self._run(
            *("generation.sample", self._folder / "problems.jsonl", "--model", self._model),
            *("--strategy", ",".join(strategies), "--n", self._size.n, "--seed", SEED, "--limit", n_problems),
            *(() if active is None else ("--active-experts", active)),
            *("--cpu-replicas", max(1, min(replicas, _MOST_REPLICAS)), *_ENGINE, *_SILENT, *_ROUNDS),
            *("--out", self._folder / file),
            aside=aside,
        )

    def _measure_overhead(self) -> None:
        if not (self._folder / "overhead.csv").exists():
            self._run(
                *("examples.miniature.overhead", "--model", self._model, "--problems", self._folder / "problems.jsonl"),
                *("--rounds", self._size.rounds, "--out", self._folder / "overhead.csv"),
            )

    def _reward(self) -> None:
        """Write what is judged, with the verifier's rewards."""
        folder = self._folder / "rewarded"
        if folder.exists():
            return
        wanted = {
            "main": responses.of(self._sampled, STRATEGIES),
            "sweeps": responses.of(self._sampled, sweeps.strategies(self._size.sweeps), limit=self._size.study),
            "matrices": responses.of(self._sampled, STRATEGIES, limit=self._size.matrices),
        }
        begun = folder.with_name("rewarded.begun")
        begun.mkdir(exist_ok=True)
        for name, rows in wanted.items():
            write_responses(begun / f"{name}.jsonl", with_rewards(rows))
        begun.rename(folder)

    @cached_property
    def _sampled(self) -> dict[str, list[Group]]:
        """Read once for all steps."""
        return responses.sampled(self._folder, self._size)

    def _judge_sweeps(self) -> None:
        routing = [self._folder / "routing" / f"router_by_{name}" for name in ("rank.csv", "block.csv", "rank.png")]
        if not all(path.exists() for path in routing):
            self._run(
                *("generation.routing", "probabilities", self._folder / "problems.jsonl", "--model", self._model),
                *("--limit", self._size.study, "--dtype", "float32", "--max-model-len", 96),
                *("--out", self._folder / "routing"),
                aside=True,
            )
        self._judge("sweeps", "sweeps", "countdown", self._size.pairs, aside=True)

    def _judge_main(self) -> None:
        scores = self._folder / "scores"
        self._judge("main", "main", "countdown", self._size.pairs)
        self._judge("matrices", "matrices", "countdown", None, heatmaps=True)
        self._judge("matrices", "matrices-proxy", "proxy", None)
        self._run(
            *("diversity_judge.agree", scores / "matrices-proxy", scores / "matrices"),
            *("--out", self._folder / "agreement"),
        )
        self._run("diversity_judge.compare", scores / "matrices", "--out", self._folder / "compare" / "matrices")

    def _judge(
        self,
        source: str,
        name: str,
        judge: str,
        pairs: int | None,
        *,
        heatmaps: bool = False,
        aside: bool = False,
    ) -> None:
        # The ledger of each run is its own: scoring again costs no call, and a killed run goes on.
        self._run(
            *("diversity_judge.score", self._folder / "rewarded" / f"{source}.jsonl"),
            *("--judge", judge, "--out", self._folder / "scores" / name),
            *(() if pairs is None else ("--pairs-per-group", pairs)),
            *(() if heatmaps else ("--no-heatmaps",)),
            aside=aside,
        )

    def _report(self) -> None:
        from examples.miniature.report import write_report

        report = write_report(self._folder, self._size, self._sampled)
        minutes = (time.monotonic() - self._began) / 60
        self._console.print(f"\n{minutes:.1f} minutes. Open {report} in a browser.", style="bold", soft_wrap=True)

    def _run(self, module: str, *arguments: object, aside: bool = False) -> None:
        """Run one of the commands; with `aside` what it prints is shown when it has ended.

        Raises:
            CommandError: it failed; it holds the exit code.
        """
        words = [module, *map(str, arguments)]
        minutes = (time.monotonic() - self._began) / 60
        said = f"\n[{minutes:5.1f} min] $ python -m {' '.join(words)}"
        if not aside:
            self._console.print(said, style="bold cyan", markup=False)
        began = time.monotonic()
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", *words],
            env=_ENVIRONMENT | os.environ,
            check=False,
            stdout=subprocess.PIPE if aside else None,
            stderr=subprocess.STDOUT if aside else None,
            text=True,
        )
        with (self._folder / STEPS).open("a", encoding="utf-8") as file:
            step = {"command": words, "seconds": round(time.monotonic() - began, 1), "aside": aside}
            file.write(json.dumps(step) + "\n")
        if aside:
            self._console.print(said, style="bold cyan", markup=False)
            self._console.print(done.stdout, markup=False, highlight=False, soft_wrap=True)
        if done.returncode:
            raise CommandError(done.returncode)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main())
