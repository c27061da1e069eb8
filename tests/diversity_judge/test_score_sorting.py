"""`score --clusters judge` and `--reference-approaches`: bought through the ledger, once, within the limits."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import diversity_judge as dj
from diversity_judge.comparing.paper import methods
from diversity_judge.errors import InputError
from tests.diversity_judge.score_runs import Finished, run
from tests.judge_faults import BEHAVIOURS, Faults, Rule
from tests.judge_server import JudgeServer
from tests.judge_texts import Sample

SAMPLE = Sample(problems=("p0", "p1"), strategies=("cold",), n=4)
SORT = ("--clusters", "judge")


def by_parity(question: str, keys: Sequence[str], attempt: int) -> str:
    """Responses of even index share an approach, those of odd index another; the list's first and none."""
    indices = [int(key.rpartition(".")[2]) for key in keys]
    if question == "references":
        places = "; ".join(f"{n}={1 if index % 2 == 0 else 'none'}" for n, index in enumerate(indices, start=1))
        return f"[Reference approaches: {places}]"
    even, odd = ([str(n) for n, i in enumerate(indices, start=1) if i % 2 == rest] for rest in (0, 1))
    return f"One line each.\n[Approaches: {', '.join(even)}; {', '.join(odd)}]"


def only_about_groups(server: JudgeServer) -> list[tuple[str, str]]:
    return [call.pair for call in server.calls if call.group]


def table(finished: Finished, name: str) -> pd.DataFrame:
    return pd.read_csv(finished.folder / name)


def two_camps() -> dict[tuple[str, str], int]:
    """Scores of all ordered pairs: 5 within the responses of one parity, 1 across."""
    keys = [SAMPLE.key(problem, "cold", i) for problem in SAMPLE.problems for i in range(SAMPLE.n)]
    parity = {key: int(key.rpartition(".")[2]) % 2 for key in keys}
    return {(a, b): 5 if parity[a] == parity[b] else 1 for a in keys for b in keys}


def test_the_judge_sorts_each_group_in_one_call_and_agrees_with_the_clusters_of_the_matrix(tmp_path: Path) -> None:
    with JudgeServer(sort=by_parity, scores=two_camps()) as server:
        finished = run(SAMPLE.write(tmp_path / "r.jsonl"), server, tmp_path / "run", *SORT)
        assert len(only_about_groups(server)) == 2
        assert len(server.calls) == SAMPLE.n_pairs + 2
    assert finished.code == 0, finished.output
    assert table(finished, "approaches.csv")["approach"].tolist() == [1, 2, 1, 2] * 2
    assert table(finished, "approaches.csv")["matrix_approach"].tolist() == [1, 2, 1, 2] * 2
    assert (
        table(finished, "scores.csv")[["judged_approaches", "clusters_agreement"]].to_numpy().tolist() == [[2, 1]] * 2
    )
    assert finished.manifest["sortings"]["answered"] == 2
    assert finished.manifest["sortings"]["prompts"]["approach_sorting"]["sha256"]
    assert "sortings" in finished.output
    assert max(map(len, finished.output.splitlines())) <= 140


def test_clusters_of_which_the_judge_says_otherwise_agree_less(tmp_path: Path) -> None:
    def all_alike(question: str, keys: Sequence[str], attempt: int) -> str:
        return "[Approaches: 1, 2, 3, 4]"

    with JudgeServer(sort=all_alike, scores=two_camps()) as server:
        finished = run(SAMPLE.write(tmp_path / "r.jsonl"), server, tmp_path / "run", *SORT)
    scores = table(finished, "scores.csv")
    assert scores["judged_approaches"].tolist() == [1, 1]
    assert scores["clusters_agreement"].tolist() == [0, 0]


def test_a_sorting_is_bought_once_and_found_again(tmp_path: Path) -> None:
    responses = SAMPLE.write(tmp_path / "r.jsonl")
    with JudgeServer(sort=by_parity) as server:
        run(responses, server, tmp_path / "run")
        assert only_about_groups(server) == []
        server.forget()
        first = run(responses, server, tmp_path / "run", *SORT)
        assert len(server.calls) == len(only_about_groups(server)) == 2
        server.forget()
        lines = responses.read_text(encoding="utf-8").splitlines(keepends=True)
        responses.write_text("".join(reversed(lines)), encoding="utf-8")
        second = run(responses, server, tmp_path / "other", *SORT, "--ledger", str(tmp_path / "run" / "ledger.sqlite"))
        assert only_about_groups(server) == []
    assert "2 found in the ledger" in second.output
    assert first.code == second.code == 0


def test_groups_of_the_same_texts_share_their_sorting(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in SAMPLE.write(tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines()]
    twins = [line | {"strategy": "twin"} for line in lines]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines + twins), encoding="utf-8")
    with JudgeServer(sort=by_parity) as server:
        finished = run(tmp_path / "r.jsonl", server, tmp_path / "run", *SORT)
        assert len(only_about_groups(server)) == 2
    assert table(finished, "scores.csv")["judged_approaches"].tolist() == [2] * 4


def test_a_dry_run_prices_the_sortings_and_sends_nothing(tmp_path: Path) -> None:
    responses = SAMPLE.write(tmp_path / "r.jsonl")
    with JudgeServer(sort=by_parity) as server:
        plain = run(responses, server, tmp_path / "run", "--dry-run")
        sorting = run(responses, server, tmp_path / "run", *SORT, "--dry-run")
        assert server.calls == []
    assert "sortings" not in plain.output
    assert "2 wanted, one a group" in sorting.output
    assert f"{SAMPLE.n_pairs + 2}" in sorting.output


def test_the_budget_counts_sortings_too_and_the_same_command_goes_on(tmp_path: Path) -> None:
    responses = SAMPLE.write(tmp_path / "r.jsonl")
    with JudgeServer(sort=by_parity) as server:
        limited = run(responses, server, tmp_path / "run", *SORT, "--max-calls", str(SAMPLE.n_pairs + 1), concurrency=1)
        assert len(server.calls) == SAMPLE.n_pairs + 1
        assert limited.code == 3
        assert "1 sorting(s) are missing" in limited.output
        finished = run(responses, server, tmp_path / "run", *SORT)
        assert len(server.calls) == SAMPLE.n_pairs + 2
    assert finished.code == 0
    assert finished.manifest["sortings"]["missing"] == {}


def test_a_reply_that_leaves_a_response_out_is_asked_for_again_and_then_has_a_reason(tmp_path: Path) -> None:
    def forgets_one(question: str, keys: Sequence[str], attempt: int) -> str:
        is_right = attempt == 1 and keys[0].startswith("p0")
        return by_parity(question, keys, attempt) if is_right else "[Approaches: 1; 2, 3]"

    with JudgeServer(sort=forgets_one) as server:
        finished = run(SAMPLE.write(tmp_path / "r.jsonl"), server, tmp_path / "run", *SORT)
        asked = [call.group[0][:2] for call in server.calls if call.group]
    assert (asked.count("p0"), asked.count("p1")) == (2, 3)
    assert finished.code == 3
    rows = table(finished, "approaches.csv")
    assert rows["approach"].notna().tolist() == [True] * 4 + [False] * 4
    assert rows["missing"].tolist()[4:] == ["unparsable"] * 4
    assert "gives not every response one place" in finished.output
    with contextlib.closing(sqlite3.connect(finished.folder / "ledger.sqlite")) as ledger:
        messages = [message for (message,) in ledger.execute("SELECT message FROM failures")]
    assert messages == ["1 response(s) have no place: 4"]


def test_a_cut_sorting_is_not_bought_again_below_a_higher_limit(tmp_path: Path) -> None:
    responses = SAMPLE.write(tmp_path / "r.jsonl")
    cut = Faults([Rule(BEHAVIOURS["truncated"], pair=("sorting", "|".join(_shown("p0"))))])
    with JudgeServer(sort=by_parity, faults=cut) as server:
        first = run(responses, server, tmp_path / "run", *SORT, "--max-tokens", "50")
        again = run(responses, server, tmp_path / "run", *SORT, "--max-tokens", "50")
        assert sum(call.behaviour == "truncated" for call in server.calls) == 1
        run(responses, server, tmp_path / "run", *SORT, "--max-tokens", "60")
        assert sum(call.behaviour == "truncated" for call in server.calls) == 2
    assert first.code == again.code == 3
    assert "1 cut earlier at this limit" in again.output


def _shown(problem: str) -> list[str]:
    """Keys of a problem's responses in the order in which they are shown: that of the hashes of their texts."""
    texts = {SAMPLE.key(problem, "cold", i): SAMPLE.text(problem, "cold", i) for i in range(SAMPLE.n)}
    return sorted(texts, key=lambda key: hashlib.sha256(texts[key].encode()).hexdigest())


def test_offline_reads_what_was_bought(tmp_path: Path) -> None:
    responses = SAMPLE.write(tmp_path / "r.jsonl")
    with JudgeServer(sort=by_parity) as server:
        run(responses, server, tmp_path / "run", *SORT)
        before = (tmp_path / "run" / "approaches.csv").read_text(encoding="utf-8")
        n_calls = len(server.calls)
        (tmp_path / "run" / "approaches.csv").unlink()
        assert run(responses, server, tmp_path / "run", *SORT, "--offline").code == 0
        assert (tmp_path / "run" / "approaches.csv").read_text(encoding="utf-8") == before
        plain = run(responses, server, tmp_path / "run", "--offline")
        assert len(server.calls) == n_calls
    assert plain.code == 0
    assert not (tmp_path / "run" / "approaches.csv").exists(), (
        "a run that did not ask leaves no table of an earlier one"
    )


def with_references(tmp_path: Path, references: object, problem: str = "p0") -> Path:
    lines = [json.loads(line) for line in SAMPLE.write(tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines()]
    first = next(line for line in lines if line["problem_id"] == problem)
    first["reference_approaches"] = references
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return tmp_path / "r.jsonl"


def test_coverage_of_the_reference_approaches_where_a_problem_carries_them(tmp_path: Path) -> None:
    responses = with_references(tmp_path, ["by parts", "by series"])
    with JudgeServer(sort=by_parity) as server:
        finished = run(responses, server, tmp_path / "run", "--reference-approaches")
        assert [name for name, _ in only_about_groups(server)] == ["references"]
        prompt = next(call.body["messages"][0]["content"] for call in server.calls if call.group and call.body)
    assert "by parts" in prompt
    assert finished.code == 0, finished.output
    assert "is no field of the contract" not in finished.output
    scores = table(finished, "scores.csv").set_index("problem_id")["reference_coverage"]
    assert scores["p0"] == 0.5
    assert np.isnan(scores["p1"])
    rows = table(finished, "approaches.csv")
    assert rows["reference_approach"].tolist() == [1, 0, 1, 0]
    assert "covered" in finished.output


@pytest.mark.parametrize(
    ("references", "said"),
    [("by parts", "must be a list of texts"), ([], "must be a list"), (["a", " "], "is none"), (["a", "a "], "twice")],
)
def test_a_list_that_is_none_is_refused_before_anything_is_sent(tmp_path: Path, references: object, said: str) -> None:
    with JudgeServer(sort=by_parity) as server:
        finished = run(with_references(tmp_path, references), server, tmp_path / "run", "--reference-approaches")
        assert server.calls == []
    assert finished.code == 2
    assert said in finished.output


def test_without_a_list_there_is_nothing_to_ask_about(tmp_path: Path) -> None:
    with JudgeServer() as server:
        finished = run(SAMPLE.write(tmp_path / "r.jsonl"), server, tmp_path / "run", "--reference-approaches")
        assert server.calls == []
    assert finished.code == 2
    assert "no problem carries a list" in finished.output


SOLUTIONS = ["1 + 2 = 3 ; 3 * 4 = 12", "2 + 1 = 3 ; 4 * 3 = 12", "1 * 4 = 4 ; 4 * 2 = 8"]


def test_the_exact_judge_sorts_exactly(tmp_path: Path) -> None:
    result = dj.score({"s": {"p": SOLUTIONS}}, judge="countdown", clusters="judge")
    assert result.scores[["judged_approaches", "clusters_agreement"]].to_numpy().tolist() == [[2, 1]]
    assert result.run.groups[0].approaches == (1, 1, 2)


def test_a_solution_that_cannot_be_read_leaves_the_group_unsorted(tmp_path: Path) -> None:
    result = dj.score({"s": {"p": [*SOLUTIONS, "no idea"]}}, judge="countdown", clusters="judge")
    assert result.missing_sortings == {"unparsable": 1}
    assert result.run.groups[0].approaches is None


def test_the_proxy_judge_sorts_nothing_and_says_so() -> None:
    with pytest.raises(InputError, match="the proxy judge is none"):
        dj.score({"s": {"p": SOLUTIONS}}, judge="proxy", clusters="judge")
    with pytest.raises(InputError, match="countdown is none"):
        dj.score({"s": {"p": SOLUTIONS}}, judge="countdown", reference_approaches=True)


def test_compare_reads_the_sortings_with_an_interval_over_problems(tmp_path: Path) -> None:
    sample = Sample(problems=tuple(f"p{i}" for i in range(6)), strategies=("cold", "hot"), n=4)

    def hot_is_richer(question: str, keys: Sequence[str], attempt: int) -> str:
        return "[Approaches: 1; 2; 3; 4]" if ".hot." in keys[0] else "[Approaches: 1, 2, 3; 4]"

    with JudgeServer(sort=hot_is_richer) as server:
        finished = run(sample.write(tmp_path / "r.jsonl"), server, tmp_path / "run", *SORT)
    comparison = dj.compare(finished.folder)
    cold, hot = (comparison.process.where(strategy=s, metric="judged_approaches")[0] for s in ("cold", "hot"))
    assert (cold.value, hot.value) == (2, 4)
    assert cold.ci_low < 2 < cold.ci_high
    difference = comparison.differences.where(metric="judged_approaches")[0]
    assert difference.difference == 2
    assert comparison.process.where(strategy="cold", metric="clusters_agreement")
    (tmp_path / "run" / "approaches.csv").write_text("problem_id,strategy\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"approaches\.csv: has no column"):
        dj.load_run(finished.folder)


def test_the_paragraph_for_a_paper_says_how_it_was_sorted(tmp_path: Path) -> None:
    with JudgeServer(sort=by_parity) as server:
        finished = run(SAMPLE.write(tmp_path / "r.jsonl"), server, tmp_path / "run", *SORT)
    said = " ".join(methods(dj.compare(finished.folder)).split())
    sha = finished.manifest["sortings"]["prompts"]["approach_sorting"]["sha256"]
    assert f"sorted all responses by approach (prompt approach_sorting v1 ({sha[:8]}), SHA-256 {sha[:12]}...)" in said
    assert "2 of 2 such calls were answered" in said


def test_sortings_in_two_prompts_are_not_compared(tmp_path: Path) -> None:
    other = Sample(problems=("q0",), strategies=("cold",), n=4)
    with JudgeServer(sort=by_parity) as server:
        folders = [
            run(sample.write(tmp_path / f"{name}.jsonl"), server, tmp_path / name, *SORT).folder
            for name, sample in (("one", SAMPLE), ("other", other))
        ]
    assert dj.compare(folders).process
    manifest = json.loads((folders[1] / "run.json").read_text(encoding="utf-8"))
    manifest["sortings"]["prompts"]["approach_sorting"]["sha256"] = "0" * 64
    (folders[1] / "run.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(InputError, match="different prompt of approach_sorting"):
        dj.compare(folders)
    for broken in (5, {"prompts": 5}, {"prompts": {"x": 5}}, {"prompts": {"x": {"label": "x"}}}):
        (folders[1] / "run.json").write_text(json.dumps(manifest | {"sortings": broken}), encoding="utf-8")
        with pytest.raises(InputError, match=r"run\.json"):
            dj.load_run(folders[1])
