"""The alternative annotator test against a computation by hand, and against scipy's t test where problems are pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from diversity_judge.measures.alt_test import MIN_PAIRS, alt_test

N = 40
OWN = np.array([f"p{n}" for n in range(N)])
"""Every pair a problem of its own: then the test is that of the paper."""


def test_the_test_by_hand() -> None:
    # Three people of 40 pairs. Ann and Bob say 3 always; Cy says 0 on the first 30 pairs, 3 on the others. The judge
    # says 3 on the first 36 and 5 on the last 4.
    people = np.full((N, 3), 3.0)
    people[:30, 2] = 0.0
    judge = np.full(N, 3.0)
    judge[36:] = 5.0
    found = alt_test(judge, people, ["Ann", "Bob", "Cy"], OWN)
    # Ann left out, the others are Bob (3) and Cy. Pairs 0-29: judge and Ann both say 3, a tie; 30-35 too; on the last 4
    # Ann is right and the judge is not. So the judge wins on 36 of 40 and Ann on all. Bob likewise.
    # Cy left out: the others say 3. Pairs 0-29 the judge alone wins, 30-35 both, the last 4 Cy alone.
    assert [p.judge_wins for p in found.people] == pytest.approx([36 / 40, 36 / 40, 36 / 40])
    assert [p.person_wins for p in found.people] == pytest.approx([1.0, 1.0, 10 / 40])
    assert found.rho == pytest.approx(0.9)
    # d = W_person - W_judge: for Ann 4 ones and 36 zeros, mean 0.1, variance 40/39 * 0.1 * 0.9.
    t = (0.1 - 0.2) / np.sqrt(40 / 39 * 0.09 / 40)
    assert found.people[0].p == pytest.approx(float(stats.t.cdf(t, 39)))
    # Benjamini and Yekutieli over 3: factor 1 + 1/2 + 1/3. Cy's p is far below, Ann's and Bob's are 0.0220 each:
    # 0.0220 * 3 / 3 * 11/6 = 0.0403 <= 0.05.
    assert found.people[0].p * 11 / 6 == pytest.approx(0.0403, abs=5e-4)
    assert [p.is_won for p in found.people] == [True, True, True]
    assert found.omega == 1.0
    assert found.passes


def test_with_every_pair_a_problem_p_is_that_of_scipy() -> None:
    rng = np.random.default_rng(3)
    people, judge = rng.integers(0, 6, (N, 4)).astype(float), rng.integers(0, 6, N).astype(float)
    people[rng.random(people.shape) < 0.1] = np.nan
    found = alt_test(judge, people, list("abcd"), OWN, epsilon=0.15)
    for at, person in enumerate(found.people):
        others = np.delete(people, at, axis=1)
        used = ~np.isnan(people[:, at]) & ~np.isnan(others).all(axis=1)
        assert person.n_pairs == used.sum()

        def distance(scores: np.ndarray[tuple[int], np.dtype[np.float64]], to: object = others[used]) -> object:
            return np.sqrt(np.nanmean((np.asarray(to) - scores[:, None]) ** 2, axis=1)).round(9)

        of_judge, of_person = np.asarray(distance(judge[used])), np.asarray(distance(people[used, at]))
        ahead = (of_person <= of_judge).astype(float) - (of_judge <= of_person)
        assert person.p == pytest.approx(float(stats.ttest_1samp(ahead, 0.15, alternative="less").pvalue))


def test_pairs_that_share_problems_are_worth_less() -> None:
    rng = np.random.default_rng(0)
    hard = np.repeat(rng.random(10) < 0.3, 4)  # On hard problems the judge fails, on all four pairs.
    people = np.full((N, 3), 3.0)
    judge = np.where(hard, 0.0, 3.0)
    alone = alt_test(judge, people, list("abc"), OWN, epsilon=0.5).people[0].p
    together = alt_test(judge, people, list("abc"), np.repeat(OWN[:10], 4), epsilon=0.5).people[0].p
    assert together > 2 * alone


def test_labels_of_zero_and_one_are_compared_by_agreement() -> None:
    rng = np.random.default_rng(1)
    people, judge = rng.integers(0, 2, (N, 3)).astype(float), rng.integers(0, 2, N).astype(float)
    found = alt_test(judge, people, list("abc"), OWN)
    others = people[:, 1:]
    right, wrong = (others == judge[:, None]).mean(axis=1), (others == people[:, :1]).mean(axis=1)
    assert found.people[0].judge_wins == pytest.approx((right >= wrong).mean())


def test_a_judge_that_is_everybodys_equal_wins_and_one_that_is_nobodys_loses() -> None:
    people = np.full((N, 3), 3.0)
    best, worst = (alt_test(np.full(N, score), people, list("abc"), OWN) for score in (3.0, 0.0))
    assert (best.omega, best.rho) == (1.0, 1.0)
    assert (worst.omega, worst.rho) == (0.0, 0.0)
    # All 40 d are 0 although their mean is 0.2: the likeliest such distribution has 0 with chance 0.8.
    assert best.people[0].p == pytest.approx(0.8**N)
    assert worst.people[0].p == 1.0


def test_too_few_people_or_pairs_are_said() -> None:
    people = np.full((N, 2), 3.0)
    one = people.copy()
    one[:, 1] = np.nan
    assert "it needs 2 people (3 or more are advised)" in alt_test(people[:, 0], one, list("ab"), OWN).reason
    few = people.copy()
    few[MIN_PAIRS - 1 :] = np.nan
    found = alt_test(people[:, 0], few, list("ab"), OWN)
    assert np.isnan(found.omega)
    assert "0 of 2 have them" in found.reason
    assert not found.passes


def test_an_epsilon_that_is_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match="epsilon"):
        alt_test(np.ones(N), np.ones((N, 2)), list("ab"), OWN, epsilon=1.0)
