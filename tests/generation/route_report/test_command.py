"""What the command `generation.counterfactual` makes of its table: classes where the user draws them, and replays."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers", minversion="5")
pytest.importorskip("pyarrow")

from generation.counterfactual import main
from tests.generation.routing_study.responses import row, write
from tests.generation.tiny_models import build

SETTINGS = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("olmoe", tmp_path_factory.mktemp("models") / "olmoe")


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    """Four problems; what was drawn plainly says so."""
    rows = []
    for problem in "abcd":
        line = row(problem, f"it is {problem}", model="olmoe")
        rows.append(line | {"meta": line["meta"] | {"settings": SETTINGS, "kind": "code"}})
    return write(tmp_path / "responses.jsonl", rows)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_classes_are_drawn_where_the_user_says_and_fragile_tokens_are_replayed(
    model: Path, responses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = [str(model), str(responses), "--out", str(out), "--alternatives", "4", "--dtype", "float32"]
    assert main([*words, "--boundaries", "0.6,0.8", "--replay", "5"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "fragile: 0 < p <= 0.6; between: 0.6 < p <= 0.8" in said
    assert "Fragile tokens replayed with another route 5 tokens" in said
    assert {one["p_up_to"] for one in read(out / "summary.csv") if one["class"] == "fragile"} == {"0.6"}
    replays = read(out / "replay.csv")
    assert len(replays) == 5 * 2 * 2
    assert {(one["draw"], one["route"]) for one in replays} == {
        (draw, route) for draw in ("greedy", "same-luck") for route in ("best", "random")
    }
    assert all(one["drawn_before"] == "True" for one in replays if one["draw"] == "same-luck")
    assert "What is a?" in (out / "counterfactual.html").read_text(encoding="utf-8")
    _replays_are_of_the_tables_routes(out)


def _replays_are_of_the_tables_routes(out: Path) -> None:
    """The whole model with the forced route gives the token what the table says: two ways to the same number."""
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = parquet.read_table(out / "tokens.parquet").to_pylist()
    best = {(one["problem_id"], one["position"]): one["best_logprob"] for one in rows}
    replays = [one for one in read(out / "replay.csv") if one["route"] == "best"]
    found = np.array([float(one["route_logprob"]) for one in replays])
    wanted = np.array([best[one["problem_id"], int(one["position"])] for one in replays])
    assert np.abs(found - wanted).max() < 1e-4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--boundaries", "0.9,0.5"], "two probabilities that rise"),
        (["--boundaries", "0.5"], "two probabilities that rise"),
        (["--replay", "0"], "must be at least 1"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_the_model_is_read(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["no-model", "no-file", "--out", str(tmp_path), *words])
    except SystemExit as error:
        code = int(str(error.code))
    assert code == 2
    assert message in " ".join(capsys.readouterr().err.split())
