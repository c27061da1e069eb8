"""What a person reads of verification on the console: each way to choose at some n, and what hangs on the aggregate."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from diversity_judge.comparing.tables import ALL_TIERS, VerificationRow
from diversity_judge.comparing.verification_table import (
    LABELS,
    REWARDED,
    drawing_error,
    main_reward,
    rewards_in,
    shown_curves,
)
from diversity_judge.measures.outcomes import curve_sizes
from diversity_judge.terminal import Column, print_table
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval, number

_MOST_SIZES = 3
"""Besides the largest n, at which the interval stands too."""


def print_verification(console: Console, rows: Sequence[VerificationRow], strategies: Sequence[str]) -> None:
    """Each way to choose at a few n; where steps have rewards, each aggregate at the largest n.

    Nothing without rewards: the outcomes have the rest.
    """
    reward = main_reward(rows)
    if not reward:
        return
    curves = [
        (strategy, method, curve)
        for strategy in strategies
        for method, curve in shown_curves(rows, strategy, ALL_TIERS, reward).items()
    ]
    largest = max(curve[-1].n for _, _, curve in curves)
    sizes = [n for n in curve_sizes(largest) if n > 1][-1 - _MOST_SIZES : -1]
    columns = [
        Column("strategy", [printable(strategy) for strategy, _, _ in curves], is_name=True),
        Column("choice", [LABELS[method] for _, method, _ in curves], is_name=True),
        *(Column(f"n = {n}", [_value(curve, n) for _, _, curve in curves]) for n in sizes),
        Column("all n", [_last(curve) for _, _, curve in curves]),
    ]
    facts = [f"expected over all subsets of n of a problem's responses; reward: {_named(reward)}"]
    if error := drawing_error(rows):
        facts.append(f"votes from drawn subsets: standard error up to {error:.4f} (monte_carlo_se)")
    print_table(console, "Verification by number of responses (all n: 95 % intervals)", facts, columns)
    if len(rewards_in(rows)) > 1:
        _print_aggregates(console, rows, strategies)


def _print_aggregates(console: Console, rows: Sequence[VerificationRow], strategies: Sequence[str]) -> None:
    rewards = rewards_in(rows)
    lines = [(strategy, method) for strategy in strategies for method in REWARDED]
    cells = {
        reward: [shown_curves(rows, strategy, ALL_TIERS, reward).get(method, []) for strategy, method in lines]
        for reward in rewards
    }
    columns = [
        Column("strategy", [printable(strategy) for strategy, _ in lines], is_name=True),
        Column("choice", [LABELS[method] for _, method in lines], is_name=True),
        *(Column(reward, [_value(c, c[-1].n) if c else "" for c in cells[reward]]) for reward in rewards),
    ]
    fact = "reward: as the file has it; the others: from the rewards of each response's steps"
    print_table(console, "What hangs on how steps become one reward (all n)", (fact,), columns)


def _value(curve: Sequence[VerificationRow], n: int) -> str:
    return next((number(row.value) for row in curve if row.n == n), "")


def _last(curve: Sequence[VerificationRow]) -> str:
    last = curve[-1]
    return interval(last.value, last.ci_low, last.ci_high)


def _named(reward: str) -> str:
    return "the file's own" if reward == "reward" else f"{reward} of the steps'"
