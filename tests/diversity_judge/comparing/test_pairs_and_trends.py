"""Any two strategies, strategies in the order of a number, whether diversity pays, and who is compared with nobody."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import diversity_judge as dj
from diversity_judge.compare import main
from diversity_judge.comparing.result import Comparison
from diversity_judge.comparing.trends import families
from diversity_judge.inputs.responses import Response
from diversity_judge.measures.paired import holm
from tests.diversity_judge.run_folders import group, make_run

N = 4
Scores = Mapping[str, Sequence[int]]


def judged(folder: Path, scores: Scores, right: Scores | None = None, problems: Sequence[str] = ()) -> Path:
    """A run in which all pairs of a strategy on a problem have one score, and so many responses are right."""
    names = problems or [f"p{i}" for i in range(len(next(iter(scores.values()))))]
    groups = [
        group(problem, strategy, [{"text": f"{strategy} {j}"} | _grade(right, strategy, i, j) for j in range(N)])
        for strategy, mine in scores.items()
        for i, problem in enumerate(names[: len(mine)])
    ]

    def judge(first: Response, second: Response) -> int:
        return scores[first.strategy][list(names).index(first.problem_id)]

    return make_run(folder, groups, judge)


def _grade(right: Scores | None, strategy: str, problem: int, position: int) -> dict[str, bool]:
    return {} if right is None else {"correct": position < right[strategy][problem]}


TEMPERATURES: Scores = {
    "T1.5": (1, 2, 1, 0, 2, 1, 2, 1),
    "T0.3": (4, 5, 4, 4, 5, 5, 4, 5),
    "T1.0": (2, 4, 3, 1, 4, 3, 3, 3),
}


def test_any_two_strategies_are_compared_with_holm_over_all_pairs(tmp_path: Path) -> None:
    rows = dj.compare([judged(tmp_path / "run", TEMPERATURES)], baseline="T0.3").pairs_of_strategies
    found = {(row.strategy, row.other): row for row in rows.where(metric="diversity")}
    assert set(found) == {(later, earlier) for earlier, later in combinations(TEMPERATURES, 2)}
    for (strategy, other), row in found.items():
        differences = [(b - a) / 5 for a, b in zip(TEMPERATURES[strategy], TEMPERATURES[other], strict=True)]
        assert row.difference == pytest.approx(np.mean(differences))
        assert row.n_problems == 8
    p = [row.p for row in found.values()]
    assert [row.p_holm for row in found.values()] == pytest.approx(holm(p).tolist())
    assert min(row.p_holm for row in found.values()) == pytest.approx(3 * min(p)), "three pairs, not two strategies"


def test_the_baseline_changes_the_sentences_and_not_the_pairs(tmp_path: Path) -> None:
    run = judged(tmp_path / "run", TEMPERATURES)
    one, other = (dj.compare([run], baseline=name) for name in ("T0.3", "T1.5"))
    pd.testing.assert_frame_equal(one.pairs_of_strategies.to_frame(), other.pairs_of_strategies.to_frame())
    assert one.sentences[0] != other.sentences[0]


def test_pairs_are_of_diversity_and_of_what_is_solved(tmp_path: Path) -> None:
    right = {"a": (4, 3, 2, 1, 0, 4, 3, 2), "b": (3, 3, 1, 1, 0, 2, 3, 1)}
    scores = dict.fromkeys(right, (3, 4) * 4)
    rows = dj.compare([judged(tmp_path / "run", scores, right)]).pairs_of_strategies
    assert [row.metric for row in rows] == ["diversity", "pass_rate", "pass_at_4"]
    assert rows.where(metric="pass_rate")[0].difference == pytest.approx((sum(right["b"]) - sum(right["a"])) / 32)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("T1.0", "T0.3", "T0.7"), {"T*": [0.3, 0.7, 1.0]}),
        (("temp=0.5,k=1", "temp=1,k=1", "temp=2,k=1"), {"temp=*,k=1": [0.5, 1, 2]}),
        (("T0.3", "T0.7", "expert-sample"), {}),
        (("T0.3", "T0.7", "U1.0"), {}),
        (("v1 T0.3", "v2 T0.7", "v3 T1.0"), {}),
        (("T0.3", "T0.30", "T0.7", "T1.0"), {}),
        (("a1", "a10", "a2", "b1", "b2", "b3"), {"a*": [1, 2, 10], "b*": [1, 2, 3]}),
    ],
)
def test_families_are_names_that_differ_in_one_number(names: Sequence[str], expected: dict[str, list[float]]) -> None:
    assert {family.name: list(family.members) for family in families(names)} == expected


def test_a_trend_is_the_mean_slope_of_the_problems(tmp_path: Path) -> None:
    comparison = dj.compare([judged(tmp_path / "run", TEMPERATURES)], baseline="T0.3")
    row = comparison.trend_table.where(metric="diversity")[0]
    table = np.array([[1 - TEMPERATURES[name][i] / 5 for name in ("T0.3", "T1.0", "T1.5")] for i in range(8)])
    lines = [np.polyfit([0.3, 1.0, 1.5], values, 1)[0] for values in table]
    assert row.slope == pytest.approx(np.mean(lines))
    assert row.strategies == "T0.3 < T1.0 < T1.5"
    assert row.p == pytest.approx(max(2 / 2**8, stats.ttest_1samp(lines, 0).pvalue))
    assert stats.page_trend_test(table).pvalue < 0.001
    assert row.verdict == "confirmed"
    assert any(s.startswith("Process diversity rises along T* from 0.3 to 1.5: +0.") for s in comparison.sentences)


def test_no_trend_is_said_so(tmp_path: Path) -> None:
    scores = {"T0.3": (3, 4, 3, 2, 4, 3, 4, 3), "T0.7": (4, 3, 4, 3, 3, 4, 3, 4), "T1.0": (3, 4, 4, 2, 3, 3, 4, 4)}
    comparison = dj.compare([judged(tmp_path / "run", scores)])
    assert comparison.trend_table.where(metric="diversity")[0].verdict == "not shown"
    assert any(
        s.startswith("No trend of process diversity is shown along T* from 0.3 to 1: ") for s in comparison.sentences
    )


def paying(folder: Path, sign: int) -> Comparison:
    """Right responses of four: 0 and 4 bring nothing beyond one sample; 1 brings 0.75, 2 brings 0.5, 3 brings 0.25.

    Diversity is 0.2 + 0.2 for each step of gain, or the other way round.
    """
    right = {"a": (4, 3, 2, 1, 4, 3, 2), "b": (3, 2, 1, 2, 2, 1, 3), "c": (1, 4, 3, 4, 1, 2, 4)}
    gain = {4: 0, 3: 1, 2: 2, 1: 3}
    scores = {s: [4 - gain[c] if sign > 0 else 1 + gain[c] for c in mine] for s, mine in right.items()}
    return dj.compare([judged(folder, scores, right)])


@pytest.mark.parametrize(("sign", "word"), [(1, "more"), (-1, "less")])
def test_whether_diversity_pays(tmp_path: Path, sign: int, word: str) -> None:
    comparison = paying(tmp_path / "run", sign)
    slope, ranks = comparison.payoff
    # pass@4 - pass@1 rises by 0.25 where diversity rises by 0.2.
    assert (slope.association, slope.k, slope.n_problems, slope.n_groups) == ("slope", 4, 7, 21)
    assert slope.value == pytest.approx(sign * 1.25)
    assert (slope.ci_low, slope.ci_high) == pytest.approx((sign * 1.25, sign * 1.25))
    assert ranks.value == pytest.approx(sign)
    sentence = next(s for s in comparison.sentences if "4 samples solve" in s)
    assert sentence.startswith(f"Where strategies are more diverse, 4 samples solve {word} beyond one: ")
    assert f": {sign * 0.125:+.3f} [" in sentence


def test_an_association_between_problems_alone_does_not_pay(tmp_path: Path) -> None:
    """Where all strategies agree on each problem, difficult problems are diverse and gain: nothing within them."""
    right = dict.fromkeys(("a", "b"), (4, 3, 2, 1, 4, 3))
    scores = dict.fromkeys(right, (4, 3, 2, 1, 4, 3))
    comparison = dj.compare([judged(tmp_path / "run", scores, right)])
    assert len(comparison.payoff) == 0
    assert comparison.payoff.to_frame().columns.tolist()[:3] == ["association", "k", "value"]


def test_a_strategy_that_shares_no_problem_with_the_baseline_is_named(tmp_path: Path) -> None:
    first = judged(tmp_path / "a", {"a": (3, 4, 3), "b": (3, 3, 3)})
    other = judged(tmp_path / "b", {"c": (2, 3, 2), "d": (3, 2, 2)}, problems=("q0", "q1", "q2"))
    comparison = dj.compare([first, other], baseline="a")
    for name in ("c", "d"):
        assert any(note.startswith(f"{name} shares no problem with the baseline a") for note in comparison.notes)
    assert not any(note.startswith("b ") for note in comparison.notes)
    assert {(row.strategy, row.other) for row in comparison.pairs_of_strategies} == {("b", "a"), ("d", "c")}


def test_the_tables_are_files(tmp_path: Path) -> None:
    right = dict.fromkeys(TEMPERATURES, (4, 3, 2, 1, 0, 4, 3, 2))
    run = judged(tmp_path / "run", TEMPERATURES, right)
    out = tmp_path / "out"
    assert main([str(run), "--out", str(out), "--no-report", "--no-figures", "--quiet"]) == 0
    columns = {
        "pairs_of_strategies.csv": (
            "strategy other metric difference ci_low ci_high p p_holm n_problems interval verdict judge_noise "
            "judge_noise_share"
        ),
        "trends.csv": "strategies metric slope ci_low ci_high p p_holm n_problems interval verdict",
        "payoff.csv": "association k value ci_low ci_high n_problems n_groups interval",
        "counts.csv": ("strategy metric selection n_problems n_without n_lowest n_highest n_responses n_pairs"),
        "cut_responses.csv": "strategy n_problems n_responses n_cut share ci_low ci_high",
        "verification.csv": "strategy tier method reward n value ci_low ci_high n_problems monte_carlo_se",
    }
    for name, wanted in columns.items():
        assert pd.read_csv(out / name).columns.tolist() == wanted.split()
    comparison = dj.compare([run])
    written = pd.read_csv(out / "pairs_of_strategies.csv")
    assert written["p_holm"].tolist() == pytest.approx([row.p_holm for row in comparison.pairs_of_strategies])
    assert not math.isnan(written["difference"].sum())


def test_a_p_value_is_said_to_be_at_its_floor_only_there(tmp_path: Path) -> None:
    """With 20 problems random subsets are drawn; where one of them differs, p is about 1 and at no floor."""
    scores = {"a": [3] * 20, "b": [3] * 19 + [2], "c": [1, 2] * 10}
    right = {name: [2] * 20 for name in scores}
    comparison = dj.compare([judged(tmp_path / "run", scores, right)])
    few, many = comparison.sentences[:2]
    row = comparison.differences.where(metric="diversity", strategy="b")[0]
    assert row.p > 0.9
    assert f" p = {row.p_holm:.3f} after Holm" in few
    assert " p <= 0.0002 after Holm" in many
