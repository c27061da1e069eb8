import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("math_verify")

from diversity_judge.errors import InputError, RunError
from generation import grade
from generation.grading import grader as grading
from generation.grading.grader import Grade, Grader, GradingStoppedError
from generation.problems import ProblemKind
from generation.response_file import Manifest, open_response_file

ROOT = Path(__file__).resolve().parents[3]
MATH, CHOICE, CODE, COUNTDOWN = ProblemKind.MATH, ProblemKind.CHOICE, ProblemKind.CODE, ProblemKind.COUNTDOWN
RIGHT = {
    MATH: (r"\boxed{1}", "1"),
    CHOICE: ("Answer: A", "A"),
    CODE: ("```python\nx\n```", None),
    COUNTDOWN: ("6 * 2 = 12", "6 2 target 12"),
}
"""A response and its reference, by kind."""


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


ENDLESS = "10^{10^{10^{10}}}"


def test_a_comparison_without_end_is_unknown_its_answer_is_known_and_the_next_one_works() -> None:
    with Grader(seconds=6) as impatient:
        endless = impatient.grade(rf"\boxed{{{ENDLESS}}}", MATH, "3")
        assert (endless.answer, endless.correct) == (ENDLESS, None)
        assert "took more than" in endless.reason
        assert impatient.grade(r"\boxed{3}", MATH, "3").correct is True


def test_an_answer_too_long_to_compare_is_unknown(grader: Grader) -> None:
    grade = grader.grade(rf"\boxed{{{'1+' * 6000}1}}", MATH, "6001")
    assert grade.correct is None
    assert grade.reason == "the answer has more than 10,000 characters"


@pytest.mark.parametrize("kind", [MATH, CHOICE, CODE, COUNTDOWN])
def test_all_of_grading_has_a_time_limit_and_survives_the_death_of_its_process(kind: ProblemKind) -> None:
    text, reference = RIGHT[kind]
    with Grader(seconds=600) as grader:
        right = grader.grade(text, kind, reference, n_choices=4)
        assert right.answer is not None
        assert grader._worker is not None
        os.kill(grader._worker.pid, signal.SIGSTOP)  # as a computation in C would, it hears no alarm
        grader._seconds = 0.2
        assert grader.grade(text, kind, reference, n_choices=4) == Grade(None, None, "grading took more than 0.2 s")
        grader._seconds = 600
        assert grader.grade(text, kind, reference, n_choices=4) == right
        os.kill(grader._worker.pid, signal.SIGKILL)
        assert grader.grade(text, kind, reference, n_choices=4).reason == "the grading process died"
        assert grader.grade(text, kind, reference, n_choices=4) == right


def test_a_process_that_does_not_read_a_long_response_is_not_waited_for() -> None:
    with Grader(seconds=600) as grader:
        assert grader.grade("Answer: A", CHOICE, "A", n_choices=4).correct is True
        assert grader._worker is not None
        os.kill(grader._worker.pid, signal.SIGSTOP)
        grader._seconds = 0.2
        assert grader.grade("x" * 10_000_000, CHOICE, "A", n_choices=4).reason == "grading took more than 0.2 s"


def test_long_and_broken_texts_come_back_as_they_are(grader: Grader) -> None:
    code = "x = '\ud800\0\u2028\\\\'\n" * 60_000
    assert grader.grade(f"```python\n{code}```", CODE, None).answer == code.strip("\n")


def test_a_countdown_reference_that_is_none_is_unknown(grader: Grader) -> None:
    assert grader.grade("6 * 11 = 66", COUNTDOWN, "52").reason == "the reference is not a countdown problem"


def test_grading_can_be_stopped_by_another_thread() -> None:
    with Grader(seconds=600) as grader:
        assert grader.grade("Answer: A", CHOICE, "A", n_choices=4).correct is True
        assert grader._worker is not None
        os.kill(grader._worker.pid, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as threads:
            graded = threads.submit(grader.grade, "Answer: A", CHOICE, "A", n_choices=4)
            grader.stop()
            with pytest.raises(GradingStoppedError):
                graded.result()
        with pytest.raises(GradingStoppedError):
            grader.grade("Answer: A", CHOICE, "A", n_choices=4)


def test_a_grading_process_whose_parent_was_killed_ends_itself() -> None:
    """It computes in C and reads nothing, so it learns nothing: the kernel's timer ends it."""
    requests = [
        {"prepare": "math", "seconds": 600},
        {"text": rf"\boxed{{{ENDLESS}}}", "kind": "math", "reference": "3", "n_choices": 0, "seconds": 0.1},
    ]
    done = subprocess.run(
        [sys.executable, "-m", "generation.grading.worker"],
        input="".join(json.dumps(request) + "\n" for request in requests).encode(),
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == -signal.SIGPROF
    assert [json.loads(line) for line in done.stdout.splitlines()] == [{"reason": ""}, {"answer": ENDLESS}]


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


def test_a_killed_regrading_changes_nothing_and_the_next_one_grades_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(
        tmp_path / "r.jsonl",
        response(rf"\boxed{{{ENDLESS}}}", kind="math", reference="2"),
        response(r"\boxed{2}", kind="math", reference="2"),
        response(r"\boxed{3}", kind="math", reference="2"),
    )
    before = path.read_bytes()
    command = [sys.executable, "-m", "generation.grade", str(path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"grading 3 responses")
        process.kill()
        process.stderr.read()  # until a worker that was being born, as a copy of it, has let go of its files too
    assert process.returncode == -signal.SIGKILL
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    monkeypatch.setattr(grading, "GRADE_SECONDS", 9.0)
    assert grade.main([str(path)]) == 0
    assert [row["correct"] for row in rows(path)] == [None, True, False]
    assert [row["answer"] for row in rows(path)] == [ENDLESS, "2", "3"]
    assert "1 not graded: " in capsys.readouterr().err


def test_regrading_says_what_still_waits_for_its_grade(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "r.jsonl"
    first, second = ({**response("x", kind="code"), "strategy": "s", "sample_id": number} for number in range(2))
    with open_response_file(path, Manifest({}, {}, {}, {}), {}) as file:
        file.keep([first, second])
        file.settle([first])
    assert grade.main([str(path)]) == 0
    assert "1 response waits for its grade" in capsys.readouterr().err
    assert len(rows(path)) == 1
