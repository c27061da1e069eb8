"""`dj.score(...)` as a researcher types it: what it takes, what it gives, what it leaves on the disk."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import diversity_judge as dj
from diversity_judge.inputs.reading import read_responses
from diversity_judge.scoring.arguments import parse_arguments, parser
from diversity_judge.scoring.keywords import NAMES, make_options
from tests.judge_server import JudgeServer

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "responses.jsonl"
ROWS: list[dict[str, Any]] = [
    {"problem_id": problem, "strategy": strategy, "response": f"{problem} by {word} and then {word} again"}
    for problem in ("p1", "p2", "<b>p3</b>")
    for strategy in ("low", "<i>high</i>")
    for word in ("adding", "guessing", "dividing")
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def nested(rows: list[dict[str, Any]]) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        found.setdefault(row["strategy"], {}).setdefault(row["problem_id"], []).append(row["response"])
    return found


def in_every_form(rows: list[dict[str, Any]], path: Path) -> dict[str, Any]:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    responses = [r for group in read_responses(path).groups for r in group.responses]
    return {
        "path": path,
        "text path": str(path),
        "paths": [str(path)],
        "dicts": rows,
        "generator": (row for row in rows),
        "responses": responses,
        "data frame": pd.DataFrame(rows),
        "by strategy": nested(rows),
    }


def test_every_form_of_the_same_responses_gives_the_same_scores(tmp_path: Path) -> None:
    found = {name: dj.score(form, judge="proxy") for name, form in in_every_form(ROWS, tmp_path / "rows.jsonl").items()}
    wanted = found["path"].scores.sort_values("group").drop(columns="group").reset_index(drop=True)
    for result in found.values():
        # Names of groups are numbered by their order, and only the nested form has another one.
        scores = result.scores.sort_values("group").drop(columns="group").reset_index(drop=True)
        pd.testing.assert_frame_equal(scores, wanted)


def test_it_is_what_the_command_writes_and_load_run_reads(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "diversity_judge.score", str(EXAMPLE), "--judge", "proxy", "--no-heatmaps"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "run"), "--quiet"], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0
    run, result = dj.load_run(tmp_path / "run"), dj.score(EXAMPLE, judge="proxy")
    for name in ("scores", "strategies"):
        pd.testing.assert_frame_equal(getattr(result, name), getattr(run, name))
    # Replies are numbered in the order in which they came.
    pd.testing.assert_frame_equal(result.pairs.drop(columns="reply_id"), run.pairs.drop(columns="reply_id"))
    assert result.matrices.keys() == run.matrices.keys()
    for key, matrix in result.matrices.items():
        np.testing.assert_array_equal(matrix, run.matrices[key])


def test_a_judge_that_computes_leaves_nothing_on_the_disk(tmp_path: Path) -> None:
    dj.score(ROWS, judge="proxy")
    dj.score(EXAMPLE, judge="proxy")
    assert list(tmp_path.iterdir()) == []


def test_out_writes_a_run_folder(tmp_path: Path) -> None:
    result = dj.score(ROWS, judge="proxy", out="mine", heatmaps=False)
    assert result.folder == Path("mine")
    assert {"run.json", "scores.csv", "ledger.sqlite"} <= {path.name for path in (tmp_path / "mine").iterdir()}
    pd.testing.assert_frame_equal(dj.load_run("mine").pairs, result.pairs)
    manifest = json.loads((tmp_path / "mine" / "run.json").read_text())
    assert manifest["inputs"] == [{"in_memory": "tuple of 18"}]


def test_what_an_llm_is_paid_for_is_kept_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with JudgeServer() as server:
        asked: Any = {"base_url": server.base_url, "model": "m"}
        with pytest.warns(UserWarning, match="every paid answer is kept in results/responses"):
            first = dj.score(ROWS, **asked)
        calls = len(server.calls)
        assert calls == first.pairs["key"].nunique() == 9  # both strategies gave the same three texts to a problem
        with pytest.warns(UserWarning, match="every paid answer is kept"):
            again = dj.score(ROWS, **asked)
        assert len(server.calls) == calls
    pd.testing.assert_frame_equal(again.scores, first.scores)
    assert (tmp_path / "results" / "responses" / "ledger.sqlite").is_file()


def test_a_dry_run_gives_the_bill_and_writes_nothing(tmp_path: Path) -> None:
    bill = dj.score(ROWS, dry_run=True)
    assert (bill.groups, bill.pairs, bill.calls) == (6, 18, 9)
    assert bill.cost_usd is not None
    assert bill.cost_usd > 0
    assert list(tmp_path.iterdir()) == []


def test_it_prints_short_and_shows_as_a_table() -> None:
    result = dj.score(ROWS, judge="proxy")
    shown = repr(result)
    assert len(shown) < 600
    assert "proxy judge, not an LLM" in shown
    assert "6 groups of 3 problems" in shown
    estimate = result.strategies.iloc[0]
    assert f"{estimate['diversity']:.4f}" in shown
    assert f"{estimate['ci_low']:.3f}" in shown
    page = result._repr_html_()
    assert page.count("<tr>") == 3
    assert "<i>" not in page
    assert "&lt;i&gt;high&lt;/i&gt;" in page


def test_many_strategies_and_long_names_stay_short() -> None:
    rows = [
        {"problem_id": "p" * 500, "strategy": f"{number:03}{'s' * 500}", "response": text * 2000}
        for number in range(60)
        for text in ("a b", "c d")
    ]
    result = dj.score(rows, judge="proxy")
    for shown in (result, result.run, result.groups[0], result.groups[0].plan, result.run.groups[0].group):
        assert len(repr(shown)) < 2500
    assert "... and 48 more" in repr(result)
    assert len(repr(result.run.groups[0].responses[0])) < 400


def test_a_heat_map_shows_in_a_notebook_whatever_was_imported() -> None:
    result = dj.score(ROWS, judge="proxy")
    figure = result.heatmap("p1")
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    with pytest.raises(KeyError):
        result.heatmap("p9")


def test_the_result_is_compared_directly(tmp_path: Path) -> None:
    result = dj.score(ROWS, judge="proxy", out=tmp_path / "run", heatmaps=False)
    comparisons = [dj.compare(runs) for runs in (result, [result], result.run, str(tmp_path / "run"), tmp_path / "run")]
    for comparison in comparisons:
        pd.testing.assert_frame_equal(comparison.to_frame(), comparisons[0].to_frame())
    low = dj.score([row for row in ROWS if row["strategy"] == "low"], judge="proxy")
    high = dj.score([row for row in ROWS if row["strategy"] != "low"], judge="proxy")
    both = dj.compare([low, high], baseline="low")
    pd.testing.assert_frame_equal(
        both.differences.to_frame(), dj.compare(result, baseline="low").differences.to_frame()
    )


def test_a_judge_agrees_with_itself() -> None:
    result = dj.score(EXAMPLE, judge="proxy")
    found = dj.agree(result, result.run)
    assert found.pooled.exact == 1
    assert found.pooled.diversity_bias.value == 0


@pytest.mark.parametrize("value", [7, None])
def test_what_is_no_run_is_refused(value: Any) -> None:
    with pytest.raises(dj.InputError, match="a run is wanted"):
        dj.compare(value)


# --- options --------------------------------------------------------------------------------------


def test_an_option_that_is_not_there_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(dj.InputError, match="no option 'max_callls'; did you mean 'max_calls'"):
        dj.score(ROWS, judge="proxy", max_callls=3)  # type: ignore[call-overload]
    with pytest.raises(dj.InputError, match="no option 'base_line'; did you mean 'baseline'"):
        dj.compare(dj.score(ROWS, judge="proxy"), base_line="low")


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        ("draws", "3", "a whole number"),
        ("draws", True, "a whole number"),
        ("orders", "bth", "one of one, both"),
        ("view", "answer", "one of full, thinking, final"),
        ("max_cost", "5", "a number"),
        ("heatmaps", 1, "one of all, problems, none"),
        ("out", 3, "a path"),
        ("judge", 3, "a preset's name or a JudgeSpec"),
        ("params", "x", "a mapping"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(option: str, value: Any, wanted: str) -> None:
    with pytest.raises(dj.InputError, match=f"{option} is .*; it must be {wanted}"):
        dj.score(ROWS, **{"judge": "proxy", option: value})


def test_offline_without_a_ledger_is_refused() -> None:
    with pytest.raises(dj.InputError, match="--offline needs a ledger to read"):
        dj.score(ROWS, judge="proxy", offline=True)


def test_a_row_that_is_wrong_is_named() -> None:
    with pytest.raises(dj.InputError, match=r"responses\[1\]: response is 3; it must be a string"):
        dj.score([ROWS[0], ROWS[1] | {"response": 3}], judge="proxy")


def test_command_and_function_have_the_same_options() -> None:
    dests = {action.dest for action in parser()._actions}
    assert dests - {"help", "version", "responses"} == set(NAMES)


def test_the_same_options_by_either_way_are_the_same_value(tmp_path: Path) -> None:
    judges = tmp_path / "judges.toml"
    judges.write_text('[mine]\nmodel = "m"\nbase_url = "http://h/v1"\nprices = {input = 1.0, output = 2.0}\n')
    by_words = parse_arguments(
        shlex.split(
            "in.jsonl --format problems --view final --truncate-tokens 100 --orders both --pairs-per-group 8 "
            "--all-pairs --draws 2 --seed 3 --judge-duplicates --judge mine --judges-file judges.toml --model other "
            "--api-key-env KEY --base-url http://g/v1 --max-tokens 9 --param temperature=0.5 --param top_p=null "
            "--prompt process_similarity --max-calls 5 --concurrency 2 --deadline 7 --max-attempts 4 --retry-wait 0.5 "
            "--out o --ledger l --offline --dry-run --for group --yes --ask-above 7 --when now --overwrite "
            "--no-heatmaps --quiet"
        )
    )
    by_names = make_options(
        "in.jsonl", format="problems", view="final", truncate_tokens=100, orders="both", pairs_per_group=8,
        all_pairs=True, draws=2, seed=3, judge_duplicates=True, judge="mine", judges_file="judges.toml",
        model="other", api_key_env="KEY", base_url="http://g/v1", max_tokens=9,
        params={"temperature": 0.5, "top_p": None}, prompt="process_similarity", max_calls=5, concurrency=2,
        deadline=7, max_attempts=4, retry_wait=0.5, out="o", ledger="l", offline=True, dry_run=True,
        yes=True, ask_above=7, when="now", overwrite=True,
        heatmaps=False, quiet=True, for_="group",
    )  # fmt: skip
    assert by_words == by_names


def test_options_as_one_value_take_the_name_of_a_judge(tmp_path: Path) -> None:
    options = dj.ScoreOptions(inputs=[EXAMPLE], judge="proxy", quiet=True)  # type: ignore[arg-type]
    result = dj.score(options)
    assert isinstance(result, dj.ScoreResult)
    pd.testing.assert_frame_equal(result.scores, dj.score(EXAMPLE, judge="proxy").scores)
    assert len(repr(dj.ScoreOptions(ROWS, judge="proxy"))) < 2000  # type: ignore[arg-type]
    with pytest.raises(dj.InputError, match="no judge preset 'prxy'"):
        dj.ScoreOptions(inputs=[EXAMPLE], judge="prxy")  # type: ignore[arg-type]


def test_a_judge_may_be_a_spec() -> None:
    spec = dj.JudgeSpec("mine", "words", kind="proxy")
    assert dj.score(ROWS, judge=spec).judge == "proxy judge, not an LLM (words)"


def test_the_command_does_not_wait_for_data_frames_and_pictures() -> None:
    script = "import sys, diversity_judge.score; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    assert not {"pandas", "matplotlib", "torch"} & set(loaded.split())
