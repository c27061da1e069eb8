"""The chart of choosing among n responses: a panel a strategy, in it a curve a way to choose.

Here curves of one strategy do share a panel, as they are to be compared; the last panel says which is which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from diversity_judge.comparing.result import Comparison
from diversity_judge.comparing.tables import ALL_TIERS, VerificationRow
from diversity_judge.comparing.verification_table import LABELS, REWARDED, main_reward, rewards_in, shown_curves
from diversity_judge.display import counted
from diversity_judge.drawing.look import look_of
from diversity_judge.measures.outcomes import curve_sizes
from diversity_judge.measures.verification import BEST_OF_N, ORACLE, OWN
from diversity_judge.report import svg
from diversity_judge.report.charts import Chart, Panel, frame, spread_labels
from diversity_judge.wording import interval

_PERCENT = svg.linear_axis(0, 1, percent=True, most=5)
_LINE, _SWATCH, _KEY_WIDTH = 22.0, 26.0, 230.0
_NAMES = tuple(LABELS.values())
Curves = Mapping[str, Sequence[VerificationRow]]


def verification_charts(comparison: Comparison) -> tuple[Chart, ...]:
    """Those that there are rewards for."""
    return tuple(chart for chart in (_choices(comparison), *_aggregates(comparison)) if chart.panels)


def _choices(comparison: Comparison) -> Chart:
    reward = main_reward(comparison.verification)
    curves = {
        strategy: {
            LABELS[method]: curve
            for method, curve in shown_curves(comparison.verification, strategy, ALL_TIERS, reward).items()
        }
        for strategy in _scored(comparison)
    }
    named = "the file's reward" if reward == OWN else f"reward: {reward} of the steps"
    caption = (
        f"Share of problems that are right, expected over all subsets of n responses; {named}. Band: 95 % over "
        "problems, of Best-of-N."
    )
    return Chart("verification", "Choosing among n responses", caption, _panels(comparison, curves, _NAMES))


def _aggregates(comparison: Comparison) -> Iterator[Chart]:
    """Each way to choose under each aggregate of step rewards."""
    names = [reward for reward in rewards_in(comparison.verification) if reward != OWN]
    for method in REWARDED if names else ():
        curves = {
            strategy: {
                name: curve
                for name in names
                if (curve := shown_curves(comparison.verification, strategy, ALL_TIERS, name).get(method))
            }
            for strategy in _scored(comparison)
        }
        caption = "What hangs on how the rewards of a response's steps become one; intervals are in verification.csv."
        title = f"{LABELS[method]} under each aggregate of step rewards"
        yield Chart(f"aggregates-{method}", title, caption, _panels(comparison, curves, names))


def _scored(comparison: Comparison) -> list[str]:
    scored = {row.strategy for row in comparison.verification if row.reward}
    return [strategy for strategy in comparison.strategies if strategy in scored]


def _panels(comparison: Comparison, curves: Mapping[str, Curves], names: Sequence[str]) -> tuple[Panel, ...]:
    panels = []
    for strategy, mine in curves.items():
        longest = max(mine.values(), key=len)
        note = counted(longest[0].n_problems, "problem")
        panels.append(Panel(comparison.strategies.index(strategy), note, _picture(strategy, mine, names)))
    return (*panels, Panel(None, "", _key(names))) if panels else ()


def _picture(strategy: str, curves: Curves, names: Sequence[str]) -> str:
    sizes = curve_sizes(max(row.n for curve in curves.values() for row in curve))
    x = svg.Axis(1, max(sizes[-1], 2), sizes, spread_labels(sizes), is_log=True)
    picture, place, across, up = frame(x, _PERCENT, "responses", strategy)
    for name, curve in curves.items():
        points = [(across(row.n), up(row.value)) for row in curve]
        look = look_of(names, name)
        if name == LABELS[ORACLE]:
            svg.curve(place, points, "currentColor", "reference")
        else:
            if name == LABELS[BEST_OF_N] and curve[0].n_problems > 1:
                upper = [(across(row.n), up(row.ci_high)) for row in curve]
                lower = [(across(row.n), up(row.ci_low)) for row in curve]
                svg.band(place, upper, lower, look.colour)
            svg.curve(place, points, look.colour, "curve")
        for row in (row for row in curve if row.n in sizes):
            shown = interval(row.value, row.ci_low, row.ci_high)
            tip = f"{name}, n = {row.n}: {shown}"
            svg.mark(place, across(row.n), up(row.value), look.colour, look.symbol, tip)
    return svg.markup(picture)


def _key(names: Sequence[str]) -> str:
    picture = svg.canvas(2 * _KEY_WIDTH, _LINE * ((len(names) + 1) // 2) + 4, "which curve is which")
    for number, name in enumerate(names):
        left, middle = _KEY_WIDTH * (number % 2), _LINE * (number // 2) + _LINE / 2 + 2
        look = look_of(names, name)
        ends = [(left + 4, middle), (left + 4 + _SWATCH, middle)]
        is_oracle = name == LABELS[ORACLE]
        svg.curve(picture, ends, "currentColor" if is_oracle else look.colour, "reference" if is_oracle else "curve")
        svg.mark(picture, left + 4 + _SWATCH / 2, middle, look.colour, look.symbol, name)
        svg.words(picture, left + 12 + _SWATCH, middle + 4, name, "start")
    return svg.markup(picture)
