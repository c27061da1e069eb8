"""Greedy accuracy and pass@n for several numbers of active experts: points with intervals, a table and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from diversity_judge.drawing.axes import save_figure
from diversity_judge.files import write_csv
from diversity_judge.inputs.responses import Group
from diversity_judge.measures.intervals import strategy_estimate
from diversity_judge.measures.outcomes import Outcome, curve_sizes, pass_curve

DPI = 150
_LINE = "#440154"


@dataclass(frozen=True)
class ActiveExpertsPoint:
    """One value of the study with fewer or more active experts.

    Attributes:
        active_experts: Experts a token.
        metric: `greedy_accuracy` or `pass_at_k`.
        k: Number of responses the metric looks at.
        value: Mean over problems.
        ci_low: Lower end of the 95 % interval over problems.
        ci_high: Upper end.
        n_problems: Problems with a value.
    """

    active_experts: int
    metric: str
    k: int
    value: float
    ci_low: float
    ci_high: float
    n_problems: int


def active_experts_points(
    number: int, groups: Sequence[Group], *, strategy: str, confidence: float = 0.95
) -> list[ActiveExpertsPoint]:
    """Greedy accuracy and the pass@n curve of one number of active experts, with intervals over problems."""
    curves = {
        "greedy_accuracy": [pass_curve(group, (1,)) for group in groups if group.strategy == "greedy"],
        "pass_at_k": [
            pass_curve(group, curve_sizes(group.n_responses)) for group in groups if group.strategy == strategy
        ],
    }
    points = []
    for metric, outcomes in curves.items():
        found = [outcome for curve in outcomes for outcome in curve if isinstance(outcome, Outcome)]
        for k in sorted({outcome.k for outcome in found}):
            values = [outcome.value for outcome in found if outcome.k == k]
            estimate = strategy_estimate(values, confidence=confidence)
            points.append(
                ActiveExpertsPoint(number, metric, k, estimate.value, estimate.low, estimate.high, len(values))
            )
    return points


def write_active_experts(points: Sequence[ActiveExpertsPoint], folder: Path, *, model: str) -> tuple[Path, ...]:
    """Write `active_experts.csv` and `active_experts.png`; returns their paths."""
    paths = tuple(folder / name for name in ("active_experts.csv", "active_experts.png"))
    write_csv(paths[0], [asdict(point) for point in points])
    save_figure(active_experts_figure(points, model=model), paths[1], dpi=DPI)
    return paths


def active_experts_figure(points: Sequence[ActiveExpertsPoint], *, model: str) -> Figure:
    """Greedy accuracy against the number of active experts, and pass@n for each number."""
    figure = Figure(figsize=(9.6, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    greedy = sorted((p for p in points if p.metric == "greedy_accuracy"), key=lambda p: p.active_experts)
    if greedy:
        _with_interval(left, [p.active_experts for p in greedy], greedy, color=_LINE, label=None)
        left.set_xticks([p.active_experts for p in greedy])
    left.set(title="greedy accuracy", xlabel="active experts a token", ylabel="share of problems solved")
    numbers = sorted({p.active_experts for p in points if p.metric == "pass_at_k"})
    for place, number in enumerate(numbers):
        curve = sorted((p for p in points if p.metric == "pass_at_k" and p.active_experts == number), key=lambda p: p.k)
        colour = colormaps["viridis"](0.85 * place / max(1, len(numbers) - 1))
        _with_interval(right, [p.k for p in curve], curve, color=colour, label=f"{number} active")
    right.set_xscale("log", base=2)
    right.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    right.set(title="pass@n", xlabel="n", ylabel="")
    for axes in (left, right):
        axes.set_ylim(0, 1)
    if numbers:
        right.legend(frameon=False)
    fewest, most = min(p.n_problems for p in points), max(p.n_problems for p in points)
    n_problems = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
    figure.suptitle(f"{model}: {n_problems} problems, 95 % intervals over problems", fontsize="medium")
    return figure


def _with_interval(
    axes: Any, x: Sequence[int], points: Sequence[ActiveExpertsPoint], *, color: Any, label: Any
) -> None:
    axes.plot(x, [p.value for p in points], marker="o", markersize=4, color=color, label=label)
    axes.fill_between(x, [p.ci_low for p in points], [p.ci_high for p in points], color=color, alpha=0.15, linewidth=0)
