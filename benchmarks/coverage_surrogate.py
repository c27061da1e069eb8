"""How often the intervals hold the truth where a surrogate sharpens them, or where labels correct the judge.

Part of `python -m benchmarks.coverage`, which prints these tables after its own: the same models of scores, with
surrogates that know nothing (placebo), a fifth or seven tenths of a score's variance, or much but with a bias of their
own (as summaries have). 26 groups are simulated together, so that lambda is fitted on others as in a run. An experiment
over problems gives an interval of a strategy and one of a difference; both need the groups' values alone, which are
computed for all groups at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from benchmarks.coverage import (
    N_PROBLEMS,
    N_RESPONSES,
    PROBLEM_SD,
    SETTINGS,
    Row,
    ScoreModel,
    Simulation,
    full,
    thinned,
)
from benchmarks.coverage import count_coverage as count
from diversity_judge.measures.corrected import LabelledGroup, corrected_difference, corrected_diversity
from diversity_judge.measures.diversity import estimate
from diversity_judge.measures.intervals import Estimate, strategy_estimate
from diversity_judge.measures.label_sample import drawn_counts
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.measures.paired import mean_difference
from diversity_judge.measures.surrogate import Surrogate, explained_share, pooled_coefficients, slope_moments
from diversity_judge.rubric import MAX_SCORE

TOGETHER = 2 * N_PROBLEMS
"""Groups of one experiment."""
PAIRS = 32
"""Of 496 judged."""
PROBLEM_RESPONSES, PROBLEM_PAIRS = 16, 16
"""Responses a problem, and pairs of 120, where several problems are simulated."""
PROBLEM_SETTINGS = (SETTINGS[1], SETTINGS[4])


@dataclass(frozen=True)
class Kind:
    """A surrogate.

    Attributes:
        name: For the table.
        r2: Share of a score's variance that it explains.
        bias: Spread of an error of its own that a response has in all its pairs, in points; and half of it a shift.
    """

    name: str
    r2: float
    bias: float = 0.0

    def draw(self, scores: NDArray[np.float64], spread: float, generator: np.random.Generator) -> NDArray[np.float64]:
        """(P, n, n) symmetric, from scores in both orders of the same shape.

        Args:
            scores: Of both orders.
            spread: Standard deviation of a score.
            generator: Source of all randomness.
        """
        groups, n, _ = scores.shape
        noise = spread * (np.sqrt(1 / self.r2 - 1) if self.r2 else 1.0)
        effect = generator.normal(0, noise / 2, (groups, n)) + generator.normal(0, self.bias, (groups, n))
        pair = np.triu(generator.normal(0, noise / np.sqrt(2), scores.shape), 1)
        known = (scores + scores.transpose(0, 2, 1)) / 2 if self.r2 else 0.0
        return np.asarray(known + effect[:, :, None] + effect[:, None] + pair + pair.transpose(0, 2, 1) + self.bias / 2)


KINDS = (Kind("placebo", 0.0), Kind("R2 0.2", 0.2), Kind("R2 0.7", 0.7), Kind("biased", 0.7, 0.7))


@dataclass(frozen=True)
class SharpRow(Row):
    """Coverage with a surrogate.

    Attributes:
        r2: That the surrogate turned out to have.
        plain_ratio: Width without it, as a share of the width with all pairs judged.
        ratio: Width with it, likewise.
    """

    r2: float
    plain_ratio: float
    ratio: float

    def __str__(self) -> str:
        return f"{super().__str__()}   R2 {self.r2:5.2f}, width {self.plain_ratio:.2f} -> {self.ratio:.2f}"


@dataclass(frozen=True)
class _Three:
    """One quantity estimated with the surrogate, without it, and with all pairs judged."""

    sharp: Estimate
    plain: Estimate
    whole: Estimate


def _groups(
    scores: NDArray[np.float64], kind: Kind, spread: float, pairs: int, generator: np.random.Generator
) -> tuple[list[_Three], list[float]]:
    """Each group three times, and the surrogate's R2 in it."""
    n = scores.shape[1]
    values = kind.draw(scores, spread, generator)
    whole = full(n, generator)
    designs = [thinned(pairs)(n, generator) for _ in scores]
    judged = [SimilarityMatrix(np.where(w, s, np.nan), w) for w, s in zip(designs, scores, strict=True)]
    moments = [slope_moments(m, v) for m, v in zip(judged, values, strict=True)]
    surrogates = [Surrogate(v, c) for v, c in zip(values, pooled_coefficients(moments), strict=True)]
    found = [
        _Three(estimate(m, s), estimate(m), estimate(SimilarityMatrix(np.where(whole, scores_of, np.nan), whole)))
        for m, s, scores_of in zip(judged, surrogates, scores, strict=True)
    ]
    return found, [explained_share(list(zip(judged, surrogates, strict=True)))]


def _spread(model: ScoreModel, generator: np.random.Generator) -> float:
    return float(model.draw(N_RESPONSES, np.zeros(40), generator)[:, full(N_RESPONSES, generator)].std())


def _row(name: str, design: str, truth: float, found: Sequence[_Three], r2: Sequence[float]) -> SharpRow:
    row = count(name, design, truth, [three.sharp for three in found])
    widths = {part: np.nanmean([getattr(t, part).high - getattr(t, part).low for t in found]) for part in _PARTS}
    return SharpRow(
        **vars(row),
        r2=float(np.nanmean(r2)),
        plain_ratio=float(widths["plain"] / widths["whole"]),
        ratio=float(widths["sharp"] / widths["whole"]),
    )


_PARTS = ("sharp", "plain", "whole")


def group_row(model: ScoreModel, kind: Kind, reps: int, generator: np.random.Generator) -> SharpRow:
    """Coverage for groups of 32 responses of which 32 pairs are judged."""
    spread = _spread(model, generator)
    found: list[_Three] = []
    shares: list[float] = []
    while len(found) < reps:
        scores = model.draw(N_RESPONSES, np.zeros(TOGETHER), generator)
        more, r2 = _groups(scores, kind, spread, PAIRS, generator)
        found, shares = found + more, shares + r2
    return _row(model.name, kind.name, model.diversity(), found, shares)


@dataclass(frozen=True)
class Values:
    """Diversities (G,) of the groups of an experiment: with the surrogate, without it, and with all pairs judged."""

    sharp: NDArray[np.float64]
    plain: NDArray[np.float64]
    whole: NDArray[np.float64]


def values_of(
    scores: NDArray[np.float64],
    judged: NDArray[np.bool_],
    surrogate: NDArray[np.float64],
    coefficients: NDArray[np.float64],
) -> Values:
    """The values of `difference_estimate` and of `group_estimate`, without their intervals.

    Args:
        scores: (G, n, n) of both orders.
        judged: (G, n, n) each judged pair in one order.
        surrogate: (G, n, n) symmetric.
        coefficients: (G,) lambda.
    """
    n = scores.shape[1]
    scaled = coefficients[:, None, None] * surrogate
    plain = 1 - _mean(scores, judged) / MAX_SCORE
    first, second = np.triu_indices(n, 1)
    theta = _mean(scores - scaled, judged) + scaled[:, first, second].mean(axis=1)
    sharp = 1 - theta / MAX_SCORE
    varies = np.ptp(np.where(judged, scores, _mean(scores, judged)[:, None, None]), axis=(1, 2)) > 0
    whole = 1 - scores[:, full(n, _NO_CHANCE)].mean(axis=1) / MAX_SCORE
    return Values(np.where((sharp > 0) & (sharp < 1) & varies, sharp, plain), plain, whole)


def _mean(values: NDArray[np.float64], where: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.asarray((values * where).sum(axis=(1, 2)) / where.sum(axis=(1, 2)))


_NO_CHANCE = np.random.default_rng(0)
"""For a design that draws nothing."""


def problem_rows(model: ScoreModel, kind: Kind, reps: int, generator: np.random.Generator) -> tuple[SharpRow, SharpRow]:
    """Coverage for a strategy over 13 problems, and for its difference to one half a point less similar."""
    other = replace(model, same=model.same - 0.5, different=model.different - 0.5)
    spread = _spread(model, generator)
    designs = np.array([thinned(PROBLEM_PAIRS)(PROBLEM_RESPONSES, generator) for _ in range(_DESIGNS)])
    levels: list[_Three] = []
    differences: list[_Three] = []
    shares: list[float] = []
    for _ in range(reps):
        scores = _experiment((model, other), generator)
        surrogate = kind.draw(scores, spread, generator)
        judged = designs[generator.integers(0, len(designs), len(scores))]
        matrices = [SimilarityMatrix(np.where(w, s, np.nan), w) for w, s in zip(judged, scores, strict=True)]
        moments = [slope_moments(m, v) for m, v in zip(matrices, surrogate, strict=True)]
        coefficients = pooled_coefficients(moments)
        if len(shares) < _ENOUGH_FOR_R2:
            shares.append(
                explained_share([(m, Surrogate(*v)) for m, *v in zip(matrices, surrogate, coefficients, strict=True)])
            )
        values = values_of(scores, judged, surrogate, np.array(coefficients))
        halves = [np.split(getattr(values, part), 2) for part in _PARTS]
        levels.append(_Three(*(strategy_estimate(one) for one, _ in halves)))
        differences.append(_Three(*(mean_difference(two - one)[0] for one, two in halves)))
    difference = other.diversity() - model.diversity()
    return (
        _row(model.name, f"{kind.name}, level", model.diversity(), levels, shares),
        _row(model.name, f"{kind.name}, diff.", difference, differences, shares),
    )


_DESIGNS = 500
"""Of which each group has one: to draw them takes as long as all else."""
_ENOUGH_FOR_R2 = 50
"""Experiments of which R2 is computed: each has 26 groups."""


def _experiment(models: tuple[ScoreModel, ScoreModel], generator: np.random.Generator) -> NDArray[np.float64]:
    """(26, n, n) scores of two strategies on 13 problems; 70 % of the variance of a problem's level is common."""
    sd = models[0].problem_sd
    common = generator.normal(0, sd * np.sqrt(0.7), N_PROBLEMS)
    own = generator.normal(0, sd * np.sqrt(0.3), (2, N_PROBLEMS))
    return np.concatenate([m.draw(PROBLEM_RESPONSES, common + o, generator) for m, o in zip(models, own, strict=True)])


@dataclass(frozen=True)
class Labelling:
    """Problems, and labels of all pairs together."""

    problems: int
    labels: int


@dataclass(frozen=True)
class JudgeModel:
    """Two strategies judged by a judge whose bias depends on the strategy, and labelled with an error of its own.

    Both are equally similar; the judge gives the second more, and scores everything on a narrower scale.
    """

    level: float = 2.5
    bias: float = 0.4
    scale: float = 0.9
    response_sd: float = 0.4
    pair_sd: float = 0.7
    noise_sd: float = 0.5
    label_sd: float = 0.3

    def diversity(self) -> float:
        """Expected diversity by the labels, of either strategy."""
        sd = np.sqrt(PROBLEM_SD**2 + 2 * self.response_sd**2 + self.pair_sd**2 + self.label_sd**2)
        return 1 - float(ndtr((self.level - (np.arange(1, 6) - 0.5)) / sd).sum()) / MAX_SCORE

    def draw(self, labelling: Labelling, generator: np.random.Generator) -> list[LabelledGroup]:
        """One experiment, labels chosen as `labels make` does."""
        n = PROBLEM_RESPONSES
        first, second = np.triu_indices(n, 1)
        expected = np.full(labelling.problems, labelling.labels / 2 / labelling.problems)
        counts = np.empty(labelling.problems, dtype=np.int64)
        counts[generator.permutation(labelling.problems)] = drawn_counts(expected, generator.random())
        common = generator.normal(0, PROBLEM_SD * np.sqrt(0.7), labelling.problems)
        groups = []
        for strategy, bias in (("low", 0.0), ("high", self.bias)):
            for problem, k in enumerate(counts.tolist()):
                level = self.level + common[problem] + generator.normal(0, PROBLEM_SD * np.sqrt(0.3))
                effect = generator.normal(0, self.response_sd, n)
                latent = level + effect[first] + effect[second] + generator.normal(0, self.pair_sd, len(first))
                labels = _rounded(latent + generator.normal(0, self.label_sd, len(first)))
                seen = self.level + self.scale * (latent - self.level) + bias
                scores = _rounded(seen + generator.normal(0, self.noise_sd, len(first)))
                at = generator.choice(len(first), k, replace=False)
                groups.append(
                    LabelledGroup(
                        str(problem), strategy, float(scores.mean()), labels[at], scores[at], float(expected[problem])
                    )
                )
        return groups


def _rounded(latent: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.clip(np.rint(latent), 0, MAX_SCORE))


def corrected_row(labelling: Labelling, level: str, reps: int, generator: np.random.Generator) -> Row:
    """Coverage of a corrected diversity, a corrected difference, or the difference as the judge alone has it."""
    model, estimates = JudgeModel(), []
    for _ in range(reps):
        groups = model.draw(labelling, generator)
        if level == "judge alone":
            low, high = (
                np.array([group.mean_score for group in groups if group.strategy == name]) for name in ("low", "high")
            )
            estimates.append(mean_difference((low - high) / MAX_SCORE)[0])
        elif level == "difference":
            estimates.append(corrected_difference(groups, "high", "low").estimate)
        else:
            estimates.append(corrected_diversity(groups, "high").estimate)
    truth = model.diversity() if level == "diversity" else 0.0
    return count(f"{labelling.problems} problems, {labelling.labels} labels", level, truth, estimates)


LABELLINGS = (Labelling(13, 60), Labelling(13, 120), Labelling(30, 60), Labelling(30, 200))


def surrogate_simulations(reps: int) -> Iterator[Simulation]:
    """Every setting with every surrogate; two of them in sorted files."""
    for model in SETTINGS:
        for kind in KINDS:
            yield partial(group_row, model, kind, reps)
    for model in PROBLEM_SETTINGS:
        yield partial(group_row, _in_order(model), KINDS[2], reps)


def surrogate_problem_simulations(reps: int) -> Iterator[Simulation]:
    """Two settings with every surrogate, at the level of a strategy and of a difference; and in sorted files."""
    for model in PROBLEM_SETTINGS:
        varied = replace(model, problem_sd=PROBLEM_SD)
        for kind in KINDS:
            yield partial(problem_rows, varied, kind, reps)
        yield partial(problem_rows, _in_order(varied), KINDS[2], reps)


def _in_order(model: ScoreModel) -> ScoreModel:
    return replace(model, is_sorted=True, name=f"sorted, {model.name}"[:25])


def corrected_simulations(reps: int) -> Iterator[Simulation]:
    """Every labelling, at both levels."""
    for labelling in LABELLINGS:
        for level in ("diversity", "difference"):
            yield partial(corrected_row, labelling, level, reps)


def uncorrected_simulations(reps: int) -> Iterator[Simulation]:
    """What the judge alone says of the difference."""
    for labelling in (LABELLINGS[0], LABELLINGS[2]):
        yield partial(corrected_row, labelling, "judge alone", reps)
