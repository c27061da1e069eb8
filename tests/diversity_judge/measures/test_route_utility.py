"""Routes by class of token, held against planted truths and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from diversity_judge.measures.clustered import mean_of
from diversity_judge.measures.route_utility import (
    DEFINITIONS,
    NAIVE,
    SECOND_SET,
    ClassFinding,
    TokenUtilities,
    class_of,
    classes,
    findings,
    null_best_beats,
)
from tests.planted_routes import SPREAD, planted_tokens

BOUNDARIES = (0.5, 0.9)
FRAGILE, BETWEEN, CONFIDENT = range(3)


def found(tokens: TokenUtilities, definition: str, place: int | None) -> ClassFinding:
    return next(f for f in findings(tokens, BOUNDARIES) if (f.definition, f.place) == (definition, place))


def test_a_class_holds_what_lies_up_to_its_boundary() -> None:
    probabilities = np.array([0.1, 0.5, 0.500001, 0.9, 0.91, 1.0])
    assert classes(np.log(probabilities), BOUNDARIES).tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("boundaries", [(), (0.9, 0.5), (0.0, 0.5), (0.5, 1.0), (0.5, 0.5)])
def test_boundaries_that_do_not_rise_within_0_and_1_are_refused(boundaries: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="rise between 0 and 1"):
        classes(np.zeros(2), boundaries)


def test_where_the_router_knows_nothing_only_the_naive_classes_find_something() -> None:
    """All routes are alike: rank 1/2 in every class of the second set, far below it in the naive fragile class."""
    tokens = planted_tokens(np.random.default_rng(0), n_problems=200, tokens_each=100)
    for place in (FRAGILE, BETWEEN, CONFIDENT):
        honest = found(tokens, SECOND_SET, place).estimates["rank"]
        assert honest.value == pytest.approx(0.5, abs=3.5 * honest.se)
        assert honest.se < 0.01
    fragile, confident = (found(tokens, NAIVE, place).estimates["rank"] for place in (FRAGILE, CONFIDENT))
    assert fragile.high < 0.47
    assert confident.low > 0.53


def test_the_placebo_shows_the_naive_classes_their_shadow() -> None:
    """The standard route is better by a planted lead; the placebo never is, but looks worse where it was unlucky."""
    tokens = planted_tokens(np.random.default_rng(1), lead=lambda d: 0.5 + 0 * d, n_problems=200, tokens_each=100)
    for place in (FRAGILE, BETWEEN, CONFIDENT):
        placebo = found(tokens, SECOND_SET, place).estimates["placebo_rank"]
        assert placebo.value == pytest.approx(0.5, abs=3.5 * placebo.se)
    assert found(tokens, NAIVE, FRAGILE).estimates["placebo_rank"].high < 0.47


def test_a_planted_lead_is_found_in_the_classes_that_have_it() -> None:
    """A lead above logit 1.5 only; there the chance to beat a drawn route is Phi(lead / (SPREAD sqrt 2))."""
    tokens = planted_tokens(
        np.random.default_rng(2), lead=lambda d: np.where(d > 1.5, 1.0, 0.0), n_problems=200, tokens_each=100
    )
    truth = float(ndtr(1.0 / (SPREAD * np.sqrt(2))))
    confident = found(tokens, SECOND_SET, CONFIDENT).estimates
    # Within the class few tokens of median p > .9 (logit 2.2) have a difficulty below 1.5.
    assert confident["rank"].value == pytest.approx(truth, abs=0.01)
    assert confident["beaten_by"].value == pytest.approx(1 - confident["rank"].value)
    fragile = found(tokens, SECOND_SET, FRAGILE).estimates["rank"]
    assert fragile.value == pytest.approx(0.5, abs=3.5 * fragile.se)


def test_the_best_of_m_exchangeable_routes_beats_one_more_in_m_of_m_plus_1() -> None:
    tokens = planted_tokens(np.random.default_rng(3), n_problems=100, tokens_each=100, n_alternatives=4)
    assert null_best_beats(4) == 0.8
    for definition in DEFINITIONS:
        everything = found(tokens, definition, None).estimates
        for name in ("best_beats", "placebo_best_beats"):
            assert everything[name].value == pytest.approx(0.8, abs=0.015)
        excess = everything["regret"].value - everything["placebo_regret"].value
        assert excess == pytest.approx(0, abs=3.5 * np.hypot(everything["regret"].se, everything["placebo_regret"].se))


def test_intervals_cover_the_truth_where_problems_differ() -> None:
    """Of 200 studies of 30 problems, 95 % intervals of the fragile rank hold 1/2: 190 are expected, 12 is 3.3 sd."""
    generator = np.random.default_rng(4)
    held = 0
    for _ in range(200):
        tokens = planted_tokens(generator, n_problems=30, tokens_each=20, n_alternatives=8, problem_spread=2)
        fragile = class_of(SECOND_SET, tokens.standard, tokens, BOUNDARIES) == FRAGILE
        rank = mean_of(tokens.rank[fragile], tokens.problems[fragile], bounds=(0, 1))
        held += rank.low <= 0.5 <= rank.high
    assert 178 <= held <= 200


def test_counts_are_those_of_the_class_and_its_problems() -> None:
    tokens = planted_tokens(np.random.default_rng(5), n_problems=5, tokens_each=7)
    by_place = [found(tokens, NAIVE, place) for place in (FRAGILE, BETWEEN, CONFIDENT)]
    assert sum(f.n_tokens for f in by_place) == 35 == found(tokens, NAIVE, None).n_tokens
    assert found(tokens, NAIVE, None).n_problems == 5
    assert sum(f.placebo_tokens for f in by_place) == 35
    assert all(f.chosen_tokens == 0 for f in by_place)
