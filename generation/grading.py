"""Decide whether a response's final answer is the reference.

`math-verify` compares expressions with a computer algebra system. Model output can keep such a system busy
for ever (10^10^10) in C code that no alarm interrupts, so the comparison runs in a process of its own that
is killed when its time is up. What could not be decided is None with a reason, never False.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from diversity_judge.countdown import is_solution, read_problem, read_steps
from diversity_judge.errors import RunError
from generation.answers import extract_answer, visible_answer
from generation.math_compare import NOT_INSTALLED
from generation.problems import ProblemKind

MATH_SECONDS = 45.0
"""For one comparison of two expressions. Ordinary ones take milliseconds, but an engine may keep all cores busy."""

_ALARMS = 3
"""Steps of a comparison that math-verify limits one by one: parsing twice, comparing."""

_START_SECONDS = 120.0
"""For the first comparison of a fresh process, which imports sympy (seconds, more on a busy machine)."""


@dataclass(frozen=True)
class Grade:
    """What grading a response gave.

    Attributes:
        answer: The extracted final answer; None where the response gives none.
        correct: Whether it is the reference; None where that is unknown.
        reason: Why `correct` is None; empty otherwise.
    """

    answer: str | None
    correct: bool | None
    reason: str = ""


class Grader:
    """Extracts and grades; holds the process that compares expressions, started when first needed.

    Not for use from two threads at a time.
    """

    def __init__(self, *, math_seconds: float = MATH_SECONDS) -> None:
        self._seconds = math_seconds
        self._process: subprocess.Popen[bytes] | None = None

    def grade(self, text: str, kind: ProblemKind, reference: str | None, *, n_choices: int = 0) -> Grade:
        """Grade one response.

        A response without an answer is wrong where there is a reference: it did not solve the problem.

        Args:
            text: The whole response.
            kind: What a final answer is.
            reference: The right answer, or None if unknown.
            n_choices: How many options a multiple-choice problem has.

        Raises:
            RunError: math-verify is not installed.
        """
        answer = extract_answer(text, kind, n_choices=n_choices)
        if kind is ProblemKind.CODE:
            return Grade(answer, None, "code is not run here")
        if reference is None:
            return Grade(answer, None, "no reference answer")
        if answer is None:
            return Grade(None, False)
        if kind is ProblemKind.CHOICE:
            return Grade(answer, answer == reference)
        if kind is ProblemKind.COUNTDOWN:
            return Grade(answer, is_solution(read_problem(reference), read_steps(visible_answer(text))))
        return self._grade_math(answer, reference)

    def close(self) -> None:
        """End the comparing process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def __enter__(self) -> Grader:
        """Nothing to set up."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the comparing process."""
        self.close()

    def _grade_math(self, answer: str, reference: str) -> Grade:
        seconds = self._seconds + (_START_SECONDS if self._process is None else 0)
        try:
            reply = self._ask(json.dumps([reference, answer]).encode(), seconds)
        except OSError:
            reply = b""
        if reply is None:
            self.close()
            return Grade(answer, None, f"comparing took more than {self._seconds:g} s")
        if not reply:
            self.close()
            return Grade(answer, None, "the comparing process died")
        correct, reason = json.loads(reply)
        if reason == NOT_INSTALLED:
            raise RunError("grading mathematics needs math-verify: pip install 'diversity-judge[generation]'")
        return Grade(answer, correct, reason)

    def _ask(self, line: bytes, seconds: float) -> bytes | None:
        """The process's reply; None if it takes too long, empty if it died."""
        if self._process is None:
            self._process = _start_comparing(self._seconds / _ALARMS)
        question, reply = self._process.stdin, self._process.stdout
        assert question is not None
        assert reply is not None
        question.write(line + b"\n")
        question.flush()
        # The reply is one short line, written at once: when its first byte is here, so is the rest.
        ready, _, _ = select.select([reply], [], [], seconds)
        return reply.readline() if ready else None


def _start_comparing(alarm_seconds: float) -> subprocess.Popen[bytes]:
    """Start `generation.math_compare` as a program.

    Not with multiprocessing: its spawn runs the caller's main module again, which notebooks don't have, and a
    fork of a process that runs an engine's threads can deadlock.
    """
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(  # noqa: S603 - this project's own module
        [sys.executable, "-m", "generation.math_compare", str(max(1, round(alarm_seconds)))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": path},
        start_new_session=True,  # Ctrl-C is for the command, which ends this process itself
    )
