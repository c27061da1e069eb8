"""Everything that a grid says: the effects, the law with its rivals and its misses, the frontier; and as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from diversity_judge.measures.intervals import Estimate
from examples.miniature.law.effects import Effects, effect_rows, effects_of
from examples.miniature.law.fit import INTERESTING, Fitted, Misses, Rival, compared, fit, misses
from examples.miniature.law.forms import FORMS, KNOWN_BEFORE, LAW
from examples.miniature.law.frontier import Point, frontier_of
from examples.miniature.law.grid import TaskGrid
from examples.miniature.law.resampling import DRAWS, estimate

METRICS = ("diversity", "pass_at_n")
"""Whose gains get a law."""
ALL_TASKS = "all"
ENTROPIES = (0.0, 0.02, 0.05, 0.1, 0.2)
"""Nats at which the needed weight is said."""
LEFT_OUT = ("router", "temperature", "task")
"""What is left out and predicted from the others."""


@dataclass(frozen=True)
class LawFound:
    """The law of one metric on one task or on all.

    Attributes:
        metric: Whose gain.
        task: Its name, or `ALL_TASKS`.
        chosen: (K,) whether a cell of the effects belongs to it.
        fits: All forms, the law first; those that the cells are too few for are left out.
        rivals: What was left out to each form's errors; empty but for the widest task.
        misses: How far the cells lie off the law.
        n_problems: Behind it.
    """

    metric: str
    task: str
    chosen: tuple[bool, ...]
    fits: tuple[Fitted, ...]
    rivals: dict[str, list[Rival]]
    misses: Misses
    n_problems: int

    @property
    def law(self) -> Fitted:
        """The hypothesis, fitted."""
        return self.fits[0]

    @property
    def most_general(self) -> Fitted:
        """Of the forms that need nothing but what is known before, the one that best predicts a router left out.

        The law where no router could be left out.
        """
        known = {f.form: f for f in self.fits if not f.form.by_router and KNOWN_BEFORE.issuperset(f.form.features)}
        rivals = [r for r in self.rivals.get("router", []) if r.form in known and not np.isnan(r.r2)]
        return known[max(rivals, key=lambda rival: rival.r2).form] if rivals else self.law

    def half_entropy(self) -> Estimate:
        """Nats at which the gain is half of that without any."""
        return estimate(self.law.half_entropy, self.n_problems)

    def needed_weight(self, entropy: float) -> Estimate:
        """Weight on new experts that brings a gain worth having at this entropy."""
        return estimate(self.law.needed_weight(INTERESTING, entropy), self.n_problems)


@dataclass(frozen=True)
class Findings:
    """What a grid says.

    Attributes:
        effects: Of every cell with Expert-Sample.
        laws: By metric and task, all tasks together first; empty with too few cells.
        points: Of the frontier.
    """

    effects: Effects
    laws: tuple[LawFound, ...]
    points: tuple[Point, ...]

    def law(self, metric: str) -> LawFound | None:
        """The law of a metric over all tasks."""
        return next((law for law in self.laws if law.metric == metric), None)


def findings_of(grids: Sequence[TaskGrid], *, draws: int = DRAWS, seed: int = 0) -> Findings:
    """All of it.

    Args:
        grids: One a task.
        draws: Of the problems.
        seed: Of the draws.

    Raises:
        ValueError: no cell has Expert-Sample and the tokens alone beside it.
    """
    effects = effects_of(grids, draws=draws, seed=seed)
    tasks = list(dict.fromkeys(cell.task for cell in effects.cells))
    scopes = [ALL_TASKS, *tasks] if len(tasks) > 1 else tasks
    sizes = {grid.task: len(grid.problems) for grid in grids}
    sizes[ALL_TASKS] = sum(sizes.values())
    laws = [_law(effects, metric, scope, sizes[scope], scope == scopes[0]) for metric in METRICS for scope in scopes]
    return Findings(effects, tuple(law for law in laws if law), tuple(frontier_of(grids, draws=draws, seed=seed)))


def law_rows(laws: Sequence[LawFound]) -> pd.DataFrame:
    """A row a parameter of each form, and what follows from the law's: halves and needed weights."""
    columns = ["metric", "task", "form", "parameter", "value", "ci_low", "ci_high", "n_cells", "n_problems"]
    rows = [
        (law.metric, law.task, form, name, e.value, e.low, e.high, sum(law.chosen), law.n_problems)
        for law in laws
        for form, name, e in _parameters(law)
    ]
    return pd.DataFrame(rows, columns=columns)


def rival_rows(laws: Sequence[LawFound]) -> pd.DataFrame:
    """A row a form and thing left out: how well the form predicts what it was not fitted to."""
    columns = ["metric", "task", "left_out", "form", "formula", "r2", "rmse", "law_is_better"]
    rows = [
        (law.metric, law.task, by, rival.form.name, rival.form.formula, rival.r2, rival.rmse, rival.beaten)
        for law in laws
        for by, rivals in law.rivals.items()
        for rival in rivals
    ]
    return pd.DataFrame(rows, columns=columns)


def effect_table(findings: Findings) -> pd.DataFrame:
    """The effects, and beside them what the law over all tasks says and how far they lie off it."""
    table = effect_rows(findings.effects)
    routers = [cell.router for cell in findings.effects.cells]
    for metric in METRICS:
        found = findings.law(metric)
        if found:
            fitted = found.law.predicted(findings.effects.data[metric], routers)
            table[f"{metric}_law"] = fitted[0]
            table[f"{metric}_law_low"], table[f"{metric}_law_high"] = np.quantile(fitted[1:], (0.025, 0.975), axis=0)
            table[f"{metric}_off_law"] = found.misses.residual
            table[f"{metric}_off_law_p_holm"] = found.misses.p_holm
    return table


def _law(effects: Effects, metric: str, task: str, n_problems: int, rivals_too: bool) -> LawFound | None:
    chosen = np.array([task in (ALL_TASKS, cell.task) for cell in effects.cells])
    cells = [cell for cell, mine in zip(effects.cells, chosen, strict=True) if mine]
    routers, data = [cell.router for cell in cells], effects.data[metric].of(chosen)
    if len(cells) <= 1 + len(LAW.parameters):
        return None
    fewest = min(routers.count(router) for router in routers)
    forms = [form for form in FORMS if not form.by_router or fewest > len(form.parameters)]
    fits = tuple(fit(form, data, routers) for form in forms)
    rivals = {by: compared(data, routers, [getattr(c, by) for c in cells]) for by in LEFT_OUT if rivals_too}
    return LawFound(metric, task, tuple(chosen.tolist()), fits, rivals, misses(fits[0], data, routers), n_problems)


def _parameters(law: LawFound) -> Iterator[tuple[str, str, Estimate]]:
    for fitted in law.fits:
        for router, rows in fitted.parameters.items():
            for name, column in zip(("a", *fitted.form.parameters), rows.T, strict=True):
                yield fitted.form.name, f"{name} {router}".strip(), estimate(column, law.n_problems)
    yield LAW.name, "half_entropy", law.half_entropy()
    for entropy in ENTROPIES:
        yield LAW.name, f"weight for {INTERESTING:g} at {entropy:g}", law.needed_weight(entropy)
