"""Tables and figures of a profile of routers.

The paper's argument for Expert-Sample is a picture: a router is sure about its first experts and nearly
indifferent among many after them (arXiv 2602.02443, figure 2c). These functions draw it for any model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from diversity_judge.drawing.axes import save_figure
from diversity_judge.files import write_csv
from diversity_judge.measures.intervals import strategy_estimate
from generation.expert_use.profile import BINS, RoutingProfile

DPI = 150
_HEAD, _TAIL, _REST = "#3b528b", "#5ec962", "#b8b8b8"
_LINE = "#440154"


def write_profile(profile: RoutingProfile, folder: Path, *, k_keep: int, model: str) -> tuple[Path, ...]:
    """Write `router_by_rank.csv`, `_by_layer.csv`, `_by_block.csv`, `router_untaken.csv` and `router_by_rank.png`.

    Returns:
        Their paths. The interval of a rank is over blocks of problems.
    """
    mean, by_layer = profile.mean, profile.by_layer
    low, high = rank_intervals(profile)
    cumulative = np.cumsum(mean)
    by_rank = [
        {
            "rank": rank + 1,
            "mean_probability": mean[rank],
            "ci_low": low[rank],
            "ci_high": high[rank],
            "cumulative_probability": cumulative[rank],
            "lowest_layer": by_layer[:, rank].min(),
            "highest_layer": by_layer[:, rank].max(),
        }
        for rank in range(len(mean))
    ]
    layers = [
        {"layer": layer, "rank": rank + 1, "mean_probability": row[rank], "n_tokens": profile.n_tokens}
        for layer, row in zip(profile.layers, by_layer, strict=True)
        for rank in range(len(row))
    ]
    blocks = [
        {"block": block + 1, "rank": rank + 1, "mean_probability": row[rank]}
        for block, row in enumerate(profile.by_block)
        for rank in range(len(row))
    ]
    tables = {
        "router_by_rank.csv": by_rank,
        "router_by_layer.csv": layers,
        "router_by_block.csv": blocks,
        "router_untaken.csv": untaken_table(profile),
    }
    for name, table in tables.items():
        if table:
            write_csv(folder / name, table)
    picture = folder / "router_by_rank.png"
    save_figure(profile_figure(profile, k_keep=k_keep, model=model), picture, dpi=DPI)
    return (*(folder / name for name, table in tables.items() if table), picture)


def untaken_table(profile: RoutingProfile) -> list[dict[str, Any]]:
    """The share of tokens that each `fragile_from` would draw, by layer and (layer empty) over all layers."""
    if not len(profile.untaken):
        return []
    shares = profile.fragile_shares()
    rows = [(None, shares.mean(axis=0)), *zip(profile.layers, shares, strict=True)]
    return [
        {"layer": layer, "fragile_from": number / BINS, "share_drawn": row[number]}
        for layer, row in rows
        for number in range(BINS)
    ]


def rank_intervals(profile: RoutingProfile, *, confidence: float = 0.95) -> tuple[NDArray[np.float64], ...]:
    """(experts,) lower and upper ends of each rank's mean probability, over blocks of problems; NaN below two."""
    if len(profile.by_block) < 2:
        unknown = np.full(len(profile.mean), np.nan)
        return unknown, unknown
    estimates = [strategy_estimate(column, confidence=confidence) for column in profile.by_block.T]
    return np.array([e.low for e in estimates]), np.array([e.high for e in estimates])


def profile_figure(profile: RoutingProfile, *, k_keep: int, model: str) -> Figure:
    """The two-panel figure: all experts by rank; the first 4k with the head and the tail marked."""
    mean = profile.mean
    k, n_experts = profile.active_experts, len(mean)
    shown = min(4 * k, n_experts)
    ranks = np.arange(1, n_experts + 1)
    figure = Figure(figsize=(9.6, 3.9), layout="constrained")
    whole, top = figure.subplots(1, 2)
    whole.plot(ranks, mean, color=_LINE, linewidth=1.6, label="mean of the layers")
    whole.fill_between(
        ranks,
        profile.by_layer.min(axis=0),
        profile.by_layer.max(axis=0),
        color=_LINE,
        alpha=0.15,
        linewidth=0,
        label="lowest to highest layer",
    )
    whole.axhline(1 / n_experts, color="black", linewidth=0.8, linestyle=":", label=f"uniform, 1/{n_experts}")
    whole.set(title=f"all {n_experts} experts", xlabel="rank of the expert", ylabel="mean router probability")
    whole.set_ylim(bottom=0)
    whole.legend(frameon=False)
    colours = [_HEAD] * k_keep + [_TAIL] * (k - k_keep) + [_REST] * (shown - k)
    top.bar(ranks[:shown], mean[:shown], color=colours[:shown], width=0.85)
    low, high = (ends[:shown] for ends in rank_intervals(profile))
    if not np.isnan(low).any():
        # The mean over tokens stands for blocks of slightly unequal length: never a bar of negative length.
        spread = np.maximum([mean[:shown] - low, high - mean[:shown]], 0)
        top.errorbar(ranks[:shown], mean[:shown], yerr=spread, fmt="none", ecolor="black", elinewidth=0.8)
    legend = (
        Patch(color=_HEAD, label=f"head: kept, ranks 1 to {k_keep}" if k_keep else "head: none"),
        Patch(color=_TAIL, label=f"tail: the other {k - k_keep} of the active {k}"),
        Patch(color=_REST, label=f"further candidates of the draw, to rank {shown}"),
    )
    top.set(title=f"the first {shown} experts", xlabel="rank of the expert")
    top.legend(handles=legend, frameon=False)
    figure.suptitle(f"{model}: {len(profile.layers)} layers, k = {k}, {profile.n_tokens:,} tokens", fontsize="medium")
    return figure
