"""The law fitted, asked about what it was not fitted to, and compared with its rivals.

Cells count by their standard errors over problems. Intervals come from problems drawn again; what they leave out is
that another model would not lie on the curve exactly: that is said by the error for a router that was left out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from diversity_judge.choices import SMALLEST_INTERESTING
from diversity_judge.measures.paired import holm
from examples.miniature.law.effects import LawData
from examples.miniature.law.forms import FORMS, LAW, REFERENCE_WEIGHT, Form, features_of
from examples.miniature.law.least_squares import curve, fitted

COMPARED_DRAWS = 200
"""Draws in which the forms are compared: each takes a fit for everything that is left out."""
_LEAST_SE = 0.25
"""No cell counts as if it were surer than this share of the typical one."""
ALL = ""
"""The part of a form that is fitted to all routers."""


@dataclass(frozen=True)
class Fitted:
    """A form with its parameters.

    Attributes:
        form: Which.
        parameters: Router (`ALL` where there is one curve for all) to (R, 1 + q), row 0 of what was measured.
    """

    form: Form
    parameters: Mapping[str, NDArray[np.float64]]

    def predicted(self, data: LawData, routers: Sequence[str]) -> NDArray[np.float64]:
        """(R, K) the gain of each cell; NaN where the form has no curve for a router.

        Args:
            data: Places of the cells; its gains are not looked at.
            routers: (K,) of the cells.
        """
        features = features_of(self.form, data.weight, data.entropy, data.diversity, data.drawn)
        if not self.form.by_router:
            return curve(self.parameters[ALL], features)
        found = np.full(data.gain.shape, np.nan)
        for router, parameters in self.parameters.items():
            mine = np.array(routers) == router
            found[:, mine] = curve(parameters, features[:, :, mine])
        return found

    def at(self, weight: NDArray[np.float64], entropy: NDArray[np.float64]) -> NDArray[np.float64]:
        """(R, M) the gain at points (M,) of weight and entropy, where the defaults draw, for a form of these alone."""
        features = features_of(self.form, weight[None], entropy[None], np.zeros((1, len(weight))))
        return curve(self.parameters[ALL], features)

    @cached_property
    def half_entropy(self) -> NDArray[np.float64]:
        """(R,) the entropy at which the gain is half of what it is without any; infinite where it does not fall."""
        c = self._named("c")
        with np.errstate(divide="ignore"):
            return np.where(c > 0, math.log(2) / c, np.inf)

    def needed_weight(self, gain: float, entropy: float) -> NDArray[np.float64]:
        """(R,) the weight at which the gain is so large, at this entropy; infinite where no weight is enough."""
        a, b, c = self.parameters[ALL][:, 0], self._named("b"), self._named("c")
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found = REFERENCE_WEIGHT * (gain / (a * np.exp(-c * entropy))) ** (1 / b)
        return np.where((a > 0) & (b > 0) & (found <= 1), found, np.inf)

    def _named(self, parameter: str) -> NDArray[np.float64]:
        return self.parameters[ALL][:, 1 + self.form.parameters.index(parameter)]


def weights_of(se: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K,) of the squared errors: 1 / se^2, no cell surer than four times the median.

    Args:
        se: (K,) standard errors; 0 or NaN where no two problems differ.
    """
    known = se[se > 0]
    least = _LEAST_SE * float(np.median(known)) if len(known) else 1.0
    return np.asarray(1 / np.maximum(np.nan_to_num(se), least) ** 2)


def fit(form: Form, data: LawData, routers: Sequence[str]) -> Fitted:
    """The form's parameters, of what was measured and of each draw.

    Args:
        form: Which.
        data: The cells; those without a gain are left out.
        routers: (K,) of the cells.

    Raises:
        ValueError: there are fewer cells than parameters.
    """
    every = dict.fromkeys(routers) if form.by_router else {ALL: None}
    parts = {name: np.array([name in (ALL, router) for router in routers]) for name in every}
    return Fitted(form, {name: _fit_part(form, data.of(mine)) for name, mine in parts.items()})


def _fit_part(form: Form, data: LawData) -> NDArray[np.float64]:
    data = data.of(np.asarray(~np.isnan(data.gain).any(axis=0)))
    features = features_of(form, data.weight, data.entropy, data.diversity, data.drawn)
    return fitted(data.gain, features, weights_of(data.se))


def left_out(form: Form, data: LawData, routers: Sequence[str], groups: Sequence[object]) -> NDArray[np.float64]:
    """(R, K) each cell's gain as the other groups predict it; NaN where they can't.

    Args:
        form: Which.
        data: The cells.
        routers: (K,) of the cells.
        groups: (K,) what is left out together: a router, a temperature, a task.
    """
    found, names = np.full(data.gain.shape, np.nan), np.array(routers)
    for group in dict.fromkeys(groups):
        mine = np.array([other == group for other in groups])
        if _can_be_fitted(form, names[~mine].tolist()):
            of_others = fit(form, data.of(~mine), names[~mine].tolist())
            found[:, mine] = of_others.predicted(data.of(mine), names[mine].tolist())
    return found


def _can_be_fitted(form: Form, routers: Sequence[str]) -> bool:
    """Whether these cells are enough for the form's parameters."""
    sizes = Counter(routers).values() if form.by_router else [len(routers)]
    return min(sizes, default=0) > len(form.parameters)


@dataclass(frozen=True)
class Rival:
    """How a form predicts what it was not fitted to.

    Attributes:
        form: Which.
        r2: 1 - squared error / that of the others' mean; NaN where it predicts nothing.
        rmse: Root of the mean squared error over cells, weighted like the fit.
        beaten: Share of the draws in which the law predicts better than this form; NaN for the law itself.
    """

    form: Form
    r2: float
    rmse: float
    beaten: float


def compared(
    data: LawData, routers: Sequence[str], groups: Sequence[object], forms: Sequence[Form] = FORMS
) -> list[Rival]:
    """Every form, by what it predicts of groups of cells that were left out; empty where there is one group.

    Args:
        data: The cells.
        routers: (K,) of the cells.
        groups: (K,) what is left out together.
        forms: Those that are compared; the law among them.
    """
    if len(set(groups)) < 2:
        return []
    few = data.first(1 + COMPARED_DRAWS)
    weights = weights_of(few.se)
    mean = left_out(Form("mean", "a"), few, routers, groups)
    errors = {form: _squared(few, left_out(form, few, routers, groups), weights) for form in forms}
    total = _squared(few, mean, weights)
    return [
        Rival(
            form,
            _explained(float(error[0]), float(total[0])),
            float(np.sqrt(error[0] / weights.sum())),
            float("nan") if form is LAW or np.isnan(error[0]) else float(np.mean(errors[LAW][1:] < error[1:])),
        )
        for form, error in errors.items()
    ]


def _explained(error: float, total: float) -> float:
    """R2; NaN where there is nothing to explain."""
    return 1 - error / total if total > 0 else float("nan")


def _squared(data: LawData, predicted: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R,) weighted sum of squared errors, NaN where a cell has no prediction."""
    return np.asarray(((data.gain - predicted) ** 2) @ weights)


@dataclass(frozen=True)
class Misses:
    """Where a law fails: cells that lie off it by more than their error.

    Attributes:
        residual: (K,) measured minus fitted.
        z: (K,) in standard errors of the residual, from the draws.
        p_holm: (K,) two-sided, adjusted over the cells.
        chi2: Mean of (residual / standard error of the gain)^2; about 1 for a law without a miss.
        typical: Spread of the misses beyond sampling error, in units of the gain; 0 for a law without a miss.
        r2: 1 - squared error / that of the cells' mean, weighted like the fit.
    """

    residual: NDArray[np.float64]
    z: NDArray[np.float64]
    p_holm: NDArray[np.float64]
    chi2: float
    typical: float
    r2: float


def misses(law: Fitted, data: LawData, routers: Sequence[str]) -> Misses:
    """How far the cells lie off a law that was fitted to them."""
    residuals = data.gain - law.predicted(data, routers)
    spread = residuals[1:].std(axis=0, ddof=1)
    weights = weights_of(data.se)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(spread > 0, residuals[0] / spread, np.nan)
    excess = float(np.nanmean(residuals[0] ** 2 - data.se**2))
    off_mean = data.gain[0] - np.average(data.gain[0], weights=weights)
    return Misses(
        residuals[0],
        z,
        holm((2 * stats.norm.sf(np.abs(z))).tolist()),
        float(np.nanmean((residuals[0] ** 2) * weights)),
        math.sqrt(max(0.0, excess)),
        _explained(float(residuals[0] ** 2 @ weights), float(off_mean**2 @ weights)),
    )


INTERESTING = SMALLEST_INTERESTING
"""The gain in diversity that a user asks the weight for."""
