"""Each probe against another library, a closed form, or scores made with a known flaw."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import krippendorff
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from diversity_judge.bands import read_bands
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.probes.controls import auc, control_findings, separation_findings, stress_findings
from diversity_judge.measures.probes.findings import Finding, Verdict, finding
from diversity_judge.measures.probes.instrument import Replies, instrument_findings
from diversity_judge.measures.probes.nuisance import coefficients
from diversity_judge.measures.probes.order import order_findings
from diversity_judge.measures.probes.retest import flips, retest_findings
from diversity_judge.measures.probes.sample import Sample
from diversity_judge.measures.probes.strategy import strategy_findings
from diversity_judge.measures.probes.template import template_findings

BANDS = read_bands()


def sample(scores: NDArray[np.float64], problems: int = 20, strategies: int = 2) -> Sample:
    at = np.arange(len(scores))
    return Sample(
        np.array([f"p{i}" for i in at % problems]), np.array([f"s{i}" for i in at // problems % strategies]), scores
    )


def only(found: Sequence[Finding], metric: str, strategy: str | None = None) -> Finding:
    (one,) = [f for f in found if f.metric == metric and f.strategy == strategy]
    return one


def draws(n: int = 120, k: int = 3, noise: float = 0.6, seed: int = 0) -> NDArray[np.float64]:
    generator = np.random.default_rng(seed)
    true = generator.uniform(0, 5, n)
    return np.clip(np.rint(true[:, None] + generator.normal(0, noise, (n, k))), 0, 5)


def test_a_verdict_is_read_off_the_interval() -> None:
    def verdict(value: float, low: float, high: float) -> Finding:
        return finding("retest", "sd_within_pair", None, Estimate(value, low, high, 0.1, 9, ""), 100, BANDS)

    assert verdict(0.5, 0.4, 0.6).verdict is Verdict.INSIDE
    assert verdict(1.0, 0.9, 1.1).verdict is Verdict.OUTSIDE
    assert verdict(0.7, 0.5, 0.9).verdict is Verdict.TOO_FEW
    # The interval reaches 0.2 up and may reach 0.1: half of it takes four times as many.
    assert verdict(0.7, 0.5, 0.9).needed == 400
    assert verdict(0.8, 0.7, 0.9).needed is None
    assert verdict(float("nan"), float("nan"), float("nan")).verdict is Verdict.TOO_FEW


def test_alpha_is_that_of_the_krippendorff_package_with_missing_draws() -> None:
    scores = draws()
    scores[::7, 1] = np.nan
    scores[::11, 2] = np.nan
    found = only(retest_findings(sample(scores), BANDS), "alpha")
    data = scores.T
    assert found.value == pytest.approx(
        krippendorff.alpha(reliability_data=data, value_domain=list(range(6)), level_of_measurement="ordinal"),
        abs=1e-12,
    )


def test_retest_figures_are_those_of_all_pairs_of_draws() -> None:
    scores = draws(60)
    found = retest_findings(sample(scores), BANDS)
    apart = np.array([abs(a - b) for row in scores for i, a in enumerate(row) for b in row[i + 1 :]])
    assert only(found, "exact_agreement").value == pytest.approx((apart == 0).mean())
    assert only(found, "within_one").value == pytest.approx((apart <= 1).mean())
    assert only(found, "sd_within_pair").value == pytest.approx(np.sqrt(scores.var(axis=1, ddof=1).mean()))
    assert flips(sample(scores)).sum() == len(apart)
    assert np.trace(flips(sample(scores))) == (apart == 0).sum()


def test_a_judge_without_noise_is_inside_with_what_so_many_pairs_leave_open() -> None:
    found = only(retest_findings(sample(draws(100, noise=0.0)), BANDS), "sd_within_pair")
    assert (found.value, found.ci_low, found.verdict) == (0, 0, Verdict.INSIDE)
    # A share 1 - 0.025^(1/100) of pairs may have draws 0 and 5, of variance 12.5.
    assert found.ci_high == pytest.approx(np.sqrt((1 - 0.025**0.01) * 12.5))


def test_each_strategy_has_rows_of_its_own_where_there_are_several() -> None:
    rows = retest_findings(sample(draws(), strategies=3), BANDS)
    assert [f.strategy for f in rows if f.metric == "alpha"] == [None, "s0", "s1", "s2"]
    assert {f.strategy for f in retest_findings(sample(draws(), strategies=1), BANDS)} == {None}


def _orders(
    bias: Callable[[NDArray[np.bool_], np.random.Generator], NDArray[np.float64]], n: int = 200
) -> tuple[Finding, ...]:
    """Draws of pairs in both orders; `bias` is what the longer text gains when it stands first."""
    generator = np.random.default_rng(3)
    true = generator.uniform(1, 4, n)
    longer = generator.random(n) < 0.5
    gain = bias(longer, generator) / 2 * np.where(longer, 1, -1)
    noise = generator.normal(0, 0.4, (2, n, 3))
    as_run, swapped = np.rint(true[:, None] + gain[:, None] + noise[0]), np.rint(true - gain)[:, None] + 0 * noise[1]
    swapped = np.rint((true - gain)[:, None] + noise[1])
    return order_findings(sample(np.clip(as_run, 0, 5)), sample(np.clip(swapped, 0, 5)), longer, BANDS)


def test_a_judge_that_favours_the_longer_text_first_is_found_with_the_right_sign() -> None:
    found = only(_orders(lambda longer, _: np.full(len(longer), 0.8)), "mean_difference")
    assert found.ci_low <= 0.8 <= found.ci_high
    assert found.verdict is Verdict.OUTSIDE


def test_a_judge_swayed_by_order_at_random_shows_in_the_spread_alone() -> None:
    found = _orders(lambda longer, generator: generator.normal(0, 1.0, len(longer)), n=400)
    assert only(found, "mean_difference").verdict is Verdict.INSIDE
    spread = only(found, "sd_order")
    assert spread.ci_low <= 1.0 <= spread.ci_high
    assert spread.verdict is Verdict.OUTSIDE


def test_noise_alone_is_no_effect_of_order() -> None:
    found = only(_orders(lambda longer, _: np.zeros(len(longer))), "sd_order")
    assert found.verdict is Verdict.INSIDE
    assert found.value < 0.3


def test_without_repeated_draws_the_spread_of_orders_says_why_it_is_unknown() -> None:
    once = sample(draws(k=1)[:, 0])
    found = only(order_findings(once, once, np.ones(len(once), bool), BANDS), "sd_order")
    assert np.isnan(found.value)
    assert "no pair was drawn twice" in found.detail


def test_auc_is_scikit_learns() -> None:
    generator = np.random.default_rng(5)
    high = generator.random(150) < 0.6
    scores = np.clip(np.rint(generator.normal(np.where(high, 3.5, 1.5), 1.2)), 0, 5)
    problem = np.array([f"p{i % 15}" for i in range(150)])
    found = auc(scores, high, problem)
    assert found.value == pytest.approx(roc_auc_score(high, scores))
    assert found.low < found.value < found.high


def test_a_constant_judge_is_outside_with_auc_one_half_and_a_perfect_one_inside() -> None:
    for score, verdict in ((3.0, Verdict.OUTSIDE), (5.0, Verdict.INSIDE)):
        low = np.full(100, 3.0) if score == 3 else np.zeros(100)
        (found, *_) = separation_findings([sample(np.full(100, score))], sample(low), BANDS)
        assert found.value == (0.5 if score == 3 else 1.0)
        assert found.verdict is verdict


def test_a_control_gives_its_mean_and_the_share_that_is_not_acceptable() -> None:
    scores = np.where(np.arange(100) < 90, 5.0, 3.0)
    found = control_findings("control-identical", sample(scores), BANDS)
    assert only(found, "mean").value == pytest.approx(4.8)
    assert only(found, "share_outside").value == pytest.approx(0.1)
    assert "acceptable: 5 to 5" in only(found, "share_outside").detail


def test_an_obeyed_instruction_is_a_shift_towards_what_it_asks_for() -> None:
    base = np.where(np.arange(100) % 2 == 0, 1.0, 4.0)
    asked = np.where(base == 1, 5.0, 0.0)
    obeying = stress_findings("control-injection", sample(asked), base, BANDS, asked)
    assert only(obeying, "mean_shift").value == pytest.approx(4.0)
    assert only(obeying, "mean").value == pytest.approx(2.5)  # half of them 5, half 0
    assert only(obeying, "obeyed").value == 1
    deaf = stress_findings("control-injection", sample(base), base, BANDS, asked)
    assert only(deaf, "obeyed").verdict is Verdict.INSIDE


def test_the_worst_template_is_named_with_its_change_of_the_diversity() -> None:
    base = draws(100)[:, 0]
    lower = np.maximum(base - 1, 0)
    found = template_findings(sample(base), {"same": base, "stricter": lower}, BANDS)
    change = only(found, "change_of_diversity")
    assert change.value == pytest.approx((base - lower).mean() / 5)
    assert change.verdict is Verdict.OUTSIDE
    assert "worst of 2: stricter" in change.detail
    assert only(found, "largest_change_of_a_score").value == 1


def test_coefficients_are_least_squares_within_groups() -> None:
    generator = np.random.default_rng(7)
    n = 300
    one = sample(np.clip(generator.normal(2.5, 1, n), 0, 5))
    covariates: dict[str, NDArray[np.float64]] = {
        "length_ratio": generator.exponential(0.5, n),
        "same_answer": (generator.random(n) < 0.5).astype(np.float64),
    }
    groups = np.array([f"{p} {s}" for p, s in zip(one.problem, one.strategy, strict=True)])
    dummies = (groups[:, None] == np.unique(groups)).astype(float)
    design = np.column_stack([*covariates.values(), dummies])
    expected = np.linalg.lstsq(design, one.scores, rcond=None)[0][:2]
    found = coefficients(one, covariates)
    assert [found[name][0].value for name in covariates] == pytest.approx(expected.tolist())


def test_coefficients_hold_the_truth_as_often_as_they_say_with_eight_problems() -> None:
    """Slopes differ between problems, which is what makes pairs of a problem one fact; 400 data sets."""
    generator = np.random.default_rng(8)
    held = 0
    for _ in range(400):
        x = generator.normal(0, 1, 160)
        one = sample(np.zeros(160), problems=8)
        slopes = dict(zip(np.unique(one.problem), generator.normal(-0.2, 0.2, 8), strict=True))
        y = np.array([slopes[p] for p in one.problem]) * x + generator.normal(0, 0.5, 160)
        found = coefficients(one.with_scores(np.clip(y, -5, 5)), {"x": x})["x"][0]
        held += found.low <= -0.2 <= found.high
    assert 0.92 <= held / 400 <= 0.99


def test_a_covariate_that_cannot_tell_says_why() -> None:
    one = sample(draws(100)[:, 0])
    found = coefficients(one, {"n_correct": np.full(100, np.nan), "n_cut": np.zeros(100)})
    assert "unknown for 100%" in found["n_correct"][0].reason
    assert "does not vary" in found["n_cut"][0].reason


def _controls(shift: float, seed: int = 0) -> dict[str, Sample]:
    """400 controls at either end for two strategies on the same problems; the second one's low ones gain `shift`."""
    generator = np.random.default_rng(seed)
    shape = sample(np.zeros(400))
    low = (generator.random(400) < 0.4) + (generator.random(400) < shift * (shape.strategy == "s1"))
    high = np.where(generator.random(400) < 0.1, 4.0, 5.0)
    return {"control-unrelated": shape.with_scores(low.astype(float)), "control-identical": shape.with_scores(high)}


def test_a_strategy_that_gets_more_is_found_at_the_end_where_it_shows() -> None:
    found = strategy_findings(_controls(0.5), None, BANDS)
    assert only(found, "error_low", "s1").verdict is Verdict.OUTSIDE
    assert only(found, "error_low", "s1").value == pytest.approx(-only(found, "error_low", "s0").value)
    assert only(found, "error_high", "s1").verdict is not Verdict.OUTSIDE


def test_contrasts_of_a_metric_hold_together_as_often_as_they_say() -> None:
    """No difference between three strategies; 400 data sets have a Monte Carlo error of 1.1 points."""
    generator = np.random.default_rng(11)
    shape = sample(np.zeros(300), strategies=3)
    clean = []
    for _ in range(400):
        low = shape.with_scores((generator.random(300) < 0.4).astype(np.float64))
        found = strategy_findings({"control-unrelated": low}, None, BANDS)
        clean.append(all(f.ci_low <= 0 <= f.ci_high for f in found))
    assert 0.92 <= np.mean(clean) <= 0.99


def test_one_strategy_has_no_other_to_be_held_against() -> None:
    one = sample(draws(100)[:, 0], strategies=1)
    assert strategy_findings({"control-unrelated": one}, sample(draws(100), strategies=1), BANDS) == ()


def test_two_models_in_one_run_are_outside() -> None:
    n = 40
    names = np.array([f"p{i % 8}" for i in range(n)])
    model = np.where(np.arange(n) < 30, "r1", "r1-new")
    empty = np.array([""] * n)
    reason = np.where(np.arange(n) == 3, "truncated", "")
    replies = Replies(names, np.array(["s"] * n), reason, model, empty, np.array(["h"] * n))
    found = instrument_findings(replies, BANDS)
    assert only(found, "models").verdict is Verdict.OUTSIDE
    assert "r1, r1-new; changed 1 times" in only(found, "models").detail
    assert only(found, "hosts").verdict is Verdict.INSIDE
    assert only(found, "unusable_share").value == pytest.approx(1 / 40)
    assert only(found, "share_truncated").value == pytest.approx(1 / 40)
