"""Spending is asked for: a run whose bill is above a stated sum needs a yes, or a limit, before its first call.

Whoever types the command is asked at a terminal. Where nobody can be asked (a pipe, a scheduler, a notebook) the yes or
the limit has to stand in the command.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from diversity_judge.engine.bill import Bill
from diversity_judge.engine.options import EngineOptions
from diversity_judge.errors import InputError
from diversity_judge.judges.presets import JudgeSpec

_YES = ("y", "yes")


def check_spending(
    bill: Bill, options: EngineOptions, spec: JudgeSpec, *, ask: Callable[[str], bool] | None = None
) -> None:
    """Make sure that the user means to spend what a run will likely cost.

    A limit on the cost says so, and so does `yes`. A bill that is not known, because the judge has no prices, is not
    asked about; it says that it is unknown.

    Args:
        bill: Of the run.
        options: Its limits, and the sum above which is asked.
        spec: The judge, who may take less at the hours that the run waits for.
        ask: Puts a question and says whether the answer was yes; None: at the terminal, where there is one.

    Raises:
        InputError: nobody can be asked, or the answer was no; nothing was sent.
    """
    check_sum(_most(bill, options) * price_share(spec, options), options, ask=ask)


def check_sum(cost: float, options: EngineOptions, *, ask: Callable[[str], bool] | None = None) -> None:
    """The same for a sum that is known otherwise, such as of files that were exported earlier.

    Args:
        cost: USD that will likely be spent.
        options: See `check_spending`.
        ask: See `check_spending`.

    Raises:
        InputError: nobody can be asked, or the answer was no; nothing was sent.
    """
    if options.yes or options.max_cost_usd is not None or cost <= options.ask_above_usd:
        return
    said = f"this run will cost about {cost:,.2f} USD"
    if ask is None:
        if not _is_terminal():
            raise InputError(
                f"{said}, more than {options.ask_above_usd:g} USD, and nobody is at a terminal to be asked: say --yes, "
                "or limit it with --max-cost; nothing was sent"
            )
        ask = _ask_at_terminal
    if not ask(f"{said}. Go on? [y/N] "):
        raise InputError("not bought: the answer was no; nothing was sent")


def price_share(spec: JudgeSpec, options: EngineOptions) -> float:
    """Of the price: what calls will cost at the hours at which they are going to be sent; at most all of it."""
    return spec.off_peak.price_share if spec.off_peak is not None and options.when == "cheap" else 1.0


def _most(bill: Bill, options: EngineOptions) -> float:
    """USD that the run may cost: of all its calls, or of as many as it is limited to."""
    whole, a_call = bill.cost_usd or 0.0, bill.cost_of_a_call_usd
    if options.max_calls is None or a_call is None:
        return whole
    return min(whole, a_call * options.max_calls)


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _ask_at_terminal(question: str) -> bool:
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in _YES
