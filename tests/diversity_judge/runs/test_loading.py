"""Reading a run folder back: the same numbers as were written, and only the rationale that belongs to a score."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import diversity_judge as dj
from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import Response
from tests.diversity_judge.run_folders import group, make_run

GROUPS = [
    group("NA", "007", [{"text": f"text {i}", "answer": str(i % 2)} for i in range(5)], "what?"),
    group('=p, "2" x', "007", [{"text": f"other {i}"} for i in range(4)]),
]


def distance(first: Response, second: Response) -> int:
    """A score that differs by order."""
    return (3 * int(first.sample_id) + int(second.sample_id)) % 6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", GROUPS, distance, orders="both")


def test_the_matrices_are_those_of_the_folder(folder: Path) -> None:
    run = dj.load_run(folder)
    with np.load(folder / "matrices.npz") as written:
        rows = run.scores[["problem_id", "strategy", "group"]].itertuples(index=False)
        names = {(problem_id, strategy): name for problem_id, strategy, name in rows}
        assert names.keys() == run.matrices.keys()
        for key, matrix in run.matrices.items():
            np.testing.assert_array_equal(matrix, written[names[key]])


def test_scores_keep_their_orientation(folder: Path) -> None:
    matrix = dj.load_run(folder).group("NA", "007").matrix
    assert (matrix.scores[1, 2], matrix.scores[2, 1]) == ((3 * 1 + 2) % 6, (3 * 2 + 1) % 6)


def test_the_diversity_is_that_of_the_table(folder: Path) -> None:
    run = dj.load_run(folder)
    assert [g.matrix.diversity for g in run.groups] == pytest.approx(run.scores["diversity"].tolist(), abs=1e-12)


def test_ids_that_look_like_numbers_or_missing_stay_text(folder: Path) -> None:
    run = dj.load_run(folder)
    assert [(g.problem_id, g.strategy) for g in run.groups] == [("NA", "007"), ('=p, "2" x', "007")]
    assert run.scores["problem_id"].tolist() == ["NA", '=p, "2" x']
    assert set(run.pairs["strategy"]) == {"007"}


def test_responses_come_back_whole(folder: Path) -> None:
    responses = dj.load_run(folder).groups[0].responses
    assert [(r.text, r.answer, r.problem) for r in responses] == [(f"text {i}", str(i % 2), "what?") for i in range(5)]


def test_a_rationale_belongs_to_its_order(folder: Path) -> None:
    run = dj.load_run(folder)
    judgments = {(j.pair.first, j.pair.second): j for j in run.groups[0].judgments}
    for first, second in ((1, 3), (3, 1)):
        rationale = run.rationale(judgments[first, second])
        assert rationale is not None
        assert rationale.content == f"{first} then {second}"


def test_a_missing_score_is_neither_zero_nor_five(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", GROUPS[:1], lambda a, b: None if a.sample_id == 0 else 4)
    matrix = dj.load_run(folder).groups[0].matrix
    assert matrix.coverage < 1
    assert matrix.diversity == pytest.approx(0.2)


def test_another_ledger_in_its_place_gives_no_rationale(folder: Path, tmp_path: Path) -> None:
    run = dj.load_run(folder)
    other = make_run(tmp_path / "other", [group("q", "s", [{"text": f"{i}"} for i in range(6)])], distance)
    (other / "ledger.sqlite").replace(folder / "ledger.sqlite")
    assert run.rationales([j for g in run.groups for j in g.judgments]) == {}


def test_a_lost_ledger_leaves_the_scores(folder: Path) -> None:
    for file in folder.glob("ledger.sqlite*"):
        file.unlink()
    run = dj.load_run(folder)
    assert run.ledger_path is None
    assert run.rationale(run.groups[0].judgments[0]) is None
    assert not np.isnan(run.groups[0].matrix.diversity)


def test_a_moved_folder_finds_its_ledger(folder: Path, tmp_path: Path) -> None:
    moved = folder.rename(tmp_path / "moved")
    run = dj.load_run(moved)
    assert run.rationale(run.groups[0].judgments[0]) is not None


def test_a_file_of_responses_is_a_run_without_a_judge(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    path.write_text('{"problem_id": "p", "response": "x"}\n{"problem_id": "p", "response": "y"}\n')
    run = dj.load_run(path)
    assert not run.is_judged
    assert run.matrices == {}
    assert run.groups[0].group.n_responses == 2


@pytest.mark.parametrize("part", ["pairs.csv", "responses.jsonl.gz", "scores.csv"])
def test_a_folder_that_lacks_a_part_is_refused(folder: Path, part: str) -> None:
    (folder / part).unlink()
    with pytest.raises(InputError, match=part):
        dj.load_run(folder)


def test_tables_of_different_runs_are_refused(folder: Path, tmp_path: Path) -> None:
    small = make_run(tmp_path / "small", [group("NA", "007", [{"text": "a"}, {"text": "b"}])], distance)
    (small / "responses.jsonl.gz").replace(folder / "responses.jsonl.gz")
    with pytest.raises(InputError, match="different runs"):
        dj.load_run(folder)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no run\.json"):
        dj.load_run(tmp_path)
    with pytest.raises(InputError, match="nothing here"):
        dj.load_run(tmp_path / "absent")


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, diversity_judge; print(sorted({'numpy', 'pandas', 'torch', 'openai'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


def test_comparing_and_reporting_need_no_torch() -> None:
    code = (
        "import sys, diversity_judge as dj, diversity_judge.report, diversity_judge.comparing.figures; dj.compare; "
        "print(sorted({'torch', 'vllm', 'transformers'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
