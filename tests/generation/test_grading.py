import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("math_verify")

from diversity_judge.errors import InputError, RunError
from generation import grade
from generation.grading import Grade, Grader
from generation.problems import ProblemKind
from generation.response_file import Manifest, open_response_file

MATH, CHOICE, CODE = ProblemKind.MATH, ProblemKind.CHOICE, ProblemKind.CODE


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as shared:
        yield shared


@pytest.mark.parametrize(
    ("reference", "answer", "correct"),
    [
        ("42", "042", True),
        (r"\frac{1}{2}", "0.5", True),
        (r"3\sqrt{2}", r"\sqrt{18}", True),
        ("x^2+1", "1+x^2", True),
        (r"\{1,2\}", r"\{2,1\}", True),
        ("(1,2)", "(2,1)", False),
        ("42", "43", False),
        ("42", "blue", False),
    ],
)
def test_equal_expressions_are_right(grader: Grader, reference: str, answer: str, correct: bool) -> None:
    assert grader.grade(rf"\boxed{{{answer}}}", MATH, reference).correct is correct


def test_no_answer_is_wrong_and_no_reference_is_unknown(grader: Grader) -> None:
    assert grader.grade("I don't know", MATH, "42") == Grade(None, False)
    assert grader.grade(r"\boxed{1}", MATH, None) == Grade("1", None, "no reference answer")


def test_letters_and_code(grader: Grader) -> None:
    assert grader.grade("Answer: B", CHOICE, "B", n_choices=4) == Grade("B", True)
    assert grader.grade("Answer: A", CHOICE, "B", n_choices=4) == Grade("A", False)
    assert grader.grade("```python\nx\n```", CODE, None) == Grade("x", None, "code is not run here")


def test_a_comparison_without_end_is_unknown_and_the_next_one_works() -> None:
    with Grader(seconds=6) as impatient:
        endless = impatient.grade(r"\boxed{10^{10^{10^{10}}}}", MATH, "3")
        assert endless.correct is None
        assert "took more than" in endless.reason
        assert impatient.grade(r"\boxed{3}", MATH, "3").correct is True


def test_a_process_that_is_stopped_or_killed_is_replaced() -> None:
    with Grader(seconds=0.2) as grader:
        assert grader.grade(r"\boxed{1}", MATH, "1").correct is True
        assert grader._worker is not None
        os.kill(grader._worker.pid, signal.SIGSTOP)  # as a computation in C would, it hears no alarm
        assert grader.grade(r"\boxed{1}", MATH, "1").reason == "grading took more than 0.2 s"
        assert grader.grade(r"\boxed{1}", MATH, "1").correct is True
        os.kill(grader._worker.pid, signal.SIGKILL)
        assert grader.grade(r"\boxed{1}", MATH, "1").reason == "the grading process died"
        assert grader.grade(r"\boxed{1}", MATH, "1").correct is True


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path: Path, *content: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return path


def response(text: str, **meta: object) -> dict[str, object]:
    return {"problem_id": "a", "response": text, "reward": 0.5, "answer": "old", "correct": None, "meta": meta}


def test_regrading_replaces_answer_and_correct_and_keeps_the_rest(tmp_path: Path) -> None:
    path = write(
        tmp_path / "r.jsonl",
        response(r"\boxed{2}", kind="math", reference="2", grading="comparing took more than 4 s"),
        response("Answer: A", kind="choice", reference="B", n_choices=2),
        response("```python\nx\n```", kind="code"),
    )
    assert grade.main([str(path)]) == 0
    first, second, third = rows(path)
    assert (first["answer"], first["correct"], first["reward"]) == ("2", True, 0.5)
    assert first["meta"] == {"kind": "math", "reference": "2"}
    assert (second["answer"], second["correct"]) == ("A", False)
    assert (third["answer"], third["correct"]) == ("x", None)
    assert third["meta"] == {"kind": "code", "grading": "code is not run here"}


def test_references_can_come_from_a_problems_file(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", {"problem_id": "a", "response": r"\boxed{\frac12}"})
    problems = write(tmp_path / "p.jsonl", {"problem_id": "a", "problem": "?", "answer": "0.5"})
    assert grade.main([str(path), "--problems", str(problems), "--out", str(tmp_path / "o.jsonl")]) == 0
    assert rows(tmp_path / "o.jsonl")[0]["correct"] is True
    assert "correct" not in rows(path)[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"problem_id": "a"}\n', ":1: not a response"),
        ("{}\n{\n", ":1: not a response"),
        ("\n", "no responses"),
        ('{"problem_id": "a", "response": "x"}\n', "name the problems: --problems"),
    ],
)
def test_unusable_files_are_refused_and_left_alone(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        grade.regrade(path, path)
    assert path.read_text() == content
    assert grade.main([str(path)]) == 2


def test_a_file_that_a_run_is_writing_to_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with open_response_file(path, Manifest({}, {}, {}, {}), {}), pytest.raises(RunError, match="a run is writing"):
        grade.regrade(path, path)
