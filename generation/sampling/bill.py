"""What a run will cost, said before it is started: requests and tokens."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table

from generation.engines.options import shown_servers
from generation.sampling.options import SampleOptions
from generation.sampling.prompt_tokens import prompt_tokens
from generation.sampling.sampler import Sample, SamplingPlan


def print_bill(console: Console, options: SampleOptions, plan: SamplingPlan, missing: Sequence[Sample]) -> None:
    """Print how many requests and tokens a run will take, strategy by strategy. Nothing is sent or loaded."""
    prompts = prompt_tokens(options, plan)
    table = Table(title=f"dry run: nothing is sampled; prompt tokens {prompts.counted}", title_justify="left")
    for column in ("strategy", "in the file", "requests", "prompt tokens", "sampled tokens"):
        table.add_column(column, justify="left" if column == "strategy" else "right")
    means = _mean_tokens(options.out)
    total = _Cost()
    for strategy in plan.strategies:
        samples = [sample for sample in missing if sample.strategy.name == strategy.name]
        wanted = sum(1 for sample in plan.samples() if sample.strategy.name == strategy.name)
        cost = _Cost(len(samples), sum(prompts.by_problem[sample.problem.problem_id] for sample in samples))
        done = str(wanted - len(samples))
        table.add_row(strategy.name, done, *cost.cells(plan.max_tokens, means.get(strategy.name)))
        total.add(cost)
    table.add_section()
    table.add_row("all", "", *total.cells(plan.max_tokens, None))
    where = f"servers {', '.join(shown_servers(options))}" if options.base_urls else "in process"
    console.print(
        f"model {options.model}, {where}",
        markup=False,
        highlight=False,
    )
    console.print(table)
    if plan.max_tokens is None:
        console.print("without --max-tokens a response may be as long as the model's context", markup=False)


class _Cost:
    """Requests and prompt tokens of a row of the table."""

    def __init__(self, requests: int = 0, prompt_tokens: int = 0) -> None:
        self.requests = requests
        self.prompt_tokens = prompt_tokens

    def add(self, other: _Cost) -> None:
        """Add another row's."""
        self.requests += other.requests
        self.prompt_tokens += other.prompt_tokens

    def cells(self, max_tokens: int | None, mean: float | None) -> tuple[str, str, str]:
        """The row's cells; sampled tokens by the mean of earlier responses where there are some."""
        if mean is not None:
            sampled = f"about {self.requests * mean:,.0f}"
        elif max_tokens is not None:
            sampled = f"at most {self.requests * max_tokens:,}"
        else:
            sampled = "not limited"
        return f"{self.requests:,}", f"{self.prompt_tokens:,}", sampled


def _mean_tokens(out: Path) -> dict[str, float]:
    """Mean length of the responses in the file, by strategy."""
    lengths: dict[str, list[int]] = defaultdict(list)
    if out.exists():
        for line in out.read_bytes().split(b"\n")[:-1]:
            row = json.loads(line)
            if row["n_tokens"]:
                lengths[row["strategy"]].append(row["n_tokens"])
    return {strategy: fmean(values) for strategy, values in lengths.items()}
