"""The figures that no other command of the project draws: the sweeps, and the choice among samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter, ScalarFormatter

from diversity_judge.comparing.tables import ALL_TIERS, OutcomeRow, ProcessRow
from diversity_judge.drawing.look import COLOURS, look_of
from examples.miniature.comparing import Compared
from examples.miniature.sweeps import BASELINE, DEFAULT, Sweep

SWEEP_COLUMNS = ("setting", "value", "strategy", "metric", "k", "mean", "ci_low", "ci_high", "n_problems")
_CHOICES = (
    ("pass_rate", "one sample"),
    ("majority", "majority vote"),
    ("weighted_majority", "weighted majority"),
    ("best_of_n", "Best-of-N"),
)


def sweep_rows(comparison: Compared, sweeps: Sequence[Sweep], n: int) -> pd.DataFrame:
    """pass@1, pass@n and diversity for every value of every setting; the baseline as the setting `none`."""
    rows = [_sweep_row("none", float("nan"), BASELINE, comparison, metric, n) for metric in _metrics(n)]
    for sweep in sweeps:
        for value in sweep.values:
            strategy = sweep.strategy(value)
            rows += [_sweep_row(sweep.setting, value, strategy, comparison, metric, n) for metric in _metrics(n)]
    return pd.DataFrame(rows, columns=list(SWEEP_COLUMNS))


def sweep_figure(table: pd.DataFrame, sweeps: Sequence[Sweep], n: int) -> Figure:
    """A column a setting; pass@1 and pass@n above, diversity below; the baseline as a band."""
    figure = Figure(figsize=(11, 6), layout="constrained")
    grid = figure.subplots(2, len(sweeps), sharey="row")
    lines = (("pass_rate", "pass@1", COLOURS[0], "o"), ("pass_at_k", f"pass@{n}", COLOURS[1], "s"))
    for column, sweep in enumerate(sweeps):
        above, below = grid[0][column], grid[1][column]
        for metric, label, colour, marker in lines:
            _sweep_line(above, table, sweep, metric, label, colour, marker)
        _sweep_line(below, table, sweep, "diversity", "process diversity", COLOURS[2], "D")
        above.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        above.set_title(f"{sweep.setting} (figure {sweep.figure} of the paper)", fontsize="medium")
        below.set_xlabel(f"{sweep.setting} (default {sweep.default:g})")
    grid[0][0].set_ylabel("problems solved")
    grid[1][0].set_ylabel("process diversity (exact judge)")
    handles, labels = grid[0][0].get_legend_handles_labels()
    more, names = grid[1][0].get_legend_handles_labels()
    figure.legend(handles + more, labels + names, loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    n_problems = int(table["n_problems"].max())
    figure.suptitle(f"Settings of Expert-Sample, {n_problems} problems; means with 95 % intervals over problems")
    return figure


def verification_figure(verifiers: Mapping[str, Compared], strategies: Sequence[str]) -> Figure:
    """What each strategy solves with one sample and with each way of choosing among n; a panel a verifier."""
    figure = Figure(figsize=(4 + 4 * len(verifiers), 4), layout="constrained")
    (panels,) = figure.subplots(1, len(verifiers), squeeze=False, sharey=True)
    for axes, (name, comparison) in zip(panels, verifiers.items(), strict=True):
        _choices(axes, comparison, strategies)
        axes.set_title(name, fontsize="medium")
    panels[0].set_ylabel("problems solved")
    figure.suptitle("Choosing among samples; 95 % intervals over problems")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, ncols=4, loc="outside lower center", fontsize="small")
    return figure


def _choices(axes: Axes, comparison: Compared, strategies: Sequence[str]) -> None:
    width = 0.8 / len(strategies)
    for place, strategy in enumerate(strategies):
        look = look_of(strategies, strategy)
        for position, (metric, _) in enumerate(_CHOICES):
            for row in comparison.outcomes.where(strategy=strategy, tier=ALL_TIERS, metric=metric):
                x = position - 0.4 + (place + 0.5) * width
                spread = [[row.value - row.ci_low], [row.ci_high - row.value]]
                label = strategy if position == 0 else None
                axes.bar(x, row.value, width * 0.9, color=look.colour, label=label)
                axes.errorbar(x, row.value, yerr=spread, color="black", linewidth=1, capsize=2)
    axes.set_xticks(range(len(_CHOICES)), [label for _, label in _CHOICES])
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_ylim(0, 1)


def _metrics(n: int) -> tuple[tuple[str, int | None], ...]:
    return ("pass_rate", None), ("pass_at_k", n), ("diversity", None)


def _sweep_row(
    setting: str, value: float, strategy: str, comparison: Compared, metric: tuple[str, int | None], n: int
) -> tuple[object, ...]:
    name, k = metric
    found: ProcessRow | OutcomeRow
    if name == "diversity":
        (found,) = comparison.process.where(strategy=strategy, metric=name)
        shown_k = n
    else:
        wanted = {"strategy": strategy, "tier": ALL_TIERS, "metric": name} | ({} if k is None else {"k": k})
        (found,) = comparison.outcomes.where(**wanted)
        shown_k = 1 if k is None else k
    return setting, value, strategy, name, shown_k, found.value, found.ci_low, found.ci_high, found.n_problems


def _sweep_line(
    axes: Axes, table: pd.DataFrame, sweep: Sweep, metric: str, label: str, colour: str, marker: str
) -> None:
    rows = table[(table.setting == sweep.setting) & (table.metric == metric)]
    spread = [rows["mean"] - rows.ci_low, rows.ci_high - rows["mean"]]
    shown = f"Expert-Sample, {label}"
    axes.errorbar(rows.value, rows["mean"], yerr=spread, color=colour, marker=marker, capsize=2, label=shown)
    base = table[(table.setting == "none") & (table.metric == metric)].iloc[0]
    axes.axhline(base["mean"], color=colour, linestyle=":", linewidth=1.2, label=f"{BASELINE}, {label}")
    default = rows[rows.strategy == DEFAULT]
    axes.plot(default.value, default["mean"], "o", color=colour, markersize=11, fillstyle="none")
    if sweep.setting != "k_keep":
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(FixedLocator([float(value) for value in rows.value]))
