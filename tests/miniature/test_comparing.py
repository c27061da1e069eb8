"""A comparison made in another process is the one that is made here, leaves the same files, and ends with this one."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from diversity_judge.compare import compare
from diversity_judge.comparing.files import write_tables
from diversity_judge.inputs.responses import Group, Response
from examples.miniature import responses
from examples.miniature.comparing import Asked, all_compared
from tests.killed_parent import printed_by

PROGRAM = """
from pathlib import Path
from diversity_judge.interrupts import signals_interrupt
from examples.miniature.comparing import Asked, all_compared
from tests.killed_parent import wait_for_ever
if __name__ == "__main__":
    {block}:
        all_compared(Path("none"), [Asked(name, wait_for_ever, "greedy") for name in "abc"], processes=2)
"""
N_RIGHT = {"token-normal": (0, 2, 4), "expert-sample": (1, 2, 3)}
"""Of 4 responses to each problem."""


def groups() -> list[Group]:
    return [
        Group(
            f"p{problem}",
            strategy,
            tuple(
                Response(f"p{problem}", f"r {sample}", strategy=strategy, sample_id=sample, correct=sample < n_right)
                for sample in range(4)
            ),
        )
        for strategy, numbers in N_RIGHT.items()
        for problem, n_right in enumerate(numbers)
    ]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_comparisons_elsewhere_find_and_write_what_one_here_does(tmp_path: Path) -> None:
    here = compare([responses.unjudged(groups())], baseline="token-normal")
    write_tables(tmp_path / "here", here)
    load = partial(responses.unjudged, groups())
    asked = [Asked("first", load, "token-normal"), Asked("second", load, "token-normal", draws=True)]
    threads = os.environ.get("OMP_NUM_THREADS")
    found = all_compared(tmp_path, asked, processes=2)
    assert os.environ.get("OMP_NUM_THREADS") == threads
    for name in ("first", "second"):
        assert found[name].strategies == here.strategies
        assert (found[name].process, found[name].outcomes) == (here.process, here.outcomes)
        assert [group.problem_id for group in found[name].groups] == [group.problem_id for group in here.groups]
        assert contents(tmp_path / name).items() >= contents(tmp_path / "here").items()
    assert (tmp_path / "second" / "figures" / "pass_curves.png").exists()
    assert not (tmp_path / "first" / "figures").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_comparison_goes_on_for_a_process_that_is_gone(tmp_path: Path, number: signal.Signals) -> None:
    printed_by(PROGRAM.format(block="if True"), tmp_path, number, children=2)


def test_an_interruption_waits_for_no_comparison(tmp_path: Path) -> None:
    printed = printed_by(PROGRAM.format(block="with signals_interrupt()"), tmp_path, signal.SIGTERM, children=2)
    assert printed.endswith("KeyboardInterrupt\n")
