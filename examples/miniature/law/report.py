"""`write_law`: from the grid's two tables to the law's tables, its figures and a few sentences.

outcomes.csv, numbers.csv -> effects.csv, law.csv, rivals.csv, frontier.csv, practice.csv, said.txt, figures/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console

from diversity_judge.drawing.axes import save_figure
from diversity_judge.errors import InputError
from diversity_judge.files import write_frame, write_text
from diversity_judge.measures.paired import LEVEL
from examples.miniature.law import figures
from examples.miniature.law.findings import (
    ENTROPIES,
    Findings,
    LawFound,
    effect_table,
    findings_of,
    law_rows,
    rival_rows,
)
from examples.miniature.law.fit import ALL, INTERESTING, Rival
from examples.miniature.law.forms import LAW
from examples.miniature.law.frontier import COMPARED, frontier_rows
from examples.miniature.law.grid import TaskGrid, grids_of, with_numbers
from examples.miniature.law.practice import practice_rows
from examples.miniature.law.resampling import DRAWS, estimate
from examples.miniature.law.tables import read_numbers, read_outcomes
from examples.miniature.wording import with_interval

FIGURES = "figures"
_WORDS = {"diversity": "diversity", "pass_at_1": "pass@1", "pass_at_n": "pass@{n}"}


def write_law(folder: Path, console: Console, *, draws: int = DRAWS) -> None:
    """Read the grid's tables in a folder, leave the law's beside them, and say what they say.

    Args:
        folder: Where the tables are.
        console: Where the sentences go.
        draws: Of the problems, for the intervals.

    Raises:
        InputError: a table is missing, or they do not belong together.
        OSError: the disk does not take a file.
    """
    outcomes, numbers = read_outcomes(folder), read_numbers(folder)
    placed, n_left_out = with_numbers(outcomes, numbers)
    if n_left_out:
        console.print(f"{n_left_out} cells have no entropy and new share yet and are left out.", highlight=False)
    try:
        grids = grids_of(placed, numbers)
        findings = findings_of(grids, draws=draws)
    except ValueError as error:
        raise InputError(f"{folder}: {error}") from error
    write_frame(folder / "effects.csv", effect_table(findings))
    write_frame(folder / "law.csv", law_rows(findings.laws))
    write_frame(folder / "rivals.csv", rival_rows(findings.laws))
    write_frame(folder / "frontier.csv", frontier_rows(findings.points))
    _draw(grids, findings, folder / FIGURES)
    write_frame(folder / "practice.csv", practice_rows(findings))
    lines = [*said(findings, max(grid.n for grid in grids))]
    write_text(folder / "said.txt", "".join(f"{line.strip()}\n" for line in lines))
    for line in lines:
        console.print(line, markup=False, highlight=False)


def said(findings: Findings, n: int) -> Iterator[str]:
    """What was found, a sentence or two each.

    Args:
        findings: Of a grid.
        n: Responses a problem.
    """
    if not findings.laws:
        yield f"{len(findings.effects.cells)} cells with Expert-Sample are too few for a law; it needs four."
    for law in findings.laws:
        yield from _law_said(law, findings, n)
    yield from _frontier_said(findings, n)


def _draw(grids: tuple[TaskGrid, ...], findings: Findings, folder: Path) -> None:
    law = findings.law("diversity")
    if law:
        save_figure(
            figures.gain_figure(findings.effects, law.law, law.most_general),
            folder / "gain_entropy.png",
            dpi=figures.DPI,
        )
        save_figure(figures.surface_figure(findings.effects, law.law), folder / "gain_surface.png", dpi=figures.DPI)
    for grid in grids:
        mine = [point for point in findings.points if point.cell.task == grid.task]
        save_figure(figures.frontier_figure(grid, mine), folder / f"frontier_{grid.task}.png", dpi=figures.DPI)


def _law_said(law: LawFound, findings: Findings, n: int) -> Iterator[str]:
    metric = _WORDS[law.metric].format(n=n)
    a, b, c = (estimate(column, law.n_problems) for column in law.law.parameters[""].T)
    yield (
        f"Gain in {metric}, task {law.task}, {sum(law.chosen)} cells: a (w/.1)^b exp(-c H) with "
        f"a {with_interval(a, 3)}, b {with_interval(b, 2)}, c {with_interval(c, 2)}; R2 {law.misses.r2:.2f}."
    )
    if not law.rivals:
        return
    for by, rivals in law.rivals.items():
        if rivals:
            yield f"  {_predicts(by, rivals)}"
    general = law.most_general
    if general.form is not LAW:
        yield f"  {_general(law)}"
    yield f"  Half of it is left at {with_interval(law.half_entropy(), 3)} nats a token."
    yield f"  {_needed(law, max(cell.new_share for cell in findings.effects.cells))}"
    off = int(np.sum(law.misses.p_holm <= LEVEL))
    yield (
        f"  {off} of {sum(law.chosen)} cells lie off it by more than their error; beyond sampling error it misses by "
        f"{law.misses.typical:.3f}."
    )


def _predicts(by: str, rivals: list[Rival]) -> str:
    own = next(rival for rival in rivals if rival.form is LAW)
    others = sorted((r for r in rivals if r.form is not LAW and not np.isnan(r.r2)), key=lambda rival: -rival.r2)
    if np.isnan(own.r2) or not others:
        return f"A {by} left out: there is nothing to explain."
    best = others[0]
    return (
        f"A {by} left out: R2 {own.r2:.2f}, error {own.rmse:.3f}; best rival {best.form.name} {best.r2:.2f}, and the "
        f"law predicts better in {best.beaten:.0%} of resamplings."
    )


def _general(law: LawFound) -> str:
    """The form that the table for practice is of, where it is not the hypothesis."""
    form, parameters = law.most_general.form, law.most_general.parameters[ALL]
    fitted = ", ".join(
        f"{name} {with_interval(estimate(column, law.n_problems), 3 if name == 'a' else 2)}"
        for name, column in zip(("a", *form.parameters), parameters.T, strict=True)
    )
    found = (
        f"A router left out is best predicted by {form.name}, {form.formula}: {fitted}; "
        "the table for practice is by this form."
    )
    of_tasks = {rival.form: rival.r2 for rival in law.rivals.get("task", [])}
    if not of_tasks:
        return found
    return f"{found} A task left out it predicts with R2 {of_tasks[form]:.2f}, the law with {of_tasks[LAW]:.2f}."


def _frontier_said(findings: Findings, n: int) -> Iterator[str]:
    for equal, metrics in COMPARED.items():
        for metric in metrics:
            places = Counter(p.place.value for p in findings.points if (p.equal, p.metric) == (equal, metric))
            counts = ", ".join(f"{count} {place}" for place, count in places.most_common())
            if counts:
                yield f"At equal {_WORDS[equal].format(n=n)}, {_WORDS[metric].format(n=n)}: {counts}."


def _needed(law: LawFound, largest: float) -> str:
    """Which weight is enough at which entropy; what is beyond the measured weights is only said to be so."""
    found = {entropy: law.needed_weight(entropy) for entropy in ENTROPIES}
    enough = [f"{with_interval(e, 3)} at {entropy:g} nats" for entropy, e in found.items() if e.value <= largest]
    beyond = [f"{entropy:g}" for entropy, e in found.items() if e.value > largest]
    if beyond:
        enough.append(f"more than the {largest:.3f} measured at {', '.join(beyond)} nats")
    return f"A gain of {INTERESTING:g} needs a weight on new experts of: {'; '.join(enough)}."
