"""From the finished steps to figures, tables, claims and one page, as HTML and as Markdown.

python -m examples.miniature.report results/miniature --page docs/miniature.md    writes the page again
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from diversity_judge.compare import compare
from diversity_judge.comparing.files import write_tables
from diversity_judge.comparing.result import Comparison
from diversity_judge.comparing.tables import ALL_TIERS
from diversity_judge.figures import save_figures
from diversity_judge.reading import read_responses
from diversity_judge.runs import Run, load_run
from examples.miniature import figures
from examples.miniature.claims import EDT, EXPERT, NORMAL, Study, all_claims, summary
from examples.miniature.sweeps import Sweep
from generation.expert_sample.settings import ExpertSampleSettings

TEMPLATES = Path(__file__).parent
DPI = 130


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


def write_report(folder: Path, sweeps: Sequence[Sweep], *, active: int, page: Path | None = None) -> Path:
    """Write the figures, `claims.csv` and `report.html`; with `page` also a Markdown page with its pictures beside it.

    Args:
        folder: The run's.
        sweeps: That were run.
        active: The model's own number of active experts.
        page: Such as docs/miniature.md.
    """
    study = load_study(folder, active)
    _write_comparisons(folder / "compare", study)
    _draw(folder, study, sweeps)
    claims = all_claims(study)
    rows = [asdict(claim) | {"verdict": claim.verdict.value} for claim in claims]
    pd.DataFrame(rows).to_csv(folder / "claims.csv", index=False)
    content = {
        "claims": claims,
        "summary": summary(claims),
        "strategies": _strategy_table(study.main),
        "agreement": _agreement(folder),
        "n_problems": len(study.main.problems),
        "n_others": sum(group.strategy == EDT for group in study.main.groups),
        "n": study.n,
        "versions": _versions(folder),
        "training": _training(folder),
        "greedy": _greedy_accuracy(folder),
    }
    pictures = [picture for picture in _pictures(study) if (folder / picture.file).exists()]
    report = folder / "report.html"
    embedded = [(picture, _data_address(folder / picture.file)) for picture in pictures]
    report.write_text(_render("report.html.j2", content | {"pictures": embedded}), encoding="utf-8")
    if page is not None:
        addresses = [(picture, _copied(folder / picture.file, page)) for picture in pictures]
        page.write_text(_render("page.md.j2", content | {"pictures": addresses}), encoding="utf-8")
    return report


def load_study(folder: Path, active: int) -> Study:
    """Read what the steps left, and compare."""
    own = compare([folder / "scores" / "main"], baseline=NORMAL)
    by_rank = pd.read_csv(folder / "routing" / "router_by_rank.csv")["mean_probability"].to_numpy()
    greedy, sampled = (
        compare(list(_active_runs(folder, strategy)), baseline=f"{active} active", tier_strategy=f"{active} active")
        for strategy in ("greedy", NORMAL)
    )
    return Study(
        main=own,
        sweeps=compare([folder / "scores" / "sweeps"], baseline=EXPERT),
        greedy=greedy,
        sampled=sampled,
        active=active,
        by_rank=by_rank,
        k_keep=ExpertSampleSettings().resolve(active, len(by_rank)).k_keep,
        speed=_speed_ratios(pd.read_csv(folder / "overhead.csv")),
        n=max(group.n_responses for group in own.groups),
    )


def _active_runs(folder: Path, strategy: str) -> Iterable[Run]:
    """One run for each number of active experts, of one strategy's responses."""
    for path in sorted((folder / "routing").glob("active_*.jsonl")):
        run = load_run(path)
        mine = replace(run, groups=tuple(group for group in run.groups if group.strategy == strategy))
        yield mine.renamed({strategy: f"{path.stem.removeprefix('active_')} active"}.__getitem__)


def _speed_ratios(overhead: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    speed = (overhead.tokens / overhead.seconds).groupby([overhead["round"], overhead.strategy]).first().unstack()
    return (speed[EXPERT] / speed[NORMAL]).to_numpy()


def _write_comparisons(folder: Path, study: Study) -> None:
    """As the command `compare` leaves them."""
    for name in ("main", "sweeps", "greedy", "sampled"):
        write_tables(folder / name, getattr(study, name))
    save_figures(study.main, folder / "main", heatmaps=False)


def _draw(folder: Path, study: Study, sweeps: Sequence[Sweep]) -> None:
    table = figures.sweep_rows(study.sweeps, sweeps, study.n)
    table.to_csv(folder / "sweeps.csv", index=False)
    (folder / "figures").mkdir(exist_ok=True)
    figures.sweep_figure(table, sweeps, study.n).savefig(folder / "figures" / "sweeps.png", dpi=DPI)
    chosen = figures.verification_figure(study.main, study.main.strategies)
    chosen.savefig(folder / "figures" / "verification.png", dpi=DPI)


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
            "What a simple verifier makes of the samples.",
            "compare/main/outcomes.csv",
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
    ]


def _strategy_table(comparison: Comparison) -> list[dict[str, Any]]:
    rows = []
    for strategy in comparison.strategies:
        outcomes = comparison.outcomes.where(strategy=strategy, tier=ALL_TIERS)
        curve = {row.k: row for row in outcomes if row.metric == "pass_at_k"}
        chosen = {row.metric: row for row in outcomes if row.metric != "pass_at_k"}
        (diversity,) = comparison.process.where(strategy=strategy, metric="diversity")
        rows.append({"name": strategy, "diversity": diversity, "curve": curve, **chosen})
    return rows


def _agreement(folder: Path) -> Mapping[str, Any]:
    table = pd.read_csv(folder / "agreement" / "agreement.csv")
    return {str(name): value for name, value in table.iloc[-1].items()}


def _versions(folder: Path) -> str:
    with (folder / "main.jsonl").open(encoding="utf-8") as file:
        engine = json.loads(file.readline())["meta"]["engine"]
    return ", ".join(f"{name} {version}" for name, version in engine.items())


def _training(folder: Path) -> Mapping[str, Any]:
    manifest = json.loads((folder / "main.manifest.json").read_text(encoding="utf-8"))
    file = Path(manifest["settings"]["model"]) / "training.json"
    loaded: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return loaded


def _greedy_accuracy(folder: Path) -> float:
    greedy = [group for group in read_responses(folder / "main.jsonl").groups if group.strategy == "greedy"]
    return float(np.mean([response.correct is True for group in greedy for response in group.responses]))


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
    from examples.miniature.run import ACTIVE, FULL

    parser = argparse.ArgumentParser(prog="python -m examples.miniature.report", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--page", type=Path, help="also write this Markdown page, with its pictures in images/")
    args = parser.parse_args(argv)
    print(write_report(args.folder, FULL.sweeps, active=ACTIVE, page=args.page))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
