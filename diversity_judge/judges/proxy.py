"""The embedded proxy judge: how much two texts share in words, numbers and operators. It is not an LLM.

It exists for demos, tests and variance reduction: it needs no key and no network, and it follows how
differently a model writes, not how differently it reasons.

Its similarity is the cosine of TF-IDF vectors of word 1- and 2-grams with logarithmic term counts. By default
a pair is its own corpus, for the rule of the ledger: a judgment may depend on its two texts and on nothing
else. With the group as the corpus, editing one response would change the scores of all pairs. A corpus of two
leaves two weights, one for the terms that both texts hold and one for those of one text alone.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diversity_judge.judges.base import Reply
from diversity_judge.judges.presets import JudgeSpec
from diversity_judge.planning.groups import GroupPlan, Task
from diversity_judge.planning.question import Question
from diversity_judge.rubric import MAX_SCORE

Sparse = Any
"""A sparse matrix of scipy, (texts, terms); scikit-learn, which makes it, is imported when it is needed."""

WORD = (
    r"\d+(?:\.\d+)?"  # a number stays whole: 2.5 is not 2 and 5
    r"|[\u3040-\u30ff\u3400-\u9fff]"  # Japanese and Chinese have no spaces: a character a token
    r"|[^\W\d_\u3040-\u30ff\u3400-\u9fff]+"  # words, without digits: 2x is 2 and x
    r"|[^\w\s]"  # operators, brackets, the backslash of LaTeX: what scikit-learn's default drops
)
"""What counts as a word: the reasoning of a calculation is in its numbers and operators."""

_SHARED_WEIGHT = 1.0
_LONE_WEIGHT = math.log(3 / 2) + 1
"""Smoothed inverse document frequency ln((1 + n) / (1 + df)) + 1 with n = 2 texts and df = 2 or 1."""

_GROUPS_KEPT = 8
"""Groups whose cosines are kept, for pairs that come in any order; a group of 1,000 responses takes 8 MB."""

_VERSION = "1"
"""Part of every key: raise it when a change of this module changes a score."""


class ProxyJudge:
    """Scores pairs by `proxy_similarity`, behind the interface of an LLM judge and through the same ledger."""

    prompt_label = "none (proxy judge, not an LLM)"

    def __init__(self, spec: JudgeSpec) -> None:
        self._spec = spec
        self._cosines: OrderedDict[int, tuple[GroupPlan, NDArray[np.float64]]] = OrderedDict()

    @property
    def spec(self) -> JudgeSpec:
        """Which judge this is."""
        return self._spec

    def fingerprint(self, plan: GroupPlan) -> str:
        """The same for every group: a score depends on its two texts alone."""
        return f"proxy\n{self._spec.model}\n{_VERSION}"

    async def ask(self, task: Question) -> Reply:
        """The similarity as a reply in the form of an LLM's, with the cosine before the score.

        Raises:
            TypeError: it is asked about something else than a pair.
        """
        return self.compute([task])[0]

    def compute(self, tasks: Sequence[Question]) -> list[Reply]:
        """The same for many pairs."""
        return [self._reply(self._cosine_of(task)) for task in tasks]

    def _cosine_of(self, task: Question) -> float:
        if not isinstance(task, Task):
            raise TypeError("the proxy judge compares pairs and cannot sort")
        return float(self._of(task.plan)[task.pair.first, task.pair.second])

    def _reply(self, cosine: float) -> Reply:
        content = f"Proxy judge, not an LLM: cosine {cosine:.9f}\n[Final Score: {proxy_score(cosine)}]"
        return Reply(content, finish_reason="stop", prompt_tokens=0, completion_tokens=0, model=self._spec.model)

    def _of(self, plan: GroupPlan) -> NDArray[np.float64]:
        """(n, n) cosines of a group, kept for the groups that were asked about last."""
        place = id(plan)
        if place not in self._cosines:
            if len(self._cosines) >= _GROUPS_KEPT:
                self._cosines.popitem(last=False)
            self._cosines[place] = plan, proxy_similarity([shown.text for shown in plan.shown])
        self._cosines.move_to_end(place)
        return self._cosines[place][1]

    async def aclose(self) -> None:
        """Nothing is held open."""


def proxy_similarity(texts: Sequence[str], corpus: Sequence[str] | None = None) -> NDArray[np.float64]:
    """Cosine similarity of the texts' TF-IDF vectors.

    Two texts without any token are the same (1) to each other and unlike (0) any other.

    Args:
        texts: n texts.
        corpus: Texts whose document frequencies weigh the terms, for all pairs alike. By default each pair
            is its own corpus, so that an entry depends on its two texts alone.

    Returns:
        (n, n) symmetric, each in 0..1, with 1 on the diagonal.
    """
    counts = _log_counts(texts, corpus)
    if counts is None:
        return np.ones((len(texts), len(texts)))
    n_texts = len(texts)
    terms = counts[:n_texts]
    if corpus is None:
        dots, squares = _pair_products(terms)
    else:
        weighted = terms.multiply(_inverse_document_frequency(counts[n_texts:])).tocsr()
        dots = (weighted @ weighted.T).toarray()
        squares = np.broadcast_to(dots.diagonal()[:, None], dots.shape)
    return _cosine(dots, squares)


def proxy_score(cosine: float) -> int:
    """Maps a cosine to the rubric's 0..5: the nearest of its six steps, the upper one on a tie.

    Ties go up as in everyday rounding: Python's rounding to even would make 0.5 (2.5 steps) a 2 but 0.7 (3.5)
    a 4, so that steps would differ in width. The tenth digit decides nothing, so that the order in which a
    sum was taken cannot change a score.

    Raises:
        ValueError: `cosine` is not in 0..1.
    """
    if not -1e-9 <= cosine <= 1 + 1e-9:
        raise ValueError(f"cosine must be in 0..1, not {cosine}")
    return math.floor(round(MAX_SCORE * cosine, 9) + 0.5)


def _log_counts(texts: Sequence[str], corpus: Sequence[str] | None) -> Sparse | None:
    """(n + corpus, terms) 1 + ln(count) of each term in each text; None where no text holds a token."""
    from sklearn.feature_extraction.text import CountVectorizer

    documents = [*texts, *(corpus or ())]
    if not any(re.search(WORD, document) for document in documents):
        return None  # scikit-learn refuses an empty vocabulary
    counts = CountVectorizer(token_pattern=WORD, ngram_range=(1, 2)).fit_transform(documents)
    counts = counts.astype(np.float64).tocsr()
    counts.data = 1 + np.log(counts.data)
    return counts


def _inverse_document_frequency(counts: Sparse) -> NDArray[np.float64]:
    """(terms,) ln((1 + n) / (1 + df)) + 1, smoothed as scikit-learn does; a term not in it weighs most."""
    document_frequency = np.asarray((counts > 0).sum(axis=0)).ravel()
    weights: NDArray[np.float64] = np.log((1 + counts.shape[0]) / (1 + document_frequency)) + 1
    return weights


def _pair_products(terms: Sparse) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n, n) dot products, and at [i, j] the squared length of text i in the weights of the pair i, j."""
    squared = terms.multiply(terms).tocsr()
    shared = (squared @ (terms > 0).astype(np.float64).T).toarray()
    total = np.asarray(squared.sum(axis=1))
    dots = (terms @ terms.T).toarray() * _SHARED_WEIGHT**2
    return dots, _SHARED_WEIGHT**2 * shared + _LONE_WEIGHT**2 * (total - shared)


def _cosine(dots: NDArray[np.float64], squares: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.sqrt(squares * squares.T)
    cosines = np.divide(dots, lengths, out=np.zeros_like(dots), where=lengths > 0)
    is_empty = ~(squares.diagonal() > 0)
    cosines[np.ix_(is_empty, is_empty)] = 1.0
    np.fill_diagonal(cosines, 1.0)
    clipped: NDArray[np.float64] = np.clip(cosines, 0.0, 1.0)
    return clipped
