"""The figures of a comparison: all that there is data for, strategies named, n and interval said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import diversity_judge as dj
from diversity_judge.comparing.figures import FIGURE_MAKERS, save_figures
from diversity_judge.comparing.result import Comparison
from tests.diversity_judge.run_folders import group, make_run

HOSTILE = "$\\frac{x$ <b>[31m"


def member(n: int, *, is_right: bool) -> dict[str, object]:
    steps = {"step_rewards": [0.1 * n, 0.5]}
    return {"text": f"{n}", "correct": is_right, "answer": "1", "reward": float(n), "meta": steps}


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    groups = [
        group(p, s, [member(n, is_right=n < right) for n in range(6)])
        for p, right in (("p1", 6), ("p2", 2), ("p3", 0))
        for s in ("token-normal", HOSTILE)
    ]
    run = make_run(
        tmp_path_factory.mktemp("figures") / "run",
        groups,
        lambda a, b: (int(a.sample_id) + int(b.sample_id) + len(a.strategy) + int(a.problem_id[1])) % 6,
    )
    return dj.compare([run])


def test_every_figure_is_there_as_png_and_svg(comparison: Comparison, tmp_path: Path) -> None:
    folder = save_figures(comparison, tmp_path)
    assert {path.name for path in folder.iterdir()} == {f"{n}.{e}" for n in FIGURE_MAKERS for e in ("png", "svg")}
    assert {path.name for path in (tmp_path / "heatmaps").iterdir()} == {
        f"{p}.{e}" for p in ("p1", "p2", "p3") for e in ("png", "svg")
    }
    for path in tmp_path.rglob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", FIGURE_MAKERS)
def test_a_figure_says_n_and_its_interval(comparison: Comparison, name: str) -> None:
    figure = FIGURE_MAKERS[name](comparison)
    assert figure is not None
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    legends = [t.get_text() for axes in figure.axes if (legend := axes.get_legend()) for t in legend.get_texts()]
    labels = [t.get_text() for axes in figure.axes for t in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    said = " ".join(titles + legends + labels)
    assert "3 problems" in said or "1 problem" in said
    assert "n = " not in said  # n is the number of responses
    assert "token-normal" in said or name == "differences"
    if name != "diversity_and_pass":  # points, not estimates
        assert "95 %" in figure.get_supxlabel()


def test_curves_of_two_strategies_never_share_a_panel_and_the_baseline_is_dashed(comparison: Comparison) -> None:
    figure = FIGURE_MAKERS["pass_curves"](comparison)
    assert figure is not None
    for axes in figure.axes:
        assert len(axes.collections) <= 1  # bands
        dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
        assert len(dashed) == (0 if axes.get_title(loc="left").startswith("token-normal") else 1)
        assert axes.get_legend() is None


def test_the_gain_of_more_samples_stands_against_diversity(comparison: Comparison) -> None:
    """Problem p2 has 2 right of 6, and pass@6 - pass@1 is 2/3; of the others all or none are right: nothing to gain."""
    figure = FIGURE_MAKERS["diversity_and_pass"](comparison)
    assert figure is not None
    for axes in figure.axes:
        hollow, full = axes.lines
        assert hollow.get_markerfacecolor() == "none"
        assert [round(float(y), 6) for y in np.asarray(full.get_ydata())] == [0.666667]
        assert np.asarray(hollow.get_ydata()).shape == (2,)
        assert np.abs(np.asarray(hollow.get_ydata(), dtype=float)).max() < 0.1


def test_responses_alone_have_no_figure_of_the_process(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    path.write_text('{"problem_id": "p", "response": "x", "correct": true}\n')
    comparison = dj.compare([path])
    drawn = {name for name, draw in FIGURE_MAKERS.items() if draw(comparison) is not None}
    assert drawn == {"pass_curves"}


def test_the_same_comparison_gives_the_same_svg(comparison: Comparison, tmp_path: Path) -> None:
    for name in ("one", "two"):
        save_figures(comparison, tmp_path / name, heatmaps=False)
    for path in (tmp_path / "one" / "figures").glob("*.svg"):
        assert path.read_bytes() == (tmp_path / "two" / "figures" / path.name).read_bytes()
