"""`plan`: what a study would cost and show, against closed forms and the bill that `score` makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import diversity_judge as dj
from diversity_judge.errors import InputError
from diversity_judge.judges.presets import find_judge
from diversity_judge.measures.study import Sample, difference_width, group_variance, strategy_width
from diversity_judge.measures.variances import ASSUMED
from diversity_judge.plan import main
from tests.diversity_judge.run_folders import group, make_run
from tests.judge_texts import Sample as Texts

KEYS = [
    "problems", "responses", "pairs_per_group", "draws", "calls", "tokens_in", "tokens_out", "cost_usd", "width",
    "detectable",
]  # fmt: skip
STUDY: dict[str, Any] = {"problems": 13, "n_responses": 32, "n_strategies": 3}
ARGUMENTS = ["--problems", "13", "--responses", "32", "--strategies", "3"]


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    texts = Texts(problems=[f"p{i}" for i in range(8)], strategies=("cold", "hot"), n=10)
    return texts.write(tmp_path / "responses.jsonl")


def printed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main([*arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_json_is_the_contract_and_works_on_counts_alone(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(ARGUMENTS, capsys)
    assert list(found) == ["assumed", "choices", "recommended"]
    assert all(list(choice) == KEYS for choice in found["choices"])
    assert 0 <= found["recommended"] < len(found["choices"])
    whole = [c for c in found["choices"] if c["pairs_per_group"] == 496 and c["draws"] == 1]
    assert [choice["calls"] for choice in whole] == [13 * 3 * 496]


def test_all_pairs_of_the_paper_by_the_default_judge_cost_what_they_are_known_to_cost() -> None:
    whole = next(c for c in dj.plan(**STUDY).choices if c.pairs_per_group == 496)
    assert whole.cost_usd == pytest.approx(286, abs=1)


def test_widths_are_those_of_the_formulas_at_the_assumed_variances() -> None:
    by_pairs = {c.pairs_per_group: c for c in dj.plan(**STUDY, for_="strategy").choices}
    expected = strategy_width(ASSUMED, group_variance(ASSUMED, Sample(32, 64)), 13)
    assert by_pairs[64].width == pytest.approx(expected)


def test_without_an_aim_few_pairs_that_are_almost_as_good_are_recommended() -> None:
    found = dj.plan(**STUDY)
    assert found.chosen is not None
    whole = difference_width(ASSUMED, group_variance(ASSUMED, Sample(32, 496)), 13)
    assert found.chosen.pairs_per_group == 64
    assert found.chosen.width is not None
    assert found.chosen.width <= 1.15 * whole
    assert "12.9 % of the calls" in found.reason


@pytest.mark.parametrize(("aim", "shown", "value"), [("target_width", "width", 0.1), ("detect", "detectable", 0.06)])
def test_the_cheapest_design_that_reaches_the_aim_is_recommended(aim: str, shown: str, value: float) -> None:
    options: dict[str, Any] = {aim: value}
    found = dj.plan(**STUDY, **options)
    assert found.chosen is not None
    assert getattr(found.chosen, shown) <= value
    fewer = found.chosen.pairs_per_group - 1
    variance = group_variance(ASSUMED, Sample(32, fewer))
    if aim == "target_width":
        assert difference_width(ASSUMED, variance, 13) > value


def test_where_all_pairs_do_not_do_more_problems_are_planned() -> None:
    found = dj.plan(**STUDY, detect=0.03)
    assert found.chosen is not None
    assert found.chosen.problems > 13
    assert found.chosen.detectable is not None
    assert found.chosen.detectable <= 0.03
    assert "more problems" in found.reason


def test_a_narrow_interval_of_a_group_takes_more_responses() -> None:
    found = dj.plan(**STUDY, for_="group", target_width=0.05)
    assert found.chosen is not None
    assert found.chosen.problems == 13
    assert found.chosen.responses > 32
    assert found.chosen.width is not None
    assert found.chosen.width <= 0.05


def test_a_budget_buys_as_many_pairs_as_it_can() -> None:
    found = dj.plan(**STUDY, budget=20.0)
    assert found.chosen is not None
    a_pair = 13 * 3 * (found.chosen.cost_usd or 0) / found.chosen.calls
    assert 20.0 - a_pair < (found.chosen.cost_usd or 0) <= 20.0


def test_a_small_budget_buys_fewer_problems_and_a_tiny_one_nothing() -> None:
    small, tiny = dj.plan(**STUDY, budget=3.0), dj.plan(**STUDY, budget=0.01)
    assert small.chosen is not None
    assert 2 <= small.chosen.problems < 13
    assert (small.chosen.cost_usd or 0) <= 3.0
    assert tiny.recommended is None
    assert "nothing fits" in tiny.reason
    assert tiny.to_json()["recommended"] is None


def test_the_calls_of_a_file_are_those_of_scores_bill(responses: Path) -> None:
    for choice in dj.plan(responses).choices:
        bill = dj.score(responses, dry_run=True, pairs_per_group=choice.pairs_per_group, draws=choice.draws)
        assert (bill.calls, bill.input_tokens, bill.output_tokens) == (
            choice.calls,
            choice.tokens_in,
            choice.tokens_out,
        )
        assert choice.cost_usd == pytest.approx(bill.cost_usd)


def test_nothing_is_written_and_no_key_is_needed(
    responses: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(find_judge("deepseek-r1").api_key_env or "", raising=False)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert main([str(responses)]) == 0
    assert sorted(tmp_path.rglob("*")) == before


def test_a_pilot_gives_its_own_variances(responses: Path, tmp_path: Path) -> None:
    pilot = dj.score(responses, judge="proxy", pairs_per_group=10, out=tmp_path / "pilot", heatmaps=False)
    found = dj.plan(responses, pilot=tmp_path / "pilot")
    assert found.assumed["variances"] == f"of the pilot {tmp_path / 'pilot'}"
    mean = pilot.scores["diversity"].mean()
    assert found.assumed["diversity"] == pytest.approx(mean)
    assert found.assumed["noise_sd"] is None
    assert all(choice.draws == 1 for choice in found.choices)  # The noise is not known, so nor is what a draw brings.


def test_without_a_pilot_the_command_of_one_is_offered(responses: Path) -> None:
    assert any("--pairs-per-group 10" in step and str(responses) in step for step in dj.plan(responses).next_steps)
    assert "assumed" in dj.plan(responses).assumed["variances"]


def test_responses_alone_are_no_pilot(responses: Path) -> None:
    with pytest.raises(InputError, match="nothing was judged"):
        dj.plan(responses, pilot=responses)


def test_a_pilot_of_equal_scores_plans_nothing(responses: Path, tmp_path: Path) -> None:
    members = [{"text": f"text {i}"} for i in range(6)]
    run = make_run(tmp_path / "run", [group(p, "cold", members) for p in ("a", "b")], lambda one, other: 3)
    with pytest.raises(InputError, match="all scores of a group are equal"):
        dj.plan(responses, pilot=run)


def rows(n_correct: int, n_cut: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "problem_id": f"p{problem}",
            "strategy": strategy,
            "response": f"{problem} {strategy} says {i} in words",
            "correct": i < n_correct,
            "finish_reason": "length" if i >= 10 - n_cut else "stop",
        }
        for problem in range(8)
        for strategy in ("cold", "hot")
        for i in range(10)
    ]


@pytest.mark.parametrize(("part", "members"), [("correct_only", 4), ("complete_only", 7)])
def test_a_part_has_the_pairs_that_the_design_leaves_it(part: str, members: int) -> None:
    found = dj.plan(rows(n_correct=4, n_cut=3), for_="strategy", **{part: True})
    whole = next(choice for choice in found.choices if choice.pairs_per_group == 45 and choice.draws == 1)
    n_pairs = members * (members - 1) // 2
    expected = strategy_width(ASSUMED, group_variance(ASSUMED, Sample(members, n_pairs)), 8)
    assert whole.width == pytest.approx(expected)
    assert whole.calls == 16 * 45  # All are bought: which pairs are of the part is chosen afterwards.


def test_a_problem_without_two_correct_responses_is_no_problem_of_theirs() -> None:
    given = rows(n_correct=4)
    for row in given:
        row["correct"] = row["correct"] and row["problem_id"] not in ("p0", "p1")
    assert {choice.problems for choice in dj.plan(given, correct_only=True).choices} == {6}


def test_a_surrogate_narrows_the_interval() -> None:
    plain, aided = dj.plan(**STUDY), dj.plan(**STUDY, surrogate_r2=0.7)
    for one, other in zip(plain.choices[:3], aided.choices[:3], strict=True):
        assert other.width is not None
        assert one.width is not None
        assert other.width < one.width
    assert aided.assumed["surrogate_r2"] == 0.7


def test_one_strategy_has_no_difference(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(["--problems", "13", "--responses", "32"], capsys)
    assert found["assumed"]["for"] == "strategy"
    assert {choice["detectable"] for choice in found["choices"]} == {None}
    assert main(["--problems", "13", "--responses", "32", "--detect", "0.05"]) == 2
    assert "two strategies" in capsys.readouterr().err


def test_two_strategies_of_three_are_one_comparison() -> None:
    given = [{**row, "strategy": strategy} for strategy in "abc" for row in rows(4) if row["strategy"] == "hot"]
    assert dj.plan(given).assumed["comparisons"] == 2
    assert dj.plan(given, strategies=["a", "c"]).assumed["comparisons"] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"target_width": 0.1, "detect": 0.1}, "two aims"),
        ({"target_width": 5}, "between 0 and 1"),
        ({"correct_only": True}, "name their file"),
        ({"pairs_per_group": 3}, "no option 'pairs_per_group'"),
        ({"budget": 3.0, "base_url": "http://localhost:1/v1", "model": "m"}, "needs prices"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        dj.plan(**STUDY, **options)


def test_neither_responses_nor_counts_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "--problems and --responses" in capsys.readouterr().err


def test_the_console_fits_80_columns_and_marks_the_recommended_choice(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(ARGUMENTS) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    marked = [line for line in lines if line.startswith("> ")]
    assert "64" in marked[0]
    assert [line.split()[-2:] for line in lines if "496 x 2" in line] == [["0.082", "0.056"]]


def test_a_plan_shows_itself() -> None:
    found = dj.plan(**STUDY)
    assert repr(found).startswith("Plan: 13 problems, 32 responses, 64 pairs a group")
    assert "<table>" in found._repr_html_()


def test_a_pilot_with_a_surrogate_says_how_much_it_explains(responses: Path, tmp_path: Path) -> None:
    from tests.diversity_judge.score_runs import run
    from tests.judge_server import JudgeServer

    with JudgeServer() as server:
        pilot = run(responses, server, tmp_path / "run", "--pairs-per-group", "10", "--surrogate", "proxy")
    assert pilot.code == 0
    explained = dj.load_run(tmp_path / "run").scores["surrogate_r2"].mean()
    assert dj.plan(responses, pilot=tmp_path / "run").assumed["surrogate_r2"] == pytest.approx(max(explained, 0))


def test_summaries_are_priced_as_score_prices_them(responses: Path) -> None:
    of_file = dj.plan(responses, judge_input="summaries")
    bill = dj.score(responses, judge_input="summaries", dry_run=True)
    whole = next(c for c in of_file.choices if c.pairs_per_group == of_file.all_pairs and c.draws == 1)
    assert (whole.calls, whole.tokens_in, whole.cost_usd) == (bill.calls, bill.input_tokens, bill.cost_usd)


def test_what_summaries_cost_and_must_explain_stands_in_a_note() -> None:
    counts: dict[str, Any] = {"problems": 13, "n_responses": 32, "n_strategies": 3}
    note = next(note for note in dj.plan(**counts).notes if "summaries" in note)
    # By hand, at 0.50 and 2.15 USD a million: 1,248 summaries of 8,000 tokens and 19,344 pairs of 2 x 500, each with
    # its template, and 20,592 replies of 3,000 tokens.
    at_least = (20_592 * 3000 * 2.15 + 1_248 * 8000 * 0.5 + 19_344 * 1000 * 0.5) / 1e6
    cost = float(note.split("costs ")[1].split(" USD")[0])
    assert at_least < cost < 1.06 * at_least
    needed = int(note.split("more than ")[1].split(" %")[0])
    alone = int(note.split("as dear as ")[1].split(" pairs")[0])
    few, many = (dj.plan(**counts, budget=budget) for budget in (1e6, cost + 18.42))
    assert abs(max(c.pairs_per_group for c in many.choices if (c.cost_usd or 0) <= cost + 18.42) - alone) <= 1
    width = min(c.width or 1 for c in many.choices if c.pairs_per_group == alone)
    with_it = [dj.plan(**counts, surrogate_r2=r2 / 100).choices for r2 in (needed, needed - 1)]
    at_32 = [next(c.width or 1 for c in choices if c.pairs_per_group == 32) for choices in with_it]
    assert at_32[0] <= width < at_32[1]
    assert few.notes == many.notes


def test_no_note_about_summaries_where_they_cannot_be_or_are_compared_already() -> None:
    counts: dict[str, Any] = {"problems": 13, "n_responses": 32}
    unlike: list[dict[str, Any]] = [{"judge": "proxy"}, {"judge_input": "summaries"}, {"surrogate_r2": 0.3}]
    for options in unlike:
        assert not any("--judge-input" in note for note in dj.plan(**counts, **options).notes)
