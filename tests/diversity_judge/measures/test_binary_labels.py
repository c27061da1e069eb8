"""AUC, threshold and optimism of a judge against 0/1 labels: scikit-learn, a count by hand, and a simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from diversity_judge.measures.binary_labels import binary_agreement, binary_agreements, crossfitted
from diversity_judge.measures.probes.controls import auc


def drawn(rng: np.random.Generator, n: int, effect: float) -> tuple[Any, Any, Any]:
    similar = rng.random(n) < 0.4
    scores = np.clip(np.round(rng.normal(2 + effect * similar, 1.2)), 0, 5)
    return scores, similar, np.array([f"p{k // 3}" for k in range(n)])


def test_figures_are_those_of_scikit_learn() -> None:
    scores, similar, problem = drawn(np.random.default_rng(0), 300, 1.5)
    found = binary_agreement(scores, similar, problem)
    assert found.auc.value == pytest.approx(roc_auc_score(similar, scores))
    each = {t: balanced_accuracy_score(similar, scores >= t) for t in range(6)}
    assert found.balanced_accuracy.value == pytest.approx(max(each.values()))
    assert each[int(found.threshold)] == pytest.approx(found.balanced_accuracy.value)
    assert found.accuracy == pytest.approx(np.mean((scores >= found.threshold) == similar))
    assert (found.sensitivity + found.specificity) / 2 == pytest.approx(found.balanced_accuracy.value)
    assert found.threshold_low <= found.threshold <= found.threshold_high
    assert found.n_problems == 100


def test_a_judge_without_a_clue_is_corrected_to_chance() -> None:
    # Labels that have nothing to do with scores: the best of five thresholds looks better than 0.5 and is not.
    rng = np.random.default_rng(1)
    found = [binary_agreement(*drawn(rng, 60, 0.0)) for _ in range(60)]
    assert np.mean([one.balanced_accuracy.value for one in found]) > 0.54
    assert np.mean([one.corrected for one in found]) == pytest.approx(0.5, abs=0.02)
    assert min(one.optimism for one in found) > 0


def test_the_interval_of_the_auc_covers_the_truth() -> None:
    rng = np.random.default_rng(2)
    scores, similar, _ = drawn(rng, 200_000, 1.0)
    truth = roc_auc_score(similar, scores)
    intervals = [auc(*drawn(rng, 150, 1.0)) for _ in range(200)]
    covered = np.mean([one.low <= truth <= one.high for one in intervals])
    # 200 intervals of 95 %: 3.3 standard errors of 1.54 %.
    assert 0.90 <= covered <= 1.0


def test_a_threshold_is_chosen_on_the_other_problems() -> None:
    # Problem c alone says that 1 is similar.
    scores = np.array([0, 4, 1, 4, 1, 1, 1, 0.0])
    similar = np.array([False, True, False, True, True, True, True, False])
    problem = np.array(list("aabbcccc"))
    # All choose 1: (5/5 + 2/3) / 2, where 4 has (2/5 + 3/3) / 2. Without c 4 is right on all four pairs.
    assert binary_agreement(scores, similar, problem).threshold == 1
    assert crossfitted(scores, similar, problem).tolist() == [0, 1, 1, 1, 0, 0, 0, 0]


def test_strategies_stand_in_their_order_and_last_all_together() -> None:
    scores, similar, problem = drawn(np.random.default_rng(4), 60, 2.0)
    strategy = np.array(["b", "a"] * 30)
    found = binary_agreements(scores, similar, problem, strategy)
    assert [(row.strategy, row.n_pairs) for row in found] == [("b", 30), ("a", 30), (None, 60)]


@pytest.mark.parametrize("label", [True, False])
def test_labels_that_never_vary_say_nothing(label: bool) -> None:
    found = binary_agreement(np.arange(5.0), np.full(5, label), np.array(list("abcde")))
    assert np.isnan(found.auc.value)
    assert np.isnan(found.threshold)
