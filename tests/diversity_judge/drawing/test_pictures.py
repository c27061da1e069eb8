"""Files of heat maps: their names, how many, and other processes that draw them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from diversity_judge.drawing import workers
from diversity_judge.drawing.heatmaps import Heatmap, png_of
from diversity_judge.drawing.pictures import choose_pictures, save_pictures
from diversity_judge.drawing.workers import drawn_elsewhere, receive, send


def heatmap(problem_id: str, strategy: str = "s", score: float = 3.0) -> Heatmap:
    return Heatmap(problem_id, strategy, np.full((3, 3), score), 0.4)


def test_each_problem_has_a_file_and_where_it_is_asked_for_each_group(tmp_path: Path) -> None:
    maps = [heatmap(problem, strategy) for problem in ("a", "../b") for strategy in ("x", "y")]
    assert len(choose_pictures(maps).files) == 2
    files = save_pictures(choose_pictures(maps, groups=True), tmp_path / "heatmaps")
    assert sorted(files) == sorted((tmp_path / "heatmaps").iterdir())
    assert [file.name for file in files][:3] == ["a__x.png", "a__y.png", "a.png"]
    assert len(files) == 6
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)


def test_problems_that_differ_in_case_alone_do_not_share_a_file() -> None:
    maps = [heatmap(problem) for problem in ("AIME", "aime")]
    assert len({name.lower() for name in choose_pictures(maps, groups=True).files}) == 4


def test_the_first_problems_are_drawn_under_the_names_that_they_have_among_all() -> None:
    maps = [heatmap(problem) for problem in ("b", "a", "B")]
    chosen, whole = choose_pictures(maps, most_problems=2), choose_pictures(maps)
    assert (list(chosen.files), chosen.problems_left_out) == (list(whole.files)[:2], 1)
    assert whole.problems_left_out == 0


def files_of(folder: Path, n: int) -> dict[Path, Sequence[Heatmap]]:
    return {folder / f"{number}.png": [heatmap(str(number), score=number % 6)] for number in range(n)}


def test_what_other_processes_draw_is_the_same_to_the_byte(tmp_path: Path) -> None:
    files = files_of(tmp_path, 10)
    drawn_elsewhere(files, judge="a judge")
    for path, shown in files.items():
        assert path.read_bytes() == png_of(shown, judge="a judge")
    assert len(list(tmp_path.iterdir())) == 10


def test_what_a_worker_cannot_draw_is_drawn_here_and_said(tmp_path: Path) -> None:
    wrong = Heatmap("p", "s", np.full((3, 3), 7.0))
    with pytest.raises(ValueError, match="not within"):
        drawn_elsewhere({tmp_path / "a.png": [wrong]}, judge="")


def test_workers_that_are_killed_are_no_reason_for_a_picture_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dying(workers._Worker):
        def __init__(self) -> None:
            super().__init__()
            self._process.kill()

    monkeypatch.setattr(workers, "_Worker", Dying)
    drawn_elsewhere(files_of(tmp_path, 3), judge="")
    assert len(list(tmp_path.iterdir())) == 3


def test_an_interruption_ends_the_workers_and_leaves_no_half_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[workers._Worker] = []

    class Interrupting(workers._Worker):
        def __init__(self) -> None:
            super().__init__()
            begun.append(self)

        def draw(self, shown: Sequence[Heatmap], judge: str) -> bytes:
            raise KeyboardInterrupt

    monkeypatch.setattr(workers, "_Worker", Interrupting)
    with pytest.raises(KeyboardInterrupt):
        drawn_elsewhere(files_of(tmp_path, 5), judge="")
    assert begun
    assert all(worker._process.poll() is not None for worker in begun)
    assert list(tmp_path.iterdir()) == []


def test_a_worker_ends_with_the_process_that_asks_it_and_prints_nothing_into_its_answers() -> None:
    command = [sys.executable, "-m", "diversity_judge.drawing.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.close()
        assert receive(worker.stdout) is None
        assert worker.wait(60) == 0


def test_a_message_that_is_cut_is_none(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    with path.open("wb") as file:
        send(file, b"12345")
    path.write_bytes(path.read_bytes()[:-1])
    with path.open("rb") as file:
        assert receive(file) is None
