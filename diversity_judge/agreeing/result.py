"""The agreement of two judges as one value, and the sentence that says what it means."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from diversity_judge.agreeing.matching import match_runs
from diversity_judge.display import block, counted, html_block, short
from diversity_judge.measures.agreement import Agreement, SharedGroup, agreements
from diversity_judge.runs.instrument import Instrument
from diversity_judge.runs.loading import Run
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval, number

_SHOWN_COLUMNS = ("strategy", "pairs", "equal", "kappa", "diversity bias")
"""What an agreement shows of its rows."""


@dataclass(frozen=True)
class People:
    """People as the reference.

    Attributes:
        path: The file of their labels.
        judge: How the tables name them.
        prompt: What they were asked, as far as it is known.
    """

    path: Path
    judge: str
    prompt: str = "labels"
    instrument: Instrument | None = None


@dataclass(frozen=True, eq=False, repr=False)
class JudgeAgreement:
    """How well a judge agrees with a reference on the same responses.

    Attributes:
        tested: The run of the judge under test.
        reference: The run of the judge that is taken for the truth, or the people whose labels are.
        groups: The pairs that both were to score.
        rows: One agreement a strategy, and last that of all together.
        notes: What was left out, and what is to be kept in mind; one sentence each.
    """

    tested: Run
    reference: Run | People
    groups: tuple[SharedGroup, ...]
    rows: tuple[Agreement, ...]
    notes: tuple[str, ...]

    @property
    def pooled(self) -> Agreement:
        """All strategies together."""
        return self.rows[-1]

    @property
    def strategies(self) -> tuple[str, ...]:
        """In order of appearance."""
        return tuple(row.strategy for row in self.rows if row.strategy is not None)

    @property
    def sentence(self) -> str:
        """What the tested judge does to a diversity, in plain words."""
        bias = self.pooled.diversity_bias
        size = f"{abs(bias.value):.3f}"
        on = f"on {bias.n} problem{'s' if bias.n != 1 else ''}"
        if math.isnan(bias.low):
            return (
                f"The diversity by the tested judge differs by {bias.value:+.3f} {on}, too few to say how sure that is."
            )
        interval = f"[{bias.low:+.3f}, {bias.high:+.3f}]"
        if bias.low <= 0 <= bias.high:
            return f"No bias in diversity is shown: {bias.value:+.3f} {interval} {on}."
        way = "higher" if bias.value > 0 else "lower"
        return f"The tested judge gives a diversity that is {size} {way} than the reference's: {interval} {on}."

    def __repr__(self) -> str:
        return block(self._title, _SHOWN_COLUMNS, [*map(_cells, self.rows)], self._lines())

    def _repr_html_(self) -> str:
        return html_block(self._title, _SHOWN_COLUMNS, [*map(_cells, self.rows)], self._lines())

    @property
    def _title(self) -> str:
        return f"JudgeAgreement: {counted(len(self.groups), 'group')}, {counted(self.pooled.n_pairs, 'pair')}"

    def _lines(self) -> Iterator[str]:
        yield f"tested: {self.tested.judge}"
        yield f"reference: {self.reference.judge}"
        yield self.sentence
        if self.notes:
            yield f"{counted(len(self.notes), 'note')} in .notes"


def _cells(row: Agreement) -> tuple[str, ...]:
    """Of `_SHOWN_COLUMNS`."""
    kappa, bias = row.kappa, row.diversity_bias
    return (
        "all together" if row.strategy is None else short(row.strategy),
        f"{row.n_pairs:,}",
        number(row.exact),
        interval(kappa.value, kappa.low, kappa.high),
        interval(bias.value, bias.low, bias.high, signed=True),
    )


def judge_agreement(tested: Run, reference: Run) -> JudgeAgreement:
    """Hold a judge against a reference.

    Args:
        tested: A run of the judge under test.
        reference: A run of the reference over the same responses.

    Raises:
        InputError: they have no scored pair in common, or judged other responses.
    """
    match = match_runs(tested, reference)
    rows = agreements(match.groups)
    notes = (*match.notes, *unasked_notes(rows[-1]))
    return JudgeAgreement(tested, reference, match.groups, rows, tuple(printable(note) for note in notes))


def unasked_notes(pooled: Agreement) -> Iterator[str]:
    """Pairs that every judge gets right for nothing make it look better than it is."""
    if pooled.n_unasked:
        asked = "not defined" if math.isnan(pooled.kappa_asked) else f"{pooled.kappa_asked:.3f}"
        yield (
            f"{pooled.n_unasked:,} of the pairs are identical texts, which got 5 without the tested judge being asked; "
            f"without them kappa is {asked}"
        )
