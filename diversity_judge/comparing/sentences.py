"""One plain sentence a comparison: what is known, how sure, and where nothing is known, what would tell.

Three things can be said of a difference. It is confirmed where its p-value holds among all comparisons of its metric
(Holm). Its interval may exclude 0 had it been the only comparison; that is said, and said not to be confirmed. Else
nothing is shown, and a study of how many problems would show it. Fewer than six problems can show nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from diversity_judge.comparing.differences import StrategyDifference
from diversity_judge.measures.paired import IF_NORMAL, LEVEL, PairedDifference, Verdict
from diversity_judge.measures.power import fewest_problems, problems_needed
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval, p_value

_SPOKEN_OUTCOMES = ("pass_at_", "best_of_n")


def all_sentences(
    comparisons: Sequence[StrategyDifference], difference: float, others: Iterable[str] = ()
) -> tuple[str, ...]:
    """A sentence on diversity for each strategy, one on what it solves, others, and last what few problems cannot show.

    Args:
        comparisons: With the baseline.
        difference: In diversity, that a study should be able to see.
        others: What else is to be said.
    """
    process = [diversity_sentence(c, difference) for c in comparisons if c.metric == "diversity"]
    outcomes = [outcome_sentence(c) for c in comparisons if c.metric.startswith(_SPOKEN_OUTCOMES)]
    return tuple(printable(sentence) for sentence in (*process, *outcomes, *others, *_too_few(comparisons)))


def _too_few(comparisons: Sequence[StrategyDifference]) -> Iterator[str]:
    """What no comparison of so few problems can show, said once."""
    found = [c.found for c in comparisons if c.found.verdict is Verdict.TOO_FEW and c.metric == "diversity"]
    if found:
        most = max(found, key=lambda difference: difference.estimate.n)
        yield (
            f"With {_problems(most.estimate.n)} no difference can be confirmed: no p below "
            f"{2.0 ** (1 - most.estimate.n):.2g} is possible; {_need(most)} at least "
            f"{fewest_problems(most.n_comparisons)} problems."
        )


def _among(found: PairedDifference) -> str:
    return f"{found.n_comparisons} comparisons" if found.n_comparisons > 1 else "one comparison"


def _need(found: PairedDifference) -> str:
    return f"{_among(found)} need{'s' if found.n_comparisons == 1 else ''}"


def diversity_sentence(comparison: StrategyDifference, difference: float) -> str:
    """Whether a strategy is more diverse than the baseline; where that is not confirmed, what would show it."""
    more = "more" if comparison.found.estimate.value > 0 else "less"
    claim = f"{comparison.strategy} is {more} diverse than {comparison.baseline} by {_size(comparison.found)}"
    return f"{_sentence(comparison, claim)}{_advice(comparison.found, difference)}."


def outcome_sentence(comparison: StrategyDifference) -> str:
    """Whether a strategy solves more than the baseline."""
    more, higher = ("more", "higher") if comparison.found.estimate.value > 0 else ("less", "lower")
    claim = (
        f"{comparison.strategy} solves {more} than {comparison.baseline}: {comparison.label} is {higher} by "
        f"{_size(comparison.found)}"
    )
    return f"{_sentence(comparison, claim)}."


def _sentence(comparison: StrategyDifference, claim: str) -> str:
    found = comparison.found
    noun = "diversity" if comparison.metric == "diversity" else comparison.label
    pair = f"{comparison.strategy} and {comparison.baseline}"
    on = f"on {_problems(found.estimate.n)}"
    seen = interval(found.estimate.value, found.estimate.low, found.estimate.high, signed=True)
    if found.verdict is Verdict.CONFIRMED:
        return f"{claim} {on}, {_evidence(found)}"
    if found.verdict is Verdict.ALONE:
        return (
            f"Taken alone, {claim} {on} ({p_value(found.test.p, found.test.resolution)}); among "
            f"{found.n_comparisons} comparisons that is not confirmed (p = {found.p_holm:.2g} after Holm)"
        )
    if found.verdict is Verdict.NOT_SHOWN:
        return f"No difference in {noun} is shown between {pair}: {seen} {on}, {_evidence(found)}"
    if math.isnan(found.estimate.low):
        return f"{noun} of {pair} differs by {seen} {on}, too few to say how sure that is"
    if_normal = ", if differences are normal" if found.estimate.method == IF_NORMAL else ""
    return f"{noun} of {pair} differs by {seen} {on}{if_normal}; so few problems cannot show that it is no chance"


def _evidence(found: PairedDifference) -> str:
    if found.n_comparisons == 1:
        return p_value(found.p_holm, found.test.resolution)
    shown = p_value(found.p_holm, found.test.resolution * found.n_comparisons)
    return f"{shown} after Holm among {found.n_comparisons} comparisons"


def _advice(found: PairedDifference, difference: float) -> str:
    """What would show a difference, where one could have been shown and none is confirmed."""
    if found.verdict in (Verdict.CONFIRMED, Verdict.TOO_FEW):
        return ""
    if found.test.smallest_p > LEVEL / found.n_comparisons:
        return (
            f"; so few problems differ at all that no p below {found.test.smallest_p:.2g} is possible: {_need(found)} "
            f"{fewest_problems(found.n_comparisons)} that do"
        )
    needed = problems_needed(found.sd, difference, pilot=found.estimate.n, n_comparisons=found.n_comparisons)
    if needed is None:
        return ""
    return (
        f"; a difference of {difference:g} would be confirmed on about {needed.n} problems ({needed.low} to "
        f"{needed.high}, as {found.estimate.n} problems tell the spread; power {needed.power:.0%}, level {LEVEL:.0%}, "
        f"{_among(found)})"
    )


def _size(found: PairedDifference) -> str:
    """Size of a difference and its interval, turned so that the size is positive."""
    low, value, high = found.estimate.low, found.estimate.value, found.estimate.high
    return interval(value, low, high) if value > 0 else interval(abs(value), -high, -low)


def _problems(n: int) -> str:
    return f"{n} problem{'s' if n != 1 else ''}"
