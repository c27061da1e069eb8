"""The proxy judge against scikit-learn, and against its known figures on real data."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import roc_auc_score

from diversity_judge.inputs.reading import read_responses
from diversity_judge.judges.proxy import WORD, proxy_score, proxy_similarity

DATA = Path(__file__).parents[1] / "data"
EXAMPLE = Path(__file__).parents[3] / "examples" / "responses.jsonl"
TEXTS = [
    "Let x = 2.5, then x + 4 = 6.5",
    "Let y = 2, then y * 4 = 8",
    "By induction on n: the base case holds.",
    "By induction on n: the base case holds. Base case: n = 1, n = 2.",
    "设 x 等于二，则 x + 4 = 6",
]


def sklearn_cosine(texts: list[str], corpus: list[str]) -> np.ndarray:
    """The same similarity from scikit-learn's own TF-IDF."""
    vectorizer = TfidfVectorizer(token_pattern=WORD, ngram_range=(1, 2), sublinear_tf=True)
    vectors = vectorizer.fit(corpus).transform(texts)
    return np.asarray((vectors @ vectors.T).toarray())


def test_a_pair_is_its_own_corpus() -> None:
    cosines = proxy_similarity(TEXTS)
    for i, first in enumerate(TEXTS):
        for j, second in enumerate(TEXTS):
            if i != j:
                assert cosines[i, j] == pytest.approx(sklearn_cosine([first, second], [first, second])[0, 1], abs=1e-12)


def test_another_corpus_weighs_the_terms_as_scikit_learn_does() -> None:
    assert proxy_similarity(TEXTS, corpus=TEXTS) == pytest.approx(sklearn_cosine(TEXTS, TEXTS), abs=1e-12)


def test_a_score_depends_on_its_two_texts_alone() -> None:
    among_others = proxy_similarity(TEXTS)
    alone = proxy_similarity([TEXTS[3], TEXTS[1]])
    assert alone[0, 1] == among_others[1, 3]


@given(st.lists(st.text(max_size=30), max_size=6))
def test_similarities_are_symmetric_and_within_bounds(texts: list[str]) -> None:
    cosines = proxy_similarity(texts)
    assert cosines.shape == (len(texts), len(texts))
    assert np.array_equal(cosines, cosines.T)
    assert ((cosines >= 0) & (cosines <= 1)).all()
    assert (np.diag(cosines) == 1).all()


def test_texts_without_words_are_like_each_other_and_like_nothing_else() -> None:
    assert proxy_similarity(["", " \n", "_", "a"]).tolist() == [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 1]]
    assert proxy_similarity(["", ""]).tolist() == [[1, 1], [1, 1]]


def test_numbers_and_operators_count() -> None:
    same_words = proxy_similarity(["3 + 5", "3 * 5", "3 + 5.5", "3 + 5"])
    assert same_words[0, 1] < 0.9
    assert same_words[0, 2] < 0.9
    assert proxy_score(same_words[0, 3]) == 5


@pytest.mark.parametrize(
    ("cosine", "score"),
    [(0, 0), (0.0999, 0), (0.1, 1), (0.3, 2), (0.5, 3), (0.7, 4), (0.8999, 4), (0.9, 5), (1, 5), (0.1 + 0.2, 2)],
)
def test_the_score_is_the_nearest_step_and_ties_go_up(cosine: float, score: int) -> None:
    assert proxy_score(cosine) == score


@pytest.mark.parametrize("cosine", [-0.1, 1.1, float("nan")])
def test_what_is_no_cosine_has_no_score(cosine: float) -> None:
    with pytest.raises(ValueError, match="cosine"):
        proxy_score(cosine)


def test_human_judgments_of_similarity_are_followed_better_than_by_chance() -> None:
    """On all 700 pairs the area under the ROC curve is 0.768; these are the first 100, standard error 0.05."""
    with gzip.open(DATA / "human_pairs.jsonl.gz", "rt", encoding="utf-8") as file:
        pairs = [json.loads(line) for line in file]
    cosines = [proxy_similarity([pair["response_a"], pair["response_b"]])[0, 1] for pair in pairs]
    assert roc_auc_score([pair["similar"] for pair in pairs], cosines) == pytest.approx(0.768, abs=0.1)


def test_common_steps_of_arithmetic_are_followed() -> None:
    """On all 20 problems the rank correlation is 0.784; single problems lie between 0.6 and 0.9, these are three."""
    groups = {group.problem_id: group for group in read_responses(DATA / "game24.jsonl").groups}
    cosines, shares = [], []
    for line in (DATA / "game24_steps.jsonl").read_text().splitlines():
        labels = json.loads(line)
        matrix = proxy_similarity([response.text for response in groups[labels["problem_id"]].responses])
        for i, j, share in labels["step_jaccard"]:
            cosines.append(matrix[i, j])
            shares.append(share)
    assert len(shares) == 3 * 496
    assert spearmanr(cosines, shares).statistic == pytest.approx(0.784, abs=0.1)


def test_similarity_of_real_responses_falls_with_the_temperature() -> None:
    """On all 30 problems the mean cosine is 1.00, 0.51, 0.42 and 0.14 at these four temperatures."""
    means: dict[str, list[float]] = {}
    for group in read_responses(EXAMPLE).groups:
        cosines = proxy_similarity([response.text for response in group.responses])
        means.setdefault(group.strategy, []).append(float(cosines[np.triu_indices(10, k=1)].mean()))
    assert list(means) == ["T0.0", "T0.7", "T1.0", "T1.5"]
    by_problem = np.array(list(means.values()))
    assert (np.diff(by_problem, axis=0) < 0).all()
    assert by_problem.mean(axis=1) == pytest.approx([1.0, 0.51, 0.42, 0.14], abs=0.07)
