"""Scores of one instrument stand in one folder, and every part of the instrument that differs is named."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

import diversity_judge as dj
from diversity_judge.compare import main as compare
from diversity_judge.judges.presets import JudgeSpec, find_judge
from diversity_judge.planning.groups import Showing
from diversity_judge.planning.pairs import PairDesign
from diversity_judge.runs.instrument import SEEN, WHO, Instrument, differences
from diversity_judge.score import main
from tests.diversity_judge.score_runs import run as score_by_llm
from tests.judge_server import JudgeServer
from tests.judge_texts import Sample

TEXTS = ("<think>add 2 and 3</think>five", "<think>multiply 7 by 8</think>five", "<think>draw</think>seven", "x")
SAMPLE = Sample(problems=("p0",), n=4)
SPEC = JudgeSpec("a", "m", base_url="http://h/v1", parameters={"temperature": 0, "max_tokens": 10})
SHA = "0123456789abcdef" * 4


def instrument(**changes: Any) -> Instrument:
    one = Instrument.of(SPEC, prompt="p v1", prompt_sha256=SHA, design=PairDesign(), showing=Showing())
    return dataclasses.replace(one, **changes)


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    path = tmp_path / "responses.jsonl"
    path.write_text("".join(json.dumps({"problem_id": "p", "response": text}) + "\n" for text in TEXTS))
    return path


def proxy(path: Path, *more: str) -> int:
    folder = path.parent / "run"
    return main([str(path), "--judge", "proxy", "--out", str(folder), "--no-heatmaps", "--quiet", *more])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("--view", "final"), "another view: full there, final now"),
        (("--orders", "both"), "another orders: one there, both now"),
        (("--truncate-tokens", "9"), "another truncation: none there, 9 now"),
        (("--judge-duplicates",), "another judging of duplicates: false there, true now"),
        (("--judge", "countdown"), "another judge: proxy there, countdown now"),
    ],
)
def test_another_instrument_in_the_same_folder_is_refused_and_overwrites_nothing(
    responses: Path, change: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert proxy(responses) == 0
    before = contents(responses.parent / "run")
    for more in ((), ("--offline",), ("--dry-run",)):
        assert proxy(responses, *change, *more) == 2
        assert said in capsys.readouterr().err
        assert contents(responses.parent / "run") == before
    assert proxy(responses, *change, "--overwrite") in (0, 3)
    assert proxy(responses, *change) in (0, 3), "the folder is now the other instrument's"


def test_nothing_is_sent_where_another_instrument_is_refused(tmp_path: Path) -> None:
    responses, folder = SAMPLE.write(tmp_path / "responses.jsonl"), tmp_path / "run"
    with JudgeServer() as server:
        assert score_by_llm(responses, server, folder).code == 0
        server.forget()
        for change in (("--truncate-tokens", "9999"), ("--orders", "both"), ("--param", "temperature=1")):
            assert score_by_llm(responses, server, folder, *change).code == 2
        assert score_by_llm(responses, server, folder, model="another").code == 2
        assert server.calls == []
        assert score_by_llm(responses, server, folder, "--draws", "2").code == 0
        assert server.record.asked == dict.fromkeys(SAMPLE.pairs(), 1), "the first draws were bought again"


def test_more_draws_more_pairs_and_another_seed_go_into_the_same_folder(responses: Path) -> None:
    assert proxy(responses, "--pairs-per-group", "4") == 0
    for more in (("--pairs-per-group", "4", "--seed", "9"), (), ("--draws", "2"), ("--concurrency", "1")):
        assert proxy(responses, *more) == 0
    assert len(dj.load_run(responses.parent / "run").pairs) == 6


def test_a_higher_limit_on_replies_is_the_same_instrument() -> None:
    longer = Instrument.of(
        dataclasses.replace(SPEC, parameters={"temperature": 0, "max_tokens": 99}),
        prompt="p v1", prompt_sha256=SHA, design=PairDesign(draws=3, pairs_per_group=2, seed=7), showing=Showing(),
    )  # fmt: skip
    assert differences(instrument(), longer) == ()


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Instrument)])
def test_every_field_makes_another_instrument(field: str) -> None:
    other: Any = {"parameters": {"temperature": 1}, "truncate_tokens": 7, "judge_duplicates": True}.get(field, "new")
    found = differences(instrument(), instrument(**{field: other}))
    if field == "prompt":
        assert found == (), "the same template under another name is the same template"
        assert differences(instrument(prompt_sha256=None), instrument(prompt_sha256=None, prompt="new"))
        return
    (change,) = found
    assert change.one != change.other
    assert (change.word in WHO, change.word in SEEN) == (
        field in ("judge", "model", "host", "parameters", "prompt_sha256"),
        field in ("view", "truncate_tokens", "judge_input", "summary_prompt"),
    )


def test_the_order_of_parameters_does_not_matter() -> None:
    one, other = ({"a": {"x": 1, "y": 2}, "b": 3}, {"b": 3, "a": {"y": 2, "x": 1}})
    assert differences(instrument(parameters=one), instrument(parameters=other)) == ()


def test_the_instrument_stands_in_the_manifest_and_comes_back(responses: Path) -> None:
    proxy(responses, "--view", "final", "--orders", "both")
    record = json.loads((responses.parent / "run" / "run.json").read_text())
    assert record["instrument"] == {
        "judge": "proxy", "model": find_judge("proxy").model, "host": "embedded", "parameters": {},
        "prompt": "none (proxy judge, not an LLM)", "prompt_sha256": None, "view": "final", "truncate_tokens": None,
        "orders": "both", "judge_duplicates": False, "judge_input": "responses", "summary_prompt": None,
    }  # fmt: skip
    assert dataclasses.asdict(dj.load_run(responses.parent / "run").instrument) == record["instrument"]


def test_a_manifest_from_before_there_was_an_instrument_says_the_same(tmp_path: Path) -> None:
    with JudgeServer() as server:
        path = (
            score_by_llm(
                SAMPLE.write(tmp_path / "responses.jsonl"), server, tmp_path / "run", "--param", "top_p=0.5"
            ).folder
            / "run.json"
        )
    record = json.loads(path.read_text())
    now = Instrument.from_manifest(record, path)
    del record["instrument"]
    assert Instrument.from_manifest(record, path) == now
    assert now.parameters == {"top_p": 0.5}
    assert now.prompt_sha256 is not None


def test_agree_says_what_the_judges_did_not_have_alike_and_compare_refuses_it(
    responses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [str(tmp_path / name) for name in ("one", "other")]
    for folder, options in zip(folders, ((), ("--view", "final", "--orders", "both")), strict=True):
        argv = [str(responses), "--judge", "proxy", "--out", folder, "--no-heatmaps", "--quiet"]
        assert main([*argv, *options]) == 0
    notes = dj.agree(*folders).notes
    assert "the judges saw different parts of the responses: view full and final" in notes
    assert "the scores were not taken alike: orders one and both" in notes
    renamed = [folders[0], f"other={folders[1]}", "--no-report", "--no-figures", "--out", str(tmp_path / "out")]
    assert compare([*renamed, "--quiet"]) == 2
    said = capsys.readouterr().err
    for word, ours, theirs in (("orders", "one", "both"), ("view", "full", "final")):
        assert f"different {word}: {ours} in {folders[0]}; {theirs} in {folders[1]}" in said
    assert compare([*renamed, "--quiet", "--allow-mixed"]) == 0
    record = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert [run["instrument"]["view"] for run in record["runs"]] == ["full", "final"]
