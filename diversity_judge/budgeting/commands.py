"""The command lines that carry a plan out."""

from __future__ import annotations

import shlex
from pathlib import Path

from diversity_judge.budgeting.options import PlanOptions
from diversity_judge.choices import DEFAULT_JUDGE
from diversity_judge.inputs.in_memory import InMemory

_FILE = "responses.jsonl"


def files_of(options: PlanOptions) -> tuple[Path, ...]:
    """The files of responses that a command line can name; none where there are only counts, or what is in memory."""
    source = options.score.source
    return () if options.counts is not None or isinstance(source, InMemory) else source


def score_command(options: PlanOptions, *, judge: str | None = None, further: str = "") -> str:
    """`score` on what is planned.

    Args:
        options: Of the plan: its responses, strategies and limit.
        judge: Another preset; None: the plan's judge, in its orders.
        further: Options besides.
    """
    score = options.score
    paths = files_of(options) or (_FILE,)
    parts = ["python -m diversity_judge.score", *(shlex.quote(str(path)) for path in paths)]
    if score.strategies:
        parts += ["--strategy", *map(shlex.quote, score.strategies)]
    if score.limit is not None:
        parts.append(f"--limit {score.limit}")
    if (judge or score.judge.name) != DEFAULT_JUDGE:
        parts.append(f"--judge {shlex.quote(judge or score.judge.name)}")
    if judge is None and score.design.orders == "both":
        parts.append("--orders both")
    return " ".join([*parts, further] if further else parts)
