"""The verifier sees equations and the last result, and no more."""

import pytest

from diversity_judge.countdown import read_problem
from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import Response
from examples.miniature.verifier import reward, with_rewards

PROBLEM = read_problem("12 2 11 6 target 52")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6 * 11 = 66 left 12 2 66 ; 2 + 12 = 14 left 66 14 ; 66 - 14 = 52", 1.0),
        ("6 * 11 = 66 left 12 2 66 ; 2 + 12 = 14 left 66 14 ; 66 + 14 = 80", 0.75),  # true, but another result
        ("6 * 11 = 67 left 12 2 67 ; 2 + 12 = 14 left 67 14 ; 66 - 14 = 52", 0.75),  # a slip
        ("50 + 2 = 52", 1.0),  # not its numbers: it is no oracle
        ("no idea", 0.0),
        ("", 0.0),
    ],
)
def test_the_reward_is_the_share_of_checks_that_pass(text: str, expected: float) -> None:
    assert reward(PROBLEM, text) == pytest.approx(expected)


def test_responses_keep_everything_else() -> None:
    response = Response("p", "50 + 2 = 52", problem=PROBLEM.text, correct=False, sample_id=3)
    (rewarded,) = with_rewards([response])
    assert (rewarded.reward, rewarded.correct, rewarded.sample_id, rewarded.text) == (1.0, False, 3, response.text)


def test_another_kind_of_problem_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="sum: not a countdown problem"):
        list(with_rewards([Response("sum", "42", problem="What is 17 + 25?")]))
