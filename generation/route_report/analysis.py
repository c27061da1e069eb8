"""From tokens.parquet to what a person reads: classes, tables, figures, page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from diversity_judge.drawing.axes import write_picture
from diversity_judge.errors import InputError, RunError
from diversity_judge.files import write_csv
from diversity_judge.runs.replacing import replacing
from generation.route_report import page
from generation.route_report.figures import confidence_figure, depth_figure, picture_of
from generation.route_report.summary import BOUNDARIES, CLASS_NAMES, CURVE, Found, classes_of, of_last_layer, rows
from generation.route_report.tokens import Part, parts, read_tokens
from generation.route_report.verdicts import Verdict, verdicts

MANIFEST = "analysis.json"
SUMMARY, CURVE_TABLE, PAGE = "summary.csv", "curve.csv", "counterfactual.html"
FIGURE, DEPTH = "counterfactual.png", "depth.png"


@dataclass(frozen=True)
class RouteAnalysis:
    """What a table of routes says.

    Attributes:
        parts: The table by layer and scheme, the deepest layer last.
        found: The classes of every part by both definitions.
        verdicts: On the published claims, of the deepest layer.
        boundaries: Of the classes.
    """

    parts: tuple[Part, ...] = field(repr=False)
    found: tuple[Found, ...] = field(repr=False)
    verdicts: tuple[Verdict, ...]
    boundaries: tuple[float, ...]


def analyse(folder: Path, *, boundaries: Sequence[float] = BOUNDARIES) -> RouteAnalysis:
    """Read a folder's `tokens.parquet` and class its tokens.

    Args:
        folder: Where it is.
        boundaries: Two probabilities: fragile up to the first, confident above the second.

    Raises:
        InputError: the table cannot be read, or the boundaries are no two that rise within (0, 1).
    """
    if len(boundaries) != len(CLASS_NAMES) - 1 or not 0 < boundaries[0] < boundaries[-1] < 1:
        raise InputError(f"--boundaries {','.join(map(str, boundaries))}: two probabilities that rise, as 0.5,0.9")
    tables = tuple(parts(read_tokens(folder)))
    found = tuple(one for part in tables for one in classes_of(part, boundaries, CLASS_NAMES))
    return RouteAnalysis(tables, found, tuple(verdicts(of_last_layer(found))), tuple(boundaries))


def write_analysis(
    folder: Path,
    *,
    boundaries: Sequence[float] = BOUNDARIES,
    problems: Mapping[str, str] | None = None,
) -> RouteAnalysis:
    """Write tables, figures and the page beside a folder's `tokens.parquet`.

    Args:
        folder: Where it is.
        boundaries: As in `analyse`.
        problems: Texts of the problems by id, for the page.

    Raises:
        InputError: as `analyse`.
        RunError: the folder takes no files.
    """
    analysis = analyse(folder, boundaries=boundaries)
    curve = [one for part in analysis.parts for one in classes_of(part, CURVE)]
    figures = _figures(analysis, curve)
    record = {"boundaries": list(boundaries), "tokens": sum(len(part.rows) for part in analysis.parts)}
    sure = (SUMMARY, CURVE_TABLE, FIGURE, PAGE)
    with replacing(folder, record, sure=sure, possible=(DEPTH,), manifest=MANIFEST):
        try:
            write_csv(folder / SUMMARY, rows(analysis.found))
            write_csv(folder / CURVE_TABLE, rows(curve))
            pictures = {name: picture_of(figure) for name, (_, figure) in figures.items()}
            for name, picture in pictures.items():
                write_picture(folder / name, picture)
            captioned = {caption: pictures[name] for name, (caption, _) in figures.items()}
            html = page.render(analysis.parts, analysis.found, analysis.verdicts, captioned, boundaries, problems or {})
            write_picture(folder / PAGE, html)
        except OSError as error:
            raise RunError(f"{folder}: cannot write the analysis: {error}") from error
    return analysis


def _figures(analysis: RouteAnalysis, curve: Sequence[Found]) -> dict[str, tuple[str, Figure]]:
    """File name to caption and figure."""
    deepest = analysis.parts[-1]
    last = [one for one in curve if (one.layer, one.scheme) == (deepest.layer, deepest.scheme)]
    figures = {
        FIGURE: (
            "The share of alternatives of equal cost that beat the router's route, and what the best of them gains, by "
            "the probability of the written token. A random route in its place is what knowing nothing looks like.",
            confidence_figure(last),
        )
    }
    if len({part.layer for part in analysis.parts}) > 1:
        figures[DEPTH] = ("The same by layer, a line a class.", depth_figure(analysis.found))
    return figures
