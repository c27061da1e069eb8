"""One plain sentence a comparison: what differs, by how much, how sure, and how many problems it would take."""

from __future__ import annotations

import math
from collections.abc import Sequence

from diversity_judge.comparing.differences import StrategyDifference
from diversity_judge.measures.paired import PairedDifference, problems_needed
from diversity_judge.text_safety import printable

LEVEL = 0.05
_SPOKEN_OUTCOMES = ("pass_at_", "best_of_n")


def all_sentences(comparisons: Sequence[StrategyDifference], difference: float) -> tuple[str, ...]:
    """A sentence on diversity for each strategy, then one on what it solves.

    Args:
        comparisons: With the baseline.
        difference: In diversity, that a study should be able to see.
    """
    process = [diversity_sentence(c, difference) for c in comparisons if c.metric == "diversity"]
    outcomes = [outcome_sentence(c) for c in comparisons if c.metric.startswith(_SPOKEN_OUTCOMES)]
    return tuple(printable(sentence) for sentence in (*process, *outcomes))


def diversity_sentence(comparison: StrategyDifference, difference: float) -> str:
    """Whether a strategy is more diverse than the baseline, and how many problems a smaller difference needs."""
    found, strategy, baseline = comparison.found, comparison.strategy, comparison.baseline
    more = "more" if found.estimate.value > 0 else "less"
    if _is_shown(found):
        sentence = f"{strategy} is {more} diverse than {baseline} by {_size(found)} {_evidence(found)}"
    elif _excludes_zero(found):
        sentence = f"{strategy} seems {more} diverse than {baseline} by {_size(found)} {_unconfirmed(found)}"
    else:
        sentence = _unclear(comparison)
    needed = problems_needed(found.sd, difference)
    if needed is None:
        return f"{sentence}."
    return f"{sentence}; to see a difference of {difference:g} you need about {needed} problems."


def outcome_sentence(comparison: StrategyDifference) -> str:
    """Whether a strategy solves more than the baseline."""
    found, strategy, baseline = comparison.found, comparison.strategy, comparison.baseline
    more, higher = ("more", "higher") if found.estimate.value > 0 else ("less", "lower")
    if _is_shown(found):
        solves, evidence = "solves", f" {_evidence(found)}"
    elif _excludes_zero(found):
        solves, evidence = "seems to solve", f" {_unconfirmed(found)}"
    else:
        return f"{_unclear(comparison)}."
    return f"{strategy} {solves} {more} than {baseline}: {comparison.label} is {higher} by {_size(found)}{evidence}."


def _is_shown(found: PairedDifference) -> bool:
    return found.p_holm < LEVEL and not math.isnan(found.estimate.low)


def _excludes_zero(found: PairedDifference) -> bool:
    """Whether the interval says that there is a difference, though the test does not: the test needs more problems."""
    return found.estimate.low * found.estimate.high > 0


def _unconfirmed(found: PairedDifference) -> str:
    sentence = f"on {_problems(found)}, but p = {_p_value(found)} after Holm does not confirm it"
    if found.test.smallest_p < LEVEL / 5:
        return sentence
    return f"{sentence} (so few problems differ that it is {found.test.smallest_p:.2g} before Holm at best)"


def _size(found: PairedDifference) -> str:
    """Size of a difference and its interval, turned so that the size is positive."""
    low, value, high = found.estimate.low, found.estimate.value, found.estimate.high
    if value < 0:
        low, value, high = -high, -value, -low
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _evidence(found: PairedDifference) -> str:
    return f"on {_problems(found)}, p = {_p_value(found)} after Holm"


def _p_value(found: PairedDifference) -> str:
    return f"{found.p_holm:.3f}" if found.p_holm >= 0.001 else f"{found.p_holm:.1g}"


def _problems(found: PairedDifference) -> str:
    n = found.estimate.n
    return f"{n} problem{'s' if n != 1 else ''}"


def _unclear(comparison: StrategyDifference) -> str:
    found, estimate = comparison.found, comparison.found.estimate
    noun = "diversity" if comparison.metric == "diversity" else comparison.label
    pair = f"{comparison.strategy} and {comparison.baseline}"
    if math.isnan(estimate.low):
        return (
            f"{noun} of {pair} differs by {estimate.value:+.3f} on {_problems(found)}, too few to say how sure that is"
        )
    return (
        f"No difference in {noun} is shown between {pair}: {estimate.value:+.3f} "
        f"[{estimate.low:.3f}, {estimate.high:.3f}] {_evidence(found)}"
    )
