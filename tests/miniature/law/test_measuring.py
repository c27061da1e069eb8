"""What a group achieved, against brute force and against the project's own judge."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import combinations

import pytest

from diversity_judge.countdown import Countdown, is_solution, read_steps, similarity
from diversity_judge.inputs.responses import Response
from diversity_judge.score import score
from examples.miniature.law.measuring import ProblemMeasurer
from examples.miniature.problems import _random_path, draw, solution_text
from examples.miniature.verifier import reward


def texts_of(rng: random.Random, problem: Countdown, n: int) -> list[str]:
    """Solutions, right or wrong, most of them several times; some without a step."""
    pool = ["no steps at all", "nor here", solution_text(*draw(rng, len(problem.numbers)))]
    paths = [_random_path(rng, list(problem.numbers)) for _ in range(8)]
    pool += [solution_text(problem, steps) for steps in paths if steps]
    pool += [text.replace("+", "-", 1) for text in pool[3:]]
    return [rng.choice(pool) for _ in range(n)]


def groups(seed: int, n_groups: int = 20) -> Iterator[tuple[Countdown, list[str]]]:
    rng = random.Random(seed)
    for _ in range(n_groups):
        problem, _ = draw(rng, rng.choice([3, 4, 8]))
        yield problem, texts_of(rng, problem, rng.randint(2, 12))


def test_diversity_is_that_of_all_pairs_one_by_one() -> None:
    for problem, texts in groups(1):
        steps = [read_steps(text) for text in texts if read_steps(text)]
        pairs = [similarity(one, other) for one, other in combinations(steps, 2)]
        found = ProblemMeasurer(problem).measure(texts).diversity
        assert found == (pytest.approx(1 - sum(pairs) / len(pairs) / 5) if pairs else None)


def test_right_answers_and_the_verifiers_choice_are_those_of_a_draw_of_ties() -> None:
    for problem, texts in groups(2):
        found = ProblemMeasurer(problem).measure(texts)
        right = [is_solution(problem, read_steps(text)) for text in texts]
        rewards = [reward(problem, text) for text in texts]
        best = [is_right for is_right, given in zip(right, rewards, strict=True) if given == max(rewards)]
        assert (found.n, found.n_right) == (len(texts), sum(right))
        assert found.best_of_n == pytest.approx(sum(best) / len(best))


def test_the_learned_choice_is_that_of_a_draw_of_ties() -> None:
    rng = random.Random(6)
    for problem, texts in groups(6):
        learned = {text: rng.choice([0.1, 0.5, 0.9]) for text in set(texts)}
        found = ProblemMeasurer(problem, learned).measure(texts).best_of_n_learned
        highest = max(learned.values())
        best = [is_solution(problem, read_steps(text)) for text in texts if learned[text] == highest]
        assert found == pytest.approx(sum(best) / len(best))


def test_without_a_reward_model_there_is_no_learned_choice() -> None:
    for problem, texts in groups(7, n_groups=3):
        assert ProblemMeasurer(problem).measure(texts).best_of_n_learned is None


def test_what_was_seen_in_one_group_changes_no_other() -> None:
    rng = random.Random(3)
    problem, _ = draw(rng, 4)
    measurer = ProblemMeasurer(problem)
    for _ in range(10):
        texts = texts_of(rng, problem, 8)
        assert measurer.measure(texts) == ProblemMeasurer(problem).measure(texts)


def test_a_single_readable_response_has_no_diversity() -> None:
    problem, steps = draw(random.Random(4), 4)
    found = ProblemMeasurer(problem).measure([solution_text(problem, steps), "nothing", ""])
    assert (found.n, found.n_right, found.diversity) == (3, 1, None)


def test_diversity_is_the_estimate_of_score() -> None:
    judged = list(groups(5, n_groups=8))
    responses = [
        Response(f"p{number}", text, "s", sample, problem.text)
        for number, (problem, texts) in enumerate(judged)
        for sample, text in enumerate(texts)
    ]
    scored = score(responses, judge="countdown").scores.set_index("problem_id").diversity
    for number, (problem, texts) in enumerate(judged):
        found = ProblemMeasurer(problem).measure(texts).diversity
        assert scored[f"p{number}"] == pytest.approx(math.nan if found is None else found, nan_ok=True)
