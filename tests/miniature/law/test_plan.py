"""Which cells the grid has, and how they are sampled."""

from __future__ import annotations

import random

import pytest

from diversity_judge.errors import InputError
from examples.miniature.law.plan import ALONE, DEFAULT, FULL, QUICK, TASKS, Cell, Design, Size, Task, experts_drawn
from examples.miniature.problems import draw, draw_training
from examples.miniature.tokens import encode

SIZES = pytest.mark.parametrize("size", [FULL, QUICK])


@SIZES
def test_no_cell_and_no_part_is_there_twice(size: Size) -> None:
    parts = size.parts
    assert len({part.name for part in parts}) == len(parts)
    for part in parts:
        assert len({cell.name for cell in part.cells}) == len(part.cells)


@SIZES
def test_every_setting_has_its_token_sampling_alone(size: Size) -> None:
    for part in size.parts:
        alone = {cell.temperature for cell in part.cells if cell.setting == ALONE}
        assert {cell.temperature for cell in part.cells} == alone
        assert 0 in alone


@SIZES
def test_settings_of_one_temperature_draw_tokens_alike(size: Size) -> None:
    for part in size.parts:
        for cell in part.cells:
            tokens = cell.strategy.tokens
            assert tokens.temperature == cell.temperature
            assert (cell.strategy.expert_sample is None) == (cell.setting == ALONE)
            if cell.temperature:
                assert (tokens.top_p, tokens.top_k) == (0.8, 20)


def test_further_settings_stand_at_the_lowest_temperatures() -> None:
    design = Design("four", ("flat",), 9, (1.0, 0.5, 2.0), further=("k_keep=2",), n_further=1)
    assert [(cell.temperature, cell.setting) for cell in design.cells] == [
        (0, ALONE),
        *[(0.5, setting) for setting in (ALONE, DEFAULT, "k_keep=2")],
        *[(temperature, setting) for temperature in (1, 2) for setting in (ALONE, DEFAULT)],
    ]


def test_a_cell_says_all_that_differs_from_the_presets() -> None:
    assert Cell(0.7).name == "token-normal:temperature=0.7"
    assert Cell(0.7, DEFAULT).name == "expert-sample:temperature=0.7"
    drawn = Cell(2.0, "k_keep=2,tau=3").strategy
    assert drawn.name == "expert-sample:temperature=2,k_keep=2,tau=3"
    assert drawn.expert_sample is not None
    assert (drawn.expert_sample.k_keep, drawn.expert_sample.tau) == (2, 3)


def test_an_unknown_setting_is_refused_before_anything_is_sampled() -> None:
    with pytest.raises(InputError, match="k_kept"):
        _ = Cell(0.7, "k_kept=2").strategy


def test_responses_are_counted_with_one_for_greedy() -> None:
    (part,) = Size(8, (Design("four", ("flat",), 10, (0.5, 1.0)),)).parts
    assert part.n_responses == 10 * (1 + 4 * 8)


def test_another_choice_of_temperatures_or_problems_changes_nothing_else() -> None:
    changed = FULL.with_temperatures([0.1]).with_problems(7)
    assert {part.problems for part in changed.parts} == {7}
    assert {cell.temperature for part in changed.parts for cell in part.cells} == {0, 0.1}
    assert [part.name for part in changed.parts] == [part.name for part in FULL.parts]


@pytest.mark.parametrize("task", TASKS.values())
def test_the_longest_solution_has_room(task: Task) -> None:
    rng = random.Random(5)
    for _ in range(20):
        ids, n_prompt = encode(*draw(rng, task.n_numbers))
        assert len(ids) - n_prompt == task.max_tokens - 1


def test_tasks_that_the_reward_model_knows_are_those_of_its_training() -> None:
    rng = random.Random(0)
    longest = max(len(draw_training(rng)[0].numbers) for _ in range(200))
    assert [task.n_numbers for task in TASKS.values() if task.rewarded] == [longest]


def test_one_of_the_tasks_is_long() -> None:
    # 60 to 200 tokens, so that small changes can add up; a solution ends with one token more.
    assert TASKS["seven"].max_tokens - 2 == 60


def test_the_grid_changes_the_weight_by_each_setting() -> None:
    settings = {cell.setting.partition("=")[0] for part in FULL.parts for cell in part.cells}
    assert settings >= {ALONE, DEFAULT, "k_keep", "tau", "r"}


@pytest.mark.parametrize(
    ("setting", "n"), [(ALONE, 0), (DEFAULT, 3), ("k_keep=7", 1), ("k_keep=2", 6), ("tau=0.25", 3), ("r=64", 3)]
)
def test_what_is_not_kept_of_eight_experts_is_drawn(setting: str, n: int) -> None:
    assert experts_drawn(setting) == n
