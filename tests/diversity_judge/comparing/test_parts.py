"""What is asked of a part of the responses (not cut, correct, wrong), and of groups of unequal size."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from statistics import mean
from typing import Any

import pandas as pd
import pytest

import diversity_judge as dj
from diversity_judge.compare import main
from diversity_judge.comparing.result import Comparison
from diversity_judge.inputs.responses import Response
from diversity_judge.score import main as score
from tests.diversity_judge.run_folders import group, make_run

EXAMPLE = Path(__file__).parents[3] / "examples" / "responses.jsonl"
N = 10


def texts(strategy: str, *, ends: Callable[[int], str | None] = lambda _: "stop", n: int = N) -> list[dict[str, Any]]:
    return [{"text": f"{strategy} {i}", "correct": i % 2 == 0, "finish_reason": ends(i)} for i in range(n)]


def cut_by(word: str) -> Callable[[int], str]:
    return lambda i: word if i < 3 else "stop"


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[dict[str, Any]]], Path]:
    """Real responses, scored by the proxy judge."""

    def run(rows: list[dict[str, Any]]) -> Path:
        folder = tmp_path_factory.mktemp("scored")
        path = folder / "responses.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        assert score([str(path), "--judge", "proxy", "--out", str(folder / "run"), "--no-heatmaps", "--quiet"]) == 0
        return folder / "run"

    return run


def real(temperature: str) -> list[dict[str, Any]]:
    with EXAMPLE.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [row for row in rows if row["strategy"] == temperature]


def cut_to_a_third(rows: list[dict[str, Any]], word: str) -> list[dict[str, Any]]:
    """The same responses under another name, 3 of 10 of them cut to a third."""
    seen: dict[str, int] = {}
    found = []
    for row in rows:
        position = seen[row["problem_id"]] = seen.get(row["problem_id"], -1) + 1
        is_cut = position % 10 < 3
        text = row["response"][: len(row["response"]) // 3] if is_cut else row["response"]
        found.append({**row, "strategy": "cut", "response": text, "finish_reason": word if is_cut else "stop"})
    return found


@pytest.mark.parametrize("word", ["length", "MAX_TOKENS"])
def test_cutting_a_strategys_responses_is_warned_of_and_can_be_undone(
    scored: Callable[[list[dict[str, Any]]], Path], word: str
) -> None:
    whole = [{**row, "finish_reason": "stop"} for row in real("T0.7")]
    folder = scored([*whole, *cut_to_a_third(whole, word)])
    comparison = dj.compare([folder], baseline="T0.7")
    difference = comparison.differences.where(metric="diversity")[0]
    assert difference.difference > 0.02, "texts that were cut differ from the others"
    warning = next(note for note in comparison.notes if note.startswith("warning"))
    assert "T0.7 0.0 % (0 of" in warning
    assert "cut 30.0 %" in warning
    assert "--complete-only" in warning

    complete = dj.compare([folder], baseline="T0.7", complete_only=True)
    left = complete.differences.where(metric="diversity")[0]
    kept = {(r["problem_id"], r["response"]) for r in cut_to_a_third(whole, word) if r["finish_reason"] == "stop"}
    same = scored([row for row in whole if (row["problem_id"], row["response"]) in kept])
    of_the_kept = dj.compare([same]).process.where(metric="diversity")[0].value
    row = complete.process.where(metric="diversity", strategy="cut")[0]
    assert row.value == pytest.approx(of_the_kept, abs=0.01), "as if the others had never been sampled"
    assert abs(left.difference) < abs(difference.difference) / 4
    assert not any(note.startswith("warning") for note in complete.notes)
    note = next(note for note in complete.notes if note.startswith("--complete-only"))
    assert re.search(r"left out: T0\.7 0\.0 % \(0 of \d+\), cut 30\.0 %", note)
    in_its_own_column = comparison.process.where(metric="diversity_complete", strategy="cut")[0]
    assert in_its_own_column.value == pytest.approx(row.value)


def camps(first: Response, second: Response) -> int:
    """Responses that were cut resemble nobody, the others resemble each other by 4."""
    return 0 if "length" in (first.finish_reason, second.finish_reason) else 4


@pytest.fixture
def cut_run(tmp_path: Path) -> Path:
    groups = [
        group(f"p{i}", strategy, texts(strategy, ends=cut_by("length" if strategy == "b" else "stop")))
        for i in range(6)
        for strategy in ("a", "b")
    ]
    return make_run(tmp_path / "run", groups, camps)


def test_the_share_of_cut_responses_by_strategy(cut_run: Path) -> None:
    first, second = dj.compare([cut_run]).cut_responses
    assert (first.strategy, first.n_cut, first.share, first.n_problems, first.n_responses) == ("a", 0, 0, 6, 60)
    assert (second.strategy, second.n_cut) == ("b", 18)
    assert second.share == pytest.approx(0.3)
    assert second.ci_low < 0.3 < second.ci_high


def test_complete_only_from_the_command_line(cut_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    plain = [str(cut_run), "--out", str(out), "--no-report", "--no-figures", "--quiet"]
    assert main(plain) == 0
    everything = pd.read_csv(out / "process.csv").query("metric == 'diversity'").set_index("strategy")["value"]
    # Of 45 pairs, 45 - 21 = 24 have a cut response: 1 - 4 / 5 * 21 / 45.
    assert everything.to_dict() == pytest.approx({"a": 0.2, "b": 1 - 0.8 * 21 / 45})
    assert main([*plain, "--complete-only"]) == 0
    process = pd.read_csv(out / "process.csv").query("metric == 'diversity'").set_index("strategy")["value"]
    assert process.to_dict() == pytest.approx({"a": 0.2, "b": 0.2})
    counts = pd.read_csv(out / "counts.csv").query("metric == 'diversity' and strategy == 'b'").iloc[0].to_dict()
    assert counts["selection"] == "not cut"
    assert [counts[name] for name in ("n_problems", "n_lowest", "n_responses", "n_pairs")] == [6, 7, 42, 126]
    assert json.loads((out / "compare.json").read_text())["options"]["complete_only"] is True
    methods = (out / "methods.md").read_text()
    assert "responses that were not cut" in methods
    assert "expected values in 7 responses" in methods
    assert set(pd.read_csv(out / "outcomes.csv").query("metric == 'pass_rate'")["value"]) == {0.5}


def test_groups_of_which_all_responses_were_cut_have_no_value(tmp_path: Path) -> None:
    ends = {"p0": "length"}
    groups = [
        group(p, s, texts(s, ends=lambda _, p=p: ends.get(p, "stop")))  # type: ignore[misc]
        for p in ("p0", "p1", "p2")
        for s in ("a", "b")
    ]
    comparison = dj.compare([make_run(tmp_path / "run", groups, camps)], complete_only=True)
    row = comparison.process.where(metric="diversity", strategy="a")[0]
    assert row.value == pytest.approx(0.2)
    assert row.n_problems == 2
    assert comparison.process.where(metric="approaches", strategy="a")[0].n_problems == 2
    assert any("2 groups have fewer than two others" in note for note in comparison.notes)


def test_equal_shares_of_cut_responses_are_said_without_a_warning(tmp_path: Path) -> None:
    groups = [group(f"p{i}", s, texts(s, ends=cut_by("length"))) for i in range(3) for s in ("a", "b")]
    notes = dj.compare([make_run(tmp_path / "run", groups, camps)]).notes
    assert "responses that were cut: a 30.0 % (9 of 30), b 30.0 % (9 of 30)" in notes
    assert not any("warning" in note for note in notes)


def test_nothing_is_said_where_nothing_was_cut(tmp_path: Path) -> None:
    groups = [group(f"p{i}", s, texts(s)) for i in range(3) for s in ("a", "b")]
    comparison = dj.compare([make_run(tmp_path / "run", groups, camps)])
    assert not any("cut" in note for note in comparison.notes)
    assert "diversity_complete" not in {row.metric for row in comparison.process}


def graded(tmp_path: Path, n_right: dict[str, tuple[int, ...]]) -> Comparison:
    """Right responses resemble each other by 4, wrong ones by 1, a right and a wrong one by 2."""
    groups = [
        group(f"p{i}", strategy, [{"text": f"{strategy} {j}", "correct": j < right} for j in range(N)])
        for strategy, rights in n_right.items()
        for i, right in enumerate(rights)
    ]

    def judge(first: Response, second: Response) -> int:
        return {2: 4, 1: 2, 0: 1}[int(bool(first.correct)) + int(bool(second.correct))]

    return dj.compare([make_run(tmp_path / "run", groups, judge)])


def test_diversity_among_correct_wrong_and_across(tmp_path: Path) -> None:
    comparison = graded(tmp_path, {"a": (10, 8, 5, 1), "b": (2, 0, 5, 9)})

    def found(metric: str, strategy: str) -> tuple[float, int]:
        row = comparison.process.where(metric=metric, strategy=strategy)[0]
        return round(row.value, 12), row.n_problems

    assert found("diversity_correct", "a") == (0.2, 3)
    assert found("diversity_wrong", "a") == (0.8, 3)
    assert found("diversity_across", "a") == (0.6, 3)
    assert found("diversity_correct", "b") == (0.2, 3)
    pairs = {right: len(list(combinations(range(right), 2))) for right in (10, 8, 5)}
    counts = comparison.counts.where(metric="diversity_correct", strategy="a")[0]
    assert (counts.selection, counts.n_problems, counts.n_without) == ("correct", 3, 1)
    assert (counts.n_lowest, counts.n_highest, counts.n_responses) == (5, 10, 23)
    assert counts.n_pairs == sum(pairs.values())
    # Paired on p0 and p2, where both have two correct responses.
    difference = comparison.differences.where(metric="diversity_correct")[0]
    assert difference.n_problems == 2
    assert difference.difference == pytest.approx(0)
    note = next(note for note in comparison.notes if note.startswith("diversity_correct"))
    assert note.startswith(
        "diversity_correct, diversity_wrong and diversity_across rest on the problems that have two "
    )
    assert "a 3, 3 and 3 of 4, b 3, 3 and 3 of 4" in note


def test_wrong_responses_inflate_diversity_and_the_correct_ones_show_it(tmp_path: Path) -> None:
    comparison = graded(tmp_path, {"a": (9, 8, 9, 8, 9, 8, 9), "b": (4, 5, 4, 3, 4, 5, 4)})
    everything = comparison.differences.where(metric="diversity")[0]
    correct = comparison.differences.where(metric="diversity_correct")[0]
    assert everything.ci_low > 0
    assert correct.difference == pytest.approx(0)


def test_ungraded_responses_have_no_part(tmp_path: Path) -> None:
    groups = [group(f"p{i}", "a", [{"text": f"{j}"} for j in range(4)]) for i in range(3)]
    comparison = dj.compare([make_run(tmp_path / "run", groups, lambda a, b: 3)])
    assert not any(row.metric.startswith("diversity_") for row in comparison.process)
    assert not any(note.startswith("diversity_") for note in comparison.notes)


def unequal(tmp_path: Path) -> Comparison:
    """Two camps of one size in each group; 4 responses a group in a, 10 in b."""
    groups = [group(f"p{i}", s, [{"text": f"{s} {j}"} for j in range(n)]) for i in range(3) for s, n in SIZES.items()]
    return dj.compare([make_run(tmp_path / "run", groups, two_camps)])


SIZES = {"a": 4, "b": 10}


def two_camps(first: Response, second: Response) -> int:
    return 5 if (int(first.sample_id) - int(second.sample_id)) % 2 == 0 else 0


def test_unequal_groups_are_taken_at_the_smallest_number(tmp_path: Path) -> None:
    comparison = unequal(tmp_path)
    subsets = list(combinations(range(10), 4))
    camps_of = [len({member % 2 for member in chosen}) for chosen in subsets]
    expected = {"a": 2.0, "b": mean(camps_of)}
    for strategy, value in expected.items():
        assert comparison.process.where(metric="approaches", strategy=strategy)[0].value == pytest.approx(value)
        counts = comparison.counts.where(metric="approaches", strategy=strategy)[0]
        assert (counts.n_lowest, counts.n_highest) == (4, 4)
        own = comparison.counts.where(metric="diversity", strategy=strategy)[0]
        assert (own.n_lowest, own.n_highest) == (SIZES[strategy], SIZES[strategy])
    # A Vendi score of k camps with shares p is exp(entropy): 2 for 2:2, less for 1:3, 1 for 0:4.
    shares = [sum(member % 2 for member in chosen) / 4 for chosen in subsets]
    entropies = [-sum(p * math.log(p) for p in (share, 1 - share) if p) for share in shares]
    vendi = comparison.process.where(metric="vendi", strategy="b")[0]
    assert vendi.value == pytest.approx(mean(math.exp(h) for h in entropies))
    assert {"vendi", "approaches"} <= {row.metric for row in comparison.differences}
    assert any(
        note.startswith("groups have 4 to 10 responses: vendi, approaches") and "taken at 4" in note
        for note in comparison.notes
    )


def test_equal_groups_are_taken_as_they_are(tmp_path: Path) -> None:
    groups = [group(f"p{i}", s, [{"text": f"{s} {j}"} for j in range(6)]) for i in range(3) for s in SIZES]
    comparison = dj.compare([make_run(tmp_path / "run", groups, two_camps)])
    assert comparison.size == 6
    assert comparison.process.where(metric="vendi", strategy="a")[0].value == pytest.approx(2)
    assert not any("responses: vendi" in note for note in comparison.notes)


def test_what_grows_with_n_and_what_does_not_on_real_responses(
    scored: Callable[[list[dict[str, Any]]], Path],
) -> None:
    """Figures at n are expected values in n of ten responses; a smaller group brings all down to its n."""
    rows = real("T1.0")
    found: dict[int, dict[str, float]] = {}
    for n in (4, 6, 8, 10):
        small = [{**row, "strategy": "small"} for row in rows if row["problem_id"] == rows[0]["problem_id"]][:n]
        comparison = dj.compare([scored([*rows, *small])], baseline="T1.0")
        found[n] = {row.metric: row.value for row in comparison.process.where(strategy="T1.0")}
    for metric in ("vendi", "approaches"):
        assert found[4][metric] < found[6][metric] < found[8][metric] < found[10][metric]
    for metric in ("diversity", "vendi_2"):
        assert len({found[n][metric] for n in found}) == 1
