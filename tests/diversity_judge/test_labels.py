"""Labels of people: what a sheet asks, what it hides, with which chance, and what is said of what comes back."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import diversity_judge as dj
from diversity_judge.inputs.responses import Group, Response
from diversity_judge.labelling.sampling import choose_pairs
from diversity_judge.labels import main
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.rubric import MEANINGS
from diversity_judge.runs.labelled import match_labels
from diversity_judge.runs.labels import read_labels
from tests.diversity_judge.run_folders import group, make_run

PROBLEMS = ("problem-one", "problem-two", "problem-three")
STRATEGIES = ("token-normal", "secret <strategy>")


def score(first: Response, second: Response) -> int | None:
    return (int(first.sample_id) + int(second.sample_id)) % 6


def groups(n: int = 6) -> list[Group]:
    return [
        group(p, s, [{"text": f"words of {at} {n_} {k}"} for k in range(n)], f"Prove statement {at}.")
        for at, p in enumerate(PROBLEMS)
        for n_, s in enumerate(STRATEGIES)
    ]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("labels") / "run", groups(), score)


@pytest.fixture
def sheet(tmp_path: Path, run_folder: Path) -> Path:
    page = tmp_path / "sheet.html"
    assert main(["make", str(run_folder), "--pairs", "12", "--out", str(page), "--quiet"]) == 0
    return page


def key_of(page: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.with_suffix(".key.json").read_text())
    return found


Say = Callable[[Mapping[str, Any]], int | str]


def honest(item: Mapping[str, Any]) -> int:
    return {"control-identical": 5, "control-unrelated": 0}.get(
        item["kind"], (int(item["first"]) + int(item["second"])) % 6
    )


def answered(page: Path, name: str, say: Say = honest, **change: Any) -> Path:
    """What the page saves, by a person who says this."""
    key, path = key_of(page), page.parent / f"{name}.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sheet", "item", "annotator", "score"])
        writer.writerows([key["sheet"], item, name, say(columns)] for item, columns in key["items"].items())
    return path


def read(page: Path, *files: Path, options: tuple[str, ...] = ()) -> int:
    return main(["read", *map(str, files), "--key", str(page.with_suffix(".key.json")), *options])


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


# --- the sheet ------------------------------------------------------------------------------------


def test_the_sheet_hides_where_a_response_comes_from(sheet: Path, run_folder: Path) -> None:
    page = sheet.read_text(encoding="utf-8")
    for hidden in ("token-normal", "secret", "strategy", *PROBLEMS, "control", str(run_folder), "probability"):
        assert hidden not in page, hidden
    assert "words of 0" in page
    assert "Prove statement" in page


def test_pairs_are_equal_over_strategies_and_problems_and_controls_are_mixed_in(sheet: Path) -> None:
    items = list(key_of(sheet)["items"].values())
    pairs = [item for item in items if item["kind"] == "pair"]
    assert Counter((item["strategy"], item["problem_id"]) for item in pairs) == {
        (s, p): 2 for s in STRATEGIES for p in PROBLEMS
    }
    assert Counter(item["kind"] for item in items) == {"pair": 12, "control-identical": 1, "control-unrelated": 1}
    for item in items:
        digests = {item["first_sha256"], item["second_sha256"]}
        assert len(digests) == (1 if item["kind"] == "control-identical" else 2)
    # 2 of the 15 pairs of each group.
    assert {(item["probability"], item["n_pairs"], item["n_asked"]) for item in pairs} == {(2 / 15, 15, 15)}
    assert {item["group_probability"] for item in pairs} == {1.0}


def test_strategies_are_labelled_on_the_same_problems(run_folder: Path) -> None:
    for seed in range(8):
        sheet = dj.labels_make(run_folder, pairs=4, controls=0, seed=seed)
        problems = {
            s: {i.chosen.first.group.problem_id for i in sheet.items if i.chosen.first.group.strategy == s}
            for s in STRATEGIES
        }
        assert problems[STRATEGIES[0]] == problems[STRATEGIES[1]]


def test_a_pair_is_drawn_as_often_as_its_chance_says(tmp_path: Path) -> None:
    # Groups of 3, 10 and 1 pair; the run has no score for one of the ten.
    members = [[{"text": f"{n} {k}"} for k in range(n)] for n in (3, 5, 2)]

    def some(first: Response, second: Response) -> int | None:
        return None if {first.text, second.text} == {"5 3", "5 4"} else 3

    chosen_groups = [group(f"p{n}", "s", texts) for n, texts in enumerate(members)]
    rng, drawn, n_draws = np.random.default_rng(1), Counter[tuple[str, int, int]](), 1_500
    folder = make_run(tmp_path / "run", chosen_groups, some)
    run = dj.load_run(folder)
    chances = {}
    for _ in range(n_draws):
        for pair in choose_pairs(run, 4, rng):
            key = (pair.first.group.problem_id, pair.first.position, pair.second.position)
            drawn[key] += 1
            chances[key] = pair.probability
            assert pair.probability is not None
    # 4 labels: 1 to the group of one pair, 1.5 to each of the others, of 3 and of 9 pairs.
    assert {key[0]: chance for key, chance in chances.items()} == {"p0": 0.5, "p1": 1.5 / 9, "p2": 1.0}
    assert {key[0]: sum(k[0] == key[0] for k in chances) for key in chances} == {"p0": 3, "p1": 9, "p2": 1}
    for key, chance in chances.items():
        assert chance is not None
        # 5 standard errors of a binomial share.
        assert abs(drawn[key] / n_draws - chance) <= 5 * np.sqrt(chance * (1 - chance) / n_draws) + 1e-12, key


def test_nobody_is_asked_about_identical_texts_that_the_judge_was_not_asked_about() -> None:
    rows = [{"problem_id": "p", "response": text} for text in ("one way", "one way", "another", "a third")]
    sheet = dj.labels_make(dj.score(rows, judge="proxy"), pairs=10, controls=0)
    assert {(i.chosen.first.position, i.chosen.second.position) for i in sheet.items} == {
        (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)
    }  # fmt: skip
    assert {(i.chosen.probability, i.chosen.n_pairs, i.chosen.n_asked) for i in sheet.items} == {(1.0, 6, 5)}


def test_the_same_seed_gives_the_same_sheet_and_another_one_another(run_folder: Path) -> None:
    one, same, other = (dj.labels_make(run_folder, pairs=6, seed=seed) for seed in (0, 0, 1))
    assert one.name == same.name != other.name
    assert [item.name for item in one.items] == [item.name for item in same.items]


def test_a_key_is_not_replaced_by_that_of_another_sheet(sheet: Path, run_folder: Path) -> None:
    before = sheet.with_suffix(".key.json").read_bytes()
    assert main(["make", str(run_folder), "--pairs", "12", "--out", str(sheet), "--quiet"]) == 0
    assert main(["make", str(run_folder), "--pairs", "12", "--seed", "5", "--out", str(sheet), "--quiet"]) == 2
    assert sheet.with_suffix(".key.json").read_bytes() == before


def test_a_small_run_gives_what_it_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(tmp_path / "run", [group("p", "s", [{"text": "a"}, {"text": "b"}, {"text": "c"}])], score)
    assert main(["make", str(folder)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "the run has no more than 3 pairs that can be labelled" in shown
    kinds = Counter(item["kind"] for item in key_of(folder / "labels.html")["items"].values())
    assert kinds == {"pair": 3, "control-identical": 6}, "one problem has no responses to another one"


@pytest.mark.parametrize("options", [("--pairs", "0"), ("--controls", "-1"), ("--seed", "-1")])
def test_what_cannot_be_meant_is_refused(run_folder: Path, options: tuple[str, str]) -> None:
    assert main(["make", str(run_folder), *options]) == 2


def test_responses_alone_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    example = Path(__file__).parents[2] / "examples" / "responses.jsonl"
    assert main(["make", str(example)]) == 2
    assert "responses without a judge" in said(capsys)


def test_people_get_the_scale_of_the_template() -> None:
    body = PromptTemplate.load().file.body
    assert [f"{n} = {meaning}" in body for n, meaning in enumerate(MEANINGS)] == [True] * 6


# --- what comes back ------------------------------------------------------------------------------


def test_labels_of_two_people_become_one_file_that_finds_its_pairs(sheet: Path, run_folder: Path) -> None:
    files = [answered(sheet, "Ann"), answered(sheet, "=Bob", lambda item: 5 - honest(item))]
    assert read(sheet, *files, options=("--quiet",)) == 0
    labels = read_labels(sheet.parent / "labels.csv")
    assert len(labels.rows) == 28
    found = match_labels(dj.load_run(run_folder), labels)
    assert len(found.pairs) == 12
    for pair in found.pairs:
        assert pair.labels["Ann"] == pair.judge == 5 - pair.labels["=Bob"], "the judge of this run says the same"
        assert pair.probability == pytest.approx(2 / 15)
        assert (pair.n_pairs, pair.n_asked) == (15, 15)


def test_the_label_file_as_json_lines_says_the_same(sheet: Path) -> None:
    path = answered(sheet, "Ann")
    key = sheet.with_suffix(".key.json")
    as_csv = dj.labels_read(path, key=key, out=sheet.parent / "l.csv")
    as_lines = dj.labels_read([path], key=key, out=sheet.parent / "l.jsonl")
    assert as_csv.people == as_lines.people
    one, other = (read_labels(sheet.parent / name) for name in ("l.csv", "l.jsonl"))
    assert [(r.ids, r.value, r.probability) for r in one.rows if r.kind == "pair"] == [
        (r.ids, r.value, r.probability) for r in other.rows if r.kind == "pair"
    ]


def test_controls_tell_who_does_not_read(sheet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert read(sheet, answered(sheet, "Ann"), answered(sheet, "Careless", lambda item: 3)) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Careless did not answer 2 controls as expected" in shown
    assert "Ann did not" not in shown
    assert "next: python -m diversity_judge.agree" in shown


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def rewritten(path: Path, change: Callable[[list[str]], list[str]]) -> Path:
    path.write_text("\n".join(change(lines(path))) + "\n")
    return path


def faults() -> Iterator[tuple[str, Callable[[list[str]], list[str]], str]]:
    def at_three(new: Callable[[list[str]], list[str]]) -> Callable[[list[str]], list[str]]:
        return lambda rows: [",".join(new(row.split(","))) if n == 2 else row for n, row in enumerate(rows)]

    yield "no score", at_three(lambda cells: [*cells[:3], ""]), "Ann.csv:3: item {item} has no score, as 1 of the 14"
    yield "too high", at_three(lambda cells: [*cells[:3], "6"]), "Ann.csv:3: the score is '6'; it is a whole number"
    yield "a fraction", at_three(lambda cells: [*cells[:3], "2.5"]), "Ann.csv:3: the score is '2.5'"
    yield "unknown", at_three(lambda cells: [cells[0], "zz", *cells[2:]]), "Ann.csv:3: the sheet has no item 'zz'"
    yield "other sheet", at_three(lambda cells: ["beef", *cells[1:]]), "Ann.csv:3: is of the sheet beef, and"
    yield "nobody", at_three(lambda cells: [*cells[:2], "", cells[3]]), "Ann.csv:3: names nobody in annotator"
    yield "twice", lambda rows: [*rows, rows[1]], "Ann.csv:16: Ann has answered item"
    yield "cut off", lambda rows: rows[:10], "Ann.csv: has no 5 of the 14 items of Ann"
    yield "empty", lambda rows: rows[:1], "Ann.csv: holds no answer"
    yield (
        "semicolons",
        lambda rows: [row.replace(",", ";") for row in rows],
        "Ann.csv:2: its columns are parted",
    )
    yield "no columns", lambda rows: ["a,b", "1,2"], "Ann.csv:2: names no sheet, and"


@pytest.mark.parametrize(("change", "expected"), [pytest.param(c, e, id=n) for n, c, e in faults()])
def test_what_comes_back_wrong_is_named_with_its_line(
    sheet: Path, capsys: pytest.CaptureFixture[str], change: Callable[[list[str]], list[str]], expected: str
) -> None:
    path = rewritten(answered(sheet, "Ann"), change)
    assert read(sheet, path) == 2
    assert expected.format(item=list(key_of(sheet)["items"])[1]) in said(capsys)
    assert not (sheet.parent / "labels.csv").exists()


def test_the_same_answers_in_two_files_are_refused(sheet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = answered(sheet, "Ann")
    copy = path.with_name("copy.csv")
    copy.write_bytes(path.read_bytes())
    assert read(sheet, path, copy) == 2
    assert f"copy.csv:2: Ann has answered item {next(iter(key_of(sheet)['items']))} already, in {path}:2" in said(
        capsys
    )


def test_the_same_file_named_twice_is_refused(sheet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = answered(sheet, "Ann")
    assert read(sheet, path, path) == 2
    assert "Ann.csv:2: Ann has answered item" in said(capsys)
    assert not (sheet.parent / "labels.csv").exists()


def test_a_row_that_is_wrong_is_not_called_lacking_too(sheet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = rewritten(answered(sheet, "Ann"), lambda rows: [*rows[:2], rows[2][:-1] + "7", *rows[3:]])
    assert read(sheet, path) == 2
    assert "has no 1 of" not in said(capsys)


def test_a_half_filled_sheet_is_taken_when_asked_for_and_its_chances_are_less(sheet: Path) -> None:
    path = rewritten(answered(sheet, "Ann"), lambda rows: rows[:8])
    found = dj.labels_read(path, key=sheet.with_suffix(".key.json"), partial=True)
    n_pairs = sum(row["kind"] == "pair" for row in found.rows())
    assert 5 <= n_pairs <= 7
    for row in found.rows():
        if row["kind"] == "pair":
            assert row["probability"] == pytest.approx(2 / 15 * n_pairs / 12)
    assert any("of the sheet's pairs are labelled" in note for note in found.notes)


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "there is no key here"), ("{}", "is no key of a label sheet"), ("[", "cannot read the key")],
)
def test_a_key_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, expected: str
) -> None:
    key = tmp_path / "k.json"
    if content is not None:
        key.write_text(content)
    assert main(["read", str(tmp_path / "a.csv"), "--key", str(key)]) == 2
    assert expected in said(capsys)
