"""How a number and its interval are said."""

import math

import pytest

from examples.miniature.points import Measured
from examples.miniature.wording import with_interval


@pytest.mark.parametrize(
    ("one", "digits", "said"),
    [
        (Measured(0.4116, 0.38, 0.4449), 3, "0.412 (0.380 to 0.445)"),
        (Measured(1.5, -0.25, 12), 2, "1.50 (-0.25 to 12.00)"),
        (Measured(1.5, 0.25, math.inf), 2, "1.50 (0.25 to no end)"),
        (Measured(math.inf, 0.25, math.inf), 2, "no end (0.25 to no end)"),
    ],
)
def test_a_number_stands_before_its_interval(one: Measured, digits: int, said: str) -> None:
    assert with_interval(one, digits) == said


def test_a_change_has_its_sign() -> None:
    assert with_interval(Measured(0.1, -0.05, 0.25), 3, signed=True) == "+0.100 (-0.050 to +0.250)"
