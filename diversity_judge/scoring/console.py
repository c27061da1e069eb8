"""What a person reads on the console: the bill, the tables, and what to do about what is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from diversity_judge.engine.bill import Bill
from diversity_judge.judges.presets import JudgeSpec
from diversity_judge.measures.intervals import Estimate
from diversity_judge.rubric import Missing
from diversity_judge.scoring.result import ScoreResult
from diversity_judge.text_safety import printable
from diversity_judge.wording import number, percent, spread

_MOST_ROWS = 60
"""Longer tables scroll past unread; the rest stands in scores.csv."""

_NAME_WIDTH = 40

_WHAT_TO_DO: dict[str, str] = {
    Missing.TRUNCATED: "the reply was cut: raise --max-tokens",
    Missing.UNFINISHED: "the reply ends inside its reasoning: the same command asks again, or raise --max-tokens",
    Missing.UNPARSABLE: "the reply holds no valid score: the same command asks again",
    Missing.EMPTY: "the reply was empty: the same command asks again",
    Missing.CONTENT_FILTER: "the host's content filter stopped the reply",
    Missing.TIMEOUT: "no reply in time: the same command asks again, or raise --deadline",
    Missing.CONNECTION: "the host could not be reached: the same command asks again",
    Missing.BUDGET: "the budget ended first: the same command with a higher one goes on",
    Missing.INTERRUPTED: "the run was interrupted: the same command goes on",
    Missing.NOT_JUDGED: "never asked: the same command goes on",
    Missing.FAILED: "the run stopped first: the same command goes on once that is mended",
}
_WHAT_AN_EMBEDDED_JUDGE_LACKS: dict[str, str] = {
    Missing.UNPARSABLE: "the judge cannot read one of the two responses; asking again changes nothing",
}


def print_bill(console: Console, bill: Bill, spec: JudgeSpec, prompt: str) -> None:
    """What will be asked, of whom, and what it will likely cost."""
    table = Table.grid(padding=(0, 2))
    rows = [
        ("judge", spec.label),
        ("prompt", prompt),
        ("groups", f"{bill.groups:,} with {bill.responses:,} responses"),
        ("pairs", f"{bill.judgments:,} judgments wanted{_of_which(bill)}"),
        ("calls", f"{bill.calls:,}"),
    ]
    if not spec.is_embedded:
        tokens = f"about {bill.input_tokens:,} in, {bill.output_tokens:,} out"
        rows += [
            ("tokens", f"{tokens} (estimated; {spec.typical_output_tokens:,} a reply)"),
            ("cost", _cost(bill, spec)),
        ]
    for name, value in rows:
        table.add_row(Text(name, style="bold"), Text(printable(value)))
    console.print(table)


def print_warnings(console: Console, warnings: Sequence[str]) -> None:
    """What the user should know of the input."""
    for warning in warnings:
        console.print(Text(f"warning: {printable(warning)}", style="yellow"))


def print_results(console: Console, result: ScoreResult) -> None:
    """Tables of groups and strategies, what is missing and what to do about it, and where everything is."""
    if console.quiet:  # It would lay out the tables before it throws them away.
        return
    _print_groups(console, result)
    _print_strategies(console, result)
    _print_missing(console, result)
    if result.tally.message:
        console.print(Text(printable(f"stopped: {result.tally.message}"), style="bold"))
    tally = result.tally
    cost = f"{tally.cost_usd:,.4f} USD" if result.has_prices else "cost unknown"
    unanswered = tally.calls - tally.replies
    calls = f"{tally.calls:,} calls" + (f" ({unanswered:,} without a reply)" if unanswered else "")
    place = "nothing was written" if result.folder is None else f"results in {result.folder}"
    console.print(Text(printable(f"{place} · {calls}, {cost} in this run")))


def _print_groups(console: Console, result: ScoreResult) -> None:
    groups = result.groups
    table = _table("Process diversity a group", result, ("problem", "strategy"), ("n", "pairs"))
    for column in ("diversity", "95 % interval", "coverage", "bounds", "vendi"):
        table.add_column(column, justify="right", no_wrap=True)
    for group in groups[:_MOST_ROWS]:
        matrix = group.matrix
        bounds = (
            ""
            if matrix.coverage == 1
            else spread(matrix.diversity_if_missing_same, matrix.diversity_if_missing_different)
        )
        table.add_row(
            _name(group.problem_id),
            _name(group.strategy),
            str(group.plan.group.n_responses),
            str(matrix.n_pairs),
            number(group.diversity.value, 4),
            _interval(group.diversity),
            percent(matrix.coverage),
            bounds,
            "" if math.isnan(group.vendi) else f"{group.vendi:.2f}",
        )
    console.print(table)
    if len(groups) > _MOST_ROWS:
        console.print(f"... and {len(groups) - _MOST_ROWS} more groups in scores.csv")


def _print_strategies(console: Console, result: ScoreResult) -> None:
    table = _table("Process diversity a strategy (problems are the clusters)", result, ("strategy",), ("problems",))
    for column in ("diversity", "95 % interval", "coverage"):
        table.add_column(column, justify="right", no_wrap=True)
    for strategy in result.strategy_results:
        estimate = strategy.diversity
        table.add_row(
            _name(strategy.strategy),
            str(estimate.n),
            number(estimate.value, 4),
            _interval(estimate),
            percent(strategy.coverage),
        )
    console.print(table)


def _print_missing(console: Console, result: ScoreResult) -> None:
    reasons = result.missing
    total = sum(reasons.values())
    if not total:
        return
    console.print(Text(f"{total:,} judgment(s) have no score:", style="bold"))
    advices = _WHAT_TO_DO | (_WHAT_AN_EMBEDDED_JUDGE_LACKS if result.is_embedded else {})
    for reason, count in reasons.most_common():
        advice = advices.get(reason, "see the message in the ledger's table 'failures'; the same command asks again")
        console.print(Text(printable(f"  {count:,} x {reason}: {advice}")))


def _table(title: str, result: ScoreResult, names: Sequence[str], counts: Sequence[str]) -> Table:
    header = Text.assemble(
        (title, "bold"),
        "\n",
        printable(f"judge: {result.judge}"),
        "\n",
        printable(f"prompt: {result.prompt}"),
    )
    table = Table(title=header, title_justify="left", title_style="")
    for name in names:
        table.add_column(name, overflow="fold")
    for count in counts:
        table.add_column(count, justify="right", no_wrap=True)
    return table


def _name(text: str) -> Text:
    return Text(printable(text, limit=_NAME_WIDTH))


def _interval(estimate: Estimate) -> str:
    if math.isnan(estimate.low):
        return f"n/a (n = {estimate.n})"
    return "no spread seen" if estimate.low == estimate.high else spread(estimate.low, estimate.high)


def _of_which(bill: Bill) -> str:
    parts = [
        f"{bill.duplicates:,} of identical texts, scored without a call" if bill.duplicates else "",
        f"{bill.reused:,} found in the ledger" if bill.reused else "",
        f"{bill.not_asked_again:,} cut earlier at this limit (raise --max-tokens)" if bill.not_asked_again else "",
    ]
    said = "; ".join(part for part in parts if part)
    return f" ({said})" if said else ""


def _cost(bill: Bill, spec: JudgeSpec) -> str:
    if bill.cost_usd is None:
        return "unknown: this judge has no prices; give them in a --judges-file"
    return f"about {bill.cost_usd:,.2f} USD (prices of {spec.prices_as_of or 'an unknown date'}, no cache hit assumed)"
