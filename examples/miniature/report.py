"""From the finished steps to figures, tables, claims and one page, as HTML and as Markdown.

python -m examples.miniature.report results/miniature --law results/miniature-law --page docs/miniature.md
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from diversity_judge.command import exit_code
from diversity_judge.comparing.tables import ALL_TIERS, OutcomeRow
from diversity_judge.drawing.axes import save_figure
from diversity_judge.errors import InputError
from diversity_judge.files import write_csv, write_frame, write_text
from diversity_judge.inputs.responses import Group
from examples.miniature import figures, responses, routes
from examples.miniature.claims import all_claims
from examples.miniature.comparing import Compared
from examples.miniature.law_page import read_law
from examples.miniature.pictures import pictures
from examples.miniature.plan import ACTIVE, FULL, Size
from examples.miniature.points import PAPER_DIVERSITY
from examples.miniature.reward_errors import errors_of
from examples.miniature.study import NORMAL, Study, load_study
from examples.miniature.verdicts import Claim, summary
from examples.miniature.why import sentences as why
from generation.expert_use.active_experts import active_experts_points, write_active_experts
from generation.interrupts import signals_interrupt

TEMPLATES = Path(__file__).parent
FIRST_MODEL = TEMPLATES / "model"
DPI = 130
REPORT = "report.html"
_BOLD = re.compile(r"\*\*(.+?)\*\*")

Sampled = Mapping[str, Sequence[Group]]
"""Strategy -> its groups."""


def write_report(
    folder: Path, size: Size, sampled: Sampled, *, law: Path | None = None, page: Path | None = None
) -> Path:
    """Write the figures, `claims.csv`, `points.csv` and `report.html`.

    Args:
        folder: The run's.
        size: What was run.
        sampled: Its responses, as `responses.sampled` reads them.
        law: Folder of `python -m examples.miniature.law`, if that was run.
        page: Such as docs/miniature.md; its pictures go beside it.
    """
    by_active = {ACTIVE: sampled} | {active: responses.active(folder, active) for active in size.active}
    study = load_study(folder, sampled, by_active)
    _draw(folder, study, size, by_active)
    claims = all_claims(study)
    write_csv(folder / "claims.csv", [claim.row() for claim in claims])
    write_csv(folder / "points.csv", [point.row() for point in study.points])
    content = _content(folder, size, study, claims, law) | {"greedy": _share_right(sampled["greedy"])}
    drawn = pictures(folder, study, law)
    report = folder / REPORT
    embedded = [(picture, picture.data_address) for picture in drawn]
    write_text(report, _render("report.html.j2", content | {"pictures": embedded}))
    if page is not None:
        copied = [(picture, picture.copied_beside(page)) for picture in drawn]
        write_text(page, _render("page.md.j2", content | {"pictures": copied}))
    return report


def _content(folder: Path, size: Size, study: Study, claims: Sequence[Claim], law: Path | None) -> dict[str, Any]:
    """What both templates are filled with."""
    by_point = [[claim for claim in claims if claim.point == point.name] for point in study.points]
    return {
        "points_tried": study.points,
        "paper_diversity": PAPER_DIVERSITY,
        "claims": by_point,
        "summaries": [summary(of_point) for of_point in by_point],
        "law": read_law(law) if law else None,
        "why": why.said(folder),
        "routes": routes.said(folder),
        "strategies": _strategy_table(study),
        "reward_model": errors_of(r for group in study.learned.groups for r in group.member.responses),
        "agreement": _agreement(folder),
        "size": size,
        "time": time_taken(folder),
        "n_sampled": study.n_sampled,
        "n": study.n,
        "versions": _versions(folder),
        "training": _training(),
    }


def _draw(folder: Path, study: Study, size: Size, by_active: Mapping[int, Sampled]) -> None:
    points = []
    for active, sampled in sorted(by_active.items()):
        points += active_experts_points(active, [*sampled["greedy"], *sampled[NORMAL]], strategy=NORMAL)
    write_active_experts(points, folder / "routing", model="the miniature")
    sweeps = size.sweeps
    table = figures.sweep_rows(study.sweeps, sweeps, study.n)
    write_frame(folder / "sweeps.csv", table)
    save_figure(figures.sweep_figure(table, sweeps, study.n), folder / "figures" / "sweeps.png", dpi=DPI)
    verifiers = {"learned reward model": study.learned, "verifier by rules, nearly an oracle": study.main}
    chosen = figures.verification_figure(verifiers, study.main.strategies)
    save_figure(chosen, folder / "figures" / "verification.png", dpi=DPI)


def _strategy_table(study: Study) -> list[dict[str, Any]]:
    """Choices by the learned reward model; `by_rules` has those by the verifier."""
    rows = []
    for strategy in study.main.strategies:
        by_rules = _outcomes(study.main, strategy)
        curve = {row.k: row for row in study.main.outcomes.where(strategy=strategy, tier=ALL_TIERS, metric="pass_at_k")}
        (diversity,) = study.main.process.where(strategy=strategy, metric="diversity")
        learned = _outcomes(study.learned, strategy)
        rows.append({"name": strategy, "diversity": diversity, "curve": curve, "by_rules": by_rules, **learned})
    return rows


def _outcomes(comparison: Compared, strategy: str) -> dict[str, OutcomeRow]:
    rows = comparison.outcomes.where(strategy=strategy, tier=ALL_TIERS)
    return {row.metric: row for row in rows if row.metric != "pass_at_k"}


def _agreement(folder: Path) -> Mapping[str, Any]:
    table = pd.read_csv(folder / "agreement" / "agreement.csv")
    return {str(name): value for name, value in table.iloc[-1].items()}


def time_taken(folder: Path) -> Mapping[str, float]:
    """Minutes that a run took and that its cores computed for it, of each start of the command until its last step.

    Raises:
        InputError: the run is of a version that did not note it.
    """
    steps = pd.read_json(folder / responses.STEPS, lines=True)
    if "run" not in steps:
        raise InputError(
            f"{folder / responses.STEPS}: does not say how long the run took: it is of an older version; run it anew"
        )
    of_starts = steps.groupby("run")[["run_seconds", "run_processor_seconds"]].max().sum() / 60
    return {
        "minutes": float(of_starts.run_seconds),
        "processor_minutes": float(of_starts.run_processor_seconds),
        "cores": int(steps.cores.max()),
    }


def _versions(folder: Path) -> str:
    with (folder / "main.jsonl").open(encoding="utf-8") as file:
        engine = json.loads(file.readline())["meta"]["engine"]
    return ", ".join(f"{name} {version}" for name, version in engine.items())


def _training() -> Mapping[str, Any]:
    """How the first model of the project was trained, from which the others come."""
    loaded: Mapping[str, Any] = json.loads((FIRST_MODEL / "training.json").read_text(encoding="utf-8"))
    return loaded


def _share_right(groups: Sequence[Group]) -> float:
    return float(np.mean([response.correct is True for group in groups for response in group.responses]))


def _render(template: str, content: Mapping[str, Any]) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=template.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["bold"] = _bold
    return environment.get_template(template).render(content)


def _bold(sentence: str) -> Markup:
    """Markdown's bold words as HTML, the rest escaped."""
    return Markup(_BOLD.sub(r"<b>\1</b>", str(escape(sentence))))  # noqa: S704


def main(argv: Sequence[str] | None = None) -> int:
    """Write the report of a finished run again."""
    parser = argparse.ArgumentParser(prog="python -m examples.miniature.report", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--law", type=Path, metavar="DIR", help="what python -m examples.miniature.law left there")
    parser.add_argument("--page", type=Path, help="also write this Markdown page, with its pictures in images/")
    args = parser.parse_args(argv)

    def write() -> int:
        sampled = responses.sampled(args.folder, FULL)
        print(write_report(args.folder, FULL, sampled, law=args.law, page=args.page))  # noqa: T201
        return 0

    with signals_interrupt():
        return exit_code(write, when_interrupted="interrupted; the same command starts again")


if __name__ == "__main__":
    sys.exit(main())
