"""Strategies beside each other: tables by hand, refusals, and what is said of missing data."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from itertools import combinations, product
from pathlib import Path
from statistics import mean
from typing import Any

import pandas as pd
import pytest
from scipy import stats

import diversity_judge as dj
from diversity_judge.compare import main
from diversity_judge.comparing.group_measures import Thresholds
from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import Response
from tests.diversity_judge.run_folders import group, make_run

N = 6
"""Responses a group."""
PROBLEMS = ("p1", "p2", "p3", "p4")
RIGHT = {"token-normal": (6, 5, 2, 0), "token-high": (5, 4, 3, 1)}
"""Right responses of each strategy on each problem."""
SCORE = {"token-normal": (4, 5, 4, 4), "token-high": (3, 3, 4, 2)}
"""Similarity of every pair of each strategy on each problem."""


def members(n_right: int, n: int = N) -> list[dict[str, Any]]:
    """Graded responses, the right ones first."""
    return [
        {"text": f"response {i}", "correct": i < n_right, "answer": "42" if i < n_right else f"wrong {i}", "reward": i}
        for i in range(n)
    ]


def strategy_groups(strategy: str, problems: Sequence[str] = PROBLEMS) -> list[Any]:
    return [
        group(problem, strategy, members(right))
        for problem, right in zip(PROBLEMS, RIGHT[strategy], strict=True)
        if problem in problems
    ]


def score(first: Response, second: Response) -> int:
    return SCORE[first.strategy][PROBLEMS.index(first.problem_id)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    groups = [*strategy_groups("token-normal"), *strategy_groups("token-high")]
    return make_run(tmp_path / "run", groups, score)


def test_the_mean_over_problems_is_that_of_the_matrices(run: Path) -> None:
    frame = dj.compare([run]).process.to_frame().query("metric == 'diversity'").set_index("strategy")
    for strategy, scores in SCORE.items():
        assert frame.loc[strategy, "value"] == pytest.approx(mean(1 - s / 5 for s in scores), abs=1e-12)
        assert frame.loc[strategy, "n_problems"] == len(PROBLEMS)


def test_a_paired_difference_of_four_problems_has_an_interval_and_no_p_value(run: Path) -> None:
    row = dj.compare([run]).differences.where(metric="diversity")[0]
    differences = [(a - b) / 5 for a, b in zip(SCORE["token-normal"], SCORE["token-high"], strict=True)]
    assert (row.strategy, row.baseline, row.n_problems) == ("token-high", "token-normal", 4)
    assert row.difference == pytest.approx(mean(differences), abs=1e-12)
    assert (row.ci_low, row.ci_high) == pytest.approx(stats.ttest_1samp(differences, 0).confidence_interval())
    assert (math.isnan(row.p), math.isnan(row.p_holm), row.verdict) == (True, True, "fewer than 6 problems")


def many_problems(folder: Path, strategies: Sequence[str], judge: Callable[[Response, Response], int]) -> Path:
    """A run of 8 problems."""
    groups = [group(f"p{number}", strategy, members(3)) for number in range(8) for strategy in strategies]
    return make_run(folder, groups, judge)


def test_the_p_value_of_a_difference_by_enumeration(tmp_path: Path) -> None:
    run = many_problems(
        tmp_path / "run",
        ("token-normal", "token-high"),
        lambda a, b: 4 if a.strategy == "token-normal" else (3, 4, 2, 3, 5, 3, 4, 2)[int(a.problem_id[1])],
    )
    row = dj.compare([run]).differences.where(metric="diversity")[0]
    differences = [(4 - s) / 5 for s in (3, 4, 2, 3, 5, 3, 4, 2)]
    flips = [abs(sum(s * d for s, d in zip(signs, differences, strict=True))) for signs in product((1, -1), repeat=8)]
    flipped = mean(f >= abs(sum(differences)) - 1e-9 for f in flips)
    assert row.p == pytest.approx(max(flipped, stats.ttest_1samp(differences, 0).pvalue), abs=1e-12)
    assert row.p_holm == row.p
    assert row.verdict == ("confirmed" if row.p <= 0.05 else "not shown")


def test_pass_at_k_by_enumeration(run: Path) -> None:
    rows = dj.compare([run]).outcomes.where(metric="pass_at_k", tier="all", strategy="token-high")
    assert [row.k for row in rows] == [1, 2, 4, 6]
    for row in rows:
        shares = [
            mean(any(i < right for i in chosen) for chosen in combinations(range(N), row.k))
            for right in RIGHT["token-high"]
        ]
        assert row.value == pytest.approx(mean(shares), abs=1e-12)


def test_best_of_n_takes_the_highest_reward(run: Path) -> None:
    # The reward is the position, and the right responses come first: the last is right only where all are.
    row = dj.compare([run]).outcomes.where(metric="best_of_n", tier="all", strategy="token-normal")[0]
    assert (row.value, row.k, row.n_problems) == (0.25, N, 4)


def test_tiers_come_from_token_normal_and_all_comes_first(run: Path) -> None:
    comparison = dj.compare([run], baseline="token-high")
    assert {problem: tier.value for problem, tier in comparison.tiers.items()} == {
        "p1": "Correct", "p2": "Correct", "p3": "Medium", "p4": "Hard",
    }  # fmt: skip
    tiers = [row.tier for row in comparison.outcomes.where(strategy="token-high", metric="pass_rate")]
    assert tiers == ["all", "Correct", "Medium", "Hard"]
    hard = comparison.outcomes.where(strategy="token-high", metric="pass_rate", tier="Hard")[0]
    assert hard.value == pytest.approx(1 / 6)


def test_the_files_have_the_columns_of_the_contract(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([str(run), "--out", str(out), "--no-report", "--no-figures", "--quiet"]) == 0
    columns = {
        "process.csv": "strategy metric value ci_low ci_high n_problems",
        "differences.csv": (
            "strategy baseline metric difference ci_low ci_high p p_holm n_problems interval verdict judge_noise "
            "judge_noise_share"
        ),
        "outcomes.csv": "strategy tier metric k value ci_low ci_high n_problems",
    }
    for name, wanted in columns.items():
        assert pd.read_csv(out / name).columns.tolist() == wanted.split()
    outcomes = pd.read_csv(out / "outcomes.csv")
    assert set(outcomes["metric"]) == {"pass_rate", "pass_at_k", "majority", "best_of_n", "weighted_majority"}
    problems = pd.read_csv(out / "problems.csv")
    assert len(problems) == 2 * len(PROBLEMS)
    assert {"diversity", "vendi", "approaches", "pass_rate", "pass_at_6", "majority", "tier"} <= set(problems)


def test_the_tables_follow_from_problems_csv(run: Path) -> None:
    comparison = dj.compare([run])
    problems = comparison.problem_table.to_frame()
    for row in comparison.process:
        if row.metric in problems:
            values = problems.loc[problems["strategy"] == row.strategy, row.metric].dropna()
            assert row.value == pytest.approx(values.mean(), abs=1e-12)
            assert row.n_problems == len(values)


def test_a_mean_of_approaches_is_not_taken_over_the_groups_that_happen_to_have_one(tmp_path: Path) -> None:
    """A thinned design tells the number only where the judged pairs join all: those groups have few approaches."""
    folder = make_run(
        tmp_path / "run",
        strategy_groups("token-normal"),
        lambda a, b: 5 if a.problem_id == "p1" else 2,
        pairs_per_group=12,
    )
    comparison = dj.compare([folder])
    assert next(g.process.approaches[4.0].value for g in comparison.groups if g.process) == 1
    assert not comparison.process.where(metric="approaches")
    assert any("approaches is left out for 3 of 4 groups" in n and "no mean of it" in n for n in comparison.notes)


def test_each_number_has_its_own_count_of_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graded = [*strategy_groups("token-normal"), *strategy_groups("token-high")]
    ungraded = [group("p9", s, [{"text": f"response {i}"} for i in range(N)]) for s in RIGHT]
    folder = make_run(tmp_path / "run", [*graded, *ungraded], lambda a, b: 3)
    assert main([str(folder), "--out", str(tmp_path / "out"), "--no-report", "--no-figures"]) == 0
    rows = dj.compare([folder]).outcomes.where(tier="all", metric="pass_rate")
    assert {row.n_problems for row in rows} == {4}
    printed = capsys.readouterr().out
    counts = re.findall(r"^token-normal +(\d) +0", printed, re.MULTILINE)
    assert counts == ["5", "4"], "process diversity rests on five problems, the pass rate on four"


def test_the_threshold_of_an_approach_decides_how_many_there_are(run: Path) -> None:
    joined = dj.compare([run], thresholds=Thresholds(approach=3))
    apart = dj.compare([run])
    assert joined.process.where(strategy="token-high", metric="approaches")[0].value == mean([1, 1, 1, 6])
    assert apart.process.where(strategy="token-high", metric="approaches")[0].value == mean([6, 6, 1, 6])
    assert apart.process.where(strategy="token-high", metric="approaches_at_3")[0].value == mean([1, 1, 1, 6])


def test_same_answer_by_another_route(run: Path) -> None:
    # Only token-high on p4 has similarities up to 2, and there only one response is right: no answer is shared.
    row = dj.compare([run]).process.where(strategy="token-high", metric="same_answer_other_route")[0]
    assert row.value == 0
    wide = dj.compare([run], thresholds=Thresholds(other_route=3)).process
    pairs = {right: right * (right - 1) / 2 / 15 for right in range(N + 1)}
    expected = mean([pairs[5], pairs[4], 0, 0])
    assert wide.where(strategy="token-high", metric="same_answer_other_route")[0].value == pytest.approx(expected)


def test_an_unpaired_problem_is_named_and_left_out(tmp_path: Path) -> None:
    groups = [*strategy_groups("token-normal"), *strategy_groups("token-high", PROBLEMS[:3])]
    comparison = dj.compare([make_run(tmp_path / "run", groups, score)])
    assert comparison.differences.where(metric="diversity")[0].n_problems == 3
    assert any("left out: p4" in note for note in comparison.notes)
    assert comparison.process.where(strategy="token-normal", metric="diversity")[0].n_problems == 4


def test_groups_of_other_sizes_are_not_compared_on_votes_and_choices(tmp_path: Path) -> None:
    more = [group(problem, "token-high", members(3, n=8)) for problem in PROBLEMS]
    comparison = dj.compare([make_run(tmp_path / "run", [*strategy_groups("token-normal"), *more], score)])
    compared = {row.metric for row in comparison.differences}
    assert {"diversity", "pass_rate", "pass_at_6", "vendi", "approaches"} <= compared
    assert not compared & {"majority", "best_of_n", "weighted_majority", "pass_at_8"}


def test_holm_is_over_the_strategies_of_one_metric(tmp_path: Path) -> None:
    scores = {"token-normal": (4,) * 8, "token-high": (3, 4, 2, 3, 5, 3, 4, 2), "third": (2, 3, 2, 3, 2, 3, 2, 3)}
    folder = many_problems(tmp_path / "run", tuple(scores), lambda a, b: scores[a.strategy][int(a.problem_id[1])])
    first, second = dj.compare([folder]).differences.where(metric="diversity")
    low, high = sorted([first, second], key=lambda row: row.p)
    assert low.p_holm == pytest.approx(min(1, 2 * low.p))
    assert high.p_holm == pytest.approx(max(low.p_holm, high.p))


def test_runs_are_joined(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / name, strategy_groups(name), score) for name in RIGHT]
    comparison = dj.compare([dj.load_run(runs[0]), runs[1]])
    assert comparison.strategies == ("token-normal", "token-high")
    assert comparison.differences.where(metric="diversity")[0].n_problems == 4


@pytest.mark.parametrize(
    ("word", "change"), [("judge", {"judge": "other"}), ("prompt", {"prompt": "other"}), ("orders", {"orders": "both"})]
)
def test_another_instrument_is_refused_unless_allowed(tmp_path: Path, word: str, change: dict[str, Any]) -> None:
    first = make_run(tmp_path / "a", strategy_groups("token-normal"), score)
    second = make_run(tmp_path / "b", strategy_groups("token-high"), score, **change)
    with pytest.raises(InputError, match=f"different {word}"):
        dj.compare([first, second])
    comparison = dj.compare([first, second], allow_mixed=True)
    assert any(f"different {word}" in note for note in comparison.notes)


def test_a_group_in_two_runs_is_refused_and_a_name_mends_it(tmp_path: Path, run: Path) -> None:
    again = make_run(tmp_path / "again", strategy_groups("token-high"), score)
    out = ["--out", str(tmp_path / "out"), "--no-report", "--no-figures", "--quiet"]
    assert main([str(run), str(again), *out]) == 2
    assert main([str(run), f"rerun={again}", *out]) == 0
    assert "rerun" in pd.read_csv(tmp_path / "out" / "process.csv")["strategy"].tolist()


def test_responses_alone_have_outcomes_only(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    rows = [{"problem_id": "p", "response": f"{i}", "correct": i == 0} for i in range(4)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    comparison = dj.compare([path])
    assert len(comparison.process) == 0
    assert comparison.process.to_frame().columns.tolist()[0] == "strategy"
    assert comparison.outcomes.where(metric="pass_rate")[0].value == 0.25
    assert any("needs run folders of score" in note for note in comparison.notes)


@pytest.mark.parametrize(
    ("field", "metrics"), [("reward", {"best_of_n", "weighted_majority"}), ("answer", {"majority"})]
)
def test_missing_fields_leave_out_what_needs_them_and_say_so(tmp_path: Path, field: str, metrics: set[str]) -> None:
    without = [[{k: v for k, v in m.items() if k != field} for m in members(r)] for r in RIGHT["token-normal"]]
    groups = [group(p, "token-normal", m) for p, m in zip(PROBLEMS, without, strict=True)]
    comparison = dj.compare([make_run(tmp_path / "run", groups, score)])
    found = {row.metric for row in comparison.outcomes}
    assert not found & metrics
    assert "pass_at_k" in found
    assert all(any(note.startswith(metric) and field in note for note in comparison.notes) for metric in metrics)


def test_ungraded_responses_have_process_only(tmp_path: Path) -> None:
    groups = [group(problem, "token-normal", [{"text": f"{i}"} for i in range(N)]) for problem in PROBLEMS]
    comparison = dj.compare([make_run(tmp_path / "run", groups, score)])
    assert len(comparison.outcomes) == 0
    assert not comparison.tiers
    assert any("`correct`" in note for note in comparison.notes)


def test_a_tie_is_averaged_and_counted(tmp_path: Path) -> None:
    tied = [{"text": f"{i}", "answer": str(i), "correct": i == 0, "reward": 1.0} for i in range(N)]
    comparison = dj.compare([make_run(tmp_path / "run", [group("p1", "token-normal", tied)], score)])
    frame = comparison.problem_table.to_frame()
    assert frame.loc[0, "best_of_n"] == pytest.approx(1 / N)
    assert frame.loc[0, "best_of_n_tied"] == N


def test_the_sentence_says_what_was_found(tmp_path: Path) -> None:
    problems = [f"p{i}" for i in range(10)]
    groups = [group(p, s, members(3)) for p in problems for s in ("token-normal", "expert-sample")]
    folder = make_run(
        tmp_path / "run", groups, lambda a, b: 4 if a.strategy == "token-normal" else 2 + int(a.problem_id[1]) % 2
    )
    comparison = dj.compare([folder])
    sentence = comparison.sentences[0]
    row = comparison.differences.where(metric="diversity")[0]
    assert sentence.startswith("expert-sample is more diverse than token-normal by 0.300 [")
    assert sentence.endswith(f"{row.ci_low:.3f}, {row.ci_high:.3f}] on 10 problems, p = {row.p_holm:.3f}.")


def test_no_difference_is_said_so_with_what_would_show_one(tmp_path: Path) -> None:
    run = many_problems(
        tmp_path / "run",
        ("token-normal", "token-high"),
        lambda a, b: 4 if a.strategy == "token-normal" else (3, 5, 3, 5, 3, 4, 5, 5)[int(a.problem_id[1])],
    )
    sentence = dj.compare([run]).sentences[0]
    assert sentence.startswith("No difference in diversity is shown between token-high and token-normal: -0.025 [")
    assert "a difference of 0.03 would be confirmed on about " in sentence
    assert "power 80%, level 5%, one comparison" in sentence


def test_a_difference_that_holds_alone_is_not_called_confirmed(tmp_path: Path) -> None:
    scores = {"token-normal": (4,) * 8, "a": (3, 4, 2, 3, 3, 3, 4, 3), "b": (4, 5, 3, 4, 4, 5, 3, 4)}
    scores |= dict.fromkeys(("c", "d", "e"), scores["b"])
    folder = many_problems(tmp_path / "run", tuple(scores), lambda a, b: scores[a.strategy][int(a.problem_id[1])])
    row = dj.compare([folder]).differences.where(metric="diversity", strategy="a")[0]
    assert row.p <= 0.05 < row.p_holm
    assert row.verdict == "excludes 0 alone"
    sentence = next(s for s in dj.compare([folder]).sentences if "Taken alone" in s)
    assert "among 5 comparisons that is not confirmed" in sentence


def test_too_few_problems_to_show_anything_is_said_so(run: Path) -> None:
    sentence = dj.compare([run]).sentences[0]
    assert sentence.startswith("diversity of token-high and token-normal differs by +0.250 [")
    assert sentence.endswith("if differences are normal; so few problems cannot show that it is no chance.")
    assert dj.compare([run]).sentences[-1] == (
        "With 4 problems no difference can be confirmed: no p below 0.12 is possible; one comparison needs at least 6 "
        "problems."
    )


def test_bad_usage_exits_with_2(tmp_path: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "out"), "--no-report", "--no-figures"]
    assert main([str(tmp_path / "absent"), *out]) == 2
    assert main([str(run), "--baseline", "no such", *out]) == 2
    assert main([str(run), "--approach-threshold", "9", *out]) == 2
    assert "no such strategy; there are token-normal, token-high" in capsys.readouterr().err
    assert main([f"first\r\x1b[31m={run}", *out]) == 2
    assert r"first\r\x1b[31m" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_function_works_after_the_module_was_imported(run: Path) -> None:
    import diversity_judge.compare

    assert diversity_judge.compare([run]).baseline == "token-normal"


def test_the_main_table_has_a_row_a_strategy(run: Path) -> None:
    frame = dj.compare([run]).to_frame()
    assert frame.index.tolist() == ["token-normal", "token-high"]
    assert {"diversity", "pass_rate", "pass_at_6"} <= set(frame)
