"""The choice of pairs is random with respect to the content, and knows nothing of the order of the file."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from diversity_judge.inputs.responses import Group
from diversity_judge.planning.groups import Showing, plan_groups
from diversity_judge.planning.lots import drawn_order
from diversity_judge.planning.pairs import PairDesign
from tests.diversity_judge.helpers import group, plan

TEXTS = [f"{i:02d}" for i in range(30)] + ["same", "same"]


def shuffled(texts: Sequence[str], seed: int) -> list[str]:
    return random.Random(seed).sample(list(texts), len(texts))


def keys(a_group: Group, m: int | None, seed: int = 0) -> set[str]:
    a_plan = plan_groups([a_group], PairDesign(pairs_per_group=m, seed=seed), Showing())[0]
    return {task.key for task in a_plan.tasks("f")}


def test_the_order_follows_the_texts_and_not_the_file() -> None:
    laid = [[texts[i] for i in drawn_order(group(texts), 3)] for texts in (TEXTS, sorted(TEXTS), shuffled(TEXTS, 1))]
    assert laid[0] == laid[1] == laid[2]
    assert sorted(laid[0]) == sorted(TEXTS)


def test_seed_problem_and_strategy_have_orders_of_their_own() -> None:
    asked = [(group(TEXTS), 0), (group(TEXTS), 1), (group(TEXTS, "q"), 0), (group(TEXTS, strategy="t"), 0)]
    assert len({tuple(drawn_order(a_group, seed)) for a_group, seed in asked}) == 4


@pytest.mark.parametrize("m", [8, 32, 40, 128])
def test_the_same_judgments_are_bought_whatever_the_order_of_the_file(m: int) -> None:
    wanted = keys(group(TEXTS), m)
    assert wanted == keys(group(sorted(TEXTS)), m) == keys(group(shuffled(TEXTS, 2)), m)
    assert wanted != keys(group(TEXTS), m, seed=1)
    assert wanted < keys(group(shuffled(TEXTS, 3)), 2 * m)


def test_the_view_does_not_change_which_responses_are_compared() -> None:
    texts = [f"<think>{i}</think>{i % 3}" for i in range(20)]
    design = PairDesign(pairs_per_group=20)
    full, final = (plan(texts, design, replace(Showing(), view=view)) for view in ("full", "final"))
    assert list(full.pairs) == list(final.pairs)


@pytest.mark.parametrize("m", [5, 12, 24, 60])
def test_a_thinned_mean_over_a_sorted_file_is_that_of_all_pairs_but_for_chance(m: int) -> None:
    # Similarity falls with the distance in the file, and five responses have one text: neighbours in the file are
    # alike. Over 600 seeds the mean of the chosen pairs' similarity is the mean of all pairs within 4 standard errors.
    n = 24
    texts = ["same"] * 5 + [f"{i:02d}" for i in range(5, n)]
    levels = np.array([0] * 5 + list(range(5, n)))
    similarity = 5 - 5 * np.abs(levels[:, None] - levels) / n
    means = []
    for seed in range(600):
        first, second, _ = np.array(plan(texts, PairDesign(pairs_per_group=m, seed=seed)).pairs).T
        means.append(similarity[first, second].mean())
    truth = similarity[~np.eye(n, dtype=bool)].mean()
    assert abs(np.mean(means) - truth) < 4 * np.std(means) / 600**0.5
