"""Runs that cannot be probed and options that cannot be meant: a sentence, and nothing bought."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import diversity_judge as dj
from diversity_judge.errors import InputError
from tests.diversity_judge.reliability_runs import probe, scored
from tests.planted_judge import PlantedJudge, write_responses


def _without_ledger(folder: Path) -> None:
    (folder / "ledger.sqlite").unlink()


def _unfinished(folder: Path) -> None:
    _change(folder, state="unfinished")


def _another_model(folder: Path) -> None:
    manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    _change(folder, judge=manifest["judge"] | {"model": "other"})


def _another_text(folder: Path) -> None:
    manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    _change(folder, prompt=manifest["prompt"] | {"text": manifest["prompt"]["text"] + "!"})


def _another_key(folder: Path) -> None:
    pairs = pd.read_csv(folder / "pairs.csv", dtype=str, keep_default_na=False)
    pairs.loc[3, "key"] = "0" * 64
    pairs.to_csv(folder / "pairs.csv", index=False)


def _no_score(folder: Path) -> None:
    pairs = pd.read_csv(folder / "pairs.csv", dtype=str, keep_default_na=False)
    pairs.assign(score="", missing="timeout").to_csv(folder / "pairs.csv", index=False)


def _one_problem(folder: Path) -> None:
    pairs = pd.read_csv(folder / "pairs.csv", dtype=str, keep_default_na=False)
    pairs.loc[pairs["problem_id"] != "p0", ["score", "missing"]] = ["", "timeout"]
    pairs.to_csv(folder / "pairs.csv", index=False)


def _change(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    (folder / "run.json").write_text(json.dumps(manifest | changes), encoding="utf-8")


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    responses = write_responses(folder / "responses.jsonl", problems=2, strategies=("s",), n=4)
    with PlantedJudge() as server:
        return scored(responses, server, folder / "run")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_without_ledger, r"ledger\.sqlite is not there.*--ledger"),
        (_unfinished, "stopped while it wrote"),
        (_another_model, r"run\.json: this would be another model: loopback in the run, other now"),
        (_another_text, r"run\.json: the prompt's text is not the one that its hash"),
        (_another_key, r"pairs\.csv: the keys of p0 / s are not those of this judge"),
        (_no_score, "no pair has a score that the judge gave"),
        (_one_problem, "all scored pairs are of one problem"),
    ],
)
def test_a_run_that_cannot_be_probed_is_refused_in_a_sentence(
    damage: Callable[[Path], None], said: str, small_run: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(small_run, folder)
    damage(folder)
    with pytest.raises(InputError, match=said):
        dj.reliability(folder, pairs=4, dry_run=True)
    assert probe(folder).code == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--probes", "retst"), "there is no probe 'retst'; did you mean 'retest'?"),
        (("--probes", ","), "--probes names no probe"),
        (("--pairs", "1"), "--pairs must be at least 2, not 1"),
        (("--draws", "1"), "--draws must be at least 2, not 1: one draw cannot differ from itself"),
        (("--max-cost", "3"), "--max-cost needs prices"),
        (("--base-url", "http://127.0.0.1:1/other"), "another host"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: tuple[str, ...], said: str, small_run: Path) -> None:
    found = probe(small_run, *options)
    assert found.code == 2
    assert said in " ".join(found.output.split())


def test_responses_that_were_never_judged_are_refused(responses: Path) -> None:
    with pytest.raises(InputError, match="responses without a judge"):
        dj.reliability(responses)


def test_the_bill_names_the_date_of_the_runs_prices(small_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(small_run, folder)
    judge = json.loads((folder / "run.json").read_text(encoding="utf-8"))["judge"]
    prices = {"input": 0.5, "output": 2.0, "cached_input": None}
    _change(folder, judge=judge | {"prices_usd_per_million_tokens": prices, "prices_as_of": "May 2026"})
    assert "(prices of May 2026, no cache hit" in " ".join(probe(folder, "--dry-run").output.split())


def test_a_ledger_of_another_run_is_refused_before_anything_is_bought_again(small_run: Path, tmp_path: Path) -> None:
    with PlantedJudge() as server:
        other = write_responses(tmp_path / "other.jsonl", problems=1, strategies=("t",), n=3)
        strange = scored(other, server, tmp_path / "other") / "ledger.sqlite"
    with pytest.raises(InputError, match="holds none of the judgments of"):
        dj.reliability(small_run, ledger=strange)
