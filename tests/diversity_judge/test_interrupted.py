"""Ctrl-C, SIGTERM and SIGHUP at every phase of every command: exit 130, a sentence, no half file, and it goes on."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from diversity_judge.agree import main as agree
from diversity_judge.compare import main as compare
from diversity_judge.score import main as score
from tests.judge_process import REPOSITORY

ROWS = [
    {"problem_id": "p", "strategy": strategy, "response": f"take {shift + n % 3} and {n}", "correct": n % 2 == 0}
    for shift, strategy in enumerate(("cold", "hot"))
    for n in range(3)
]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MOMENTS = {
    "score": (
        "import:rich",
        "import:numpy",
        "call:diversity_judge.scoring.arguments:parse_arguments:1",
        "call:diversity_judge.inputs.reading:read_responses:1",
        "call:diversity_judge.planning.groups:plan_groups:1",
        "call:diversity_judge.ledger.store:__enter__:1",
        "call:diversity_judge.engine.workload:make_workload:1",
        "call:diversity_judge.scoring.console:print_bill:1",
        "call:diversity_judge.judges.proxy:compute:1",
        "call:diversity_judge.judges.proxy:aclose:1",
        "call:diversity_judge.scoring.group_results:group_results:1",
        "call:diversity_judge.files:_write_rows:2",
        "call:diversity_judge.files:_to_disk:3",
        "call:diversity_judge.scoring.files:_draw:1",
        "call:matplotlib.figure:savefig:1",
        "call:diversity_judge.scoring.console:print_results:1",
    ),
    "compare": (
        "import:rich",
        "call:diversity_judge.runs.loading:load_run:1",
        "call:diversity_judge.comparing.result:compare_runs:1",
        "call:diversity_judge.files:_to_disk:5",
        "call:matplotlib.figure:savefig:2",
        "call:diversity_judge.report.page:render:1",
        "call:diversity_judge.comparing.console:print_comparison:1",
    ),
    "agree": (
        "call:diversity_judge.runs.loading:load_run:2",
        "call:diversity_judge.files:_write_rows:2",
        "call:matplotlib.figure:savefig:1",
        "call:diversity_judge.agreeing.console:print_agreement:1",
    ),
}
PHASES = [
    (command, moment, SIGNALS[number % 3])
    for command, moments in MOMENTS.items()
    for number, moment in enumerate(moments)
]
COMMANDS = {"score": score, "compare": compare, "agree": agree}


@pytest.fixture(scope="module")
def responses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("interrupted") / "responses.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def undisturbed(responses: Path) -> Path:
    folder = responses.parent / "undisturbed"
    assert score([str(responses), "--judge", "proxy", "--out", str(folder), "--quiet"]) == 0
    return folder


def arguments(command: str, responses: Path, undisturbed: Path, out: Path) -> list[str]:
    given = {
        "score": [str(responses), "--judge", "proxy"],
        "compare": [str(undisturbed), "--no-heatmaps"],
        "agree": [str(undisturbed), str(undisturbed)],
    }
    return [*given[command], "--out", str(out)]


def interrupted(number: signal.Signals, moment: str, *argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.diversity_judge.interrupted_at", number.name, moment, *argv]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120)


def assert_all_is_whole(folder: Path) -> None:
    """Every file that has its name can be read to its end, and nothing else lies about."""
    for path in folder.rglob("*"):
        if path.is_dir():
            continue
        assert not path.name.startswith("."), f"{path.name} was left behind"
        if path.suffix == ".csv":
            assert len(pd.read_csv(path).columns) > 0  # a table of nothing has its head
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".png":
            assert imread(path).size > 0
        elif path.suffix == ".npz":
            with np.load(path) as arrays:
                assert all(arrays[name].size for name in arrays.files)
        elif path.suffix == ".gz":
            gzip.decompress(path.read_bytes())
        elif path.suffix in (".html", ".svg"):
            assert path.read_text(encoding="utf-8").rstrip().endswith(("</html>", "</svg>"))


@pytest.mark.parametrize(("command", "moment", "number"), PHASES)
def test_a_signal_at_any_phase_ends_in_order_and_the_same_command_goes_on(
    command: str, moment: str, number: signal.Signals, responses: Path, undisturbed: Path, tmp_path: Path
) -> None:
    argv = arguments(command, responses, undisturbed, tmp_path / "out")
    stopped = interrupted(number, moment, f"diversity_judge.{command}", *argv)
    said = stopped.stdout + stopped.stderr
    assert stopped.returncode == 130, said
    assert "stopped" in said
    assert "Traceback" not in said
    assert_all_is_whole(tmp_path)
    assert COMMANDS[command]([*argv, "--quiet"]) == 0
    assert_all_is_whole(tmp_path)
    if command == "score":
        for table in undisturbed.glob("*.csv"):
            assert (tmp_path / "out" / table.name).read_bytes() == table.read_bytes()


def test_a_run_below_nohup_does_not_hear_the_terminal_close(responses: Path, tmp_path: Path) -> None:
    """A shell that ignores SIGHUP starts the command, as `nohup` does."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # A child inherits it.
    try:
        moment = "call:diversity_judge.inputs.reading:read_responses:1"
        argv = arguments("score", responses, tmp_path, tmp_path / "out")
        done = interrupted(signal.SIGHUP, moment, "diversity_judge.score", *argv)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert done.returncode == 0, done.stderr
