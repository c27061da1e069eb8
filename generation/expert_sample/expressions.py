"""Whole numbers written in k, the number of active experts: `k/2+2`, `5k`, `k//2+1`, `3(k-1)`.

Settings come from command lines and from requests to a server, so they are parsed by a grammar of five rules
instead of being evaluated as code. Values are exact fractions until the end, then rounded down: `k/2` is 3
for k = 7, and `0.3k*10` is 3k, whatever floating point would make of it.

    sum     = product { ("+" | "-") product }
    product = factor { "*" factor | "/" factor | "//" factor | factor }     the last multiplies: 5k, 3(k-1)
    factor  = ["+" | "-"] ( number | "k" | "(" sum ")" )
"""

from __future__ import annotations

import contextlib
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

# Long enough for any sensible setting; short enough that a hostile one costs nothing to refuse.
MAX_LENGTH = 40

_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|(k|K)|(//|[-+*/()]))")
_ALLOWED = "allowed are whole or decimal numbers, k, + - * / // and brackets, as in k/2+2 or 5k"


def check(text: str) -> None:
    """Check that a text is an expression in k.

    Raises:
        ValueError: it is not; the message says what is allowed.
    """
    with contextlib.suppress(ZeroDivisionError):  # whether there is one depends on k
        _evaluate(_tokens(text), 1)


def evaluate_whole(value: int | str, k: int) -> int:
    """Evaluate a whole number or an expression in k, rounded down.

    Args:
        value: the number or expression.
        k: number of active experts.

    Returns:
        The greatest whole number that is not greater than the value.

    Raises:
        ValueError: the text is no expression in k, or it divides by zero at this k.
    """
    if isinstance(value, int):
        return value
    try:
        return math.floor(_evaluate(_tokens(value), k))
    except ZeroDivisionError:
        raise ValueError(f"{value!r} divides by zero at k={k}.") from None


@lru_cache(maxsize=256)  # every request of a run brings the same few texts
def _tokens(text: str) -> tuple[str, ...]:
    if len(text) > MAX_LENGTH:
        raise ValueError(f"an expression in k has at most {MAX_LENGTH} characters.")
    text, tokens, position = text.rstrip(), [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"cannot read {text[position:]!r}; {_ALLOWED}.")
        tokens.append(match.group().strip().lower())
        position = match.end()
    return tuple(tokens)


@lru_cache(maxsize=256)
def _evaluate(tokens: tuple[str, ...], k: int) -> Fraction:
    parser = _Parser(tokens, k)
    value = parser.sum()
    if parser.peek() is not None:
        raise ValueError(f"cannot read {parser.peek()!r}; {_ALLOWED}.")
    return value


@dataclass
class _Parser:
    """Recursive descent over the tokens, evaluating as it goes."""

    tokens: tuple[str, ...]
    k: int
    position: int = 0

    def peek(self) -> str | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def take(self) -> str:
        token = self.peek()
        if token is None:
            raise ValueError(f"the expression ends too early; {_ALLOWED}.")
        self.position += 1
        return token

    def sum(self) -> Fraction:
        value = self.product()
        while self.peek() in ("+", "-"):
            value = value + self.product() if self.take() == "+" else value - self.product()
        return value

    def product(self) -> Fraction:
        value = self.factor()
        while (sign := self.peek()) in ("*", "/", "//", "k", "("):
            if sign not in ("k", "("):
                self.take()
            factor = self.factor()
            if sign == "/":
                value /= factor
            elif sign == "//":
                value = Fraction(value // factor)
            else:
                value *= factor
        return value

    def factor(self) -> Fraction:
        sign = self.take()
        if sign in ("+", "-"):
            return self.factor() if sign == "+" else -self.factor()
        if sign == "(":
            value = self.sum()
            if self.take() != ")":
                raise ValueError(f"a bracket is not closed; {_ALLOWED}.")
            return value
        if sign == "k":
            return Fraction(self.k)
        if sign[0].isdigit():
            return Fraction(sign)
        raise ValueError(f"cannot read {sign!r} here; {_ALLOWED}.")
