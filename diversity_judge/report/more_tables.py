"""The tables below the summary, folded: what a reader who doubts a number wants to see next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from diversity_judge.comparing.payoff import SLOPE
from diversity_judge.comparing.result import Comparison
from diversity_judge.comparing.tables import ALL_TIERS, CountRow, PairRow, TrendRow
from diversity_judge.comparing.verification_table import LABELS
from diversity_judge.measures.outcomes import curve_sizes
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval, p_number, percent

_NAME = 60
_WHAT = {SLOPE: "slope, for 1 of diversity"}


@dataclass(frozen=True)
class MoreTable:
    """One table.

    Attributes:
        title: What it is, on its fold.
        caption: How to read it.
        columns: Headings.
        rows: Cells; the first column names the row.
    """

    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def more_tables(comparison: Comparison) -> tuple[MoreTable, ...]:
    """Those that have rows."""
    tables = (
        _pairs(comparison),
        _trends(comparison),
        _payoff(comparison),
        _verification(comparison),
        _cut(comparison),
        _counts(comparison),
    )
    return tuple(table for table in tables if table.rows)


def _pairs(comparison: Comparison) -> MoreTable:
    """Of two strategies there is one pair, which the summary has."""
    rows = comparison.pairs_of_strategies if len(comparison.strategies) > 2 else ()
    return MoreTable(
        "Any two strategies",
        "The first minus the second, paired on problems, with 95 % intervals; p after Holm among all pairs of a "
        "metric. The baseline does not change it.",
        ("pair", "metric", "difference", "problems", "p (Holm)", "verdict"),
        tuple((f"{_name(row.strategy)} − {_name(row.other)}", *_compared(row, row.difference)) for row in rows),
    )


def _trends(comparison: Comparison) -> MoreTable:
    return MoreTable(
        "Trends",
        "Along strategies whose names differ in one number: the mean over problems of the slope for each 1 of that "
        "number, with its 95 % interval.",
        ("strategies", "metric", "slope", "problems", "p (Holm)", "verdict"),
        tuple((printable(row.strategies, 3 * _NAME), *_compared(row, row.slope)) for row in comparison.trend_table),
    )


def _compared(row: PairRow | TrendRow, value: float) -> tuple[str, ...]:
    shown = interval(value, row.ci_low, row.ci_high, signed=True, missing="")
    return _metric(row.metric), shown, str(row.n_problems), p_number(row.p_holm, missing=""), row.verdict


def _payoff(comparison: Comparison) -> MoreTable:
    return MoreTable(
        "Does diversity pay?",
        "What k samples solve beyond one, pass@k - pass@1, against diversity, within problems between strategies. An "
        "association, no cause.",
        ("association", "k", "value", "problems", "groups"),
        tuple(
            (
                _WHAT.get(row.association, row.association),
                str(row.k),
                interval(row.value, row.ci_low, row.ci_high, signed=True, missing=""),
                str(row.n_problems),
                str(row.n_groups),
            )
            for row in comparison.payoff
        ),
    )


def _verification(comparison: Comparison) -> MoreTable:
    """Where rows have rewards; else the outcomes say all."""
    rows = [row for row in comparison.verification if row.tier == ALL_TIERS] if _has_rewards(comparison) else []
    sizes = curve_sizes(max((row.n for row in rows), default=0))
    kinds = dict.fromkeys((row.strategy, row.method, row.reward) for row in rows)
    cells = {
        (row.strategy, row.method, row.reward, row.n): interval(row.value, row.ci_low, row.ci_high, missing="")
        for row in rows
    }
    return MoreTable(
        "Choosing among n responses",
        "Best-of-N, votes weighted by the mean and by the sum of rewards, plain majority, and an oracle (pass@n): "
        "expected share of problems that are right over all subsets of n responses, with 95 % intervals. Rewards: the "
        "file's own, and the aggregates of the rewards of steps.",
        ("choice", "strategy", "reward", *(f"n = {n}" for n in sizes)),
        tuple(
            (LABELS[kind[1]], _name(kind[0]), kind[2], *(cells.get((*kind, n), "") for n in sizes)) for kind in kinds
        ),
    )


def _has_rewards(comparison: Comparison) -> bool:
    return any(row.reward for row in comparison.verification)


def _cut(comparison: Comparison) -> MoreTable:
    """Where none was cut there is nothing to see."""
    rows = comparison.cut_responses
    return MoreTable(
        "Responses that were cut",
        "Share of responses that did not come to their end (finish_reason): mean over problems, 95 % interval.",
        ("strategy", "share", "interval", "cut", "of responses", "problems"),
        tuple(
            (
                _name(row.strategy),
                percent(row.share),
                f"{percent(row.ci_low)} to {percent(row.ci_high)}",
                str(row.n_cut),
                str(row.n_responses),
                str(row.n_problems),
            )
            for row in rows
        )
        if any(row.n_cut for row in rows)
        else (),
    )


def _counts(comparison: Comparison) -> MoreTable:
    return MoreTable(
        "What each figure rests on",
        "Problems that have a value and those that have none; responses a problem at which it was taken; responses "
        "and scored pairs in all.",
        ("figure", "strategy", "of responses", "problems", "without", "n", "responses", "pairs"),
        tuple(
            (
                _metric(row.metric),
                _name(row.strategy),
                row.selection,
                str(row.n_problems),
                str(row.n_without),
                str(row.n_lowest) if row.n_lowest == row.n_highest else f"{row.n_lowest} to {row.n_highest}",
                f"{row.n_responses:,}",
                f"{row.n_pairs:,}",
            )
            for row in sorted(_counted(comparison), key=lambda row: _place(comparison, row.metric))
        ),
    )


def _counted(comparison: Comparison) -> Iterator[CountRow]:
    shown = {metric.name for metric in comparison.metrics if metric.is_shown}
    return (row for row in comparison.counts if row.metric in shown)


def _place(comparison: Comparison, metric: str) -> int:
    return [known.name for known in comparison.metrics].index(metric)


def _metric(name: str) -> str:
    return name.replace("pass_at_", "pass@").replace("_", " ")


def _name(strategy: str) -> str:
    return printable(strategy, _NAME)
