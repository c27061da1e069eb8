"""Heat maps: one colour scale, missing cells apart, hostile names drawn as plain text."""

from __future__ import annotations

import math
import warnings

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from diversity_judge.drawing.heatmaps import COLOURS, Heatmap, problem_heatmaps, similarity_heatmap


def heatmap(scores: NDArray[np.float64], strategy: str = "s", problem_id: str = "p", **rest: object) -> Heatmap:
    """A heat map of these scores."""
    return Heatmap(problem_id, strategy, scores, 0.41, 0.352, 0.468, **rest)  # type: ignore[arg-type]


def random_scores(n: int) -> NDArray[np.float64]:
    """Symmetric integers 0..5 as an LLM judge gives them."""
    upper = np.triu(np.random.default_rng(0).integers(0, 6, (n, n)), k=1)
    return (upper + upper.T).astype(float)


def drawn(figure: Figure) -> NDArray[np.uint8]:
    """(height, width, 4) what the figure looks like."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]


def colour_at(figure: Figure, row: float, column: float) -> tuple[int, ...]:
    """Colour of the middle of a cell in the first panel."""
    pixels = drawn(figure)
    x, y = figure.axes[0].transData.transform((column, row))
    return tuple(int(value) for value in pixels[len(pixels) - 1 - int(y), int(x), :3])


def of_scale(score: float) -> tuple[int, ...]:
    """Colour that the scale 0..5 gives a score."""
    return tuple(int(part) for part in mpl.colormaps[COLOURS](score / 5, bytes=True)[:3])


def texts(figure: Figure) -> str:
    """All titles, captions and notes."""
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    return "\n".join([text.get_text() for text in figure.texts] + titles)


@pytest.mark.parametrize("score", [0, 1, 2.5, 5])
def test_a_score_has_the_colour_of_the_scale_whatever_else_is_in_the_matrix(score: float) -> None:
    scores = np.full((3, 3), 3.0)
    scores[0, 1] = score
    assert colour_at(similarity_heatmap(heatmap(scores)), 0, 1) == of_scale(score)


def test_all_panels_of_a_problem_share_the_scale_and_its_bar_ticks_the_rubric() -> None:
    figure = problem_heatmaps([heatmap(np.full((3, 3), value), str(value)) for value in (1.0, 4.0)])
    for axes in figure.axes[:2]:
        assert axes.images[-1].get_clim() == (0, 5)
    assert [tick.get_text() for tick in figure.axes[-1].get_yticklabels()] == ["0", "1", "2", "3", "4", "5"]


def test_a_missing_score_looks_like_no_score_and_the_legend_says_so() -> None:
    scores = np.full((3, 3), 3.0)
    scores[0, 2] = scores[2, 0] = np.nan
    figure = similarity_heatmap(heatmap(scores))
    red, green, blue = colour_at(figure, 0, 2)
    assert red == green == blue != 255
    assert [text.get_text() for text in figure.legends[0].texts] == ["no score"]


def test_the_diagonal_and_pairs_that_were_not_wanted_are_white_and_not_missing() -> None:
    scores = np.full((4, 4), np.nan)
    scores[0, 1] = scores[1, 0] = 5
    wanted = np.zeros((4, 4), dtype=bool)
    wanted[0, 1] = True
    figure = similarity_heatmap(heatmap(scores, wanted=wanted))
    assert colour_at(figure, 0.3, -0.3) == colour_at(figure, 2, 3) == (255, 255, 255)
    assert colour_at(figure, 0, 0) != (255, 255, 255)  # the line through the responses with themselves
    assert "diagonal: a response with itself" in texts(figure)
    assert colour_at(figure, 1, 0) == of_scale(5)
    assert figure.legends == []


def test_the_caption_has_diversity_interval_and_number_of_responses() -> None:
    figure = similarity_heatmap(heatmap(random_scores(10), "hot"), judge="proxy judge, not an LLM")
    assert "hot\ndiversity 0.41 [0.35, 0.47], 10 responses" in texts(figure)
    assert "judge: proxy judge, not an LLM\nin brackets: 95 % interval" in texts(figure)


def test_what_is_unknown_is_not_in_the_caption() -> None:
    assert Heatmap("p", "s", random_scores(3), 0.41).caption == "diversity 0.41, 3 responses"
    assert Heatmap("p", "s", np.full((2, 2), math.nan)).caption == "no score, 2 responses"
    assert "95 %" not in texts(similarity_heatmap(Heatmap("p", "s", random_scores(3), 0.41)))


@pytest.mark.parametrize(
    "name",
    ["$x^{$", r"$\frac{", "a_b$c", "\x1b[31m\n\r\x00", "\u202eabc", "中文 \ud800 🂡", "z" * 500, "%s {} \\", ""],
)
def test_hostile_names_are_drawn_as_plain_text_without_a_warning(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = problem_heatmaps([heatmap(random_scores(3), name, name)] * 2, judge=name)
        drawn(figure)
    assert not any(text.get_parse_math() for text in figure.texts)


@pytest.mark.parametrize(
    ("n_panels", "rows", "columns"), [(1, 1, 1), (3, 1, 3), (4, 1, 4), (5, 2, 3), (6, 2, 3), (9, 3, 3)]
)
def test_strategies_stand_side_by_side_and_do_not_overlap(n_panels: int, rows: int, columns: int) -> None:
    figure = problem_heatmaps([heatmap(random_scores(4), str(i)) for i in range(n_panels)])
    boxes = [axes.get_position() for axes in figure.axes]
    assert len(boxes) == n_panels + 1
    assert len({round(box.y0, 6) for box in boxes[:-1]}) == rows
    assert len({round(box.x0, 6) for box in boxes[:-1]}) == columns
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)


@pytest.mark.parametrize("n", [1, 2, 32])
def test_any_number_of_responses_can_be_drawn(n: int) -> None:
    assert drawn(similarity_heatmap(heatmap(random_scores(n)))).size


@pytest.mark.parametrize("scores", [np.zeros((2, 3)), np.zeros(3), np.zeros((0, 0)), np.full((2, 2), 6.0)])
def test_what_is_no_similarity_matrix_is_refused(scores: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="scores of s"):
        similarity_heatmap(heatmap(scores))


def test_a_figure_shows_one_problem() -> None:
    with pytest.raises(ValueError, match="one problem"):
        problem_heatmaps([heatmap(random_scores(3), "s", "a"), heatmap(random_scores(3), "s", "b")])


def test_each_of_ten_responses_has_its_label() -> None:
    axes = similarity_heatmap(heatmap(random_scores(10))).axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [str(n) for n in range(10)]


def test_a_caption_says_that_all_pairs_have_one_score() -> None:
    scores = np.full((4, 4), 4.0)
    caption = Heatmap("p", "s", scores, 0.2, 0.1, 0.6).caption
    assert caption == "diversity 0.20 [0.10, 0.60], every pair 4"
    scores[0, 1] = scores[1, 0] = 3
    assert Heatmap("p", "s", scores, 0.2, 0.1, 0.6).caption == "diversity 0.20 [0.10, 0.60], 4 responses"
