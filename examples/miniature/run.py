"""`python -m examples.miniature.run`: the paper's experiments on the miniature, ending with one report.

    held-out problems -> sample -> reward (rules, a model) -> score exactly -> compare -> other routes -> report.html

A second model, whose tokens are random and whose router is sure of itself, shows where the claims end: it has two
strategies alone.

Every step is a function or a command of this project, printed as it is run; the same command again continues a run that
was killed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console

from diversity_judge.command import exit_code
from diversity_judge.files import write_text
from diversity_judge.inputs.responses import Group, Response, write_responses
from examples.miniature import overhead, responses, routes, sweeps
from examples.miniature.apart import Apart
from examples.miniature.plan import COMPARED, FULL, QUICK, STRATEGIES, Size
from examples.miniature.problems import held_out
from examples.miniature.processors import ONE_THREAD, cores, processor_seconds
from examples.miniature.responses import LEARNED
from examples.miniature.tokens import solution_length
from examples.miniature.verifier import with_rewards
from generation.expert_use.options import ProbabilitiesOptions
from generation.interrupts import signals_interrupt
from generation.routing import show_probabilities
from generation.sample import run as run_sampling
from generation.sampling.options import SampleOptions

MODEL = Path(__file__).parent / "model"
"""The first of this project, and that of the second operating point: random tokens, a router that is sure of itself."""
FLAT_MODEL = Path(__file__).parent / "model_flat"
"""That of the paper's operating point: nearly deterministic at its usual temperature, with a flat router."""
REWARD_MODEL = Path(__file__).parent / "reward_model"
REWARD_RECIPES = Path(__file__).parent / "rewards.toml"
SEED = 0
ENVIRONMENT = {
    # What many starts say again and again buries what the steps say.
    "VLLM_LOGGING_LEVEL": "ERROR",
    "TRANSFORMERS_VERBOSITY": "error",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "PYTHONWARNINGS": "ignore::FutureWarning",
}
_ROUTERS = ("by_rank.csv", "by_block.csv", "numbers.csv", "by_rank.png")
_ENGINE: Mapping[str, Any] = {"dtype": "float32", "max_model_len": 96}
_SAMPLING_ENGINE = {**_ENGINE, "enforce_eager": True, "max_num_seqs": 1024, "use_tqdm_on_load": False}
_PAIRS_MISSING = 3
"""Exit code of `score`: a response without any step has no similarity, and its pairs stay without a score."""
_ROUND = 1024
_MAX_TOKENS = solution_length(4) + 1
"""One more than a right solution needs."""
_MOST_REPLICAS = 8
"""Each takes 1 GB, nearly all of it Python's and torch's; more cores than that are not needed."""


class CommandError(Exception):
    """A command of the run failed; its own message is above."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the command that failed, or 0."""
    parser = argparse.ArgumentParser(prog="python -m examples.miniature.run", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="default results/miniature, with --quick results/miniature-quick")
    parser.add_argument("--model", type=Path, default=FLAT_MODEL, help="default %(default)s")
    parser.add_argument("--quick", action="store_true", help="a few problems, 8 samples: to see that everything works")
    args = parser.parse_args(argv)
    out = args.out or Path("results/miniature-quick" if args.quick else "results/miniature")
    os.environ.update(ENVIRONMENT | os.environ)
    run = MiniatureRun(out, args.model, QUICK if args.quick else FULL, Console())
    with signals_interrupt():
        try:
            return exit_code(run.everything, when_interrupted="interrupted; the same command continues")
        except CommandError as error:
            return int(error.args[0])


class MiniatureRun:
    """The experiments of one folder, in order; each step leaves files and skips what is there."""

    def __init__(self, folder: Path, model: Path, size: Size, console: Console) -> None:
        self._folder, self._model, self._size, self._console = folder, model, size, console
        self._began = time.monotonic()
        self._start = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        self._apart = Apart()

    def everything(self) -> int:
        """All steps; returns 0."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._write_problems()
        self._sample_main()
        # An engine's start takes longer than a small sample: these get half of the cores each.
        self._side_by_side(self._sample_active, self._sample_others)
        self._measure_overhead()
        self._reward()
        self._side_by_side(self._judge_main, self._beside_the_judge)
        self._counterfactual()
        self._report()
        return 0

    def _side_by_side(self, shown: Callable[[], None], aside: Callable[[], None]) -> None:
        """Do two things at the same time; what the second one prints comes when it is done."""
        with ThreadPoolExecutor(1) as pool:
            second = pool.submit(aside)
            try:
                shown()
            except BaseException:
                self._apart.stop()
                raise
            second.result()

    # --- steps -----------------------------------------------------------------------------------------------------

    def _write_problems(self) -> None:
        lines = (
            json.dumps({"problem_id": f"c{number:04}", "problem": problem.text, "meta": {"kind": "countdown"}}) + "\n"
            for number, problem in enumerate(islice(held_out(SEED), self._size.problems))
        )
        write_text(self._folder / "problems.jsonl", "".join(lines))

    def _sample_main(self) -> None:
        n_problems, strategies = next(iter(self._size.strategies().items()))
        self._sample(responses.file_of(self._size, n_problems), n_problems, strategies, replicas=cores())

    def _sample_others(self) -> None:
        sample = partial(self._sample, replicas=cores() // 2, aside=True)
        for n_problems, strategies in [*self._size.strategies().items()][1:]:
            sample(responses.file_of(self._size, n_problems), n_problems, strategies)
        sample(responses.SECOND, self._size.second, COMPARED, model=MODEL)

    def _sample_active(self) -> None:
        for active, n_problems in self._size.active.items():
            strategies = ("greedy", COMPARED[0])
            self._sample(responses.active_file(active), n_problems, strategies, replicas=cores() // 2, active=active)

    def _sample(
        self,
        file: str,
        n_problems: int,
        strategies: Sequence[str],
        *,
        replicas: int,
        model: Path | None = None,
        active: int | None = None,
        aside: bool = False,
    ) -> None:
        options = SampleOptions(
            problems=self._folder / "problems.jsonl",
            model=model or self._model,
            strategies=",".join(strategies),
            n=self._size.n,
            seed=SEED,
            limit=n_problems,
            active_experts=active,
            cpu_replicas=max(1, min(replicas, _MOST_REPLICAS)),
            engine_args=_SAMPLING_ENGINE,
            repeatable=True,
            concurrency=_ROUND,
            max_tokens=_MAX_TOKENS,
            out=self._folder / file,
        )
        self._call(run_sampling, options, aside=aside, apart=aside)

    def _measure_overhead(self) -> None:
        table = self._folder / "overhead.csv"
        if not table.exists():
            # Apart: vLLM runs in the process that measures it.
            problems = self._folder / "problems.jsonl"
            self._call(overhead.write, str(self._model), problems, self._size.rounds, table, apart=True)

    def _reward(self) -> None:
        """Write what is judged, with the verifier's rewards."""
        for name, found in self._judged().items():
            file = self._folder / "rewarded" / f"{name}.jsonl"
            if not file.exists():
                write_responses(file, with_rewards(found()))

    def _judged(self) -> Mapping[str, Callable[[], Sequence[Response]]]:
        """Name of a file to the responses in it."""
        return {
            "main": lambda: responses.of(self._sampled, STRATEGIES),
            "sweeps": lambda: responses.of(self._sampled, sweeps.strategies(self._size.sweeps), limit=self._size.study),
            "matrices": lambda: responses.of(self._sampled, STRATEGIES, limit=self._size.matrices),
            "second": lambda: responses.of(responses.second(self._folder), COMPARED),
        }

    def _beside_the_judge(self) -> None:
        self._reward_by_model()
        self._watch_routers(self._model, self._folder / "routing")
        self._watch_routers(MODEL, self._folder / responses.SECOND_ROUTING)
        self._judge("sweeps", "sweeps", "countdown", self._size.pairs, aside=True)
        self._judge("second", "second", "countdown", self._size.pairs, aside=True)
        self._run("examples.miniature.why", self._folder, aside=True)

    def _reward_by_model(self) -> None:
        """The main responses with the rewards of a reward model that errs, in place of the verifier's."""
        self._run(
            *("generation.reward", self._folder / "rewarded" / "main.jsonl", "--model", REWARD_MODEL),
            *("--tokenizer", REWARD_MODEL / "tokenizer"),
            *("--recipe", "miniature-prm", "--recipes-file", REWARD_RECIPES, "--dtype", "float32"),
            *("--enforce-eager", "--cpu-replicas", max(1, cores() // 2), "--out", self._folder / LEARNED),
            aside=True,
        )

    @cached_property
    def _sampled(self) -> dict[str, list[Group]]:
        """Read once for all steps."""
        return responses.sampled(self._folder, self._size)

    def _watch_routers(self, model: Path, out: Path) -> None:
        if not all((out / f"router_{name}").exists() for name in _ROUTERS):
            options = ProbabilitiesOptions(
                problems=self._folder / "problems.jsonl",
                model=model,
                limit=self._size.study,
                engine_args=_ENGINE,
                out=out,
            )
            self._call(show_probabilities, options, aside=True, apart=True)

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
            fine=(0, _PAIRS_MISSING),
        )

    def _counterfactual(self) -> None:
        self._run(
            *("generation.counterfactual", self._model, routes.write_source(self._folder, self._sampled)),
            *(
                "--max-tokens",
                self._size.routed,
                "--replay",
                self._size.replayed,
                "--out",
                self._folder / routes.FOLDER,
            ),
        )

    def _report(self) -> None:
        from examples.miniature.report import REPORT, write_report

        report = self._folder / REPORT

        def work() -> tuple[int, str]:
            write_report(self._folder, self._size, self._sampled)
            return 0, ""

        self._step(["examples.miniature.report", str(self._folder)], work, said=f"report: {report}")
        minutes = (time.monotonic() - self._began) / 60
        self._console.print(f"\n{minutes:.1f} minutes. Open {report} in a browser.", style="bold", soft_wrap=True)

    def _call(self, function: Callable[..., int], *arguments: object, aside: bool = False, apart: bool = False) -> None:
        """Call a function of this project, `apart` in a process of its own."""
        text = f"{function.__module__}.{function.__name__}({', '.join(map(repr, arguments))})"
        if apart:
            self._step([text], lambda: self._apart.run(function, *arguments, shown=not aside), said=text, aside=aside)
        else:
            self._step([text], lambda: (function(*arguments), ""), said=text, aside=aside)

    def _run(self, module: str, *arguments: object, aside: bool = False, fine: Collection[int] = (0,)) -> None:
        """Run one of the commands; exit codes other than the `fine` ones end the run."""
        words = [module, *map(str, arguments)]
        changes = ONE_THREAD if module.startswith("diversity_judge.") else {}
        said = f"$ python -m {' '.join(words)}"
        work = partial(self._apart.command, words, changes=changes, shown=not aside)
        self._step(words, work, said=said, aside=aside, fine=fine)

    def _step(
        self,
        words: Sequence[str],
        work: Callable[[], tuple[int, str]],
        *,
        said: str,
        aside: bool = False,
        fine: Collection[int] = (0,),
    ) -> None:
        """Do one step and note its time; with `aside` what it prints is shown when it has ended.

        Raises:
            CommandError: it failed: its exit code, which the error holds, is none of the `fine` ones.
        """
        minutes = (time.monotonic() - self._began) / 60
        said = f"\n[{minutes:5.1f} min] {said}"
        if not aside:
            self._console.print(said, style="bold cyan", markup=False, soft_wrap=True)
        began, computed = time.monotonic(), processor_seconds()
        code, printed = work()
        with (self._folder / responses.STEPS).open("a", encoding="utf-8") as file:
            now, all_computed = time.monotonic(), processor_seconds()
            taken = {
                "seconds": now - began,
                "processor_seconds": all_computed - computed,
                "run_seconds": now - self._began,
                "run_processor_seconds": all_computed,
            }
            rounded = {name: round(value, 1) for name, value in taken.items()}
            step = {"command": words, **rounded, "aside": aside, "run": self._start, "cores": cores()}
            file.write(json.dumps(step) + "\n")
        if aside:
            self._console.print(said, style="bold cyan", markup=False, soft_wrap=True)
            self._console.print(printed, markup=False, highlight=False, soft_wrap=True)
        if code not in fine:
            raise CommandError(code)


if __name__ == "__main__":
    sys.exit(main())
