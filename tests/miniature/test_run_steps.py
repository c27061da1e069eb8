"""Which steps the run takes and on which model, with what samples and computes replaced by fakes."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pytest
from rich.console import Console

from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import Response, write_responses
from examples.miniature import responses, run
from examples.miniature.plan import COMPARED, QUICK
from examples.miniature.processors import one_thread, processor_seconds
from examples.miniature.report import time_taken
from generation.sample import run as run_sampling
from generation.sampling.options import SampleOptions
from tests.killed_parent import printed_by

SOLUTION = "6 * 11 = 66 left 12 2 66 ; 2 + 12 = 14 left 66 14 ; 66 - 14 = 52"


def fake_sampling(options: SampleOptions) -> int:
    """Two responses a problem and strategy."""
    rows = [
        Response(row["problem_id"], SOLUTION, strategy=strategy, sample_id=sample, problem=row["problem"], correct=True)
        for row in map(json.loads, Path(str(options.problems)).read_text().splitlines()[: options.limit])
        for strategy in ",".join(options.strategies).split(",")
        for sample in range(2)
    ]
    options.out.parent.mkdir(exist_ok=True)
    write_responses(options.out, rows)
    return 0


class Recorded(run.MiniatureRun):
    """Samples by the fake; everything else is only written down."""

    def __init__(self, folder: Path, model: Path) -> None:
        super().__init__(folder, model, QUICK, Console(quiet=True))
        self.sampled: list[SampleOptions] = []
        self.words: list[Sequence[str]] = []

    def _call(self, function: Callable[..., int], *arguments: object, aside: bool = False, apart: bool = False) -> None:
        self.words.append([function.__name__, *map(str, arguments)])
        if function is run_sampling:
            (options,) = arguments
            assert isinstance(options, SampleOptions)
            self.sampled.append(options)
            fake_sampling(options)

    def _run(self, module: str, *arguments: object, aside: bool = False, fine: Collection[int] = (0,)) -> None:
        self.words.append([module, *map(str, arguments)])

    def _report(self) -> None:
        self.words.append(["report"])


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    found = Recorded(tmp_path, tmp_path / "flat")
    assert found.everything() == 0
    return found


def test_the_second_model_has_the_compared_strategies_alone(recorded: Recorded) -> None:
    of_second = [options for options in recorded.sampled if options.model == run.MODEL]
    assert [(o.strategies, o.limit, o.out.name, o.out.parent.name) for o in of_second] == [
        ((",".join(COMPARED),), QUICK.second, "main.jsonl", "second")
    ]
    others = [options for options in recorded.sampled if options.model != run.MODEL]
    assert {options.model for options in others} == {recorded.sampled[0].model}


def test_what_is_judged_and_watched(recorded: Recorded) -> None:
    judged = [Path(words[1]).stem for words in recorded.words if words[0] == "diversity_judge.score"]
    assert sorted(judged) == ["main", "matrices", "matrices", "second", "sweeps"]
    folder = recorded.sampled[0].out.parent
    assert all((folder / "rewarded" / f"{name}.jsonl").exists() for name in judged)
    assert sum(words[0] == "show_probabilities" for words in recorded.words) == 2
    assert ["examples.miniature.why", str(folder)] in recorded.words
    assert recorded.words[-1] == ["report"]


def test_a_step_notes_how_long_processors_computed(tmp_path: Path) -> None:
    of_steps = run.MiniatureRun(tmp_path, tmp_path, QUICK, Console(quiet=True))

    def work() -> int:
        before = processor_seconds()
        while processor_seconds() < before + 0.2:
            pass
        return 0

    of_steps._call(work)
    (step,) = map(json.loads, (tmp_path / responses.STEPS).read_text().splitlines())
    assert step["processor_seconds"] >= 0.2
    assert step["processor_seconds"] <= step["seconds"] * 64
    assert step["run_seconds"] >= step["seconds"]
    assert step["run_processor_seconds"] >= step["processor_seconds"]


def test_a_run_takes_as_long_as_its_starts_until_their_last_steps(tmp_path: Path) -> None:
    def step(start: str, seconds: float, aside: bool) -> str:
        return json.dumps(
            {"command": ["x"], "seconds": 1.0, "processor_seconds": 1.0, "run_seconds": seconds}
            | {"run_processor_seconds": 2 * seconds, "aside": aside, "run": start, "cores": 2}
        )

    # Of the first start the last step ended aside; the second one went on after a kill.
    steps = [step("one", 60, False), step("one", 120, True), step("two", 30, False)]
    (tmp_path / responses.STEPS).write_text("\n".join(steps), encoding="utf-8")
    assert time_taken(tmp_path) == {"minutes": 2.5, "processor_minutes": 5.0, "cores": 2}


def test_a_run_that_did_not_note_its_time_is_told_so(tmp_path: Path) -> None:
    (tmp_path / responses.STEPS).write_text('{"command": ["x"], "seconds": 1.0, "aside": false}', encoding="utf-8")
    with pytest.raises(InputError, match="does not say how long the run took"):
        time_taken(tmp_path)


@pytest.mark.parametrize(("module", "goes_on"), [("diversity_judge.score", True), ("diversity_judge.agree", False)])
def test_pairs_without_a_score_end_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, goes_on: bool
) -> None:
    """A response in which no step can be read has no similarity: `score` says so by its exit code 3."""
    of_steps = run.MiniatureRun(tmp_path, tmp_path, QUICK, Console(quiet=True))
    monkeypatch.setattr(of_steps._apart, "command", lambda words, *, changes, shown: (3, ""))
    if goes_on:
        of_steps._judge("main", "main", "countdown", None)
    else:
        with pytest.raises(run.CommandError):
            of_steps._run(module)
    assert len((tmp_path / responses.STEPS).read_text().splitlines()) == 1


def test_one_thread_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for before in (None, "7"):
        if before is None:
            monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        else:
            monkeypatch.setenv("OMP_NUM_THREADS", before)
        with one_thread():
            assert os.environ["OMP_NUM_THREADS"] == "1"
        assert os.environ.get("OMP_NUM_THREADS") == before


SIDE_BY_SIDE = """
import sys
from pathlib import Path
from rich.console import Console
from examples.miniature.run import QUICK, MiniatureRun, signals_interrupt
def aside():
    for _ in range(2):
        run._run("waiting", aside=True)
folder = Path(sys.argv[0]).parent
run = MiniatureRun(folder, folder, QUICK, Console(quiet=True))
with signals_interrupt():
    run._side_by_side(lambda: run._run("waiting"), aside)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_the_run_ends_the_steps_that_are_aside_too(tmp_path: Path, number: signal.Signals) -> None:
    """A scheduler may signal the run alone, which then waits for no command of either side."""
    (tmp_path / "waiting.py").write_text("from tests.killed_parent import wait_for_ever\nwait_for_ever()\n")
    printed = printed_by(SIDE_BY_SIDE, tmp_path, number, children=1)
    assert printed.endswith("KeyboardInterrupt\n" if number is signal.SIGTERM else "")
