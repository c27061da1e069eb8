"""How vLLM's processes end, shown by a target that is not vLLM's."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from functools import partial
from multiprocessing.queues import Queue
from pathlib import Path

import pytest

from generation.engines.vllm_processes import leave_after

MARK = "the interpreter was taken apart"


class _Telling:
    """Says so when its process frees its objects."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open = open

    def __del__(self) -> None:
        with self._open(self._path, "a") as file:
            file.write(MARK)


def _child(path: Path, work: Callable[[], None]) -> None:
    sys.kept = _Telling(path)  # type: ignore[attr-defined]
    leave_after(work)


def _ended(path: Path, work: Callable[[], None]) -> int | None:
    process = multiprocessing.get_context("spawn").Process(target=_child, args=(path, work))
    process.start()
    process.join()
    return process.exitcode


def _works() -> None:
    print("done")


def _answers(queue: Queue[str], text: str) -> None:
    queue.put(text)


@pytest.mark.parametrize("work", [_works, sys.exit, partial(sys.exit, 0)])
def test_a_process_that_is_done_leaves_without_being_taken_apart(tmp_path: Path, work: Callable[[], None]) -> None:
    assert _ended(tmp_path / "said", work) == 0
    assert not (tmp_path / "said").exists()


@pytest.mark.parametrize(("work", "code"), [(partial(sys.exit, 3), 3), (partial(int, "x"), 1)])
def test_one_that_failed_ends_as_ever(
    tmp_path: Path, work: Callable[[], None], code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _ended(tmp_path / "said", work) == code
    assert (tmp_path / "said").read_text() == MARK
    assert ("ValueError" in capfd.readouterr().err) == (code == 1)


def test_what_it_has_sent_arrives_and_what_it_printed_is_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A queue is emptied by a thread that multiprocessing waits for; the text is larger than a pipe holds."""
    queue = multiprocessing.get_context("spawn").Queue()
    text = "x" * 1_000_000
    process = multiprocessing.get_context("spawn").Process(
        target=_child, args=(tmp_path / "said", partial(_answers, queue, text))
    )
    process.start()
    assert queue.get(timeout=60) == text
    process.join()
    assert process.exitcode == 0
    assert _ended(tmp_path / "said", _works) == 0
    assert capfd.readouterr().out == "done\n"
