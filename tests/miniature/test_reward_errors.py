"""How a reward model errs: AUC against all pairs, held-out problems alone."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from diversity_judge.inputs.responses import Response
from examples.miniature.problems import held_out
from examples.miniature.reward_errors import auc, errors_of


def test_auc_is_the_share_of_pairs_in_order() -> None:
    generator = np.random.default_rng(2)
    scores, good = generator.integers(0, 6, 40).astype(float), generator.random(40) < 0.4
    pairs = [(a > b) + (a == b) / 2 for a, b in product(scores[good], scores[~good])]
    assert auc(scores, good) == pytest.approx(np.mean(pairs))
    with pytest.raises(ValueError, match="good ones and bad ones"):
        auc(scores, np.ones(40, dtype=np.bool_))


def response(problem: str, text: str, *rewards: float, correct: bool = False) -> Response:
    return Response("p", text, problem=problem, correct=correct, meta={"step_rewards": list(rewards)})


def test_errors_are_counted_by_step_and_by_response() -> None:
    problem = next(held_out(0))
    assert (problem.numbers, problem.target) == ((9, 3, 4, 7), 70)  # 7 * (9 + 4 - 3)
    first, second = "9 + 4 = 13 left 3 7 13", "13 - 3 = 10 left 7 10"
    right = response(problem.text, f"{first} ; {second} ; 7 * 10 = 70", 0.9, 0.4, 0.6, correct=True)
    wrong = response(problem.text, f"{first} ; {second} ; 7 + 10 = 70", 0.9, 0.7, 0.5)
    unread = response(problem.text, "no steps")
    found = errors_of([right, wrong, unread])
    assert (found.n_responses, found.n_steps) == (2, 6)
    assert found.good_steps == pytest.approx(5 / 6)
    assert found.step_auc == pytest.approx(4 / 5), "0.5 of the bad one against 0.9, 0.4, 0.6, 0.9, 0.7"
    assert found.accuracy == pytest.approx(5 / 6), "0.4 is on the wrong side; 0.5 is not above it"
    assert (found.last_auc, found.min_auc) == (1, 0)


def test_a_problem_that_training_may_have_seen_is_refused() -> None:
    with pytest.raises(ValueError, match="there in training"):
        errors_of([response("12 2 11 6 target 52", "6 * 11 = 66", 0.5)])
