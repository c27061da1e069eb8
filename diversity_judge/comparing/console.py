"""What a person reads on the console: the main table, the sentences, what was left out, and where everything is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from diversity_judge.comparing.judge_noise import noise_and_share
from diversity_judge.comparing.notes import merged_notes
from diversity_judge.comparing.outcome_table import ties
from diversity_judge.comparing.process_metrics import ProcessMetric
from diversity_judge.comparing.result import Comparison
from diversity_judge.comparing.tables import ALL_TIERS, OutcomeRow, ProcessRow
from diversity_judge.comparing.verification_console import print_verification
from diversity_judge.terminal import Column, print_table
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval, p_number

_NAME_WIDTH = 40
_NO_P = "none"
"""With fewer than six problems; a sentence says so."""
_MOST_NOTES = 20
_NOTE_LENGTH = 300
"""The whole note stands in compare.json and in the report."""


def print_comparison(
    console: Console, comparison: Comparison, written: Sequence[Path], *, verbose: bool = False
) -> None:
    """Everything, in the order in which one wants to know it.

    Args:
        console: Where to.
        comparison: What was found.
        written: What was written, the most interesting last.
        verbose: Diversity of parts of the responses too, the outcomes tier by tier, and all notes.
    """
    if console.quiet:
        return
    if comparison.process:
        _print_process(console, comparison, verbose=verbose)
    if comparison.outcomes:
        _print_outcomes(console, comparison, verbose=verbose)
    print_verification(console, comparison.verification, comparison.strategies)
    if comparison.corrected:
        _print_corrected(console, comparison)
    for sentence in comparison.sentences:
        console.print(Text(f"• {printable(sentence)}"))
    notes = merged_notes(comparison.notes)
    most = len(notes) if verbose else _MOST_NOTES
    for note in notes[:most]:
        console.print(Text(f"note: {printable(note, _NOTE_LENGTH)}", style="yellow"))
    if len(notes) > most:
        console.print(f"... and {len(notes) - most} more notes in compare.json; --verbose prints them")
    for path in written:
        console.print(Text(printable(f"wrote {path}")))


def _print_process(console: Console, comparison: Comparison, *, verbose: bool) -> None:
    strategies = comparison.strategies
    counts = [_problems(comparison.process.where(strategy=s, metric="diversity")) for s in strategies]
    columns = [
        Column("strategy", [_name(strategy) for strategy in strategies], is_name=True),
        Column("problems", [str(count) for count in counts]),
    ]
    for metric in comparison.metrics:
        if metric.is_shown and (verbose or not metric.is_detail):
            cells = [_process_cell(comparison, s, metric, n) for s, n in zip(strategies, counts, strict=True)]
            columns.append(Column(metric.name.replace("_", " "), cells))
        if metric.name == "diversity" and comparison.differences.where(metric="diversity"):
            differences = [_difference_cells(comparison, strategy) for strategy in strategies]
            columns.append(Column(f"minus {_name(comparison.baseline)}", [shown for shown, _ in differences]))
            columns.append(Column("p (Holm)", [p for _, p in differences]))
            if any(noises := [_noise_cell(comparison, strategy) for strategy in strategies]):
                columns.append(Column("judge noise", noises))
    thresholds = comparison.options.thresholds
    facts = [
        f"judge: {'; '.join(comparison.judges) or 'none: responses alone'}",
        f"approaches: joined at {thresholds.approach:g}; other route: up to {thresholds.other_route:g}",
    ]
    if comparison.process.where(metric="judged_approaches"):
        facts.append(
            "judged approaches: as the judge sorts the responses; clusters agreement: with those joined at "
            f"{thresholds.approach:g} (adjusted Rand index)"
        )
    print_table(console, "Process diversity a strategy (means over problems, 95 % intervals)", facts, columns)


def _print_corrected(console: Console, comparison: Comparison) -> None:
    rows = comparison.corrected
    columns = (
        Column("strategy", [_name(row.strategy) for row in rows], is_name=True),
        Column("minus", [_name(row.baseline) for row in rows], is_name=True),
        Column("corrected", [interval(row.corrected, row.ci_low, row.ci_high) for row in rows]),
        Column(
            "uncorrected", [interval(row.uncorrected, row.uncorrected_ci_low, row.uncorrected_ci_high) for row in rows]
        ),
        Column("labels", [f"{row.n_labels:,}" for row in rows]),
    )
    source = comparison.correction.source if comparison.correction else ""
    print_table(console, "Process diversity corrected for the judge", (f"by {source}",), columns)


def _problems(rows: Sequence[ProcessRow] | Sequence[OutcomeRow]) -> int:
    return rows[0].n_problems if rows else 0


def _cell(row: ProcessRow | OutcomeRow, n_problems: int, digits: int = 3) -> str:
    """A value and its interval, with its number of problems where that is not the line's."""
    other = f" (n = {row.n_problems})" if row.n_problems != n_problems else ""
    return interval(row.value, row.ci_low, row.ci_high, digits) + other


def _process_cell(comparison: Comparison, strategy: str, metric: ProcessMetric, n_problems: int) -> str:
    rows = comparison.process.where(strategy=strategy, metric=metric.name)
    return _cell(rows[0], n_problems, 3 if metric.bounds else 2) if rows else ""


def _difference_cells(comparison: Comparison, strategy: str) -> tuple[str, str]:
    rows = comparison.differences.where(strategy=strategy, metric="diversity")
    if not rows:
        return ("baseline" if strategy == comparison.baseline else "", "")
    row = rows[0]
    shown = interval(row.difference, row.ci_low, row.ci_high, signed=True)
    return shown, p_number(row.p_holm, missing=_NO_P)


def _noise_cell(comparison: Comparison, strategy: str) -> str:
    """The standard deviation that the judge's chance gives the difference, and its share of the variance."""
    for row in comparison.differences.where(strategy=strategy, metric="diversity"):
        if not math.isnan(row.judge_noise):
            return noise_and_share(row.judge_noise, row.judge_noise_share)
    return ""


def _print_outcomes(console: Console, comparison: Comparison, *, verbose: bool) -> None:
    wanted = _outcome_columns(comparison)
    lines = []
    for strategy in comparison.strategies:
        rows = comparison.outcomes.where(strategy=strategy)
        tiers = dict.fromkeys(row.tier for row in rows)
        lines += [(strategy, t, [r for r in rows if r.tier == t]) for t in tiers if verbose or t == ALL_TIERS]
    counts = [_problems([row for row in members if row.metric == "pass_rate"] or members) for _, _, members in lines]
    columns = [
        Column("strategy", [_name(strategy) for strategy, _, _ in lines], is_name=True),
        Column("tier", [tier if verbose else "" for _, tier, _ in lines]),
        Column("problems", [str(count) for count in counts]),
    ]
    tied = ties(comparison.groups)
    for metric, k in wanted:
        cells = [
            _outcome_cell(members, metric, k, count, tied.get(strategy, {}) if tier == ALL_TIERS else {})
            for (strategy, tier, members), count in zip(lines, counts, strict=True)
        ]
        columns.append(Column(f"pass@{k}" if metric == "pass_at_k" else metric.replace("_", " "), cells))
    facts = []
    if comparison.tiers and not verbose:
        facts.append(f"tiers from {comparison.tier_strategy} are in outcomes.csv; --verbose prints them")
    if any("tie" in cell for column in columns for cell in column.cells):
        facts.append("tie: problems where the first place is shared and it matters")
    print_table(console, "Outcomes (means over problems, 95 % intervals)", facts, columns)


def _outcome_columns(comparison: Comparison) -> list[tuple[str, int | None]]:
    """The pass rate and the largest pass@k that all have, then the choices."""
    rows = comparison.outcomes.where(tier=ALL_TIERS)
    sizes = [{row.k for row in rows if (row.strategy, row.metric) == (s, "pass_at_k")} for s in comparison.strategies]
    common = set.intersection(*(found for found in sizes if found)) if any(sizes) else set()
    curve: list[tuple[str, int | None]] = [("pass_at_k", max(common))] if common and max(common) > 1 else []
    others = dict.fromkeys(row.metric for row in rows if row.metric not in ("pass_at_k", "pass_rate"))
    return [("pass_rate", None), *curve, *((metric, None) for metric in others)]


def _outcome_cell(
    rows: Sequence[OutcomeRow], metric: str, k: int | None, n_problems: int, tied: Mapping[str, tuple[int, int]]
) -> str:
    for row in rows:
        if row.metric == metric and k in (None, row.k):
            mattering = tied.get(metric, (0, 0))[1]
            note = f", {mattering} tie{'s' if mattering > 1 else ''}" if mattering else ""
            return _cell(row, n_problems) + note
    return ""


def _name(text: str) -> str:
    return printable(text, limit=_NAME_WIDTH)
