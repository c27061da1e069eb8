"""Judges with a known flaw, the responses that they meet, and what the command has in hand after asking them.

Responses and pairs have a latent similarity in points, with normal effects of the problem, the response, the pair; a
judge adds its flaw and its noise and rounds to 0..5. So everything is known: the size of a flaw as its metric has it,
and the components of variance of the rounded scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from diversity_judge.measures.components import Components, variance_components
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.measures.moments import JudgedGroup
from diversity_judge.measures.probes.controls import ANSWER, CUT, IDENTICAL, INJECTION, PADDING, REFORMATTED, UNRELATED
from diversity_judge.measures.probes.sample import Sample
from diversity_judge.probing.requests import UNRELATED_PER_PAIR
from diversity_judge.rubric import MAX_SCORE

PAIRS, DRAWS = 100, 3
"""The command's defaults."""
UNRELATED_A_STRATEGY = round(UNRELATED_PER_PAIR * PAIRS)
"""Unrelated controls: what it takes to see a strategy that gets 0.3 points more."""
HONEST_NOISE = 0.5
"""Spread of an ordinary judge's draws before rounding, in points."""

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """Responses and how similar they are: spreads of latent similarity, in points.

    Attributes:
        n_problems: Problems of the run.
        n_strategies: Strategies.
        n_responses: Responses of a group.
        level: Mean latent similarity of two responses of a group.
        problem: Spread over problems.
        strategy_by_problem: Of a strategy on a problem.
        response: Of a response's effect on all its pairs.
        pair: Of a pair.
        order: Of what the order does, half of the difference: an honest judge is swayed a little.
        log_length: Of the logarithm of a response's length.
    """

    n_problems: int = 30
    n_strategies: int = 3
    n_responses: int = 8
    level: float = 2.6
    problem: float = 0.6
    strategy_by_problem: float = 0.25
    response: float = 0.4
    pair: float = 0.8
    order: float = 0.1
    log_length: float = 0.35


CONTROL_LEVELS = {IDENTICAL: 5.7, REFORMATTED: 5.4, ANSWER: 5.0}
"""Latent similarity of what is the same; it varies by a little over pairs."""
CONTROL_SPREAD = 0.2
UNRELATED_LEVEL, UNRELATED_SPREAD = 0.4, 0.35
"""Of responses to different problems, over couples of problems and again over pairs."""
CUT_LOSS = 0.3
"""What cutting the end of a response takes away from its similarity to another."""
PADDING_FACTOR, KEPT = 1.25, 0.85
"""Lengths of a padded and of a cut response, as the command makes them."""
TEMPLATE_SPREAD = 0.2
"""By how much other words of the rubric move a single pair."""


@dataclass(frozen=True)
class Judge:
    """How latent similarity becomes a score.

    Attributes:
        name: As the table has it.
        found_by: Probe and metric that its flaw belongs to; any of them finds it. None for an honest judge.
        noise: Spread of a draw, in points.
        by_order: Added where the longer text stands first, taken off where it stands second.
        sway: Spread of what the order does to a pair, beyond an honest judge's.
        by_length: Added for each unit of |log(length ratio)|.
        strategy_gain: Mean gain of the last strategy's scores: so many in one answers get a point more.
        is_swapped: Whether 5 stands for different.
        constant: Its only score, where it has one.
        reads_length_only: Whether it sees nothing but the lengths.
    """

    name: str
    found_by: tuple[tuple[str, str], ...] | None
    noise: float = HONEST_NOISE
    by_order: float = 0.0
    sway: float = 0.0
    by_length: float = 0.0
    strategy_gain: float = 0.0
    is_swapped: bool = False
    constant: float | None = None
    reads_length_only: bool = False


_BLIND = ((UNRELATED, "auc"), (UNRELATED, "mean"))
JUDGES = (
    Judge("honest", None),
    Judge("honest, quiet", None, noise=0.2),
    Judge("retest noise 1.2", (("retest", "sd_within_pair"),), noise=1.2),
    Judge("longer text first: +0.5", (("order", "mean_difference"),), by_order=0.25),
    Judge("swayed by order, spread 1.0", (("order", "sd_order"),), sway=0.5),
    Judge("length: -1 at 2.7 times", (("nuisance", "length_ratio"), (PADDING, "mean_shift")), by_length=-1.0),
    Judge("blind: always 3", _BLIND, constant=3.0),
    Judge("blind: sees length alone", _BLIND, reads_length_only=True),
    Judge("scale swapped", _BLIND, is_swapped=True),
    Judge("one strategy gets +0.3", (("strategy", "error_low"),), strategy_gain=0.3),
)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of texts as a judge meets them; all (N,), or (P, S, n, n).

    Attributes:
        latent: Similarity.
        gap: log(length of the first / length of the second).
        sway: What the order does to a judge that is swayed, in its spread.
        is_last: Whether they are of the last strategy.
    """

    latent: Scores
    gap: Scores
    sway: Scores
    is_last: NDArray[np.bool_]

    def at(self, index: tuple[NDArray[np.intp], ...]) -> Pairs:
        """Some of them."""
        return Pairs(self.latent[index], self.gap[index], self.sway[index], self.is_last[index])


def ask(judge: Judge, pairs: Pairs, generator: np.random.Generator) -> Scores:
    """One draw of each pair: whole scores 0..5."""
    shape = pairs.latent.shape
    if judge.constant is not None:
        return np.full(shape, judge.constant)
    latent = MAX_SCORE - 4 * np.abs(pairs.gap) if judge.reads_length_only else pairs.latent
    latent = latent + judge.by_order * np.sign(pairs.gap) + judge.sway * pairs.sway
    latent = latent + judge.by_length * np.abs(pairs.gap) + generator.normal(0, judge.noise, shape)
    scores = np.clip(np.rint(latent), 0, MAX_SCORE)
    if judge.strategy_gain:
        gains = pairs.is_last & (generator.random(shape) < judge.strategy_gain)
        scores = np.minimum(scores + gains, MAX_SCORE)
    return np.asarray(MAX_SCORE - scores if judge.is_swapped else scores)


def all_pairs(world: World, generator: np.random.Generator) -> Pairs:
    """Every ordered pair of every group: (P, S, n, n)."""
    groups = (world.n_problems, world.n_strategies)
    cells = (*groups, world.n_responses, world.n_responses)

    def both_ways(spread: float, sign: int) -> Scores:
        half = np.triu(generator.normal(0, spread, cells), 1)
        return np.asarray(half + sign * half.swapaxes(2, 3))

    level = generator.normal(world.level, world.problem, (groups[0], 1))
    level = level + generator.normal(0, world.strategy_by_problem, groups)
    response = generator.normal(0, world.response, cells[:3])
    latent = level[..., None, None] + response[..., :, None] + response[..., None, :]
    latent = latent + both_ways(world.pair, 1) + both_ways(world.order, -1)
    length = generator.normal(0, world.log_length, cells[:3])
    is_last = np.broadcast_to((np.arange(groups[1]) == groups[1] - 1)[None, :, None, None], cells)
    return Pairs(latent, length[..., :, None] - length[..., None, :], both_ways(1.0, -1), is_last)


def once_each(n: int) -> NDArray[np.bool_]:
    """(n, n) every unordered pair once, in balanced orientation."""
    first, second = np.indices((n, n))
    gap = (second - first) % n
    return np.asarray((gap > 0) & ((2 * gap < n) | ((2 * gap == n) & (first < second))))


@dataclass(frozen=True, eq=False)
class Bought:
    """What the command has in hand after buying.

    Attributes:
        scores: (P, S, n, n) the run's own scores.
        wanted: (n, n) which of them were bought.
        run: The run's scores as pairs, with their length gaps.
        gap: (N,) |log(length ratio)| of `run`.
        retest: (N, K) draws of the drawn pairs.
        swapped: (N,) the other order.
        longer_first: (N,) whether the longer text stands first in the run's order.
        controls: By probe.
        asked_for: (N,) what the injections ask for.
        templates: Scores by other phrasings.
    """

    scores: Scores
    wanted: NDArray[np.bool_]
    run: Sample
    gap: Scores
    retest: Sample
    swapped: Sample
    longer_first: NDArray[np.bool_]
    controls: dict[str, Sample]
    asked_for: Scores
    templates: dict[str, Scores]

    def components(self) -> Components:
        """The components that the command writes."""
        groups = [
            JudgedGroup(f"p{p}", f"s{s}", SimilarityMatrix(np.where(self.wanted, scores, np.nan), self.wanted))
            for p, row in enumerate(self.scores)
            for s, scores in enumerate(row)
        ]
        return variance_components(groups, self.retest, self.swapped)


def buy(judge: Judge, world: World, generator: np.random.Generator) -> Bought:
    """A run by this judge, and the default budget on top of it."""
    pairs, wanted = all_pairs(world, generator), once_each(world.n_responses)
    scores = ask(judge, pairs, generator)
    every = tuple(axis.reshape(-1) for axis in np.nonzero(np.broadcast_to(wanted, scores.shape)))
    # Equal shares for all groups: the places of the pairs within them are drawn.
    n_groups = world.n_problems * world.n_strategies
    order = generator.permutation(n_groups)[np.arange(PAIRS) % n_groups]
    within = np.argwhere(wanted)[generator.integers(0, int(wanted.sum()), PAIRS)]
    drawn = (order // world.n_strategies, order % world.n_strategies, within[:, 0], within[:, 1])
    back = (*drawn[:2], drawn[3], drawn[2])
    asked, turned = pairs.at(drawn), pairs.at(back)
    own = np.column_stack([scores[drawn], *(ask(judge, asked, generator) for _ in range(DRAWS - 1))])
    retest = _sample(drawn, own)
    controls = dict(_controls(judge, asked, retest, world, generator))
    return Bought(
        scores, wanted, _sample(every, scores[every]), np.abs(pairs.gap[every]), retest,
        _sample(drawn, ask(judge, turned, generator)), asked.gap > 0, controls,
        np.where(retest.scores[:, 0] <= 2, 5.0, 0.0),
        {
            name: ask(judge, replace(asked, latent=asked.latent + shift), generator)
            for name in ("terse", "stepwise")
            for shift in [generator.normal(0, TEMPLATE_SPREAD, PAIRS)]
        },
    )  # fmt: skip


def _controls(
    judge: Judge, asked: Pairs, retest: Sample, world: World, generator: np.random.Generator
) -> Iterator[tuple[str, Sample]]:
    def spread(size: float) -> Scores:
        return generator.normal(0, size, PAIRS)

    none = np.zeros(PAIRS)
    for probe, level in CONTROL_LEVELS.items():
        same = replace(asked, latent=level + spread(CONTROL_SPREAD), gap=none, sway=none)
        yield probe, retest.with_scores(ask(judge, same, generator))
    yield UNRELATED, _unrelated(judge, world, generator)
    padded = replace(asked, gap=asked.gap - math.log(PADDING_FACTOR))
    cut = replace(asked, latent=asked.latent - CUT_LOSS + spread(0.3), gap=asked.gap - math.log(KEPT))
    for probe, changed in ((PADDING, padded), (CUT, cut), (INJECTION, asked)):
        yield probe, retest.with_scores(ask(judge, changed, generator))


def _unrelated(judge: Judge, world: World, generator: np.random.Generator) -> Sample:
    """The same couples of problems under every strategy; the first problem of a couple is its cluster."""
    couple = np.arange(UNRELATED_A_STRATEGY)
    problem = np.tile(couple % world.n_problems, world.n_strategies)
    strategy = np.repeat(np.arange(world.n_strategies), UNRELATED_A_STRATEGY)
    n = len(strategy)
    level = UNRELATED_LEVEL + np.tile(generator.normal(0, UNRELATED_SPREAD, len(couple)), world.n_strategies)
    gap = generator.normal(0, world.log_length * math.sqrt(2), n)
    pairs = Pairs(
        level + generator.normal(0, UNRELATED_SPREAD, n), gap, generator.normal(0, 1, n),
        strategy == world.n_strategies - 1,
    )  # fmt: skip
    return _sample((problem, strategy), ask(judge, pairs, generator))


def _sample(at: Sequence[NDArray[np.intp]], scores: Scores) -> Sample:
    return Sample(_names("p", at[0]), _names("s", at[1]), scores)


def _names(letter: str, numbers: NDArray[np.intp]) -> NDArray[np.str_]:
    return np.array([f"{letter}{number}" for number in range(int(numbers.max()) + 1)])[numbers]


def rounded_covariance(world: World, total: float, shared: float) -> float:
    """Covariance of two rounded scores whose latent values have this variance and this covariance.

    A rounded score is the number of thresholds below its latent value, so the covariance is a sum over pairs of
    thresholds, and its derivative by the correlation is the bivariate normal density there (Plackett 1954).
    """
    above = (world.level - (np.arange(MAX_SCORE) + 0.5)) / math.sqrt(total)
    if shared >= total:
        chance = ndtr(above)
        smaller = np.minimum(chance[:, None], chance)
        return float((smaller - chance[:, None] * chance).sum())
    nodes, weights = np.polynomial.legendre.leggauss(200)
    r = (nodes + 1) / 2 * shared / total
    a, b = above[:, None, None], above[None, :, None]
    density = np.exp(-(a**2 - 2 * r * a * b + b**2) / (2 * (1 - r**2))) / (2 * math.pi * np.sqrt(1 - r**2))
    return float((density * weights / 2 * shared / total).sum())


def true_components(world: World, judge: Judge) -> dict[str, float]:
    """The components of the rounded scores of a judge whose only flaws are noise and sway."""
    order = world.order**2 + judge.sway**2
    problem = world.problem**2
    group = problem + world.strategy_by_problem**2
    again = group + 2 * world.response**2 + world.pair**2 + order
    total = again + judge.noise**2
    same, other_draw, reverse, sharing, disjoint, other_strategy = (
        rounded_covariance(world, total, shared)
        for shared in (total, again, again - 2 * order, group + world.response**2, group, problem)
    )
    return {
        "problem": other_strategy,
        "strategy_by_problem": disjoint - other_strategy,
        "response": sharing - disjoint,
        "pair": (other_draw + reverse) / 2 - 2 * sharing + disjoint,
        "order": (other_draw - reverse) / 2,
        "draw": same - other_draw,
    }


def true_size(world: World, judge: Judge) -> tuple[tuple[str, str, str | None], float] | None:
    """Which figure a flaw shows in, and how large it is there; None where it has no closed form."""
    components = true_components(world, judge)
    if judge.strategy_gain:  # Unrelated scores never come near 5, where a gain would be lost.
        return ("strategy", "error_low", f"s{world.n_strategies - 1}"), judge.strategy_gain
    if judge.by_order:
        total = sum(getattr(world, name) ** 2 for name in ("problem", "strategy_by_problem", "pair", "order"))
        sd = math.sqrt(total + 2 * world.response**2 + judge.noise**2)
        first, second = (
            float(ndtr((world.level + sign * judge.by_order - (np.arange(MAX_SCORE) + 0.5)) / sd).sum())
            for sign in (1, -1)
        )
        return ("order", "mean_difference", None), first - second
    if judge.sway:
        return ("order", "sd_order", None), 2 * math.sqrt(components["order"])
    if judge.is_swapped or judge.reads_length_only or judge.by_length or judge.constant is not None:
        return None
    return ("retest", "sd_within_pair", None), math.sqrt(components["draw"])
