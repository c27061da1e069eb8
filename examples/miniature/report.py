"""From the finished steps to figures, tables, claims and one page, as HTML and as Markdown.

python -m examples.miniature.report results/miniature --page docs/miniature.md    writes the page again
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from diversity_judge.compare import compare
from diversity_judge.comparing.figures import save_figures
from diversity_judge.comparing.files import write_tables
from diversity_judge.comparing.result import Comparison
from diversity_judge.comparing.tables import ALL_TIERS, OutcomeRow
from diversity_judge.drawing.axes import save_figure
from diversity_judge.files import write_csv, write_frame, write_text
from diversity_judge.inputs.responses import Group
from examples.miniature import figures, responses, routes
from examples.miniature.claims import EXPERT, NORMAL, Study, all_claims
from examples.miniature.plan import ACTIVE, CLAIMED, FULL, NO_HEAD, Size
from examples.miniature.reward_errors import errors_of
from examples.miniature.verdicts import summary
from generation.expert_sample.settings import ExpertSampleSettings
from generation.expert_use.active_experts import active_experts_points, write_active_experts

TEMPLATES = Path(__file__).parent
DPI = 130

Sampled = Mapping[str, Sequence[Group]]
"""Strategy -> its groups."""


@dataclass(frozen=True)
class Picture:
    """A figure of the report.

    Attributes:
        title: What it is the counterpart of.
        file: In the run's folder.
        about: What it shows, in one sentence.
        table: The CSV with its numbers, in the run's folder.
    """

    title: str
    file: Path
    about: str
    table: str


def write_report(folder: Path, size: Size, sampled: Sampled, *, page: Path | None = None) -> Path:
    """Write the figures, `claims.csv` and `report.html`; with `page` also a Markdown page with its pictures beside it.

    Args:
        folder: The run's.
        size: What was run.
        sampled: Its responses, as `responses.sampled` reads them.
        page: Such as docs/miniature.md.
    """
    by_active = {ACTIVE: sampled} | {active: responses.active(folder, active) for active in size.active}
    study = load_study(folder, sampled, by_active)
    _write_comparisons(folder / "compare", study)
    _draw(folder, study, size, by_active)
    claims = all_claims(study)
    write_csv(folder / "claims.csv", [claim.row() for claim in claims])
    content = {
        "claims": claims,
        "summary": summary(claims),
        "strategies": _strategy_table(study),
        "reward_model": errors_of(r for group in study.learned.groups for r in group.member.responses),
        "agreement": _agreement(folder),
        "routes": routes.said(folder),
        "size": size,
        "minutes": _minutes(folder),
        "n_sampled": _n_responses(by_active),
        "n": study.n,
        "versions": _versions(folder),
        "training": _training(folder),
        "greedy": _share_right(sampled["greedy"]),
    }
    pictures = [picture for picture in _pictures(study) if (folder / picture.file).exists()]
    report = folder / "report.html"
    embedded = [(picture, _data_address(folder / picture.file)) for picture in pictures]
    write_text(report, _render("report.html.j2", content | {"pictures": embedded}))
    if page is not None:
        addresses = [(picture, _copied(folder / picture.file, page)) for picture in pictures]
        write_text(page, _render("page.md.j2", content | {"pictures": addresses}))
    return report


def load_study(folder: Path, sampled: Sampled, by_active: Mapping[int, Sampled]) -> Study:
    """Read what the steps left, and compare.

    Args:
        folder: The run's.
        sampled: With the model's own number of active experts.
        by_active: With each number of active experts.
    """
    own = compare([folder / "scores" / "main"], baseline=NORMAL)
    learned = compare([folder / responses.LEARNED], baseline=NORMAL)
    by_rank = pd.read_csv(folder / "routing" / "router_by_rank.csv")["mean_probability"].to_numpy()
    by_block = pd.read_csv(folder / "routing" / "router_by_block.csv")
    own_name = responses.active_name(ACTIVE)
    greedy, sampled_active = (
        compare([responses.with_active(by_active, strategy)], baseline=own_name, tier_strategy=own_name)
        for strategy in ("greedy", NORMAL)
    )
    settings = [group for name in (EXPERT, *CLAIMED, NO_HEAD) for group in sampled.get(name, ())]
    return Study(
        main=own,
        learned=learned,
        sweeps=compare([folder / "scores" / "sweeps"], baseline=EXPERT),
        settings=compare([responses.unjudged(settings)], baseline=EXPERT),
        greedy=greedy,
        sampled=sampled_active,
        active=ACTIVE,
        by_rank=by_rank,
        by_block=by_block.pivot_table(index="block", columns="rank", values="mean_probability").to_numpy(),
        k_keep=ExpertSampleSettings().resolve(ACTIVE, len(by_rank)).k_keep,
        speed=_speed_ratios(pd.read_csv(folder / "overhead.csv")),
        n=max(group.n_responses for group in own.groups),
    )


def _speed_ratios(overhead: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    speed = (overhead.tokens / overhead.seconds).groupby([overhead["round"], overhead.strategy]).first().unstack()
    return (speed[EXPERT] / speed[NORMAL]).to_numpy()


def _write_comparisons(folder: Path, study: Study) -> None:
    """As the command `compare` leaves them."""
    for name in ("main", "learned", "sweeps", "settings", "greedy", "sampled"):
        write_tables(folder / name, getattr(study, name))
    for name in ("main", "learned"):
        save_figures(getattr(study, name), folder / name, heatmaps=False)


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


def _pictures(study: Study) -> list[Picture]:
    compared = Path("compare/main/figures")
    maps = sorted(study.main.problems)[0]
    return [
        Picture(
            "Figure 2a, 2b",
            Path("routing/active_experts.png"),
            "Greedy accuracy and pass@n with fewer and with more active experts than the model was trained with.",
            "routing/active_experts.csv",
        ),
        Picture(
            "Figure 2c",
            Path("routing/router_by_rank.png"),
            "Mean router probability by rank over the tokens of sampled solutions.",
            "routing/router_by_rank.csv",
        ),
        Picture(
            "Figure 3",
            compared / "validation_panel.png",
            "Stability, Best-of-N, diversity and pass@N in the tiers that token-normal's own responses decide.",
            "compare/main/outcomes.csv",
        ),
        Picture(
            "Figure 4",
            compared / "pass_curves.png",
            "pass@n of the four strategies.",
            "compare/main/outcomes.csv",
        ),
        Picture(
            "Table 2",
            Path("figures/verification.png"),
            "What a learned reward model makes of the samples, and beside it a verifier by rules.",
            "compare/learned/outcomes.csv",
        ),
        Picture(
            "Table 2 at every n",
            Path("compare/learned/figures/verification.png"),
            "Choosing among n of the samples with the learned reward model.",
            "compare/learned/verification.csv",
        ),
        Picture(
            "What hangs on the aggregate",
            Path("compare/learned/figures/aggregates.png"),
            "The paper does not say how the rewards of steps become one: each way beside the others.",
            "compare/learned/verification.csv",
        ),
        Picture(
            "Figures 5 to 8",
            Path("figures/sweeps.png"),
            "Settings of Expert-Sample one at a time; the circle is the default, the dotted line token-normal.",
            "sweeps.csv",
        ),
        Picture(
            "Figure 9",
            Path(f"compare/matrices/heatmaps/{maps}.png"),
            "Similarity matrices of one problem under the four strategies, by the exact judge.",
            "scores/matrices/pairs.csv",
        ),
        Picture(
            "The proxy judge against the exact one",
            Path("agreement/agreement.png"),
            "How often the proxy judge gives the exact judge's score, and what that does to diversity.",
            "agreement/agreement.csv",
        ),
        Picture(
            "Other routes",
            Path(routes.FOLDER) / "counterfactual.png",
            "Routes of equal cost beside the router's own at the last layer, by the confidence of the token.",
            f"{routes.FOLDER}/summary.csv",
        ),
    ]


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


def _outcomes(comparison: Comparison, strategy: str) -> dict[str, OutcomeRow]:
    rows = comparison.outcomes.where(strategy=strategy, tier=ALL_TIERS)
    return {row.metric: row for row in rows if row.metric != "pass_at_k"}


def _agreement(folder: Path) -> Mapping[str, Any]:
    table = pd.read_csv(folder / "agreement" / "agreement.csv")
    return {str(name): value for name, value in table.iloc[-1].items()}


def _minutes(folder: Path) -> float:
    """What the run took: steps aside ran beside another one, and a resumed run passes over what is done."""
    steps = pd.read_json(folder / "steps.jsonl", lines=True)
    shown = steps[~steps.aside]
    return float(shown.groupby(shown.command.map(" ".join)).seconds.max().sum() / 60)


def _versions(folder: Path) -> str:
    with (folder / "main.jsonl").open(encoding="utf-8") as file:
        engine = json.loads(file.readline())["meta"]["engine"]
    return ", ".join(f"{name} {version}" for name, version in engine.items())


def _training(folder: Path) -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = json.loads((_model(folder) / "training.json").read_text(encoding="utf-8"))
    return loaded


def _model(folder: Path) -> Path:
    manifest = json.loads((folder / "main.manifest.json").read_text(encoding="utf-8"))
    return Path(manifest["settings"]["model"])


def _share_right(groups: Sequence[Group]) -> float:
    return float(np.mean([response.correct is True for group in groups for response in group.responses]))


def _n_responses(by_active: Mapping[int, Sampled]) -> int:
    return sum(group.n_responses for sampled in by_active.values() for groups in sampled.values() for group in groups)


def _render(template: str, content: Mapping[str, Any]) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=template.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(content)


def _data_address(file: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"


def _copied(file: Path, page: Path) -> str:
    """A picture's address on the page, to which it is copied."""
    target = page.parent / "images" / f"miniature_{file.name}"
    shutil.copyfile(file, target)
    return f"images/{target.name}"


def main(argv: Sequence[str] | None = None) -> int:
    """Write the report of a finished run again."""
    parser = argparse.ArgumentParser(prog="python -m examples.miniature.report", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--page", type=Path, help="also write this Markdown page, with its pictures in images/")
    args = parser.parse_args(argv)
    print(write_report(args.folder, FULL, responses.sampled(args.folder, FULL), page=args.page))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
