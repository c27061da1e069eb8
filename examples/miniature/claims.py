"""The paper's claims, each with what was measured here; `verdicts` decides all of them by the same rules."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.intervals import Estimate, strategy_estimate
from diversity_judge.measures.outcomes import Tier
from diversity_judge.measures.paired import paired_difference
from diversity_judge.runs.loading import RunGroup
from examples.miniature import tiers
from examples.miniature.comparing import Compared
from examples.miniature.study import EDT, EXPERT, HIGH, NORMAL, Study
from examples.miniature.verdicts import (
    DIVERSITY_MARGIN,
    Claim,
    Part,
    at_least,
    below,
    decided,
    gain,
    loss,
    no_gain,
    no_loss,
    points,
)

KEPT_SPEED = 0.97
"""Share of the speed without Expert-Sample that counts as no overhead to speak of."""
FLAT = 0.10
"""A tail is flat where the probability falls by less than this share from one rank to the next."""

_TOO_FEW = "There are too few such problems."


def difference(comparison: Compared, strategy: str, baseline: str, metric: str, k: int | None = None) -> Estimate:
    """What a strategy has more than another one, paired on problems.

    Args:
        comparison: Where both are.
        strategy: The one.
        baseline: The other.
        metric: `diversity`, or an outcome.
        k: Of an outcome that has several.
    """
    own, other = (_values(comparison, name, metric, k) for name in (strategy, baseline))
    return paired_difference(own, other).estimate


def _values(comparison: Compared, strategy: str, metric: str, k: int | None) -> dict[str, float]:
    """Problem to value."""
    values = {}
    for group in comparison.groups:
        if group.strategy == strategy:
            if metric == "diversity":
                values[group.problem_id] = group.process.diversity.value if group.process else float("nan")
            else:
                outcome = group.outcome(metric, k)
                values[group.problem_id] = outcome.value if outcome else float("nan")
    return values


def all_claims(study: Study) -> list[Claim]:
    """Every claim with its verdict: in the order of the paper's figures and tables, then those at the second point.

    All are one family, for which Holm adjusts them.
    """
    own = [
        *_active_experts(study),
        _head_and_tail(study),
        *_tiers(study),
        *_many_and_one(study.main, study.n),
        *_hotter_tokens(study),
        *_verification(study),
        *_sweeps(study),
        speed_kept(study.speed),
        _similarity(study.main),
    ]
    second = [*_many_and_one(study.second, study.n), _similarity(study.second)]
    return decided(
        [
            replace(claim, point=point.name)
            for point, claims in zip(study.points, (own, second), strict=True)
            for claim in claims
        ]
    )


def _active_experts(study: Study) -> Iterator[Claim]:
    half = study.active // 2
    greedy = difference(study.greedy, f"{half} active", f"{study.active} active", "pass_rate")
    sampled = difference(study.sampled, f"{half} active", f"{study.active} active", "pass_at_k", study.n)
    yield Claim(
        "2a",
        "Greedy accuracy hardly suffers when fewer experts are active.",
        f"With {half} of {study.active} experts greedy accuracy changes by {points(greedy)}.",
        (no_loss(greedy),),
    )
    yield Claim(
        "2b",
        "pass@n falls clearly when fewer experts are active: the tail carries diversity.",
        f"With {half} of {study.active} experts pass@{study.n} of token sampling changes by {points(sampled)}.",
        (loss(sampled),),
    )


def _head_and_tail(study: Study) -> Claim:
    mean, k = study.by_rank, study.active
    in_head = fall(study.by_block[:, : study.k_keep])
    in_tail = fall(study.by_block[:, study.k_keep : 4 * k])
    head, tail, steeper = (strategy_estimate(x, bounds=None) for x in (in_head, in_tail, in_head - 2 * in_tail))
    return Claim(
        "2c",
        "The router is sure of a head of few experts and nearly indifferent among the tail.",
        f"Rank 1 has {mean[0]:.3f}, rank {study.k_keep} {mean[study.k_keep - 1]:.3f}, rank {k} {mean[k - 1]:.3f}, rank "
        f"{min(4 * k, len(mean))} {mean[: 4 * k][-1]:.4f} (uniform: {1 / len(mean):.4f}). From rank to rank the "
        f"probability falls by {_percent(head)} in the head and by {_percent(tail)} in the tail; the rule is: less "
        f"than {FLAT:.0%} in the tail, and at most half of the head's (intervals over {tail.n} blocks of problems).",
        head_and_flat_tail(tail, steeper),
        unit="blocks",
    )


def fall(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """(blocks,) the share by which (blocks, ranks) probabilities fall from rank to rank, as a geometric mean."""
    steps = max(1, probabilities.shape[1] - 1)
    return np.asarray(1 - (probabilities[:, -1] / probabilities[:, 0]) ** (1 / steps))


def head_and_flat_tail(tail: Estimate, steeper: Estimate) -> tuple[Part, ...]:
    """Of a router with a head and a flat tail.

    Args:
        tail: The tail's fall from rank to rank.
        steeper: What the head's fall has above twice the tail's.
    """
    return below(tail, FLAT), at_least(steeper, 0.0)


def _percent(share: Estimate) -> str:
    return f"{share.value:.0%} ({share.low:.1%} to {share.high:.1%})"


def _tiers(study: Study) -> Iterator[Claim]:
    """What each tier is claimed to do; one half of token-normal's responses chooses it, the other half is measured."""
    half = study.n // 2
    chosen = f"Best-of-{half} by the learned reward model"
    for wanted, words, compared, value, label, part in (
        (Tier.CORRECT, "stays as stable", study.main, tiers.pass_rate, "the pass rate", no_loss),
        (Tier.MEDIUM, "finds more by Best-of-N", study.learned, tiers.best_of_all, chosen, gain),
        (Tier.HARD, "solves more of them", study.main, tiers.pass_at_all, f"pass@{half}", gain),
    ):
        effect = _in_tier(compared, wanted, value)
        yield Claim(
            "3",
            f"On {wanted.value} problems Expert-Sample {words}.",
            f"Against token-normal {label} changes by {points(effect)}. One half of token-normal's responses chooses "
            "the tier, the other half is measured, and the other way about."
            if effect.n > 1
            else _TOO_FEW,
            (part(effect),),
        )
    effect = _in_tier(study.main, Tier.HARD, tiers.diversity)
    yield Claim(
        "3",
        "On Hard problems Expert-Sample's reasoning is more diverse.",
        f"Process diversity (exact judge) changes by {_diversity(effect)}." if effect.n > 1 else _TOO_FEW,
        (gain(effect, DIVERSITY_MARGIN),),
    )


def _many_and_one(compared: Compared, n: int) -> Iterator[Claim]:
    one, many = (difference(compared, EXPERT, NORMAL, "pass_at_k", k) for k in (1, n))
    yield Claim(
        "4",
        "Expert-Sample solves more problems with many samples than token sampling does.",
        f"pass@{n} against token-normal: {points(many)}.",
        (gain(many),),
    )
    yield Claim(
        "4",
        "With one sample nothing is lost.",
        f"pass@1 against token-normal: {points(one)}.",
        (no_loss(one),),
    )


def _hotter_tokens(study: Study) -> Iterator[Claim]:
    high_one, high_many = (difference(study.main, HIGH, NORMAL, "pass_at_k", k) for k in (1, study.n))
    yield Claim(
        "4",
        "A high temperature buys its diversity with single-sample accuracy.",
        f"token-high against token-normal: pass@1 {points(high_one)}, pass@{study.n} {points(high_many)}.",
        (loss(high_one), gain(high_many)),
    )
    for other in (HIGH, EDT):
        effect = difference(study.main, EXPERT, other, "pass_at_k", study.n)
        yield Claim(
            "4",
            f"Expert-Sample solves more problems with many samples than {other}.",
            f"pass@{study.n} of Expert-Sample against {other}: {points(effect)}.",
            (gain(effect),),
        )


def _verification(study: Study) -> Iterator[Claim]:
    for metric, label in (("best_of_n", "Best-of-N"), ("weighted_majority", "weighted majority voting")):
        effect = difference(study.learned, EXPERT, NORMAL, metric)
        by_rules = difference(study.main, EXPERT, NORMAL, metric)
        yield Claim(
            "table 2",
            f"Expert-Sample improves {label}.",
            f"With the learned reward model {label} changes by {points(effect)} against token-normal; with the "
            f"verifier by rules, nearly an oracle here, by {points(by_rules)}.",
            (gain(effect),),
        )


def _sweeps(study: Study) -> Iterator[Claim]:
    if _has(study, "k_keep=0"):
        none_kept = difference(study.settings, "expert-sample:k_keep=0", EXPERT, "pass_rate")
        yield Claim(
            "5, 6",
            "The head must be kept: drawing all experts costs accuracy.",
            f"k_keep = 0 against the default: pass@1 {points(none_kept)}.",
            (loss(none_kept),),
        )
    for setting, value, figure, words in (
        ("tau", 4, "7", "A hotter draw (tau = 4) is no better at pass@n than tau = 1."),
        ("r", 64, "8", "A pool wider than 4k (r = 64) brings no more at pass@n."),
    ):
        if _has(study, f"{setting}={value}"):
            effect = difference(study.settings, f"expert-sample:{setting}={value}", EXPERT, "pass_at_k", study.n)
            yield Claim(
                figure,
                words,
                f"pass@{study.n} against the default: {points(effect)}.",
                (no_gain(effect),),
            )


def speed_kept(ratios: NDArray[np.float64]) -> Claim:
    """Of the speed with Expert-Sample over the speed without, in rounds that took turns."""
    logs = strategy_estimate(np.log(ratios), bounds=None)
    ratio, low, high = np.exp((logs.value, logs.low, logs.high))
    return Claim(
        "table 3",
        "Expert-Sample costs next to no speed.",
        f"Tokens a second with Expert-Sample over without: {ratio:.3f} ({low:.3f} to {high:.3f}; n = {logs.n} rounds "
        f"in turn); the rule is {KEPT_SPEED} or more.",
        (at_least(logs, math.log(KEPT_SPEED)),),
        unit="rounds",
    )


def _similarity(compared: Compared) -> Claim:
    effect = difference(compared, EXPERT, NORMAL, "diversity")
    return Claim(
        "9",
        "Expert-Sample's responses are less alike than token sampling's.",
        f"Process diversity over all problems (exact judge) changes by {_diversity(effect)}.",
        (gain(effect, DIVERSITY_MARGIN),),
    )


def _has(study: Study, setting: str) -> bool:
    return f"expert-sample:{setting}" in study.settings.strategies


def _diversity(effect: Estimate) -> str:
    return f"{effect.value:+.3f} ({effect.low:+.3f} to {effect.high:+.3f}; n = {effect.n})"


def _in_tier(compared: Compared, wanted: Tier, value: tiers.Value) -> Estimate:
    """What Expert-Sample has more than token-normal."""
    return tiers.difference(_members(compared, NORMAL), _members(compared, EXPERT), wanted, value)


def _members(comparison: Compared, strategy: str) -> dict[str, RunGroup]:
    """Problem to group."""
    return {group.problem_id: group.member for group in comparison.groups if group.strategy == strategy}
