"""What the probes of a judge found, as one value that shows itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diversity_judge.display import block, counted, html_block, short
from diversity_judge.engine.tally import Ending, Tally
from diversity_judge.measures.probes.findings import Finding, Verdict
from diversity_judge.probing.buying import Answers
from diversity_judge.probing.drawing import DrawnPair
from diversity_judge.probing.precision import Precision
from diversity_judge.probing.same_judge import SameJudge
from diversity_judge.wording import interval

if TYPE_CHECKING:
    import pandas as pd

EXIT_MISSING = 3
_EXIT_CODES = {Ending.INTERRUPTED: 130, Ending.FAILED: 1}
_SHOWN_COLUMNS = ("probe", "metric", "value", "n", "verdict")


@dataclass(frozen=True, eq=False, repr=False)
class Reliability:
    """Whether a judge can be believed.

    Attributes:
        source: The run and its judge.
        drawn: The pairs that were probed.
        answers: What was bought.
        findings: One a figure: the rows of reliability.csv.
        precision: Where the variance comes from, and what more money buys.
        tally: What this run bought, and how it ended.
        notes: What was left out, and what is to be kept in mind; one sentence each.
        manifest: What reliability.json holds, or would hold.
        folder: Where the outputs are; None where nothing was written.
    """

    source: SameJudge
    drawn: tuple[DrawnPair, ...]
    answers: tuple[Answers, ...]
    findings: tuple[Finding, ...]
    precision: Precision
    tally: Tally
    notes: tuple[str, ...] = ()
    manifest: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    @property
    def judge(self) -> str:
        """The judge as the tables name it."""
        return self.source.run.judge

    @property
    def strategies(self) -> list[str]:
        """In order of appearance in the run."""
        return list(dict.fromkeys(plan.group.strategy for plan in self.source.plans))

    @property
    def pooled(self) -> list[Finding]:
        """The findings of all strategies together."""
        return [found for found in self.findings if found.strategy is None]

    def of(self, probe: str, metric: str, strategy: str | None = None) -> Finding:
        """One finding.

        Raises:
            KeyError: there is none of that name.
        """
        for found in self.findings:
            if (found.probe, found.metric, found.strategy) == (probe, metric, strategy):
                return found
        raise KeyError((probe, metric, strategy))

    @property
    def missing(self) -> Counter[str]:
        """Judgments without a score that the probes wanted, by reason; one that several share counts once."""
        wanted = {j.key: j for found in self.answers for draws in found.judgments for j in draws}
        return Counter(judgment.reason for judgment in wanted.values() if judgment.reason is not None)

    @property
    def exit_code(self) -> int:
        """0 all answered, 1 the run failed, 3 answers are missing, 130 interrupted."""
        if self.tally.ending in _EXIT_CODES:
            return _EXIT_CODES[self.tally.ending]
        return EXIT_MISSING if self.missing else 0

    def to_frame(self) -> pd.DataFrame:
        """The findings as a data frame, one row each, as in reliability.csv."""
        import pandas as pd

        from diversity_judge.probing.tables import finding_rows

        return pd.DataFrame(list(finding_rows(self.findings)))

    def __repr__(self) -> str:
        return block(self._title, _SHOWN_COLUMNS, self._rows(), self._lines())

    def _repr_html_(self) -> str:
        return html_block(self._title, _SHOWN_COLUMNS, self._rows(), self._lines())

    @property
    def _title(self) -> str:
        return f"Reliability of {short(self.judge)}: {counted(len(self.drawn), 'pair')} probed"

    def _rows(self) -> list[Sequence[str]]:
        return [
            (
                found.probe,
                found.metric,
                interval(found.value, found.ci_low, found.ci_high),
                f"{found.n:,}",
                "" if found.verdict is None else found.verdict.value,
            )
            for found in self.pooled
            if found.verdict is not None
        ]

    def _lines(self) -> Iterator[str]:
        outside = [found for found in self.findings if found.verdict is Verdict.OUTSIDE]
        yield f"{counted(len(outside), 'figure')} outside the band"
        if self.missing:
            yield "missing: " + ", ".join(f"{count:,} x {reason}" for reason, count in self.missing.most_common())
        yield from self.notes[:3]
