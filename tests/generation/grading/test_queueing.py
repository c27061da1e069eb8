"""Responses between the engine and their grade: never lost, never sampled again, never waited for."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from diversity_judge.errors import RunError
from generation.grading.grader import Grade, Grader, GradingStoppedError
from generation.grading.queueing import GradingQueue
from generation.response_file import Manifest, finished_samples, open_response_file, waiting_path
from generation.sampling.sampler import sample_missing
from tests.generation.sampling.test_sampler import ScriptedEngine, plan, run

MANIFEST = Manifest({}, {}, {}, {})


class HeldGrader(Grader):
    """Grades nothing before it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()
        self._was_stopped = False

    def grade(self, *arguments: Any, **options: Any) -> Grade:
        self.let_go.wait()
        if self._was_stopped:
            raise GradingStoppedError
        return super().grade(*arguments, **options)

    def stop(self) -> None:
        super().stop()
        self._was_stopped = True
        self.let_go.set()


class BrokenGrader(Grader):
    """A grader whose process cannot be started."""

    def grade(self, *arguments: Any, **options: Any) -> Grade:
        raise RunError("no process for grading")


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


async def sample_all(path: Path, engine: ScriptedEngine, grader: Grader, *, patience: float = 0) -> None:
    """Sample 24 responses; a grader that is held is let go when all of them are on disk."""
    n_done = 0

    def on_response(n_tokens: int | None) -> None:
        nonlocal n_done
        n_done += 1
        if n_done == 24 and isinstance(grader, HeldGrader):
            assert len(rows(waiting_path(path))) == 24
            assert rows(path) == []
            grader.let_go.set()

    with open_response_file(path, MANIFEST, {}) as file, grader:
        async with GradingQueue(file, grader, patience=patience) as sink:
            info = await engine.start()
            missing = plan().missing(file.finished)
            await sample_missing(engine, plan(), missing, info=info, sink=sink, concurrency=5, on_response=on_response)


def test_sampling_does_not_wait_for_grading(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    asyncio.run(sample_all(path, ScriptedEngine(), HeldGrader()))
    assert [row["correct"] for row in rows(path)] == [True] * 24
    assert not waiting_path(path).exists()


def test_the_lines_are_the_same_however_grading_was_held_up(tmp_path: Path) -> None:
    usual, held = tmp_path / "usual.jsonl", tmp_path / "held.jsonl"
    run(ScriptedEngine(), plan(), usual)
    with pytest.raises(RunError, match="the engine died"):
        asyncio.run(sample_all(held, ScriptedEngine(die_after=20), HeldGrader()))
    assert rows(held) == []
    n_waiting = len(rows(waiting_path(held)))
    assert len(finished_samples(held)) == n_waiting > 10
    resumed = ScriptedEngine()
    run(resumed, plan(), held)
    assert len(resumed.asked) == 24 - n_waiting
    assert sorted(held.read_bytes().splitlines()) == sorted(usual.read_bytes().splitlines())


def test_an_interruption_leaves_ungraded_responses_waiting(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"

    async def interrupted() -> None:
        with open_response_file(path, MANIFEST, {}) as file, HeldGrader() as grader:
            async with GradingQueue(file, grader, patience=0) as sink:
                await sink.put([{"problem_id": "a", "strategy": "s", "sample_id": 0, "response": "Answer: A"}])
                raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(interrupted())
    assert len(rows(waiting_path(path))) == 1
    assert rows(path) == []


def test_an_interruption_of_the_last_grades_ends_them(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"

    async def interrupted() -> None:
        with open_response_file(path, MANIFEST, {}) as file, HeldGrader() as grader:
            async with GradingQueue(file, grader) as sink:
                await sink.put([{"problem_id": "a", "strategy": "s", "sample_id": 0, "response": "Answer: A"}])
                task = asyncio.current_task()
                assert task is not None
                asyncio.get_running_loop().call_soon(task.cancel)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(interrupted())
    assert len(rows(waiting_path(path))) == 1


def test_a_grader_that_fails_costs_no_response(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    engine = ScriptedEngine()
    with pytest.raises(RunError, match="no process for grading"):
        asyncio.run(sample_all(path, engine, BrokenGrader()))
    assert len(engine.asked) == len(finished_samples(path)) == 24
    again = ScriptedEngine()
    run(again, plan(), path)
    assert again.asked == []
    assert [row["correct"] for row in rows(path)] == [True] * 24
