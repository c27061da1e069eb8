"""The whole of what a run found as one value, which shows itself and has the tables as data frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diversity_judge.display import block, html_block
from diversity_judge.engine.tally import Ending, Tally
from diversity_judge.files import csv_text
from diversity_judge.judges.base import Judge
from diversity_judge.planning.judgment import Judgment
from diversity_judge.planning.sorting import Sorting
from diversity_judge.planning.summaries import Summary
from diversity_judge.runs.instrument import RESPONSES, SUMMARIES
from diversity_judge.scoring import tables
from diversity_judge.scoring.group_results import GroupResult, StrategyResult, strategy_results

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from diversity_judge.runs.loading import Run

EXIT_MISSING = 3
_IN_MEMORY = Path("(in memory)")
"""Stands where a run names its folder and there is none."""
_EXIT_CODES = {Ending.INTERRUPTED: 130, Ending.FAILED: 1}


@dataclass(frozen=True, eq=False, repr=False)
class ScoreResult:
    """What a run found and how it ended.

    Attributes:
        groups: One a group, in the order of the input.
        strategy_results: One a strategy.
        judge: The judge as the tables name it: model, host and parameters.
        prompt: The prompt template as the tables name it.
        has_prices: Whether the judge's prices are known.
        tally: What this run did, and how it ended.
        is_embedded: Whether the judge computes, so that asking it again changes nothing.
        manifest: What run.json holds, or would hold.
        folder: Where the outputs are; None where nothing was written.
        warnings: What the user should know of the input.
        judge_input: What was compared: `responses`, or `summaries`.
        summaries: The summaries that were wanted, one a different text.
    """

    groups: Sequence[GroupResult]
    strategy_results: Sequence[StrategyResult]
    judge: str
    prompt: str
    has_prices: bool
    tally: Tally
    is_embedded: bool = False
    manifest: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    warnings: tuple[str, ...] = ()
    judge_input: str = RESPONSES
    summaries: Sequence[Summary] = ()

    @cached_property
    def run(self) -> Run:
        """The same as `load_run` reads from the folder, whether there is one or not."""
        from diversity_judge.runs.frames import read_frame
        from diversity_judge.runs.loading import Run, RunGroup

        return Run(
            self.folder or _IN_MEMORY,
            tuple(
                RunGroup(group.plan.group, tuple(group.judgments), group.surrogate, *_labels(group))
                for group in self.groups
            ),
            self.manifest,
            read_frame(csv_text(tables.scores(self.groups, self.judge, self.prompt, self.judge_input))),
            read_frame(csv_text(tables.strategies(self.strategy_results, self.judge, self.prompt, self.judge_input))),
            read_frame("".join(tables.pair_lines(self.groups))),
            self.warnings,
        )

    @property
    def scores(self) -> pd.DataFrame:
        """One row a group, as in scores.csv."""
        return self.run.scores

    @property
    def strategies(self) -> pd.DataFrame:
        """One row a strategy, as in strategies.csv."""
        return self.run.strategies

    @property
    def pairs(self) -> pd.DataFrame:
        """One row a wanted judgment, as in pairs.csv."""
        return self.run.pairs

    @property
    def matrices(self) -> dict[tuple[str, str], NDArray[np.float64]]:
        """(problem id, strategy) to the (n, n) symmetric similarities 0..5, NaN where a pair has no score."""
        return self.run.matrices

    def heatmap(self, problem_id: str) -> Figure:
        """The similarity matrices of one problem, its strategies side by side.

        Raises:
            KeyError: no such problem was judged.
        """
        return self.run.heatmap(problem_id)

    def __repr__(self) -> str:
        return self._shown(block)

    def _repr_html_(self) -> str:
        return self._shown(html_block)

    def _shown(self, how: Callable[[str, Sequence[str], Sequence[Sequence[str]], Iterable[str]], str]) -> str:
        from diversity_judge.runs.loading import STRATEGY_COLUMNS

        return how(f"ScoreResult: {self.run.summary}", STRATEGY_COLUMNS, self.run.strategy_rows(), self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"judge: {self.judge}"
        if self.folder is not None:
            yield f"in {self.folder}"
        if self.missing:
            yield "missing: " + ", ".join(f"{count:,} x {reason}" for reason, count in self.missing.most_common())
        if self.missing_summaries:
            yield f"summaries missing: {sum(self.missing_summaries.values()):,}"
        if self.missing_sortings:
            yield f"sortings missing: {sum(self.missing_sortings.values()):,}"
        if self.tally.message:
            yield f"stopped: {self.tally.message}"
        yield from (f"warning: {warning}" for warning in self.warnings[:3])

    @property
    def missing(self) -> Counter[str]:
        """Judgments without a score, by reason; one that several pairs share counts once."""
        return Counter(judgment.reason for judgment in self.judgments if judgment.reason is not None)

    @cached_property
    def judgments(self) -> list[Judgment]:
        """The judgments wanted, each once: pairs with the same two texts in the same order share theirs."""
        by_key = {j.key: j for group in self.groups for j in group.judgments if j.key is not None}
        return list(by_key.values())

    @property
    def sortings(self) -> list[Sorting]:
        """The questions about whole groups, each once: groups of the same texts share theirs."""
        asked = [sorting for group in self.groups for sorting in group.sortings if sorting.key is not None]
        return list({sorting.key: sorting for sorting in asked}.values())

    @property
    def missing_sortings(self) -> Counter[str]:
        """Sortings that are missing, by reason."""
        return Counter(sorting.reason for sorting in self.sortings if sorting.reason is not None)

    @property
    def missing_summaries(self) -> Counter[str]:
        """Summaries that are missing, by reason; the pairs of such responses are missing too."""
        return Counter(summary.reason for summary in self.summaries if summary.reason is not None)

    @property
    def exit_code(self) -> int:
        """0 all scored, 1 the run failed, 3 pairs or sortings are missing, 130 interrupted."""
        if self.tally.ending in _EXIT_CODES:
            return _EXIT_CODES[self.tally.ending]
        return EXIT_MISSING if self.missing or self.missing_sortings else 0


def _labels(group: GroupResult) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None, int]:
    """As a run holds what the judge said of the whole group."""
    judged, listed = group.sorting, group.references
    return (
        judged.labels if judged else None,
        listed.labels if listed else None,
        len(listed.plan.references) if listed else 0,
    )


def score_result(
    groups: Sequence[GroupResult], judge: Judge, tally: Tally, summaries: Sequence[Summary] | None = None
) -> ScoreResult:
    """Put a run's result together; without summaries the responses themselves were compared."""
    return ScoreResult(
        groups,
        strategy_results(groups),
        judge.spec.label,
        judge.prompt_label,
        judge.spec.prices is not None,
        tally,
        judge.spec.is_embedded,
        judge_input=RESPONSES if summaries is None else SUMMARIES,
        summaries=summaries or (),
    )
