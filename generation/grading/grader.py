"""Decide whether a response's final answer is the reference.

Model output can keep a reader busy for ever: a computer algebra system (10^10^10) in C code that no alarm
interrupts. So all of grading, from the extraction of the answer on, happens in a process of its own that is
killed when its time is up. What could not be decided is None with a reason, never False.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType

from diversity_judge.errors import RunError
from generation.grading.math_compare import NOT_INSTALLED
from generation.grading.worker_process import WorkerDiedError, WorkerProcess, WorkerTimeoutError
from generation.problems import ProblemKind

GRADE_SECONDS = 45.0
"""For one response. Ordinary ones take milliseconds, but an engine may keep all cores busy."""

START_SECONDS = 120.0
"""For a fresh process, which imports sympy (seconds, more on a busy machine)."""


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


@dataclass
class GradeCounts:
    """How many responses are right, wrong, or why they are neither."""

    right: int = 0
    wrong: int = 0
    ungraded: Counter[str] = field(default_factory=Counter)

    def add(self, grade: Grade) -> None:
        """Count a grade."""
        self.right += grade.correct is True
        self.wrong += grade.correct is False
        if grade.correct is None:
            self.ungraded[grade.reason] += 1

    def why_ungraded(self) -> list[str]:
        """A line a reason, the most frequent first."""
        return [f"{times} not graded: {reason}" for reason, times in self.ungraded.most_common()]


class GradingStoppedError(Exception):
    """`Grader.stop` was called: there is no grade, and there will be none from this grader."""


class Grader:
    """Extracts and grades; holds the process that does, started when first needed and again after a hang.

    Not for use from two threads at a time, except `stop`.
    """

    def __init__(self, *, seconds: float | None = None) -> None:
        """Nothing is started yet.

        Args:
            seconds: For one response; None for the usual time.
        """
        self._seconds = GRADE_SECONDS if seconds is None else seconds
        self._worker: WorkerProcess | None = None
        self._prepared: set[ProblemKind] = set()
        self._is_stopped = False
        self._lock = threading.Lock()

    def grade(self, text: str, kind: ProblemKind, reference: str | None, *, n_choices: int = 0) -> Grade:
        """Grade one response.

        A response without an answer is wrong where there is a reference: it did not solve the problem.

        Args:
            text: The whole response.
            kind: What a final answer is.
            reference: The right answer, or None if unknown.
            n_choices: How many options a multiple-choice problem has.

        Raises:
            RunError: math-verify is not installed, or no process can be started.
            GradingStoppedError: grading was stopped meanwhile.
        """
        worker = self._ready(ProblemKind.CODE if reference is None else kind)
        question = {"text": text, "kind": kind.value, "reference": reference, "n_choices": n_choices}
        answer: str | None = None
        deadline = time.monotonic() + self._seconds
        try:
            worker.send(question | {"seconds": self._seconds}, deadline)
            answer = worker.receive(deadline)["answer"]
            verdict = worker.receive(deadline)
        except WorkerTimeoutError:
            return self._without(answer, f"grading took more than {self._seconds:g} s")
        except WorkerDiedError:
            return self._without(answer, "the grading process died")
        return Grade(answer, verdict["correct"], verdict["reason"])

    def stop(self) -> None:
        """End what is being graded, for good; from any thread."""
        with self._lock:
            self._is_stopped = True
            if self._worker is not None:
                self._worker.kill()

    def close(self) -> None:
        """End the process; the next grade starts another."""
        with self._lock:
            worker, self._worker = self._worker, None
            self._prepared.clear()
        if worker is not None:
            worker.close()

    def __enter__(self) -> Grader:
        """Nothing to set up."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self.close()

    def _ready(self, kind: ProblemKind) -> WorkerProcess:
        """The process, started and with everything imported that this kind of grading needs."""
        with self._lock:
            if self._is_stopped:
                raise GradingStoppedError
            if self._worker is None:
                try:
                    self._worker = WorkerProcess("generation.grading.worker")
                except OSError as error:
                    raise RunError(f"no process for grading can be started: {error}") from error
            worker = self._worker
        if kind not in self._prepared:
            deadline = time.monotonic() + START_SECONDS
            try:
                worker.send({"prepare": kind.value, "seconds": START_SECONDS}, deadline)
                reason = worker.receive(deadline)["reason"]
            except (WorkerTimeoutError, WorkerDiedError) as error:
                self._without(None, "")
                how = "died" if isinstance(error, WorkerDiedError) else f"was not ready after {START_SECONDS:g} s"
                raise RunError(f"the process that grades {kind.value} {how}; nothing is lost: try again") from error
            if reason == NOT_INSTALLED:
                raise RunError("grading mathematics needs math-verify: pip install 'diversity-judge[generation]'")
            self._prepared.add(kind)
        return worker

    def _without(self, answer: str | None, reason: str) -> Grade:
        """The grade of a response that the process did not survive."""
        self.close()
        if self._is_stopped:
            raise GradingStoppedError
        return Grade(answer, None, reason)
