"""The law is fitted as scipy fits it, finds what was planted as often as it says, and loses where a rival is true."""

import warnings

import numpy as np
import pytest
from scipy.optimize import curve_fit

from benchmarks.law_coverage import best_forms, parameter_coverage
from benchmarks.planted_law import drawn_law, headroom_law, law, planted
from examples.miniature.law.fit import fit, misses
from examples.miniature.law.forms import FORMS, LATER, LAW, features_of
from examples.miniature.law.least_squares import curve, fitted

RIVALS = {form.name: form for form in FORMS}


def test_every_row_is_what_scipy_finds() -> None:
    generator = np.random.default_rng(0)
    weight, entropy = generator.uniform(0.02, 0.15, 40), generator.uniform(0, 1, 40)
    se = generator.uniform(0.003, 0.01, 40)
    y = 0.1 * (weight / 0.1) ** 1.2 * np.exp(-4 * entropy) + se * generator.normal(size=(6, 40))
    found = fitted(y, features_of(LAW, weight[None], entropy[None], entropy[None]), 1 / se**2)
    for row, mine in zip(y, found, strict=True):
        wanted, _ = curve_fit(
            lambda x, a, b, c: a * (x[0] / 0.1) ** b * np.exp(-c * x[1]),
            (weight, entropy),
            row,
            p0=(0.1, 1, 1),
            sigma=se,
        )
        assert mine == pytest.approx(wanted, rel=1e-3)


def test_a_constant_is_the_weighted_mean() -> None:
    y, weights = np.array([[1.0, 2.0, 4.0], [0.0, 0.0, 3.0]]), np.array([1.0, 1.0, 2.0])
    assert fitted(y, np.empty((0, 1, 3)), weights)[:, 0] == pytest.approx([11 / 4, 6 / 4])


def test_draws_that_nothing_fits_are_bad_ones_and_warn_of_nothing() -> None:
    # Three cells for three parameters, and draws of nothing but noise: some fit only by an exponent without end.
    generator = np.random.default_rng(0)
    weight, entropy = np.array([0.117, 0.118, 0.1175]), np.array([0.02, 0.04, 0.08])
    y = np.vstack([[0.12, 0.05, 0.013], generator.normal(0, 0.05, (300, 3))])
    features = features_of(LAW, weight[None], entropy[None], entropy[None])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fitted(y, features, np.ones(3))
        far = features_of(LAW, np.array([[0.01]]), np.array([[0.5]]), np.array([[0.5]]))
        assert np.isfinite(curve(found, far) ** 2).all()


def test_fewer_cells_than_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="2 cells can't tell 3 parameters"):
        fitted(np.ones((1, 2)), np.ones((2, 1, 2)), np.ones(2))


@pytest.mark.parametrize("truth", [(0.1, 1.2, 4.0), (0.05, 1.0, 0.0)])
def test_intervals_hold_what_was_planted(truth: tuple[float, float, float]) -> None:
    for row in parameter_coverage(truth, 40, seed=1, n_problems=150):
        # 33 of 40 or fewer: 1 in 300 where the interval holds 95 %, the usual case where it holds 80 %.
        assert row.held > 33 / 40, row
        # An interval that holds everything says nothing: it is narrower than the number, or than 1 where this is 0.
        assert row.width < max(1.0, row.truth), row


def test_the_true_form_predicts_a_temperature_best() -> None:
    assert best_forms(law(0.1, 1.2, 4.0), 6, 0, "temperature")[LAW.name] >= 5 / 6
    assert best_forms(headroom_law(0.1, 1.2, 1.5), 6, 0, "temperature")["weight and headroom"] >= 5 / 6


def test_the_true_form_predicts_a_router_best() -> None:
    assert best_forms(drawn_law(0.1, 0.8, 4.0), 6, 0, "router")[LATER.name] >= 5 / 6
    assert best_forms(law(0.1, 1.2, 4.0), 6, 0, "router")[LATER.name] <= 1 / 6


def test_a_curve_a_router_says_nothing_of_a_new_router() -> None:
    study = planted(law(0.1, 1.2, 4.0), np.random.default_rng(0), n_problems=50, draws=3)
    known = np.array(study.routers) != "flat"
    form = RIVALS["a curve a router"]
    of_others = fit(form, study.data.of(known), [r for r in study.routers if r != "flat"])
    assert np.isnan(of_others.predicted(study.data, study.routers)[:, ~known]).all()


def test_half_entropy_and_needed_weight_follow_from_the_parameters() -> None:
    study = planted(law(0.1, 1.2, 4.0), np.random.default_rng(0), draws=3)
    found = fit(LAW, study.data, study.routers)
    (a, b, c) = found.parameters[""][0]
    assert found.half_entropy[0] == pytest.approx(np.log(2) / c)
    needed = found.needed_weight(0.03, 0.1)[0]
    assert a * (needed / 0.1) ** b * np.exp(-c * 0.1) == pytest.approx(0.03)
    at_half = found.at(np.array([0.1, 0.1]), np.array([0.0, found.half_entropy[0]]))[0]
    assert at_half[1] == pytest.approx(at_half[0] / 2)


def test_no_weight_is_enough_where_nothing_is_gained() -> None:
    study = planted(law(-0.1, 1.2, 4.0), np.random.default_rng(0), draws=3)
    found = fit(LAW, study.data, study.routers)
    assert found.parameters[""][0, 0] < 0
    assert np.isinf(found.needed_weight(0.03, 0.0)).all()


def test_a_cell_off_the_law_is_found_and_the_others_are_not() -> None:
    study = planted(law(0.1, 1.2, 4.0), np.random.default_rng(3))
    clean = misses(fit(LAW, study.data, study.routers), study.data, study.routers)
    assert (clean.p_holm > 0.05).all()
    off = study.data.gain.copy()
    off[:, 7] += 0.05
    data = planted(law(0.1, 1.2, 4.0), np.random.default_rng(3)).data
    data.gain[:] = off
    assert np.flatnonzero(misses(fit(LAW, data, study.routers), data, study.routers).p_holm <= 0.05).tolist() == [7]
