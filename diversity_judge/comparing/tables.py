"""The tables of a comparison: typed rows that become data frames, with the columns that the files have."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    import pandas as pd

ALL_TIERS = "all"
"""What the column `tier` says in the rows over all problems, graded into tiers or not."""


@dataclass(frozen=True)
class ProcessRow:
    """One process metric of one strategy: the mean over problems and its 95 % interval."""

    strategy: str
    metric: str
    value: float
    ci_low: float
    ci_high: float
    n_problems: int


@dataclass(frozen=True)
class DifferenceRow:
    """One metric of a strategy minus that of the baseline: the mean over the problems that both have."""

    strategy: str
    baseline: str
    metric: str
    difference: float
    ci_low: float
    ci_high: float
    p: float
    p_holm: float
    n_problems: int
    interval: str
    verdict: str
    judge_noise: float
    judge_noise_share: float


@dataclass(frozen=True)
class OutcomeRow:
    """One outcome of one strategy in one tier: the mean over problems and its 95 % interval."""

    strategy: str
    tier: str
    metric: str
    k: int
    value: float
    ci_low: float
    ci_high: float
    n_problems: int


_MOST_SHOWN = 60
"""Rows of a table in a notebook, as pandas shows by itself."""


@dataclass(frozen=True)
class PairRow:
    """One metric of a strategy minus that of another, on the problems that both have; Holm is over all pairs."""

    strategy: str
    other: str
    metric: str
    difference: float
    ci_low: float
    ci_high: float
    p: float
    p_holm: float
    n_problems: int
    interval: str
    verdict: str
    judge_noise: float
    judge_noise_share: float


@dataclass(frozen=True)
class TrendRow:
    """How one metric changes with the number in the names of strategies: the mean over problems of its slope."""

    strategies: str
    metric: str
    slope: float
    ci_low: float
    ci_high: float
    p: float
    p_holm: float
    n_problems: int
    interval: str
    verdict: str


@dataclass(frozen=True)
class PayoffRow:
    """How what more samples bring, pass@k - pass@1, goes with diversity, within problems between strategies."""

    association: str
    k: int
    value: float
    ci_low: float
    ci_high: float
    n_problems: int
    n_groups: int
    interval: str


@dataclass(frozen=True)
class CountRow:
    """What a figure of process.csv rests on.

    Attributes:
        strategy: The strategy.
        metric: The figure.
        selection: The responses that it looks at.
        n_problems: Problems that have a value.
        n_without: Judged problems that have none.
        n_lowest: Fewest responses a problem at which it was taken.
        n_highest: Most.
        n_responses: Responses on these problems.
        n_pairs: Pairs of them with a score.
    """

    strategy: str
    metric: str
    selection: str
    n_problems: int
    n_without: int
    n_lowest: int
    n_highest: int
    n_responses: int
    n_pairs: int


@dataclass(frozen=True)
class CutRow:
    """Responses of one strategy that were cut: the mean share over problems and its 95 % interval.

    Attributes:
        strategy: The strategy.
        n_problems: Problems of which a response says how it ended.
        n_responses: Responses that say so.
        n_cut: Of these, those that did not come to their end.
        share: Mean over problems.
        ci_low: Of the share.
        ci_high: Of the share.
    """

    strategy: str
    n_problems: int
    n_responses: int
    n_cut: int
    share: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True)
class CorrectedRow:
    """A strategy's diversity, or its difference to the baseline, corrected for the judge by labels.

    Attributes:
        strategy: The strategy.
        baseline: What it is compared with; empty where the row is the strategy's own diversity.
        corrected: The corrected value.
        ci_low: Of it.
        ci_high: Of it.
        uncorrected: What the judge alone says.
        uncorrected_ci_low: Of that.
        uncorrected_ci_high: Of that.
        coefficient: Lambda, the weight of the judge's own scores.
        n_problems: Problems with a label.
        n_labels: Labels, or pairs of the reference.
        labels_needed: With which a difference of `--difference` would be seen in 80 %; infinite where no number would.
        interval: How the interval was made, or why there is none.
    """

    strategy: str
    baseline: str
    corrected: float
    ci_low: float
    ci_high: float
    uncorrected: float
    uncorrected_ci_low: float
    uncorrected_ci_high: float
    coefficient: float
    n_problems: int
    n_labels: int
    labels_needed: float
    interval: str


@dataclass(frozen=True)
class VerificationRow:
    """What one way to choose among n responses achieves: the mean over problems and its 95 % interval.

    Attributes:
        strategy: The strategy.
        tier: The tier, or `all`.
        method: `oracle`, `best_of_n`, `weighted_majority` (by the mean reward), `weighted_sum` or `majority`.
        reward: `reward`, the file's own, or an aggregate of step rewards; empty where none is looked at.
        n: Responses that are chosen among.
        value: Expected correctness of the choice, over all subsets of n responses.
        ci_low: Of it.
        ci_high: Of it.
        n_problems: Problems.
        monte_carlo_se: Standard error of the value that drawing subsets leaves; 0 where it is exact.
    """

    strategy: str
    tier: str
    method: str
    reward: str
    n: int
    value: float
    ci_low: float
    ci_high: float
    n_problems: int
    monte_carlo_se: float


RowT = TypeVar(
    "RowT",
    ProcessRow,
    DifferenceRow,
    OutcomeRow,
    PairRow,
    TrendRow,
    PayoffRow,
    CountRow,
    CutRow,
    CorrectedRow,
    VerificationRow,
)


@dataclass(frozen=True, repr=False)
class Table(Sequence[RowT], Generic[RowT]):
    """Rows of one type.

    Attributes:
        kind: The type; it gives the columns, also of an empty table.
        rows: The rows.
    """

    kind: type[RowT]
    rows: tuple[RowT, ...]

    @overload
    def __getitem__(self, index: int) -> RowT: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[RowT]: ...
    def __getitem__(self, index: int | slice) -> RowT | Sequence[RowT]:
        """A row, or some."""
        return self.rows[index]

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def __iter__(self) -> Iterator[RowT]:
        """The rows in order."""
        return iter(self.rows)

    def __repr__(self) -> str:
        return f"Table of {len(self.rows):,} {self.kind.__name__}; to_frame() shows it"

    def _repr_html_(self) -> str:
        return frame_html(self.to_frame())

    def where(self, **columns: Any) -> list[RowT]:
        """The rows that have these values."""
        return [row for row in self.rows if all(getattr(row, name) == value for name, value in columns.items())]

    def to_frame(self) -> pd.DataFrame:
        """The table as a data frame, one column a field."""
        return to_frame(self.kind, self.rows)


def frame_html(frame: pd.DataFrame) -> str:
    """A data frame for a notebook, its texts escaped; of a long one the beginning and the end."""
    return str(frame.to_html(notebook=True, max_rows=_MOST_SHOWN))


def to_frame(kind: type[Any], rows: Iterable[Any]) -> pd.DataFrame:
    """Dataclass instances as a data frame."""
    import pandas as pd

    names = [field.name for field in dataclasses.fields(kind)]
    return pd.DataFrame([[getattr(row, name) for name in names] for row in rows], columns=names)
