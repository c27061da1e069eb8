"""problems.csv: one row a problem and strategy, with every metric. All other tables can be computed from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from diversity_judge.comparing.group_measures import GroupMeasures
from diversity_judge.comparing.process_metrics import ProcessMetric
from diversity_judge.comparing.tables import frame_html
from diversity_judge.display import counted
from diversity_judge.measures.outcomes import Tier
from diversity_judge.runs.loading import RunGroup

if TYPE_CHECKING:
    import pandas as pd

_CHOICES = ("majority", "best_of_n", "weighted_majority")
"""Outcomes that choose one of the responses, and can be tied."""


@dataclass(frozen=True, repr=False)
class ProblemTable:
    """One row a group.

    Attributes:
        groups: The groups.
        metrics: Of the process side.
        tiers: Problem to tier, for those that have one.
        judges: Group to the judge's label, for those that were judged; a proxy's scores must not pass for an LLM's.
    """

    groups: Sequence[GroupMeasures]
    metrics: Sequence[ProcessMetric]
    tiers: Mapping[str, Tier]
    judges: Mapping[RunGroup, str]

    def __repr__(self) -> str:
        return f"ProblemTable of {counted(len(self.groups), 'group')}; to_frame() shows it"

    def _repr_html_(self) -> str:
        return frame_html(self.to_frame())

    def to_frame(self) -> pd.DataFrame:
        """The table as a data frame; empty cells are unknown values, columns that nobody has a value for stay out."""
        import pandas as pd

        sizes = sorted({k for group in self.groups for metric, k in group.outcomes if metric == "pass_at_k"})
        frame = pd.DataFrame([self._row(group, sizes) for group in self.groups])
        return frame.drop(columns=[name for name in frame.columns if frame[name].isna().all()])

    def _row(self, group: GroupMeasures, sizes: Sequence[int]) -> dict[str, object]:
        tier = self.tiers.get(group.problem_id)
        row: dict[str, object] = {
            "problem_id": group.problem_id,
            "strategy": group.strategy,
            "tier": tier.value if tier else "",
            "n_responses": group.n_responses,
            "judge": self.judges.get(group.member, ""),
        }
        process = group.process
        if process is not None:
            row["coverage"], row["diversity"] = process.coverage, process.diversity.value
            row["diversity_ci_low"], row["diversity_ci_high"] = process.diversity.low, process.diversity.high
            row |= {metric.name: metric.value(process) for metric in self.metrics}
            row |= {f"n_{name}": part.n_pairs for name, part in process.parts.items()}
        row["pass_rate"] = _value(group, "pass_rate")
        row |= {f"pass_at_{k}": _value(group, "pass_at_k", k) for k in sizes}
        for metric in _CHOICES:
            outcome = group.outcome(metric)
            row[metric] = _value(group, metric)
            row[f"{metric}_tied"] = outcome.n_tied if outcome else math.nan
        return row


def _value(group: GroupMeasures, metric: str, k: int | None = None) -> float:
    outcome = group.outcome(metric, k)
    return outcome.value if outcome else math.nan
