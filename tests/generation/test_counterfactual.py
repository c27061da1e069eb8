"""The command as a user runs it: a folder of results, resumed after a kill, and a sentence for whatever is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers", minversion="5")
pq = pytest.importorskip("pyarrow.parquet")

from generation.counterfactual import main  # noqa: E402
from generation.routing_study import parts  # noqa: E402
from generation.routing_study.analysing import Analysis  # noqa: E402
from generation.routing_study.token_rows import COLUMNS  # noqa: E402
from tests.generation.routing_study.responses import row, write  # noqa: E402
from tests.generation.tiny_models import build  # noqa: E402

ROWS = [
    row("a", "four", model="olmoe"),
    row("a", "four!", sample=1, model="olmoe"),
    row("a", "no", sample=2, correct=False, model="olmoe"),
    row("b", "seven", model="olmoe"),
    row("c", "nine", model="olmoe"),
]
N_TOKENS = 5 + 6 + 6 + 5


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("olmoe", tmp_path_factory.mktemp("models") / "olmoe")


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    return write(tmp_path / "responses.jsonl", ROWS)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "TOKENS_A_PART", 1)


def run(model: Path, responses: Path, out: Path, *options: str) -> int:
    return main([str(model), str(responses), "--out", str(out), "--alternatives", "4", *options])


def table(out: Path) -> Any:
    return pq.read_table(out / "tokens.parquet")


def test_a_row_a_token_with_all_columns(model: Path, responses: Path, tmp_path: Path) -> None:
    assert run(model, responses, tmp_path / "out", "--layer", "each") == 0
    found = table(tmp_path / "out")
    assert found.schema.names == list(COLUMNS)
    rows = found.to_pylist()
    assert len(rows) == 2 * N_TOKENS
    assert {(one["layer"], one["scheme"], one["n_alternatives"]) for one in rows} == {
        (0, "gumbel", 4),
        (1, "gumbel", 4),
    }
    for one in rows:
        first = np.array(one["alternative_logprobs"], np.float32)
        assert one["best_logprob"] == first.max()
        assert one["median_logprob"] == pytest.approx(np.median(first), abs=1e-6)
        assert one["mean_logprob"] == pytest.approx(first.mean(), abs=1e-6)
        standard, placebo = one["standard_logprob"], one["placebo_logprob"]
        assert one["rank"] == pytest.approx(((first < standard) + 0.5 * (first == standard)).mean())
        assert one["placebo_rank"] == pytest.approx(((first < placebo) + 0.5 * (first == placebo)).mean())
        assert 0 < one["router_mass"] < 1
        assert len(set(one["standard_route"])) == len(set(one["best_route"])) == 8
    written = [one["token"] for one in rows if (one["problem_id"], one["layer"]) == ("b", 1)]
    assert "".join(written[:-1]) == "seven"
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (record["state"], record["n_not_right"], record["n_responses"]) == ("finished", 1, 5)
    assert not (tmp_path / "out" / "parts").exists()


def test_the_chosen_route_is_known_where_responses_share_what_stands_before(
    model: Path, responses: Path, tmp_path: Path
) -> None:
    run(model, responses, tmp_path / "out")
    rows = table(tmp_path / "out").to_pylist()
    first, second = ([one for one in rows if (one["problem_id"], one["response"]) == ("a", n)] for n in (0, 1))
    for one, other in zip(first, second, strict=False):  # four tokens alike, then an end and a sign of exclamation
        assert one["context"] == other["context"]
        assert one["chosen_logprob"] == one["alternative_logprobs"][int(np.argmax(other["alternative_logprobs"]))]
    assert second[5]["chosen_logprob"] is None
    assert all(one["chosen_logprob"] is None for one in rows if one["problem_id"] != "a")


KILLED = """
import os, signal, sys
from generation.counterfactual import main
from generation.routing_study import parts
parts.TOKENS_A_PART = 1
keep = parts.PartFolder.keep
def kept_then_killed(self, number, columns):
    keep(self, number, columns)
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
parts.PartFolder.keep = kept_then_killed
main(sys.argv[1:])
"""


def test_a_killed_run_goes_on_from_its_parts_to_the_same_file(
    model: Path, responses: Path, tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [str(model), str(responses), "--alternatives", "4", "--out"]
    killed = subprocess.run([sys.executable, "-c", KILLED, *options, str(tmp_path / "killed")], check=False)
    assert killed.returncode == -9
    assert json.loads((tmp_path / "killed" / "run.json").read_text())["state"] == "unfinished"
    computed = []
    own = Analysis.responses

    def watched(self: Analysis, items: Any, on_tokens: Any) -> Sequence[Any]:
        computed.append([item.problem_id for item in items])
        return own(self, items, on_tokens)

    monkeypatch.setattr(Analysis, "responses", watched)
    assert run(model, responses, tmp_path / "killed") == 0
    assert computed == [["b"], ["c"]]
    assert run(model, responses, tmp_path / "whole") == 0
    assert table(tmp_path / "killed").equals(table(tmp_path / "whole"))


def test_a_finished_run_is_not_computed_again(
    model: Path, responses: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(model, responses, tmp_path / "out")
    before = (tmp_path / "out" / "tokens.parquet").read_bytes()
    monkeypatch.setattr(Analysis, "responses", None)
    assert run(model, responses, tmp_path / "out") == 0
    assert (tmp_path / "out" / "tokens.parquet").read_bytes() == before


def test_another_analysis_in_the_same_folder_is_refused(
    model: Path, responses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(model, responses, tmp_path / "out")
    capsys.readouterr()
    assert run(model, responses, tmp_path / "out", "--tau", "2") == 2
    assert "holds another analysis: tau was 1.0 and is now 2.0" in capsys.readouterr().err


def test_a_budget_says_what_it_cuts(
    model: Path, responses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, responses, tmp_path / "out", "--max-tokens", "12") == 0
    assert "the token budget leaves 10 tokens out: 1 whole responses, and the ends of 1" in capsys.readouterr().err
    assert table(tmp_path / "out").num_rows == 12


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([row("a", "x", correct=False, model="olmoe")], (), "none of the 1 responses is graded right"),
        ([row("a", "x", model="other")], (), "was sampled by other"),
        ([row("a", "x", model="olmoe", n_tokens=7)], (), "it had 7 tokens and is tokenised into"),
        (ROWS, ("--layer", "9"), "layer 9 of"),
        (ROWS, ("--scheme", "optimum", "--layer", "each"), "at the last layer only"),
        (ROWS, ("--scheme", "tail", "--k-keep", "k+1"), "with k=8 it must be from 0 to 8"),
    ],
)
def test_whatever_is_wrong_is_said_in_a_sentence(
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    rows: list[dict[str, Any]],
    options: tuple[str, ...],
    message: str,
) -> None:
    assert run(model, write(tmp_path / "r.jsonl", rows), tmp_path / "out", *options) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out" / "tokens.parquet").exists()


def test_a_dense_model_is_refused(responses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(build("dense", tmp_path / "dense"), responses, tmp_path / "out") == 2
    assert "is a dense model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "option"), [("counterfactual", "--alternatives"), ("router_update", "--objective")]
)
def test_help_needs_no_torch(command: str, option: str) -> None:
    code = f"import sys; sys.modules['torch'] = None\nfrom generation.{command} import main\nmain(['--help'])"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert option in done.stdout
