"""What is sampled for which problems."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from diversity_judge.inputs.responses import Group
from examples.miniature import responses, sweeps
from examples.miniature.plan import CLAIMED, COMPARED, FULL, NO_HEAD, QUICK, STRATEGIES, Size


@pytest.mark.parametrize("size", [FULL, QUICK])
def test_every_strategy_is_sampled_once_and_for_enough_problems(size: Size) -> None:
    n_problems = {name: n for n, names in size.strategies().items() for name in names}
    assert sum(map(len, size.strategies().values())) == len(n_problems)
    assert all(n_problems[name] == size.problems for name in ("greedy", *COMPARED, *CLAIMED))
    assert all(n_problems[name] >= size.others for name in (*STRATEGIES, NO_HEAD))
    assert all(n_problems[name] >= size.study for name in sweeps.strategies(size.sweeps))


def test_differences_that_are_small_are_of_a_thousand_problems() -> None:
    assert FULL.problems == FULL.active[4] == 1000


def write(path: Path, groups: Mapping[str, Sequence[str]]) -> None:
    """One response each, numbered backwards."""
    path.parent.mkdir(exist_ok=True)
    rows = [
        {"problem_id": problem, "strategy": strategy, "sample_id": number, "response": f"{strategy} {number}"}
        for strategy, problems in groups.items()
        for problem in problems
        for number in (1, 0)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_responses_are_read_in_order_whatever_the_order_of_the_files(tmp_path: Path) -> None:
    size = Size(2, 1, 1, 1, {4: 1}, n=2, pairs=None, matrices=1, rounds=1, routed=9, replayed=1, sweeps=sweeps.QUICK)
    write(tmp_path / "main.jsonl", {"expert-sample": ["b", "a"], "token-normal": ["a", "b"]})
    write(tmp_path / "first_1.jsonl", {"edt": ["a"]})
    write(tmp_path / "routing" / "active_4.jsonl", {"token-normal": ["a"]})
    found = responses.sampled(tmp_path, size)
    read = responses.of(found, ["token-normal", "edt", "expert-sample"], limit=1)
    assert [(r.problem_id, r.text) for r in read] == [
        ("a", f"{strategy} {number}") for strategy in ("token-normal", "edt", "expert-sample") for number in (0, 1)
    ]
    by_active: dict[int, dict[str, list[Group]]] = {8: found, 4: responses.active(tmp_path, 4)}
    assert [group.problem_id for group in found["expert-sample"]] == ["a", "b"]
    run = responses.with_active(by_active, "token-normal")
    assert [(group.strategy, group.problem_id) for group in run.groups] == [
        ("4 active", "a"),
        ("8 active", "a"),
        ("8 active", "b"),
    ]
