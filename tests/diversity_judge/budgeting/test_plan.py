"""`plan`: what a study would cost and show, against closed forms and the bill that `score` makes."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

import diversity_judge as dj
from diversity_judge.budgeting.summaries import ASSUMED_R2, FOLDER, Offer
from diversity_judge.choices import DEFAULT_JUDGE
from diversity_judge.errors import InputError
from diversity_judge.judges.presets import find_judge
from diversity_judge.measures.study import Sample, difference_width, group_variance, strategy_width
from diversity_judge.measures.variances import ASSUMED
from diversity_judge.plan import main
from diversity_judge.scoring.arguments import parse_arguments as arguments_of_score
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
    assert list(found)[:3] == ["assumed", "choices", "recommended"]
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


def offer_of(**options: Any) -> Offer:
    (found,) = dj.plan(**STUDY, **options).alternatives
    return found


def test_summaries_are_offered_with_what_both_runs_cost_by_the_cheapest_judge() -> None:
    """By hand, at 0.30 and 1.20 USD a million, and 0.50 and 2.15 by the judge itself."""
    found = offer_of()
    assert found.judge.name == "deepseek-flash"
    # 1,248 summaries of 8,000 tokens and 19,344 pairs of 2 x 500, each with its template; replies of 3,000 tokens.
    at_least = (20_592 * 3000 * 1.20 + 1_248 * 8000 * 0.3 + 19_344 * 1000 * 0.3) / 1e6
    assert at_least < (found.summaries.cost_usd or 0) < 1.06 * at_least
    few = next(c for c in dj.plan(**STUDY, budget=1e6).choices if c.pairs_per_group == 16)
    by_the_judge = (few.cost_usd or 0) / 16 * found.choice.pairs_per_group
    assert found.choice.cost_usd == pytest.approx((found.summaries.cost_usd or 0) + by_the_judge)
    assert found.choice.calls == 20_592 + 39 * found.choice.pairs_per_group


def test_the_offer_has_the_recommended_width_with_the_fewest_pairs_at_the_assumed_share() -> None:
    found = offer_of(target_width=0.083)
    assert found.instead == dj.plan(**STUDY, target_width=0.083).chosen
    for fewer, is_enough in ((0, True), (1, False)):
        sample = Sample(32, found.choice.pairs_per_group - fewer)
        width = difference_width(ASSUMED, group_variance(ASSUMED, sample, ASSUMED_R2), 13)
        assert (width <= (found.instead.width or 0)) == is_enough
    assert found.choice.width == pytest.approx(
        difference_width(ASSUMED, group_variance(ASSUMED, Sample(32, found.choice.pairs_per_group), ASSUMED_R2), 13)
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "never pays, whatever they explain: 64 pairs by the judge alone cost 36.84 USD"),
        ({"judge": "deepseek-v4-pro", "target_width": 0.0915}, "it does not pay: "),
        ({"judge": "deepseek-v4-pro", "target_width": 0.083}, "it pays: 333 pairs by the judge alone cost 439"),
    ],
)
def test_it_is_said_whether_the_offer_pays(options: dict[str, Any], said: str) -> None:
    found = offer_of(**options)
    assert said in found.sentence
    assert found.pays == ((found.choice.cost_usd or 0) < (found.instead.cost_usd or 0))


def test_the_share_from_which_the_offer_pays_is_where_it_costs_as_much() -> None:
    found = offer_of(judge="deepseek-v4-pro", target_width=0.083)
    assert found.needed is not None
    of_a_pair = (found.instead.cost_usd or 0) / found.instead.pairs_per_group
    for percent, is_cheaper in ((found.needed, True), (found.needed - 1, False)):
        pairs = next(
            m
            for m in range(16, 334)
            if difference_width(ASSUMED, group_variance(ASSUMED, Sample(32, m), percent / 100), 13)
            <= (found.instead.width or 0)
        )
        cost = (found.summaries.cost_usd or 0) + pairs * of_a_pair
        assert (cost < (found.instead.cost_usd or 0)) == is_cheaper


def test_the_offered_command_lines_are_those_of_score(responses: Path) -> None:
    (found,) = dj.plan(responses, strategies=("cold", "hot"), limit=6, orders="both").alternatives
    first, second = (arguments_of_score(shlex.split(line)[3:]) for line in found.commands)
    assert (first.judge.name, first.judge_input, first.out) == (found.judge.name, "summaries", Path(FOLDER))
    assert second.design.pairs_per_group == found.choice.pairs_per_group
    assert (second.judge.name, str(second.surrogate)) == (DEFAULT_JUDGE, FOLDER)
    assert second.design.orders == "both"
    for options in (first, second):
        assert (options.source, options.strategies, options.limit) == ((responses,), ("cold", "hot"), 6)
    bill = dj.score(
        responses, judge=found.judge.name, judge_input="summaries", strategies=("cold", "hot"), limit=6, dry_run=True
    )
    assert (found.summaries.calls, found.summaries.cost_usd) == (bill.calls, bill.cost_usd)


def test_the_offer_is_printed_and_in_the_json(capsys: pytest.CaptureFixture[str]) -> None:
    (record,) = printed(ARGUMENTS, capsys)["alternatives"]
    assert list(record)[: len(KEYS)] == KEYS
    assert record["pays"] is False
    assert record["pays_from_r2"] is None
    assert record["surrogate_r2"] == ASSUMED_R2
    assert main(ARGUMENTS) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert all(" ".join(command.split()) in shown for command in record["commands"])
    assert record["commands"][0] in repr(dj.plan(**STUDY))


def test_no_offer_of_summaries_where_they_cannot_be_or_are_compared_already() -> None:
    unlike: list[dict[str, Any]] = [{"judge": "proxy"}, {"judge_input": "summaries"}, {"surrogate_r2": 0.3}]
    for options in unlike:
        assert not dj.plan(problems=13, n_responses=32, **options).alternatives
    one_group = dj.plan(problems=1, n_responses=32, for_="group")  # No other group to fit a surrogate to.
    assert not one_group.alternatives
