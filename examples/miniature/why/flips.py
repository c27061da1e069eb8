"""Does Expert-Sample flip other decisions than hotter tokens do, and better ones?

At each decision an arm has a distribution of the next token. What it leaves the likeliest token for is judged: mass on
a token that keeps the target where the likeliest one loses it is for the better, and so on, as with departures. The
arms are token sampling with the model's own routes, the same with Expert-Sample's (the mean over draws of all layers),
and hotter tokens: the model's own routes at the temperature at which as much is left in all. What an arm does beyond
that is not only more of the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.across import Floats, rank_correlation
from diversity_judge.measures.clustered import codes_of, mean_of, of_sums, ratio, share_of, sums_by
from diversity_judge.measures.intervals import Estimate
from examples.miniature.why.fates import Kind
from examples.miniature.why.findings import CHANGE, EXPERT, HOTTER, MARGINS, NORMAL, Finding, margin_classes, plain
from generation.strategies import TokenSampling

KINDS = (Kind.BETTER, Kind.WORSE, Kind.SIDEWAYS, Kind.LOST, Kind.GONE)
_TEMPERATURES = (0.01, 100.0)
_HALVINGS = 30


@dataclass(frozen=True, eq=False)
class Arms:
    """Distributions of the next token at D decisions.

    Attributes:
        problems: (D,) ids.
        live: (D, V) tokens that keep the target within reach.
        top: (D,) the likeliest token by the model's own routes.
        margin: (D,) its log-probability minus that of the second.
        by_arm: Name to (D, V).
        halves: Of Expert-Sample, two (D, V) by every second draw.
        flipped: (D,) share of the draws whose likeliest token is another.
        flipped_halves: Of every second draw.
        temperature: At which hotter tokens leave as much.
    """

    problems: NDArray[np.str_]
    live: NDArray[np.bool_]
    top: NDArray[np.intp]
    margin: Floats
    by_arm: Mapping[str, Floats]
    halves: tuple[Floats, Floats]
    flipped: Floats
    flipped_halves: tuple[Floats, Floats]
    temperature: float


def arms(
    problems: NDArray[np.str_], live: NDArray[np.bool_], standard: Floats, drawn: Floats, sampling: TokenSampling
) -> Arms:
    """What each arm draws.

    Args:
        problems: (D,).
        live: (D, V).
        standard: Logits (D, V) by the model's own routes.
        drawn: Logits (M, D, V) by drawn ones, M at least 2.
        sampling: How tokens are drawn.
    """
    places = np.arange(len(standard))
    top = standard.argmax(axis=1)
    ordered = np.sort(standard, axis=1)
    of_draws = np.stack([sampled(one, sampling) for one in drawn])
    flips = drawn.argmax(axis=2) != top
    expert = of_draws.mean(axis=0)
    left = float((1 - expert[places, top]).mean())
    temperature = _temperature(standard, top, sampling, left)
    return Arms(
        problems,
        live,
        top,
        np.asarray(ordered[:, -1] - ordered[:, -2], np.float64),
        {
            NORMAL: sampled(standard, sampling),
            EXPERT: expert,
            HOTTER: sampled(standard, replace(sampling, temperature=temperature)),
        },
        (of_draws[0::2].mean(axis=0), of_draws[1::2].mean(axis=0)),
        flips.mean(axis=0),
        (flips[0::2].mean(axis=0), flips[1::2].mean(axis=0)),
        temperature,
    )


def sampled(logits: Floats, sampling: TokenSampling) -> Floats:
    """(D, V) probabilities with which tokens are drawn from logits (D, V)."""
    import torch

    from generation.routing_study.next_token import drawable

    with torch.inference_mode():
        drawn = drawable(torch.from_numpy(np.asarray(logits, np.float32)), sampling).double().softmax(-1)
    return np.asarray(drawn.numpy())


def findings(found: Arms) -> Iterator[Finding]:
    """All numbers about decisions."""
    yield Finding("decisions", "temperature", "all", HOTTER, plain(found.temperature, len(np.unique(found.problems))))
    yield from _kinds(found)
    yield from _flips(found)
    yield from _likeness(found)


def left_for(found: Arms, arm: str) -> dict[Kind, Floats]:
    """Kind to (D,): probability of drawing another token than the likeliest, by what that decides."""
    places = np.arange(len(found.top))
    mass = found.by_arm[arm].copy()
    mass[places, found.top] = 0.0
    on_live, on_dead = (mass * found.live).sum(axis=1), (mass * ~found.live).sum(axis=1)
    is_live, can_be = found.live[places, found.top], found.live.any(axis=1)
    nothing = np.zeros(len(mass))
    return {
        Kind.BETTER: np.where(can_be & ~is_live, on_live, nothing),
        Kind.WORSE: np.where(is_live, on_dead, nothing),
        Kind.SIDEWAYS: np.where(is_live, on_live, nothing),
        Kind.LOST: np.where(can_be & ~is_live, on_dead, nothing),
        Kind.GONE: np.where(can_be, nothing, on_dead),
    }


def _kinds(found: Arms) -> Iterator[Finding]:
    """What each arm leaves the likeliest token for: per decision, and as shares of all that it leaves."""
    by_arm = {arm: left_for(found, arm) for arm in (NORMAL, EXPERT, HOTTER)}
    totals = {arm: np.sum([*kinds.values()], axis=0) for arm, kinds in by_arm.items()}
    for arm, total in totals.items():
        yield Finding("decisions", "left", "all", arm, _mean(total, found))
    for kind in KINDS:
        for arm, kinds in by_arm.items():
            yield Finding("decisions", "left", kind.value, arm, _mean(kinds[kind], found))
            yield Finding(
                "decisions", "share of what is left", kind.value, arm, _share(kinds[kind], totals[arm], found)
            )
        own, hot = by_arm[EXPERT][kind], by_arm[HOTTER][kind]
        yield Finding("decisions", "left", kind.value, CHANGE, _mean(own - by_arm[NORMAL][kind], found, -1.0))
        yield Finding("decisions", "left", kind.value, f"{EXPERT} - {HOTTER}", _mean(own - hot, found, -1.0))


def _flips(found: Arms) -> Iterator[Finding]:
    """How often drawn routes make another token the likeliest, by how close the decision is."""
    yield Finding("decisions", "flipped", "all", EXPERT, _mean(found.flipped, found))
    for (of, _), low, high in zip(margin_classes(), MARGINS, MARGINS[1:], strict=False):
        members = (found.margin >= low) & (found.margin < high)
        yield Finding("decisions", "share of decisions", of, "all", share_of(members, found.problems))
        estimate = mean_of(found.flipped[members], found.problems[members], bounds=(0.0, 1.0))
        yield Finding("decisions", "flipped", of, EXPERT, estimate)


def _likeness(found: Arms) -> Iterator[Finding]:
    """The same decisions, and the same tokens? Beside it what two halves of the draws have in common: the most."""
    fragile = {HOTTER: _left(found.top, found.by_arm[HOTTER]), "margin": -found.margin}
    for name, values in fragile.items():
        like = rank_correlation(found.flipped, values, found.problems)
        yield Finding("decisions", "rank correlation", name, EXPERT, like)
    own = rank_correlation(*found.flipped_halves, found.problems)
    yield Finding("decisions", "rank correlation", "other draws", EXPERT, own)
    expert = found.by_arm[EXPERT]
    for name, one, other in ((HOTTER, expert, found.by_arm[HOTTER]), ("other draws", *found.halves)):
        for what, shared in _shared(found.top, one, other).items():
            yield Finding("decisions", what, name, EXPERT, _share(shared, _left(found.top, one), found))


def _shared(top: NDArray[np.intp], one: Floats, other: Floats) -> dict[str, Floats]:
    """(D,) what two arms leave the likeliest token for in common: at the same decisions, for the same tokens."""
    both = np.minimum(one, other)
    both[np.arange(len(top)), top] = 0.0
    return {
        "overlap of decisions": np.minimum(_left(top, one), _left(top, other)),
        "overlap of tokens": both.sum(axis=1),
    }


def _left(top: NDArray[np.intp], probabilities: Floats) -> Floats:
    return np.asarray(1 - probabilities[np.arange(len(top)), top])


def _temperature(standard: Floats, top: NDArray[np.intp], sampling: TokenSampling, left: float) -> float:
    """At which the model's own routes leave as much in all; by halving on the log."""
    low, high = np.log(_TEMPERATURES)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        hotter = sampled(standard, replace(sampling, temperature=float(np.exp(middle))))
        low, high = (middle, high) if _left(top, hotter).mean() < left else (low, middle)
    return float(np.exp((low + high) / 2))


def _mean(values: Floats, found: Arms, least: float = 0.0) -> Estimate:
    return mean_of(values, found.problems, bounds=(least, 1.0))


def _share(part: Floats, whole: Floats, found: Arms) -> Estimate:
    """Sum of the one over that of the other; between 0 and 1."""
    sums = sums_by(codes_of(found.problems), [part, whole])
    return of_sums(lambda total: ratio(total[..., 0], total[..., 1]), sums, bounds=(0.0, 1.0))
