"""A verdict follows from an interval and from rules, and the rules are right as often as they say."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from diversity_judge.measures.intervals import Estimate, strategy_estimate
from examples.miniature.verdicts import (
    DIVERSITY_MARGIN,
    Claim,
    Part,
    Verdict,
    at_least,
    decided,
    gain,
    loss,
    no_gain,
    no_loss,
    summary,
)

N = 100


def effect(low: float, high: float) -> Estimate:
    """A mean of N differences with this two-sided 95 % interval."""
    width = 2 * stats.t.ppf(0.975, N - 1)
    return Estimate((low + high) / 2, low, high, (high - low) / width, N, "made up")


def mean_of(differences: NDArray[np.float64]) -> Estimate:
    se = float(differences.std(ddof=1) / np.sqrt(len(differences)))
    return Estimate(float(differences.mean()), np.nan, np.nan, se, len(differences), "made up")


def verdict(*parts: Part) -> Verdict:
    (claim,) = decided([Claim("1", "a", "b", parts)])
    return claim.verdict


@pytest.mark.parametrize(
    ("low", "high", "of_gain", "of_loss", "of_no_loss", "of_no_gain"),
    [
        (0.03, 0.05, Verdict.HOLDS, Verdict.OPPOSITE, Verdict.HOLDS, Verdict.FAILS),
        (-0.05, -0.03, Verdict.OPPOSITE, Verdict.HOLDS, Verdict.FAILS, Verdict.HOLDS),
        (-0.01, 0.01, Verdict.FAILS, Verdict.FAILS, Verdict.HOLDS, Verdict.HOLDS),  # nothing that matters either way
        (-0.04, 0.04, Verdict.OPEN, Verdict.OPEN, Verdict.OPEN, Verdict.OPEN),
        (0.0, 0.0, Verdict.OPEN, Verdict.OPEN, Verdict.OPEN, Verdict.OPEN),  # no problem differs: no spread is known
        # A loss that is sure and may be below the margin refutes no claim that nothing is lost.
        (-0.051, -0.013, Verdict.OPPOSITE, Verdict.HOLDS, Verdict.OPEN, Verdict.HOLDS),
        # A gain that is sure and too small to matter refutes no claim that nothing is gained, as such a loss does not.
        (0.005, 0.015, Verdict.SMALL, Verdict.OPPOSITE, Verdict.HOLDS, Verdict.HOLDS),
        (-0.015, -0.005, Verdict.OPPOSITE, Verdict.SMALL, Verdict.HOLDS, Verdict.HOLDS),
    ],
)
def test_one_claim_alone(
    low: float, high: float, of_gain: Verdict, of_loss: Verdict, of_no_loss: Verdict, of_no_gain: Verdict
) -> None:
    found = effect(low, high)
    verdicts = tuple(verdict(rule(found)) for rule in (gain, loss, no_loss, no_gain))
    assert verdicts == (of_gain, of_loss, of_no_loss, of_no_gain)


def test_a_margin_of_points_is_none_of_diversity() -> None:
    found = effect(-0.025, 0.025)
    assert verdict(gain(found)) is verdict(no_loss(found)) is Verdict.OPEN
    assert verdict(gain(found, DIVERSITY_MARGIN)) is Verdict.FAILS
    assert verdict(no_loss(found, DIVERSITY_MARGIN)) is Verdict.HOLDS


def test_a_claim_of_two_parts_is_as_strong_as_its_weaker_part() -> None:
    up, unclear, down = effect(0.05, 0.08), effect(-0.05, 0.05), effect(-0.08, -0.05)
    assert verdict(gain(up), gain(up)) is Verdict.HOLDS
    assert verdict(gain(up), gain(unclear)) is Verdict.OPEN
    assert verdict(gain(unclear), gain(down)) is Verdict.FAILS
    assert verdict(gain(up), gain(down)) is Verdict.FAILS


def test_p_values_are_those_of_a_one_sided_t_test() -> None:
    differences = np.random.default_rng(0).normal(0.03, 0.2, 40)
    part = gain(strategy_estimate(differences, bounds=None))
    assert part.p_holds == pytest.approx(stats.ttest_1samp(differences, 0, alternative="greater").pvalue)
    assert part.p_fails == pytest.approx(stats.ttest_1samp(differences, 0.02, alternative="less").pvalue)
    part = no_gain(strategy_estimate(differences, bounds=None))
    assert part.p_holds == pytest.approx(stats.ttest_1samp(differences, 0.02, alternative="less").pvalue)


def test_many_claims_are_adjusted_for_one_another() -> None:
    alone = effect(0.001, 0.2)  # one-sided p of about 0.024
    assert verdict(gain(alone)) is Verdict.HOLDS
    crowd = decided([Claim("1", "a", "b", (gain(e),)) for e in (alone, *[effect(-0.3, 0.3)] * 9)])
    assert {claim.verdict for claim in crowd} == {Verdict.OPEN}
    assert crowd[0].p_holds == pytest.approx(10 * gain(alone).p_holds)


@pytest.mark.parametrize("rule", [gain, loss, no_loss, no_gain])
@pytest.mark.parametrize("truth", ["at the line where it begins to hold", "at the line where it is refuted"])
def test_a_false_verdict_among_eight_claims_comes_in_one_study_of_twenty(
    rule: Callable[[Estimate], Part], truth: str
) -> None:
    part = rule(effect(0, 1))
    holds = truth.endswith("hold")
    mean = part.sign * (part.holds_above if holds else part.fails_below)
    rng, studies, wrong = np.random.default_rng(1), 200, 0
    bad = {Verdict.HOLDS, Verdict.SMALL} if holds else {Verdict.FAILS}
    for _ in range(studies):
        rows = rng.normal(mean, 0.15, (8, 60))
        claims = [Claim("1", "a", "b", (rule(mean_of(row)),)) for row in rows]
        wrong += any(claim.verdict in bad for claim in decided(claims))
    assert stats.binomtest(wrong, studies, 0.05, alternative="greater").pvalue > 0.001
    assert wrong > 0.015 * studies  # and the rules are not so careful that they say nothing


def test_what_cannot_be_told_says_how_many_problems_would_tell() -> None:
    rng = np.random.default_rng(2)
    (claim,) = decided([Claim("1", "a", "b", (gain(strategy_estimate(rng.normal(0, 0.2, 50), bounds=None)),))])
    assert claim.verdict is Verdict.OPEN
    assert claim.needed is not None
    assert f"about {claim.needed:,} problems would tell" == claim.remark
    told = 0
    for _ in range(200):  # Where nothing differs so many problems refute the gain in about 80 % of studies.
        more = mean_of(rng.normal(0, claim.parts[0].effect.se * np.sqrt(50), claim.needed))
        told += verdict(gain(more)) is Verdict.FAILS
    assert 0.7 <= told / 200 <= 0.9


def test_what_would_hold_if_nothing_differed_is_said() -> None:
    (stable, better) = decided(
        [
            Claim("1", "a", "b", (no_loss(effect(-0.01, 0.01)),)),
            Claim("1", "a", "b", (gain(effect(0.03, 0.05)),)),
        ]
    )
    assert (stable.needs_an_effect, better.needs_an_effect) == (False, True)
    assert stable.could_fail.startswith("not if the method does nothing; a loss of ")
    assert better.could_fail.startswith("yes; a gain of ")


@pytest.mark.parametrize(
    ("rule", "sign", "word", "decides"),
    [
        (gain, 1, "gain", Verdict.HOLDS),
        (loss, -1, "loss", Verdict.HOLDS),
        (no_loss, -1, "loss", Verdict.FAILS),
        (no_gain, 1, "gain", Verdict.FAILS),
    ],
)
def test_the_difference_that_would_have_told_does_so_in_80_of_100_studies(
    rule: Callable[[Estimate], Part], sign: int, word: str, decides: Verdict
) -> None:
    rng = np.random.default_rng(3)
    (claim,) = decided([Claim("1", "a", "b", (rule(mean_of(rng.normal(0, 0.2, 60))),))])
    told = claim.could_fail.split("; ")[1]
    size = float(told.removeprefix(f"a {word} of ").split(" points")[0]) / 100
    sd = claim.parts[0].effect.se * np.sqrt(60)
    studies = [rule(mean_of(rng.normal(sign * size, sd, 60))) for _ in range(400)]
    assert 0.74 <= np.mean([verdict(part) is decides for part in studies]) <= 0.86


def test_what_is_no_share_and_no_diversity_has_no_size_to_be_told() -> None:
    (claim,) = decided([Claim("2c", "a", "b", (at_least(effect(0.1, 0.2), 0.0),))])
    assert claim.could_fail == "yes"


def test_the_summary_counts() -> None:
    effects = (effect(0.03, 0.05), effect(-0.3, 0.3), effect(0.03, 0.05), effect(-0.01, 0.01))
    claims = decided([Claim("1", "a", "b", (gain(e),)) for e in effects])
    assert summary(claims) == "Of 4 claims, 2 hold, 1 does not hold, 1 cannot be told."
    (stable,) = decided([Claim("1", "a", "b", (no_loss(effect(-0.01, 0.01)),))])
    assert summary([stable]).endswith(" 1 of those that hold would hold too if the method did nothing.")
