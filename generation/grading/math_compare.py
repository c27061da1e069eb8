"""Compare mathematical expressions with math-verify, which asks a computer algebra system.

Only within a process that can be killed: model output can keep such a system busy for ever (10^10^10).
"""

from __future__ import annotations

import logging

NOT_INSTALLED = "math-verify is not installed"

MAX_CHARACTERS = 10_000
"""Of an answer that is compared; the longest references have some hundred, and a parser is busy with these for long."""


def compare_math(reference: str, answer: str, *, alarm_seconds: int) -> tuple[bool | None, str]:
    """Whether two expressions are equal; (None, why) where that cannot be decided.

    Runs in the main thread of a process only, since math-verify's time limits are alarms. They interrupt
    Python code; whoever watches the process interrupts the rest.

    Args:
        reference: The right answer.
        answer: What is compared with it.
        alarm_seconds: For each of three steps: parsing the one, parsing the other, comparing.
    """
    if len(answer) > MAX_CHARACTERS:
        return None, f"the answer has more than {MAX_CHARACTERS:,} characters"
    try:
        import math_verify
        from math_verify.errors import TimeoutException
    except ImportError:
        return None, NOT_INSTALLED
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    try:
        gold, found = (
            math_verify.parse(_boxed(text), parsing_timeout=alarm_seconds, raise_on_error=True)
            for text in (reference, answer)
        )
        if not gold:
            return (True, "") if reference.strip() == answer else (None, "the reference cannot be parsed")
        equal = math_verify.verify(gold, found, timeout_seconds=alarm_seconds, raise_on_error=True)
        return bool(equal), ""
    except TimeoutException:
        return None, f"comparing took more than {alarm_seconds} s"
    except Exception as error:  # sympy raises whatever it meets; the reason is kept and the run goes on
        return None, f"comparing failed: {type(error).__name__}"


def _boxed(expression: str) -> str:
    return rf"\boxed{{{expression}}}"
