"""The figures of the report, with the sections they stand in."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from examples.miniature import routes
from examples.miniature.study import Study
from examples.miniature.why import sentences as why

LAW, WHY, REST = "law", "why", "rest"
"""The sections."""


@dataclass(frozen=True)
class Picture:
    """A figure of the report.

    Attributes:
        title: What it is the counterpart of.
        file: Where it is.
        about: What it shows, in one sentence.
        table: The CSV with its numbers, from the folder that the figure belongs to.
        section: Of the page.
    """

    title: str
    file: Path
    about: str
    table: str
    section: str = REST

    @property
    def data_address(self) -> str:
        """The picture itself, as an address."""
        return f"data:image/png;base64,{base64.b64encode(self.file.read_bytes()).decode()}"

    def copied_beside(self, page: Path) -> str:
        """Copy it to the images of a page; returns its address there."""
        name = re.sub(r"[^a-z0-9]+", "_", self.title.lower()).strip("_")
        target = page.parent / "images" / f"miniature_{name}.png"
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(self.file, target)
        return f"images/{target.name}"


def pictures(folder: Path, study: Study, law: Path | None) -> list[Picture]:
    """Those that were drawn.

    Args:
        folder: The run's.
        study: What it found.
        law: Folder of the law; None where it was not run.
    """
    found = [*_of_the_run(folder, study), *_why(folder), *(_of_the_law(law) if law else ())]
    return [picture for picture in found if picture.file.exists()]


def _of_the_law(law: Path) -> Iterator[Picture]:
    yield Picture(
        "The law",
        law / "figures" / "gain_entropy.png",
        "What Expert-Sample adds to diversity, by the entropy of the next token, with the law fitted to it.",
        "effects.csv",
        LAW,
    )
    yield Picture(
        "The law as a surface",
        law / "figures" / "gain_surface.png",
        "The fitted gain in diversity by both numbers; the points are what was measured.",
        "effects.csv",
        LAW,
    )
    for file in sorted((law / "figures").glob("frontier_*.png")):
        task = file.stem.removeprefix("frontier_")
        about = f"Diversity and pass@n against pass@1 on the task {task}: hotter tokens alone, and Expert-Sample."
        yield Picture(f"The frontier, task {task}", file, about, "frontier.csv", LAW)


def _why(folder: Path) -> Iterator[Picture]:
    yield Picture(
        "What changed routes do to solutions",
        folder / why.FOLDER / "departures.png",
        "At the first step that leaves the greedy solution: how often for the better, for the worse, or sideways.",
        f"{why.FOLDER}/why.csv",
        WHY,
    )
    yield Picture(
        "Which decisions changed routes flip",
        folder / why.FOLDER / "decisions.png",
        "Drawn routes of all layers beside hotter tokens, decision by decision along the greedy solutions.",
        f"{why.FOLDER}/why.csv",
        WHY,
    )
    yield Picture(
        "Other routes",
        folder / routes.FOLDER / "counterfactual.png",
        "Routes of equal cost beside the router's own at the last layer, by the confidence of the token.",
        f"{routes.FOLDER}/summary.csv",
        WHY,
    )


def _of_the_run(folder: Path, study: Study) -> Iterator[Picture]:
    own, learned = (folder / "compare" / name / "figures" for name in ("main", "learned"))
    first = min(group.problem_id for group in study.main.groups)
    yield Picture(
        "Figure 2a, 2b",
        folder / "routing" / "active_experts.png",
        "Greedy accuracy and pass@n with fewer and with more active experts than the model was trained with.",
        "routing/active_experts.csv",
    )
    yield Picture(
        "Figure 2c",
        folder / "routing" / "router_by_rank.png",
        "Mean router probability by rank over the tokens of sampled solutions.",
        "routing/router_by_rank.csv",
    )
    yield Picture(
        "Figure 2c, second model",
        folder / "second" / "routing" / "router_by_rank.png",
        "The same of the second model, whose router is sure of itself.",
        "second/routing/router_by_rank.csv",
    )
    yield Picture(
        "Figure 3",
        own / "validation_panel.png",
        "Stability, Best-of-N, diversity and pass@N in the tiers that token-normal's responses decide. Best-of-N is "
        "by the verifier by rules here; the verdict on it is by the learned reward model.",
        "compare/main/outcomes.csv",
    )
    yield Picture("Figure 4", own / "pass_curves.png", "pass@n of the four strategies.", "compare/main/outcomes.csv")
    yield Picture(
        "Table 2",
        folder / "figures" / "verification.png",
        "What a learned reward model makes of the samples, and beside it a verifier by rules.",
        "compare/learned/outcomes.csv",
    )
    yield Picture(
        "Table 2 at every n",
        learned / "verification.png",
        "Choosing among n of the samples with the learned reward model.",
        "compare/learned/verification.csv",
    )
    yield Picture(
        "What hangs on the aggregate",
        learned / "aggregates.png",
        "The paper does not say how the rewards of steps become one: each way beside the others.",
        "compare/learned/verification.csv",
    )
    yield Picture(
        "Figures 5 to 8",
        folder / "figures" / "sweeps.png",
        "Settings of Expert-Sample one at a time; the circle is the default, the dotted line token-normal.",
        "sweeps.csv",
    )
    yield Picture(
        "Figure 9",
        folder / "compare" / "matrices" / "heatmaps" / f"{first}.png",
        "Similarity matrices of one problem under the four strategies, by the exact judge.",
        "scores/matrices/pairs.csv",
    )
    yield Picture(
        "The proxy judge against the exact one",
        folder / "agreement" / "agreement.png",
        "How often the proxy judge gives the exact judge's score, and what that does to diversity.",
        "agreement/agreement.csv",
    )
