"""What an interval says of a claim: rules that were written before the numbers, the same for every claim.

A claim is one or more parts. A part is a difference with two lines: beyond the first it holds, short of the second it
is refuted. What is claimed to be gained holds above 0 and is refuted below the margin, so that a gain too small to
matter is both, and is called so. What is claimed not to be lost holds above minus the margin and is refuted below it: a
loss that may be smaller than the margin refutes nothing. Each line is a one-sided t-test over problems. A claim holds
where all of its parts do (the largest p-value; Berger 1982, Technometrics 24, 295-300), and is refuted where one is
(Bonferroni over its parts). The p-values of holding, of being refuted and of the opposite are three families, each
adjusted by Holm over all claims.

Where a claim's interval allows both, the number of problems that would tell is given: 80 % power to tell 0 from the
margin, at the level of Holm's first step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property

from scipy import stats

from diversity_judge.choices import SMALLEST_INTERESTING
from diversity_judge.measures import few_problems
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.paired import LEVEL, holm
from diversity_judge.measures.power import detectable_difference, problems_needed

POINTS_MARGIN = 0.02
"""Of shares: what is below two points does not matter."""
DIVERSITY_MARGIN = SMALLEST_INTERESTING
"""Of diversities, which are no shares: what a study should be able to see."""


class Unit(str, Enum):
    """What a difference is of, and so how it is written."""

    SHARE = "share"
    DIVERSITY = "diversity"
    OTHER = "other"

    def said(self, size: float) -> str:
        """A size of this unit, in words."""
        return f"{100 * size:.1f} points" if self is Unit.SHARE else f"{size:.3f}"


_UNITS = {POINTS_MARGIN: Unit.SHARE, DIVERSITY_MARGIN: Unit.DIVERSITY}
"""By the margin below which they do not matter."""


class Verdict(str, Enum):
    """What the numbers say of a claim."""

    HOLDS = "holds here"
    SMALL = "holds here, but is too small to matter"
    FAILS = "does not hold here"
    OPPOSITE = "the opposite holds here"
    OPEN = "cannot be told here"


_GAINED = {1: "gain", -1: "loss"}


@dataclass(frozen=True)
class Part:
    """A difference that a claim is about, turned so that more of it speaks for the claim.

    Attributes:
        effect: The difference, as it was measured.
        sign: 1 where a larger difference speaks for the claim, -1 where a smaller one does.
        holds_above: Of sign * difference.
        fails_below: Of sign * difference.
        has_opposite: Whether a difference below 0 is the opposite of the claim, and not only its failing.
        unit: What the difference is of.
    """

    effect: Estimate
    sign: int
    holds_above: float
    fails_below: float
    has_opposite: bool = False
    unit: Unit = Unit.OTHER

    @property
    def needs_an_effect(self) -> bool:
        """Whether the claim fails where nothing differs; what claims that nothing is lost does not."""
        return self.holds_above >= 0

    @property
    def p_holds(self) -> float:
        """One-sided p-value of the difference being no more than `holds_above`; NaN where its spread is not known."""
        return self._p_above(self.holds_above)

    @property
    def p_fails(self) -> float:
        """One-sided p-value of the difference being no less than `fails_below`."""
        return 1 - self._p_above(self.fails_below)

    @property
    def p_opposite(self) -> float:
        """One-sided p-value of the difference being no less than 0; NaN where the claim has no opposite."""
        return 1 - self._p_above(0.0) if self.has_opposite else float("nan")

    def needed(self, n_claims: int) -> int | None:
        """Problems that would tell; None where that can't be said."""
        gap, n = abs(self.holds_above - self.fails_below), self.effect.n
        if gap == 0:
            gap = abs(self.holds_above)
        sd = self.effect.se * math.sqrt(n)
        if not sd > 0 or not gap > 0 or n < 2:
            return None
        found = problems_needed(sd, gap, pilot=n, n_comparisons=n_claims, level=2 * LEVEL)
        return found.n if found else None

    def told(self, n_claims: int) -> str:
        """Which difference would have decided it with 80 % power, in words; empty where that can't be said."""
        n = self.effect.n
        if self.unit is Unit.OTHER or not self.effect.se > 0 or n <= few_problems.MOST:
            return ""
        sd = self.effect.se * math.sqrt(n)
        size = detectable_difference(sd, n, n_comparisons=n_claims, level=2 * LEVEL)
        if self.has_opposite:
            return f"a {_GAINED[self.sign]} of {self.unit.said(size)} would have shown"
        return f"a {_GAINED[-self.sign]} of {self.unit.said(size - self.fails_below)} would have refuted it"

    def _p_above(self, line: float) -> float:
        """Of the null hypothesis that sign * difference is at most `line`."""
        # Where no problem differs, or there is one alone, their spread is not known, and nothing is told.
        if not self.effect.se > 0 or self.effect.n < 2:
            return float("nan")
        t = (self.sign * self.effect.value - line) / self.effect.se
        return float(stats.t.sf(t, self.effect.n - 1))


def gain(effect: Estimate, margin: float = POINTS_MARGIN) -> Part:
    """A difference is above 0; refuted where it is below the margin."""
    return Part(effect, 1, 0.0, margin, has_opposite=True, unit=_UNITS[margin])


def loss(effect: Estimate, margin: float = POINTS_MARGIN) -> Part:
    """A difference is below 0; refuted where it is above minus the margin."""
    return Part(effect, -1, 0.0, margin, has_opposite=True, unit=_UNITS[margin])


def no_loss(effect: Estimate, margin: float = POINTS_MARGIN) -> Part:
    """Nothing is lost, up to the margin; refuted where more than the margin is."""
    return Part(effect, 1, -margin, -margin, unit=_UNITS[margin])


def no_gain(effect: Estimate, margin: float = POINTS_MARGIN) -> Part:
    """Nothing is gained, up to the margin; refuted where more than the margin is."""
    return Part(effect, -1, -margin, -margin, unit=_UNITS[margin])


def at_least(effect: Estimate, line: float) -> Part:
    """A number is at or above a line; refuted where it is below."""
    return Part(effect, 1, line, line)


def below(effect: Estimate, line: float) -> Part:
    """A number is below a line; refuted where it is above."""
    return Part(effect, -1, -line, -line)


@dataclass(frozen=True)
class Claim:
    """One claim of the paper beside what was found.

    Attributes:
        figure: Of the paper.
        claim: What the paper says, in our words.
        found: What was measured here.
        parts: What has to hold.
        unit: What the interval is over.
        point: The operating point at which it was measured.
        verdict: What `decided` finds.
        p_holds: Of its holding, adjusted by Holm over all claims; NaN where nothing is known.
        p_fails: Of its being refuted, adjusted likewise.
        n_claims: Claims that it was adjusted for.
    """

    figure: str
    claim: str
    found: str
    parts: tuple[Part, ...]
    unit: str = "problems"
    point: str = ""
    verdict: Verdict = Verdict.OPEN
    p_holds: float = float("nan")
    p_fails: float = float("nan")
    n_claims: int = 1

    @property
    def needs_an_effect(self) -> bool:
        """Whether it fails where the methods that it compares do the same; if not, holding says little."""
        return any(part.needs_an_effect for part in self.parts)

    @property
    def holds(self) -> bool:
        """Whether it does, be it ever so little."""
        return self.verdict in (Verdict.HOLDS, Verdict.SMALL)

    @cached_property
    def needed(self) -> int | None:
        """How many units would tell where it cannot be told; None where it is told, and where that can't be said."""
        if self.verdict is not Verdict.OPEN:
            return None
        needed = [part.needed(self.n_claims) for part in self.parts]
        known = [number for number in needed if number is not None]
        return max(known) if len(known) == len(needed) else None

    def row(self) -> dict[str, str | int | float | bool | None]:
        """Of claims.csv."""
        return {
            "figure": self.figure,
            "point": self.point,
            "claim": self.claim,
            "found": self.found,
            "verdict": self.verdict.value,
            "needs_an_effect": self.needs_an_effect,
            "could_fail": self.could_fail,
            "p_holds": self.p_holds,
            "p_fails": self.p_fails,
            "needed": self.needed,
            "unit": self.unit,
        }

    @cached_property
    def could_fail(self) -> str:
        """Whether it fails where the method does nothing, and which difference would have told, in words."""
        answer = "yes" if self.needs_an_effect else "not if the method does nothing"
        told = [words for part in self.parts if (words := part.told(self.n_claims))]
        return f"{answer}; {', '.join(told)}" if told else answer

    @property
    def remark(self) -> str:
        """What a reader of the verdict has to know beside it; empty where there is nothing."""
        if self.verdict is Verdict.OPEN and self.needed is not None:
            return f"about {self.needed:,} {self.unit} would tell"
        return ""


def decided(claims: Sequence[Claim]) -> list[Claim]:
    """The same claims with their verdicts, adjusted for one another."""
    holds = holm([_largest([part.p_holds for part in claim.parts]) for claim in claims])
    fails = holm([_bonferroni([part.p_fails for part in claim.parts]) for claim in claims])
    opposite = holm([_largest([part.p_opposite for part in claim.parts]) for claim in claims])
    return [
        replace(claim, verdict=_verdict(h, f, o), p_holds=float(h), p_fails=float(f), n_claims=len(claims))
        for claim, h, f, o in zip(claims, holds, fails, opposite, strict=True)
    ]


def _verdict(p_holds: float, p_fails: float, p_opposite: float) -> Verdict:
    if p_holds <= LEVEL:
        return Verdict.SMALL if p_fails <= LEVEL else Verdict.HOLDS
    if p_opposite <= LEVEL:
        return Verdict.OPPOSITE
    return Verdict.FAILS if p_fails <= LEVEL else Verdict.OPEN


def _largest(values: Sequence[float]) -> float:
    """NaN where one is."""
    return float("nan") if any(map(math.isnan, values)) else max(values)


def _bonferroni(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return min(1.0, len(values) * min(known)) if known else float("nan")


def points(effect: Estimate) -> str:
    """A difference between shares, in points with its interval."""
    return f"{100 * effect.value:+.1f} points ({100 * effect.low:+.1f} to {100 * effect.high:+.1f}; n = {effect.n})"


def summary(claims: Sequence[Claim]) -> str:
    """How many claims got which verdict, and how many of those that hold need no effect for it, as one sentence."""
    one_and_more = {
        Verdict.HOLDS: ("holds", "hold"),
        Verdict.SMALL: ("holds but is too small to matter", "hold but are too small to matter"),
        Verdict.FAILS: ("does not hold", "do not hold"),
        Verdict.OPPOSITE: ("is the other way round", "are the other way round"),
        Verdict.OPEN: ("cannot be told", "cannot be told"),
    }
    counts = {verdict: sum(claim.verdict is verdict for claim in claims) for verdict in Verdict}
    parts = [f"{n} {one_and_more[verdict][n > 1]}" for verdict, n in counts.items() if n]
    idle = sum(claim.verdict is Verdict.HOLDS and not claim.needs_an_effect for claim in claims)
    note = f" {idle} of those that hold would hold too if the method did nothing." if idle else ""
    return f"Of {len(claims)} claims, {', '.join(parts)}.{note}"
