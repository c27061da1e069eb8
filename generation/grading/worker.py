"""The process that grades: one JSON object a line in; for each response two out, the answer and the verdict.

A program of its own so that `generation.grading.grader` can kill it; see there for why. The answer comes first, so that
it is known even where the comparison never ends.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from diversity_judge.countdown import is_solution, read_problem, read_steps
from generation.grading.answers import extract_answer, visible_answer
from generation.grading.math_compare import compare_math
from generation.problems import ProblemKind

MEMORY_BYTES = 4 << 30
"""An expression such as 10^10^10 must not take the memory that the sampling needs."""

_STEPS = 3
"""Steps of a comparison that math-verify limits one by one: parsing twice, comparing."""

Verdict = tuple[bool | None, str]
"""Whether the answer is the reference, and why that is unknown where it is None."""


def verdict(text: str, answer: str | None, kind: ProblemKind, reference: str | None, *, seconds: float) -> Verdict:
    """Whether a response's answer is the reference.

    A response without an answer is wrong where there is a reference: it did not solve the problem.

    Args:
        text: The whole response.
        answer: What was extracted from it.
        kind: What a final answer is.
        reference: The right answer, or None if unknown.
        seconds: For the comparison of expressions.
    """
    if kind is ProblemKind.CODE:
        return None, "code is not run here"
    if reference is None:
        return None, "no reference answer"
    if answer is None:
        return False, ""
    if kind is ProblemKind.CHOICE:
        return answer == reference, ""
    if kind is ProblemKind.COUNTDOWN:
        return _solves(text, reference)
    return compare_math(reference, answer, alarm_seconds=max(1, round(seconds / _STEPS)))


def _solves(text: str, reference: str) -> Verdict:
    try:
        problem = read_problem(reference)
    except ValueError:
        return None, "the reference is not a countdown problem"
    return is_solution(problem, read_steps(visible_answer(text))), ""


def _replies(request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "prepare" in request:
        reason = ""
        if request["prepare"] == ProblemKind.MATH.value:
            # What sympy does once only (imports, tables) must not count against the first comparison.
            _, reason = compare_math(r"3\sqrt{2}", r"\frac{6}{\sqrt{2}}", alarm_seconds=3600)
        yield {"reason": reason}
        return
    text, kind = request["text"], ProblemKind(request["kind"])
    answer = extract_answer(text, kind, n_choices=request["n_choices"])
    yield {"answer": answer}
    correct, reason = verdict(text, answer, kind, request["reference"], seconds=request["seconds"])
    yield {"correct": correct, "reason": reason}


def main() -> None:
    """Answer until the input ends."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as replies:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a library's print must not end up among the replies
        with suppress(OSError, ValueError):  # not every system can limit it
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
        for line in sys.stdin:
            request = json.loads(line)
            # Who asked kills this process when its time is up. Where he was killed himself, the kernel does it, after
            # more time on a processor than can pass meanwhile.
            signal.setitimer(signal.ITIMER_PROF, 2 * request["seconds"])
            for reply in _replies(request):
                replies.write(json.dumps(reply) + "\n")
                replies.flush()
            signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    main()
