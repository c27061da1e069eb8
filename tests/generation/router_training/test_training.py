"""The loop: what is kept, what ends it, and which problems it never sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from diversity_judge.errors import InputError, RunError  # noqa: E402
from generation.router_training.options import UpdateOptions  # noqa: E402
from generation.router_training.splitting import held_out_problems  # noqa: E402
from generation.router_training.trained import Trained  # noqa: E402
from generation.router_training.training import nll_sums, part, train  # noqa: E402
from tests.generation.router_training.cases import Line  # noqa: E402


class OneNumber(Trained):
    """A single number, from 0."""

    def __init__(self) -> None:
        super().__init__([torch.zeros(1)])

    def written(self) -> dict[str, Any]:
        return {"x": self.leaves[0]}

    def in_model(self) -> dict[str, Any]:
        return {"x": self.leaves[0]}


class Parabola:
    """Tokens are places on a line, a tenth a number: the further x from it, the less likely."""

    def logprobs(self, batch: Sequence[int], values: Mapping[str, Any], targets: Any) -> Any:
        return -((values["x"] - targets / 10) ** 2)


def options(**changes: Any) -> UpdateOptions:
    given = {"lr": 0.05, "steps": 100, "batch_size": 2, "evaluate_every": 1, "patience": 4}
    return UpdateOptions("", Path("r"), Path("o"), **{**given, **changes})


TO_TEN = [Line((1,), (10, 10)), Line((1,), (10,)), Line((1,), (5, 5))]
"""Trained on the first two, towards 1; held out is the third, best at 0.5."""


def run(**changes: Any) -> tuple[OneNumber, tuple[Any, ...]]:
    trained = OneNumber()
    looks = train(Parabola(), trained, part(TO_TEN, [0, 1], "cpu"), part(TO_TEN, [2], "cpu"), options(**changes))
    return trained, looks


def test_the_best_that_was_seen_is_restored() -> None:
    trained, looks = run()
    best = min(looks, key=lambda look: look.nll)
    assert float(trained.leaves[0]) == pytest.approx(0.5, abs=0.04)
    assert best.nll == pytest.approx((float(trained.leaves[0].detach()) - 0.5) ** 2)
    assert looks[0].nll == pytest.approx(0.25)
    assert looks[-1].step == best.step + 4
    assert looks[-1].nll > best.nll


def test_where_nothing_is_better_the_beginning_is_kept() -> None:
    trained = OneNumber()
    away = [Line((1,), (10,)), Line((1,), (0,))]
    looks = train(Parabola(), trained, part(away, [0], "cpu"), part(away, [1], "cpu"), options())
    assert float(trained.leaves[0]) == 0
    assert [look.step for look in looks] == [0, 1, 2, 3, 4]


def test_steps_end_it_with_a_look() -> None:
    _, looks = run(steps=7, evaluate_every=3)
    assert [look.step for look in looks] == [0, 3, 6, 7]


def test_a_loss_that_is_no_number_ends_it() -> None:
    with pytest.raises(RunError, match="a smaller --lr may help"):
        run(lr=1e30, steps=10, patience=50)


def test_likelihoods_are_summed_by_trajectory() -> None:
    trained = OneNumber()
    assert nll_sums(Parabola(), trained, part(TO_TEN, [0, 1, 2], "cpu"), 2) == pytest.approx([2, 1, 0.5])


def test_shuffled_tokens_are_the_same_tokens_elsewhere() -> None:
    lines = [Line((1,), tuple(range(20))), Line((1,), tuple(range(20, 30)))]
    dealt = part(lines, [0, 1], "cpu", torch.Generator().manual_seed(0))
    together = dealt.tokens([0, 1]).tolist()
    assert sorted(together) == list(range(30))
    assert together != list(range(30))
    assert [len(dealt.targets[n]) for n in (0, 1)] == [20, 10]


def test_problems_are_held_out_by_seed_whatever_their_order() -> None:
    problems = [f"p{number}" for number in range(50)]
    held = held_out_problems(problems * 3, 0.2, 0)
    assert len(held) == 10
    assert held == held_out_problems(problems[::-1], 0.2, 0)
    assert held != held_out_problems(problems, 0.2, 1)


@pytest.mark.parametrize(("n", "share", "side"), [(1, 0.5, "hold out"), (3, 0.1, "hold out"), (3, 0.9, "train on")])
def test_an_empty_side_is_said(n: int, share: float, side: str) -> None:
    with pytest.raises(InputError, match=f"none is left to {side}"):
        held_out_problems([f"p{number}" for number in range(n)], share, 0)
