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
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rich.console import Console

from diversity_judge.reading import read_responses
from diversity_judge.responses import Response, write_responses
from diversity_judge.run_folder import write_whole
from examples.miniature import sweeps
from examples.miniature.problems import held_out
from examples.miniature.verifier import with_rewards

MODEL = Path(__file__).parent / "model"
COMPARED = ("token-normal", "expert-sample")
"""The strategies whose difference is small: they get all problems."""
STRATEGIES = ("token-normal", "token-high", "edt", "expert-sample")
ACTIVE = 8
"""The model's own number of active experts."""
SEED = 0
_ENGINE = ("--dtype", "float32", "--max-model-len", "96", "--enforce-eager", "--engine-arg", "max_num_seqs=1024")
_ROUNDS = ("--repeatable", "--concurrency", "1024", "--max-tokens", "26")
"""The longest right solution has 25 tokens, with its end."""


@dataclass(frozen=True)
class Size:
    """How much is sampled.

    Attributes:
        problems: Held-out problems for the strategies whose difference is small.
        others: Of these, problems for the other strategies.
        n: Responses a problem and strategy.
        pairs: Judged pairs a group; None for all.
        study: Problems of the sweeps.
        active_study: Problems of the numbers of active experts.
        matrices: Problems whose pairs are all judged, by both judges.
        active: Numbers of active experts.
        sweeps: Values of each setting.
    """

    problems: int
    others: int
    n: int
    pairs: int | None
    study: int
    active_study: int
    matrices: int
    active: tuple[int, ...]
    sweeps: tuple[sweeps.Sweep, ...]


FULL = Size(1000, 300, 32, 32, 60, 150, 8, (2, 4, 8, 16), sweeps.FULL)
QUICK = Size(4, 4, 8, None, 3, 3, 2, (4, 8), sweeps.QUICK)


class CommandError(Exception):
    """A command of the run failed; its own message is above."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the command that failed, or 0."""
    parser = argparse.ArgumentParser(prog="python -m examples.miniature.run", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="default results/miniature, with --quick results/miniature-quick")
    parser.add_argument("--model", type=Path, default=MODEL, help="default %(default)s")
    parser.add_argument("--quick", action="store_true", help="a few problems, 8 samples: to see that everything works")
    args = parser.parse_args(argv)
    size = QUICK if args.quick else FULL
    out = args.out or Path("results/miniature-quick" if args.quick else "results/miniature")
    try:
        return MiniatureRun(out, args.model, size, Console()).everything()
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
        self._sample_main()
        self._sample("sweeps", sweeps.strategies(self._size.sweeps), limit=self._size.study)
        self._study_routing()
        self._study_active_experts()
        self._measure_overhead()
        self._judge("main", "main", "countdown", self._size.pairs)
        self._judge("sweeps", "sweeps", "countdown", self._size.pairs)
        self._judge("matrices", "matrices", "countdown", None, heatmaps=True)
        self._judge("matrices", "matrices-proxy", "proxy", None)
        self._compare()
        self._report()
        return 0

    # --- steps -----------------------------------------------------------------------------------------------------

    def _write_problems(self) -> None:
        lines = (
            json.dumps({"problem_id": f"c{number:04}", "problem": problem.text, "meta": {"kind": "countdown"}}) + "\n"
            for number, problem in enumerate(islice(held_out(SEED), self._size.problems))
        )
        write_whole(self._folder / "problems.jsonl", lambda path: path.write_text("".join(lines), encoding="utf-8"))

    def _sample(self, name: str, strategies: Sequence[str], *, limit: int) -> None:
        self._run(
            *("generation.sample", self._folder / "problems.jsonl", "--model", self._model),
            *("--strategy", ",".join(strategies), "--n", self._size.n, "--seed", SEED, "--limit", limit),
            *(*_ENGINE, *_ROUNDS, "--out", self._folder / f"{name}.jsonl"),
        )

    def _sample_main(self) -> None:
        if self._size.others == self._size.problems:
            self._sample("main", ["greedy", *STRATEGIES], limit=self._size.problems)
        else:
            self._sample("main", ["greedy", *COMPARED], limit=self._size.problems)
            self._sample("others", [name for name in STRATEGIES if name not in COMPARED], limit=self._size.others)

    def _study_routing(self) -> None:
        if not (self._folder / "routing" / "router_by_rank.csv").exists():
            self._run(
                *("generation.routing", "probabilities", self._folder / "problems.jsonl", "--model", self._model),
                *("--limit", self._size.study, "--dtype", "float32", "--max-model-len", 96),
                *("--out", self._folder / "routing"),
            )

    def _study_active_experts(self) -> None:
        if not (self._folder / "routing" / "active_experts.csv").exists():
            self._run(
                *("generation.routing", "active-experts", self._folder / "problems.jsonl", "--model", self._model),
                *("--active-experts", ",".join(map(str, self._size.active)), "--n", self._size.n, "--seed", SEED),
                # Their starts take longer than their samples, and are of one thread each.
                *(
                    "--jobs",
                    2,
                    "--out",
                    self._folder / "routing",
                    "--limit",
                    self._size.active_study,
                    *_ENGINE,
                    *_ROUNDS,
                ),
            )

    def _measure_overhead(self) -> None:
        if not (self._folder / "overhead.csv").exists():
            rounds = 4 if self._size.problems > QUICK.problems else 2
            self._run(
                *("examples.miniature.overhead", "--model", self._model, "--problems", self._folder / "problems.jsonl"),
                *("--rounds", rounds, "--out", self._folder / "overhead.csv"),
            )

    def _judge(self, source: str, name: str, judge: str, pairs: int | None, *, heatmaps: bool = False) -> None:
        rewarded = self._folder / "rewarded" / f"{source}.jsonl"
        if not rewarded.exists():
            rewarded.parent.mkdir(exist_ok=True)
            write_responses(rewarded, with_rewards(self._responses(source)))
        # The ledger of each run is its own: scoring again costs no call, and a killed run goes on.
        self._run(
            *("diversity_judge.score", rewarded, "--judge", judge, "--out", self._folder / "scores" / name),
            *(() if pairs is None else ("--pairs-per-group", pairs)),
            *(() if heatmaps else ("--no-heatmaps",)),
        )

    def _responses(self, source: str) -> list[Response]:
        """What is judged: of the main experiment without greedy, which has one response a problem.

        In order of strategies and samples: the file has them as they were finished, which is another order each time.
        """
        strategies = list(sweeps.strategies(self._size.sweeps) if source == "sweeps" else STRATEGIES)
        files = [self._folder / f"{name}.jsonl" for name in (("sweeps",) if source == "sweeps" else ("main", "others"))]
        read = (group for file in files if file.exists() for group in read_responses(file).groups)
        wanted = sorted(
            (group for group in read if group.strategy in strategies),
            key=lambda group: (group.problem_id, strategies.index(group.strategy)),
        )
        if source == "matrices":
            wanted = wanted[: self._size.matrices * len(strategies)]
        return [
            response
            for group in wanted
            for response in sorted(group.responses, key=lambda response: int(response.sample_id))
        ]

    def _compare(self) -> None:
        scores = self._folder / "scores"
        self._run(
            *("diversity_judge.agree", scores / "matrices-proxy", scores / "matrices"),
            *("--out", self._folder / "agreement"),
        )
        self._run("diversity_judge.compare", scores / "matrices", "--out", self._folder / "compare" / "matrices")

    def _report(self) -> None:
        from examples.miniature.report import write_report

        minutes = (time.monotonic() - self._began) / 60
        report = write_report(self._folder, self._size.sweeps, active=ACTIVE)
        self._console.print(f"\n{minutes:.1f} minutes. Open {report} in a browser.", style="bold", soft_wrap=True)

    def _run(self, module: str, *arguments: object) -> None:
        """Run one of the commands.

        Raises:
            CommandError: it failed; it holds the exit code.
        """
        words = [module, *map(str, arguments)]
        minutes = (time.monotonic() - self._began) / 60
        self._console.print(f"\n[{minutes:5.1f} min] $ python -m {' '.join(words)}", style="bold cyan", markup=False)
        # vLLM's default takes 40 % of a CPU's memory for the cache of a model that needs next to none.
        # Its default leaves a core to the engine's own work, which here is no more than the model's.
        defaults = {
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
            "VLLM_LOGGING_LEVEL": "ERROR",
            "TRANSFORMERS_VERBOSITY": "error",
        }
        environment = defaults | os.environ
        code = subprocess.run([sys.executable, "-m", *words], env=environment, check=False).returncode  # noqa: S603
        if code:
            raise CommandError(code)


if __name__ == "__main__":
    sys.exit(main())
