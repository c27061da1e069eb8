"""What the miniature is trained and tested on."""

import random
from itertools import islice, permutations

from hypothesis import given
from hypothesis import strategies as st

from diversity_judge.countdown import Countdown, is_solution, read_steps
from examples.miniature.problems import LARGEST, TARGETS, draw, draw_training, held_out, is_held_out, solution_text
from examples.miniature.tokens import ASK, BOS, EOS, VOCABULARY, encode, solution_length

COUNTED = 20_000


def test_training_never_sees_a_held_out_problem_in_whatever_order() -> None:
    tested = {problem.identity for problem in islice(held_out(0), 2_000)}
    rng = random.Random(0)
    trained = {draw_training(rng)[0].identity for _ in range(COUNTED)}
    assert len(tested) == 2_000
    assert not tested & trained
    assert len(trained) > COUNTED / 4  # the draws are not a few problems over and over


@given(st.lists(st.integers(1, 12), min_size=4, max_size=4), st.sampled_from(TARGETS))
def test_whether_a_problem_is_held_out_does_not_depend_on_the_order_of_its_numbers(
    numbers: list[int], target: int
) -> None:
    assert len({is_held_out(Countdown(order, target)) for order in permutations(numbers)}) == 1


def test_about_a_tenth_of_the_problems_is_held_out() -> None:
    rng = random.Random(1)
    problems = {draw(rng, 4)[0].identity for _ in range(COUNTED)}
    share = sum(is_held_out(Countdown(*identity)) for identity in problems) / len(problems)
    assert 0.09 < share < 0.11  # more than 4 standard errors each way


@given(st.integers(0, 10**9), st.sampled_from([3, 4]))
def test_a_drawn_solution_is_right_and_survives_writing_and_reading(seed: int, n_numbers: int) -> None:
    problem, steps = draw(random.Random(seed), n_numbers)
    assert len(problem.numbers) == n_numbers
    assert problem.target in TARGETS
    assert is_solution(problem, steps)
    assert read_steps(solution_text(problem, steps)) == steps
    assert all(0 < step.result <= LARGEST for step in steps)


def test_held_out_problems_are_the_same_each_time_and_differ_by_seed() -> None:
    first, again, other = (list(islice(held_out(seed), 50)) for seed in (3, 3, 4))
    assert first == again != other


def test_held_out_problems_of_four_numbers_are_those_of_the_published_run() -> None:
    first = next(held_out(0))
    assert first == next(held_out(0, 4))
    assert first.text == "9 3 4 7 target 70"


@given(st.integers(0, 10**9), st.sampled_from([4, 7]), st.integers(20, 60))
def test_held_out_problems_with_some_targets_are_those_of_all_that_have_them(
    seed: int, n_numbers: int, largest: int
) -> None:
    some = islice(held_out(seed, n_numbers, range(10, largest + 1)), 5)
    assert list(some) == list(islice((p for p in held_out(seed, n_numbers) if p.target <= largest), 5))


@given(st.integers(0, 10**9), st.sampled_from([4, 7, 8]))
def test_held_out_problems_have_as_many_numbers_as_are_asked_for(seed: int, n_numbers: int) -> None:
    problem = next(held_out(seed, n_numbers))
    assert len(problem.numbers) == n_numbers
    assert is_held_out(problem)


@given(st.integers(0, 10**9), st.sampled_from([3, 4, 7, 8]))
def test_a_solution_is_as_long_as_its_problem_says(seed: int, n_numbers: int) -> None:
    ids, n_prompt = encode(*draw(random.Random(seed), n_numbers))
    assert len(ids) - n_prompt == solution_length(n_numbers)


def test_four_numbers_take_25_tokens_and_eight_take_75() -> None:
    assert (solution_length(4), solution_length(7), solution_length(8)) == (25, 61, 75)


def test_tokens_spell_problem_and_solution() -> None:
    problem, steps = draw(random.Random(5), 4)
    ids, n_prompt = encode(problem, steps)
    words = [VOCABULARY[number] for number in ids]
    assert words[:n_prompt] == [BOS, *map(str, problem.numbers), "target", str(problem.target), ASK]
    assert words[-1] == EOS
    assert " ".join(words[n_prompt:-1]) == solution_text(problem, steps)
