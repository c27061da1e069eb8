"""What a person reads on the console: the bill, the tables, and what to do about what is missing."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from diversity_judge.display import counted
from diversity_judge.engine.advice import advice
from diversity_judge.engine.bill import Bill, cost_in_words
from diversity_judge.engine.tally import Ending
from diversity_judge.judges.presets import JudgeSpec
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.planning.summaries import USUAL_TOKENS as SUMMARY_TOKENS
from diversity_judge.runs.instrument import summaries_sentence
from diversity_judge.runs.surrogates import estimator_sentence
from diversity_judge.scoring.result import ScoreResult
from diversity_judge.terminal import Column, print_table
from diversity_judge.text_safety import printable
from diversity_judge.wording import number, percent, spread

_MOST_GROUPS = 12
"""Longer tables scroll past unread: they are in scores.csv, and on the console on demand."""

_NAME_WIDTH = 40


def print_bill(console: Console, bill: Bill, spec: JudgeSpec, prompt: str) -> None:
    """What will be asked, of whom, and what it will likely cost."""
    table = Table.grid(padding=(0, 2))
    is_estimated = "estimated" + (f"; {SUMMARY_TOKENS:,} a summary" if bill.summary_calls else "")
    rows = [
        ("judge", spec.label),
        ("prompt", prompt),
        ("groups", f"{bill.groups:,} with {counted(bill.responses, 'response')}"),
        ("pairs", f"{bill.pairs:,}{_without_a_judgment(bill)}"),
        ("judgments", f"{bill.judgments:,} wanted{_without_a_call(bill)}"),
        *([("sortings", f"{bill.sortings:,} wanted, one a group{_without_a_sorting(bill)}")] if bill.sortings else []),
        *(
            [("summaries", f"{bill.summaries:,} wanted, one a response{_without_a_summary(bill)}")]
            if bill.summaries
            else []
        ),
        ("calls", f"{bill.calls:,}{_in_two_phases(bill)}"),
    ]
    if not spec.is_embedded:
        tokens = f"about {bill.input_tokens:,} in, {bill.output_tokens:,} out"
        rows += [
            ("tokens", f"{tokens} ({is_estimated}; {spec.typical_output_tokens:,} a reply)"),
            ("cost", cost_in_words(bill, spec)),
        ]
    for name, value in rows:
        table.add_row(Text(name, style="bold"), Text(printable(value)))
    console.print(table)


def print_warnings(console: Console, warnings: Sequence[str]) -> None:
    """What the user should know of the input."""
    for warning in warnings:
        console.print(Text(f"warning: {printable(warning)}", style="yellow"))


def print_stages(console: Console, said: str | None) -> None:
    """What a run in two stages has decided; before that, what it is going to do."""
    console.print(Text(printable(said or "a pilot comes first, and decides how many more pairs are bought:")))


def print_anchors(console: Console, manifest: Mapping[str, Any]) -> None:
    """What the run's anchors say of its judge; nothing where there are none."""
    said = manifest.get("anchors") or {}
    for sentence in said.get("sentences", ()):
        console.print(Text(f"• {sentence}"))
    if warning := said.get("warning"):
        console.print(Text(f"warning: {warning}", style="yellow"))


def print_results(console: Console, result: ScoreResult, *, verbose: bool = False) -> None:
    """The strategies, the groups, what is missing and what to do about it, where everything is and what comes next.

    Args:
        console: Where to.
        result: What was found.
        verbose: List the groups however many there are.
    """
    if console.quiet:  # It would lay out the tables before it throws them away.
        return
    estimator = estimator_sentence(result.manifest)
    facts = (
        f"judge: {result.judge}",
        f"prompt: {result.prompt}",
        *([f"judge input: {compared}"] if (compared := summaries_sentence(result.manifest)) else []),
        *([f"estimator: {estimator}"] if estimator else []),
    )
    _print_strategies(console, result, facts)
    _print_groups(console, result, verbose=verbose)
    _print_missing(console, result)
    if result.tally.message:
        console.print(Text(printable(f"stopped: {result.tally.message}"), style="bold"))
    tally = result.tally
    cost = f"{tally.cost_usd:,.4f} USD" if result.has_prices else "cost unknown"
    unanswered = tally.calls - tally.replies
    calls = counted(tally.calls, "call") + (f" ({unanswered:,} without a reply)" if unanswered else "")
    place = "nothing was written" if result.folder is None else f"results in {result.folder}"
    console.print(Text(printable(f"{place} · {calls}, {cost} in this run")))
    if result.folder is not None and not result.missing and not result.missing_sortings:
        console.print(Text(printable(f"next: python -m diversity_judge.compare {shlex.quote(str(result.folder))}")))


def _print_strategies(console: Console, result: ScoreResult, facts: Sequence[str]) -> None:
    found = result.strategy_results
    columns = (
        Column("strategy", [_name(row.strategy) for row in found], is_name=True),
        Column("problems", [str(row.diversity.n) for row in found]),
        Column("diversity", [number(row.diversity.value, 4) for row in found]),
        Column("95 % interval", [_interval(row.diversity) for row in found]),
        Column("coverage", _unless_whole([row.coverage for row in found])),
        Column("order asymmetry", [number(row.order_asymmetry, 2, missing="") for row in found]),
        Column("retest sd", [number(row.retest_sd, 2, missing="") for row in found]),
        Column("approaches", [number(row.judged_approaches, 2, missing="") for row in found]),
        Column("agree", [number(row.clusters_agreement, 2, missing="") for row in found]),
        Column("covered", [percent(row.reference_coverage, missing="") for row in found]),
    )
    if result.sortings:
        facts = (*facts, *_sorting_facts(result))
    print_table(console, "Process diversity a strategy (intervals over problems)", facts, columns)


def _sorting_facts(result: ScoreResult) -> Iterator[str]:
    """What the columns about sortings are."""
    if any(group.sorting for group in result.groups):
        yield (
            "approaches: as the judge sorts the responses; agree: with the clusters of the similarities (adjusted "
            "Rand index, 1 the same, 0 chance)"
        )
    if any(group.references for group in result.groups):
        yield "covered: share of the problems' reference approaches that the responses take"


def print_undrawn(console: Console, problems: int) -> None:
    """How many problems have no picture, where there are some, and how they get one."""
    if problems:
        said = f"heat maps of the first problems only: {problems:,} have none; --heatmaps problems draws them all"
        console.print(Text(said))


def print_failure(result: ScoreResult) -> None:
    """Say on standard error why a run failed, where nothing else is printed."""
    if result.tally.ending is Ending.FAILED:
        Console(stderr=True, soft_wrap=True).print(Text(printable(f"error: {result.tally.message}")))


def _print_groups(console: Console, result: ScoreResult, *, verbose: bool) -> None:
    groups = result.groups
    if len(groups) > _MOST_GROUPS and not verbose:
        console.print(
            Text(f"{len(groups):,} groups, a problem under a strategy each, are in scores.csv (or --verbose)")
        )
        return
    matrices = [group.matrix for group in groups]
    columns = (
        Column("problem", [_name(group.problem_id) for group in groups], is_name=True),
        Column("strategy", [_name(group.strategy) for group in groups], is_name=True),
        Column("n", [str(group.plan.group.n_responses) for group in groups]),
        Column("pairs", [str(matrix.n_pairs) for matrix in matrices]),
        Column("diversity", [number(group.diversity.value, 4) for group in groups]),
        Column("95 % interval", [_interval(group.diversity) for group in groups]),
        Column("vendi", [number(group.vendi, 2, missing="") for group in groups]),
        Column("coverage", _unless_whole([matrix.coverage for matrix in matrices])),
        Column("bounds", [_bounds(matrix) for matrix in matrices]),
    )
    print_table(console, "Process diversity a group (intervals over responses)", (), columns)


def _unless_whole(coverages: Sequence[float]) -> list[str]:
    """Coverages in percent; nothing where all pairs have a score."""
    return [percent(share) if any(c != 1 for c in coverages) else "" for share in coverages]


def _bounds(matrix: SimilarityMatrix) -> str:
    """Diversity if all missing pairs were the same, and if all were entirely different."""
    if matrix.coverage == 1:
        return ""
    return spread(matrix.diversity_if_missing_same, matrix.diversity_if_missing_different)


def _print_missing(console: Console, result: ScoreResult) -> None:
    if result.missing:
        found = advice(dict(result.missing.most_common()), is_embedded=result.is_embedded)
        _print_reasons(console, f"{sum(result.missing.values()):,} judgment(s) have no score", found)
    if result.missing_summaries:
        found = advice(dict(result.missing_summaries.most_common()), is_embedded=False, about="summaries")
        n = sum(result.missing_summaries.values())
        _print_reasons(console, "1 summary is missing" if n == 1 else f"{n:,} summaries are missing", found)
    if result.missing_sortings:
        found = advice(dict(result.missing_sortings.most_common()), is_embedded=result.is_embedded, about="groups")
        _print_reasons(console, f"{sum(result.missing_sortings.values()):,} sorting(s) are missing", found)


def _print_reasons(console: Console, what: str, lines: Iterable[str]) -> None:
    console.print(Text(f"{what}:", style="bold"))
    for line in lines:
        console.print(Text(printable(f"  {line}")))


def _name(text: str) -> str:
    return printable(text, limit=_NAME_WIDTH)


def _interval(estimate: Estimate) -> str:
    return f"n/a (n = {estimate.n})" if math.isnan(estimate.low) else spread(estimate.low, estimate.high)


def _without_a_judgment(bill: Bill) -> str:
    return _in_brackets(
        f"{bill.duplicates:,} of identical texts, scored without a call" if bill.duplicates else "",
        f"{bill.repeats:,} with the same two texts as another, judged once" if bill.repeats else "",
    )


def _without_a_call(bill: Bill) -> str:
    return _in_brackets(
        f"{bill.reused:,} found in the ledger" if bill.reused else "",
        f"{bill.not_asked_again:,} cut earlier at this limit (raise --max-tokens)" if bill.not_asked_again else "",
        f"{bill.without_summary:,} without a summary" if bill.without_summary else "",
    )


def _without_a_sorting(bill: Bill) -> str:
    again = bill.sortings_not_asked_again
    return _in_brackets(
        f"{bill.sortings_reused:,} found in the ledger" if bill.sortings_reused else "",
        f"{again:,} cut earlier at this limit (raise --max-tokens)" if again else "",
    )


def _without_a_summary(bill: Bill) -> str:
    again = bill.summaries_not_asked_again
    return _in_brackets(
        f"{bill.summaries_reused:,} found in the ledger" if bill.summaries_reused else "",
        f"{again:,} cut earlier at this limit (raise --max-tokens)" if again else "",
    )


def _in_two_phases(bill: Bill) -> str:
    first = bill.summary_calls
    return f" ({first:,} for summaries, then {bill.calls - first:,} for pairs of them)" if first else ""


def _in_brackets(*parts: str) -> str:
    said = "; ".join(part for part in parts if part)
    return f" ({said})" if said else ""
