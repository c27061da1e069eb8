"""What `plan` found, as a value that shows itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diversity_judge.budgeting.choices import Choice
from diversity_judge.budgeting.summaries import Offer
from diversity_judge.choices import Level
from diversity_judge.display import block, html_block
from diversity_judge.wording import NONE, number

_WHOSE: Mapping[Level, str] = {
    "group": "a group, over its responses",
    "strategy": "a strategy, over its problems",
    "difference": "the difference of two strategies, over problems",
}


@dataclass(frozen=True, repr=False)
class Plan:
    """The choices of a study.

    Attributes:
        assumed: What they stand on, by name.
        choices: From few pairs to all, and larger studies where the aim needs them.
        recommended: Position of the one to take; None where none will do.
        reason: Why that one.
        level: Whose interval `width` is.
        facts: What it stands on, in sentences.
        notes: What else a reader should know.
        all_pairs: Pairs of the largest group.
        next_steps: Command lines: the pilot, or the run that is recommended.
        alternatives: Other ways to the recommended width, with their command lines.
    """

    assumed: Mapping[str, Any]
    choices: Sequence[Choice]
    recommended: int | None
    reason: str
    level: Level
    facts: tuple[str, ...]
    notes: tuple[str, ...]
    all_pairs: int
    next_steps: tuple[str, ...] = ()
    alternatives: tuple[Offer, ...] = ()

    @property
    def chosen(self) -> Choice | None:
        """The recommended choice."""
        return None if self.recommended is None else self.choices[self.recommended]

    def to_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "assumed": dict(self.assumed),
            "choices": [choice.record() for choice in self.choices],
            "recommended": self.recommended,
            "alternatives": [offer.record() for offer in self.alternatives],
        }

    @property
    def title(self) -> str:
        """What the widths are of."""
        return f"What a study costs and shows: 95 % interval of {_WHOSE[self.level]}"

    @property
    def verdict(self) -> str:
        """The recommended choice in a sentence."""
        chosen = self.chosen
        if chosen is None:
            return f"none: {self.reason}"
        many = f"{chosen.pairs_per_group:,} pairs a group" if chosen.pairs_per_group < self.all_pairs else "all pairs"
        size = f"{chosen.problems:,} problems, {chosen.responses:,} responses, {many}"
        return f"{size}{f', {chosen.draws} draws' if chosen.draws > 1 else ''}: {self.reason}"

    def rows(self) -> list[tuple[str, ...]]:
        """The cells of `COLUMNS`, one row a choice, the recommended one marked."""
        return [
            (
                ">" if position == self.recommended else "",
                f"{choice.problems:,}",
                f"{choice.responses:,}",
                f"{choice.pairs_per_group:,}" + (f" x {choice.draws}" if choice.draws > 1 else ""),
                f"{choice.calls:,}",
                _tokens(choice.tokens_in + choice.tokens_out),
                NONE if choice.cost_usd is None else _usd(choice.cost_usd),
                NONE if choice.width is None else number(choice.width),
                NONE if choice.detectable is None else number(choice.detectable),
            )
            for position, choice in enumerate(self.choices)
        ]

    def __repr__(self) -> str:
        return self._shown(block)

    def _repr_html_(self) -> str:
        return self._shown(html_block)

    def _shown(self, how: Callable[[str, Sequence[str], Sequence[Sequence[str]], Iterable[str]], str]) -> str:
        return how(f"Plan: {self.verdict}", COLUMNS, self.rows(), [*self.facts, *self.notes, *self._offered()])

    def _offered(self) -> Iterable[str]:
        for offer in self.alternatives:
            yield f"alternative: {offer.sentence}"
            yield from offer.commands


COLUMNS = ("", "problems", "responses", "pairs", "calls", "tokens", "USD", "width", "detects")
"""What is shown of a choice; pairs a group, and how often each is judged."""


def _usd(cost: float) -> str:
    return f"{cost:,.2f}" if cost < 100 else f"{cost:,.0f}"


def _tokens(tokens: int) -> str:
    """`1.2M`: a number whose digits are no more than an estimate."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if tokens >= size:
            return f"{tokens / size:.1f}{letter}"
    return str(tokens)
