"""Routes that Expert-Sample draws at one layer, token by token of right solutions: is the right token likelier?

`generation.counterfactual --scheme expert-sample` compares them with the standard route. Only right responses of
token-normal are read, and only one half of its responses: the other half says what the problem gains. A problem that
this half never solves has no tokens here; `flips` looks at every decision, of those too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console

from diversity_judge.inputs.responses import Group, write_responses
from diversity_judge.measures.across import Floats, partial_slope
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.route_utility import SECOND_SET
from examples.miniature.why.departures import Departures, halved
from examples.miniature.why.findings import EXPERT, Finding, plain

FOLDER = "routes"
MEASURED = 0
"""The half whose right responses are looked at."""
_RESPONSES = "responses.jsonl"
_COLUMNS = ["problem_id", "standard_logprob", "entropy", "alternative_logprobs"]


def write_routes(
    folder: Path, model: Path, normal: Mapping[str, Group], *, max_tokens: int, draws: int, console: Console
) -> Path:
    """Compare the routes of right responses' tokens at the last layer; what is there is kept.

    Args:
        folder: Where to.
        model: That wrote them.
        normal: Problem to token-normal's responses.
        max_tokens: First one response of every problem, then another, as far as this goes.
        draws: Routes a token.
        console: Where progress is said.
    """
    from generation.counterfactual import counterfactual
    from generation.routing_study.options import CounterfactualOptions
    from generation.routing_study.trajectories import TrajectoryOptions

    source = folder / _RESPONSES
    if not source.exists():
        own = [one for name in sorted(normal) for half, one in halved(normal[name].responses) if half == MEASURED]
        write_responses(source, own)
    read = TrajectoryOptions(responses=source, max_tokens=max_tokens)
    options = CounterfactualOptions(
        model=model, trajectories=read, alternatives=draws, scheme="expert-sample", dtype="float32", out=folder
    )
    return counterfactual(options, console)


def findings(folder: Path, found: Departures) -> Iterator[Finding]:
    """What the folder's table says of classes of tokens, and of what problems gain."""
    from generation.route_report.analysis import analyse
    from generation.route_report.summary import of_last_layer

    for name, one in of_last_layer(analyse(folder).found, SECOND_SET).items():
        rank, gain = one["rank"], one["mean_gain"]
        yield Finding("routes", "share of tokens", name, "all", plain(one.share, rank.n))
        yield Finding("routes", "likelier", name, EXPERT, _turned(rank))
        yield Finding("routes", "mean gain", name, EXPERT, gain)
    yield from _explained(_by_problem(folder), found)


def _explained(table: pd.DataFrame, found: Departures) -> Iterator[Finding]:
    """A problem's gain in the other half against what drawn routes add to its right tokens where they add."""
    kept = [row for row, name in enumerate(found.problems) if name in table.index]
    known = table.loc[[found.problems[row] for row in kept]]
    n, right = found.n[kept], found.n_right[kept]
    rate, solved = right / n, (right > 0).astype(np.float64)
    spread = found.diversity[kept]
    gains = {
        "pass@1": rate[:, 1, 1 - MEASURED] - rate[:, 0, 1 - MEASURED],
        "pass@n/2": solved[:, 1, 1 - MEASURED] - solved[:, 0, 1 - MEASURED],
        "diversity": spread[:, 1, 1 - MEASURED] - spread[:, 0, 1 - MEASURED],
    }
    added = known["added"].to_numpy(np.float64)
    controls = np.column_stack([rate[:, 0, MEASURED], known["entropy"].to_numpy(np.float64)])
    scaled = added / added.std() if len(added) and added.std() > 0 else added
    for what, gain in gains.items():
        told = ~np.isnan(gain)
        for of, held in (("alone", controls[:, :0]), ("beyond pass rate and entropy", controls)):
            slope, explained = partial_slope(scaled[told], gain[told], held[told])
            yield Finding("routes", f"slope of {what}", of, EXPERT, slope)
            yield Finding("routes", f"R2 of {what}", of, EXPERT, explained)


def _by_problem(folder: Path) -> pd.DataFrame:
    """A row a problem: `added`, the mean over tokens and routes of max(0, gain) in nats, and the mean `entropy`."""
    import pyarrow.parquet as parquet

    table = parquet.ParquetFile(folder / "tokens.parquet").read(columns=_COLUMNS).to_pandas()
    routes: Floats = np.stack(table["alternative_logprobs"].to_numpy())
    gained = np.maximum(routes - table["standard_logprob"].to_numpy()[:, None], 0.0).mean(axis=1)
    means: pd.DataFrame = table.assign(added=gained).groupby("problem_id")[["added", "entropy"]].mean()
    return means


def _turned(rank: Estimate) -> Estimate:
    """The share of drawn routes that are better, ties as half, of the share that is worse."""
    return Estimate(1 - rank.value, 1 - rank.high, 1 - rank.low, rank.se, rank.n, rank.method, rank.reason)
