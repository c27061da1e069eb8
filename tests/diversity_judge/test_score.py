"""The command with the proxy judge: what it writes, what it refuses, and what it says."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from diversity_judge.runs.loading import load_run
from diversity_judge.score import main
from diversity_judge.text_safety import slug

ROWS = [
    {"problem_id": "p1", "strategy": strategy, "response": text}
    for strategy, texts in {
        "same": ["add 2 and 3"] * 4,
        "mixed": ["add 2 and 3", "add 2 and 4", "multiply 7 by 8", "draw a triangle"],
    }.items()
    for text in texts
]


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    path = tmp_path / "responses.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def proxy(path: Path, *more: str) -> int:
    return main([str(path), "--judge", "proxy", "--out", str(path.parent / "run"), *more])


def test_it_writes_every_file_of_the_contract(responses: Path) -> None:
    assert proxy(responses) == 0
    run = responses.parent / "run"
    names = {path.name for path in run.iterdir()}
    assert names == {
        "run.json", "scores.csv", "strategies.csv", "pairs.csv", "matrices.npz", "heatmaps", "ledger.sqlite",
        "responses.jsonl.gz",
    }  # fmt: skip
    assert pictures(run) == {"p1.png"}


def pictures(run: Path) -> set[str]:
    folder = run / "heatmaps"
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


@pytest.mark.parametrize(
    ("options", "drawn"),
    [
        (["--heatmaps", "all"], {"p1.png", "p1__same.png", "p1__mixed.png"}),
        (["--heatmaps", "problems"], {"p1.png"}),
        (["--heatmaps", "none"], set()),
        (["--no-heatmaps"], set()),
    ],
)
def test_pictures_are_those_that_were_asked_for_and_earlier_ones_go(
    options: list[str], drawn: set[str], responses: Path
) -> None:
    assert proxy(responses) == 0
    assert proxy(responses, *options) == 0
    assert pictures(responses.parent / "run") == drawn


def test_of_many_problems_the_first_have_a_picture_and_the_others_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"problem_id": f"p{p:02}", "response": f"text {p} {i}"} for p in range(7) for i in range(2)]
    path = tmp_path / "responses.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert proxy(path) == 0
    assert pictures(tmp_path / "run") == {f"p{p:02}.png" for p in range(5)}
    assert "2 have none; --heatmaps problems draws them all" in " ".join(capsys.readouterr().out.split())
    assert proxy(path, "--heatmaps", "problems") == 0
    assert len(pictures(tmp_path / "run")) == 7
    assert "have none" not in capsys.readouterr().out


def test_the_tables_have_the_columns_of_the_contract(responses: Path) -> None:
    proxy(responses, "--no-heatmaps")
    scores = pd.read_csv(responses.parent / "run" / "scores.csv")
    for column in [
        "problem_id",
        "strategy",
        "n_responses",
        "n_pairs",
        "coverage",
        "diversity",
        "ci_low",
        "ci_high",
        "se",
        "diversity_if_missing_same",
        "diversity_if_missing_different",
        "order_asymmetry",
        "vendi",
        "judge",
        "prompt",
    ]:
        assert column in scores
    strategies = pd.read_csv(responses.parent / "run" / "strategies.csv")
    for column in ["strategy", "n_problems", "diversity", "ci_low", "ci_high", "se", "coverage"]:
        assert column in strategies
    assert scores.order_asymmetry.isna().all()
    assert scores.n_pairs.tolist() == [6, 6]


def test_a_thinned_diversity_does_not_depend_on_the_order_of_the_file(tmp_path: Path) -> None:
    texts = [f"add {i} and {i % 5} by way of {['chalk', 'cheese', 'butter'][i % 3]}" for i in range(24)] + ["add 1"] * 2
    found = []
    for name, lines in {"as made": texts, "sorted": sorted(texts), "reversed": texts[::-1]}.items():
        path = tmp_path / name / "responses.jsonl"
        path.parent.mkdir()
        path.write_text("".join(json.dumps({"problem_id": "p", "response": text}) + "\n" for text in lines))
        ledger = str(tmp_path / "ledger.sqlite")
        assert proxy(path, "--no-heatmaps", "--pairs-per-group", "26", "--ledger", ledger) == 0
        run = path.parent / "run"
        found.append(pd.read_csv(run / "scores.csv")[["diversity", "ci_low", "ci_high"]].iloc[0].round(12).tolist())
        sent = json.loads((run / "run.json").read_text())["this_run"]["calls"]
        assert (sent > 0) == (name == "as made"), "the same pairs are found again"
    assert found[0] == found[1] == found[2]


def test_identical_responses_have_no_diversity_and_no_spread(responses: Path) -> None:
    proxy(responses, "--no-heatmaps")
    same = pd.read_csv(responses.parent / "run" / "scores.csv").set_index("strategy").loc["same"]
    assert (same.diversity, same.se, same.ci_low) == (0, 0, 0)
    assert same.ci_high == pytest.approx(1 - 0.025 ** (2 / same.n_responses)), "what so few equal texts leave open"
    pairs = pd.read_csv(responses.parent / "run" / "pairs.csv").query("strategy == 'same'")
    assert pairs.duplicate.all()
    assert (pairs.score == 5).all()


def test_the_matrix_and_the_table_say_the_same(responses: Path) -> None:
    proxy(responses, "--no-heatmaps", "--orders", "both")
    run = responses.parent / "run"
    scores = pd.read_csv(run / "scores.csv").set_index("group")
    with np.load(run / "matrices.npz") as matrices:
        for name, matrix in matrices.items():
            off_diagonal = matrix[~np.eye(len(matrix), dtype=bool)]
            assert scores.diversity[name] == pytest.approx(1 - off_diagonal.mean() / 5)
    # The proxy does not care for the order, so that both orders were judged and agree.
    assert (scores.order_asymmetry == 0).all()


def test_every_output_of_the_proxy_says_that_it_is_none(responses: Path, capsys: pytest.CaptureFixture[str]) -> None:
    proxy(responses, "--no-heatmaps")
    run = responses.parent / "run"
    said = "proxy judge, not an LLM"
    for name in ("scores.csv", "strategies.csv"):
        assert pd.read_csv(run / name).judge.str.contains(said).all()
    assert said in json.loads((run / "run.json").read_text())["judge"]["label"]
    printed = capsys.readouterr().out
    assert f"judge: {said}" in printed, "the tables"
    assert f"judge      {said}" in printed, "the bill"


def test_a_rerun_and_an_offline_run_give_the_same_bytes(responses: Path) -> None:
    run = responses.parent / "run"
    tables = ("scores.csv", "strategies.csv", "pairs.csv", "responses.jsonl.gz")
    proxy(responses, "--no-heatmaps")
    before = {name: (run / name).read_bytes() for name in tables}
    for more in ([], ["--offline"]):
        assert proxy(responses, "--no-heatmaps", *more) == 0
        assert {name: (run / name).read_bytes() for name in tables} == before
    assert json.loads((run / "run.json").read_text())["this_run"]["calls"] == 0


def test_a_thinned_design_asks_for_so_many_pairs(responses: Path) -> None:
    assert proxy(responses, "--no-heatmaps", "--pairs-per-group", "4") == 0
    scores = pd.read_csv(responses.parent / "run" / "scores.csv")
    assert scores.n_pairs.tolist() == [4, 4]
    assert scores.coverage.tolist() == [1, 1]
    assert scores.vendi.isna().all()


def test_a_dry_run_shows_the_bill_and_leaves_nothing(responses: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([str(responses), "--judge", "deepseek-flash", "--dry-run", "--out", str(responses.parent / "run")])
    out = capsys.readouterr().out
    assert code == 0
    assert not (responses.parent / "run").exists()
    # 12 pairs, of which 6 of the group "same" are duplicates; 3,000 tokens a reply.
    assert "pairs      12 (6 of identical texts" in out
    assert "18,000 out" in out
    assert "USD" in out


def test_a_bad_line_costs_nothing(responses: Path, capsys: pytest.CaptureFixture[str]) -> None:
    responses.write_text(responses.read_text() + '{"problem_id": 3}\n')
    assert proxy(responses) == 2
    assert "responses.jsonl:9:" in capsys.readouterr().err
    assert not (responses.parent / "run").exists()


def test_a_folder_of_another_judge_is_not_overwritten_by_chance(
    responses: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "k")
    proxy(responses, "--no-heatmaps")
    code = main([str(responses), "--judge", "deepseek-flash", "--out", str(responses.parent / "run")])
    assert code == 2
    assert "holds a run with another judge" in capsys.readouterr().err


def test_missing_pairs_of_an_offline_run_are_counted_and_named(
    responses: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proxy(responses, "--no-heatmaps")
    responses.write_text(responses.read_text().replace("draw a triangle", "draw a circle"))
    assert proxy(responses, "--no-heatmaps", "--offline") == 3
    out = capsys.readouterr().out
    assert "3 judgment(s) have no score" in out
    assert "3 x not_judged" in out
    mixed = pd.read_csv(responses.parent / "run" / "scores.csv").set_index("strategy").loc["mixed"]
    assert mixed.coverage == 0.5
    assert mixed.missing == "not_judged: 3"
    # Three of six pairs are missing: the bounds are half a unit apart and hold what the known half says.
    assert mixed.diversity_if_missing_different - mixed.diversity_if_missing_same == pytest.approx(0.5)


def test_hostile_ids_have_no_effect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "../../x\u202e[red]{0}%s"
    rows = [{"problem_id": evil, "strategy": "=cmd()", "response": f"text {i} \x1b[31m"} for i in range(3)]
    path = tmp_path / "responses.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main([str(path), "--judge", "proxy", "--out", str(tmp_path / "run"), "--heatmaps", "all"]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["responses.jsonl", "run"]
    assert (tmp_path / "run" / "heatmaps" / f"{slug(evil)}__{slug('=cmd()')}.png").is_file()
    assert pd.read_csv(tmp_path / "run" / "scores.csv").problem_id[0] == evil
    assert pd.read_csv(tmp_path / "run" / "scores.csv").strategy[0] == "'=cmd()"  # A spreadsheet shows it as text.
    assert load_run(tmp_path / "run").scores.strategy[0] == "=cmd()"


def test_a_custom_prompt_must_exist(responses: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(responses), "--prompt", "nowhere", "--dry-run"]) == 2
    assert "process_similarity" in capsys.readouterr().err


def test_it_runs_inside_an_event_loop_as_in_a_notebook(responses: Path) -> None:
    async def cell() -> int:
        return proxy(responses, "--no-heatmaps")

    assert asyncio.run(cell()) == 0


def test_a_group_of_very_many_pairs_is_billed_but_not_judged_without_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text("".join(json.dumps({"problem_id": "p", "response": f"word {i}"}) + "\n" for i in range(220)))
    assert proxy(path, "--dry-run") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "judgments 24,090 wanted" in said
    assert "--all-pairs" in said
    assert proxy(path) == 2
    assert "--pairs-per-group 20000" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert proxy(path, "--pairs-per-group", "220", "--no-heatmaps") == 0
    assert proxy(path, "--all-pairs", "--dry-run") == 0
    assert "warning" not in capsys.readouterr().out
