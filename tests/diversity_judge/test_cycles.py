"""While very many objects without cycles are made, Python does not look for cycles; afterwards it does as before."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from diversity_judge import cycles
from diversity_judge.inputs.reading import read_responses
from diversity_judge.inputs.responses import Response, write_responses


@contextmanager
def searches() -> Iterator[list[int]]:
    """The generations that were gone through."""
    found: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            found.append(info["generation"])

    gc.callbacks.append(note)
    try:
        yield found
    finally:
        gc.callbacks.remove(note)


def many_objects() -> list[list[int]]:
    return [[number] for number in range(10 * gc.get_threshold()[0])]


def test_nothing_is_searched_within_and_the_search_is_on_again_afterwards() -> None:
    with searches() as found:
        with cycles.not_sought():
            many_objects()
            assert found == []
        assert gc.isenabled()
        many_objects()
        assert found != []


def test_it_is_on_again_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), cycles.not_sought():
        _ = 1 / 0
    assert gc.isenabled()


def test_whoever_has_turned_it_off_keeps_it_off() -> None:
    gc.disable()
    try:
        with cycles.not_sought():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_file_of_many_responses_is_read_without_a_search(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    write_responses(path, [Response(f"p{number // 10}", "text", sample_id=number % 10) for number in range(3_000)])
    with searches() as found:
        assert read_responses(path).n_responses == 3_000
    assert len(found) <= 1  # What was put off comes with the next object that is made.
