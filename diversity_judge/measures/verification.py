"""What choosing among n responses achieves, at every n: Best-of-N, votes, and what an oracle would choose.

A group of N responses says more than what happens at N: any n of them could have been the sample. Each value here is
the mean over all subsets of n responses, without replacement, which is unbiased for n new responses (a U-statistic).
At N it is the metric of `outcomes`.

Best-of-N and the oracle have closed forms. A vote has none: its subsets are looked at one by one where there are at
most `MOST_SUBSETS`, and else so many are drawn, and the standard error that this leaves stands beside the value.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from diversity_judge.inputs.responses import Group
from diversity_judge.measures.outcomes import curve_sizes, pass_at_k
from diversity_judge.measures.step_rewards import AGGREGATES, aggregate

ORACLE, MAJORITY, BEST_OF_N = "oracle", "majority", "best_of_n"
WEIGHTED_MEAN, WEIGHTED_SUM = "weighted_majority", "weighted_sum"
METHODS = (ORACLE, BEST_OF_N, WEIGHTED_MEAN, WEIGHTED_SUM, MAJORITY)
OWN = "reward"
"""The reward that the file itself gives, beside those made of the rewards of its steps."""
STEP_REWARDS = "step_rewards"
"""Where a response's `meta` keeps the rewards of its steps."""
MOST_SUBSETS = 1_000
"""Subsets of one size that are looked at; more are drawn from. All sizes of 12 responses are exact."""
_DENSE = 64
"""Up to here every n has a value; beyond, as many sizes more, evenly spaced by ratio."""
_TIE = 1e-12
"""Weights that differ by less, as a share of the largest reward, are equal: sums of floats depend on their order."""
_NO_ANSWER = -1

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """What one way to choose achieves on one problem.

    Attributes:
        method: One of `METHODS`.
        reward: `OWN` or an aggregate of step rewards; empty where no reward is looked at.
        sizes: The n.
        values: (len(sizes),) expected correctness of the choice, between 0 and 1.
        errors: (len(sizes),) standard error that drawing subsets leaves in each; 0 where it is exact.
    """

    method: str
    reward: str
    sizes: tuple[int, ...]
    values: Floats
    errors: Floats


def curve_of_sizes(n: int) -> tuple[int, ...]:
    """The n at which a curve of up to n responses is taken: every one, of very many evenly spaced ones by ratio."""
    if n <= _DENSE:
        return tuple(range(1, n + 1))
    beyond = np.geomspace(_DENSE, n, _DENSE + 1).round().astype(int)
    return tuple(dict.fromkeys([*range(1, _DENSE), *beyond.tolist()]))


def verification_curves(group: Group, largest: int, *, seed: int = 0) -> tuple[Curve, ...]:
    """The curves of one group, up to `largest` responses.

    Args:
        group: Its responses.
        largest: Largest n, at most the number of responses.
        seed: Of the subsets that are drawn; each group draws its own.

    Returns:
        Every n, and under the aggregates of step rewards 1, 2, 4, ... and the largest. None at all unless all
        responses are graded; votes only where one has an answer; what looks at a reward only where all responses have
        it. Never a value for a reward that is missing.
    """
    correct = [response.correct for response in group.responses]
    if largest < 1 or largest > len(correct) or any(value is None for value in correct):
        return ()
    right, rewards = np.array(correct, dtype=np.float64), rewards_of(group)
    sizes = curve_of_sizes(largest)
    curves = [_exact(ORACLE, "", sizes, oracle_at(len(right), int(right.sum()), sizes))]
    for name, given in rewards.items():
        shown = sizes if name == OWN else curve_sizes(largest)
        curves.append(_exact(BEST_OF_N, name, shown, best_of_n_at(right, given, shown)))
    answers = _answers(group)
    if (answers != _NO_ANSWER).any():
        named = zlib.crc32(f"{group.problem_id}\n{group.strategy}".encode("utf-8", "surrogatepass"))
        generator = np.random.default_rng([seed, named])
        own = {name: given for name, given in rewards.items() if name == OWN}
        others = {name: given for name, given in rewards.items() if name != OWN}
        curves += votes_at(right, answers, own, sizes, generator)
        if others:
            curves += votes_at(right, answers, others, curve_sizes(largest), generator)[1:]
    return tuple(sorted(curves, key=lambda curve: METHODS.index(curve.method)))


def oracle_at(n_responses: int, n_correct: int, sizes: Sequence[int]) -> Floats:
    """The correctness of the best possible choice among n: pass@n (Chen et al. 2021)."""
    return np.array([pass_at_k(n_responses, n_correct, n) for n in sizes])


def best_of_n_at(correct: Floats, rewards: Floats, sizes: Sequence[int]) -> Floats:
    """Expected correctness of the response with the highest reward among n, ties shared evenly; exact.

    Of N responses let b have a smaller reward than a given one, and u a reward that is not larger. A subset of n has
    its highest reward at this level with probability [C(u, n) - C(b, n)] / C(N, n), and by symmetry its choice is then
    right as often as the responses of that level are.

    Args:
        correct: (N,) 0 or 1.
        rewards: (N,) finite.
        sizes: The n, between 1 and N.

    Raises:
        ValueError: a reward is missing.
    """
    if not np.isfinite(rewards).all():
        raise ValueError("Best-of-N needs a reward of every response")
    _, level, counts = np.unique(rewards, return_inverse=True, return_counts=True)
    by_level = np.bincount(level, weights=correct) / counts
    up_to = _share_within(np.cumsum(counts), len(rewards), max(sizes))[:, np.asarray(sizes) - 1]
    return np.asarray(by_level @ np.diff(up_to, axis=0, prepend=0.0))


def votes_at(
    correct: Floats,
    answers: NDArray[np.int64],
    rewards: Mapping[str, Floats],
    sizes: Sequence[int],
    generator: np.random.Generator,
) -> list[Curve]:
    """Expected correctness of votes among n: plain, and weighted by the mean and by the sum of each reward.

    An answer of the highest weight is chosen, ties shared evenly, and is as right as its responses in the subset are.
    A response without an answer casts no vote; a subset in which none has one gives none, which is not right.

    Args:
        correct: (N,) 0 or 1.
        answers: (N,) number of each response's answer, -1 where it has none.
        rewards: Name to (N,) rewards.
        sizes: The n, between 1 and N.
        generator: Of the subsets that are drawn where there are too many.
    """
    ballot = _Ballot(correct, answers, rewards)
    n_responses, count = len(correct), len(ballot.kinds)
    values, errors = np.zeros((count, len(sizes))), np.zeros((count, len(sizes)))
    if ballot.is_unanimous:
        values[:] = correct.mean()
    else:
        ranks = np.argsort(generator.random((MOST_SUBSETS, n_responses)), axis=1).T
        for place, n in enumerate(sizes):
            is_exact = math.comb(n_responses, n) <= MOST_SUBSETS
            found = ballot.outcomes(_all_subsets(n_responses, n) if is_exact else (ranks < n).astype(np.float64))
            values[:, place] = found.mean(axis=1)
            errors[:, place] = 0.0 if is_exact else found.std(axis=1, ddof=1) / math.sqrt(MOST_SUBSETS)
    shown = tuple(sizes)
    return [Curve(*kind, shown, values[row], errors[row]) for row, kind in enumerate(ballot.kinds)]


def rewards_of(group: Group) -> dict[str, Floats]:
    """Name to (N,) rewards: the file's own and the aggregates of step rewards, those that all responses have."""
    found: dict[str, Floats] = {}
    own = np.array([math.nan if response.reward is None else response.reward for response in group.responses])
    if len(own) and np.isfinite(own).all():
        found[OWN] = own
    steps = [response.meta.get(STEP_REWARDS) for response in group.responses]
    if steps and all(is_scored(of_response) for of_response in steps):
        found |= {how: np.array([aggregate(some or (), how) for some in steps]) for how in AGGREGATES}
    return found


def is_scored(steps: object) -> bool:
    """Whether this is a reward for each of one or more steps."""
    return (
        isinstance(steps, Sequence)
        and len(steps) > 0
        and all(isinstance(s, int | float) and not isinstance(s, bool) and math.isfinite(s) for s in steps)
    )


class _Ballot:
    """The votes of any subsets of one group.

    Args:
        correct: (N,) 0 or 1.
        answers: (N,) number of each response's answer, -1 where it has none.
        rewards: Name to (N,) rewards.
    """

    def __init__(self, correct: Floats, answers: NDArray[np.int64], rewards: Mapping[str, Floats]) -> None:
        votes = (answers == np.arange(answers.max() + 1)[:, None]).astype(np.float64)
        self.kinds = [(MAJORITY, ""), *((m, name) for name in rewards for m in (WEIGHTED_MEAN, WEIGHTED_SUM))]
        self.is_unanimous = not correct.any() or (len(votes) == 1 and bool(votes.all()) and bool(correct.all()))
        """Whether every subset is as right."""
        self._votes, self._right = votes, votes * correct
        self._rewards = [(votes * given, float(np.abs(given).max())) for given in rewards.values()]

    def outcomes(self, subsets: Floats) -> Floats:
        """(kinds, M) correctness of each vote in each of (N, M) subsets."""
        counts = self._votes @ subsets
        is_given, asked = counts > 0, np.maximum(counts, 1)
        right = (self._right @ subsets) / asked
        found = [_chosen(counts, is_given, right, _TIE)]
        for given, scale in self._rewards:
            sums = given @ subsets
            found.append(_chosen(sums / asked, is_given, right, scale * _TIE))
            found.append(_chosen(sums, is_given, right, scale * _TIE * len(subsets)))
        return np.array(found)


def _chosen(weights: Floats, is_given: NDArray[np.bool_], right: Floats, tie: float) -> Floats:
    """(M,) mean correctness over the answers of the highest weight, of (A, M) weights; 0 where nobody has an answer."""
    weights = np.where(is_given, weights, -np.inf)
    is_best = is_given & (weights >= weights.max(axis=0) - tie)
    return np.asarray((right * is_best).sum(axis=0) / np.maximum(is_best.sum(axis=0), 1))


def _share_within(up_to: NDArray[np.int64], n_responses: int, largest: int) -> Floats:
    """(L, largest) C(u, n) / C(N, n) for each u of `up_to` and n = 1 .. largest, as products of ratios."""
    taken = np.arange(largest)
    return np.asarray(np.cumprod(np.maximum(up_to[:, None] - taken, 0) / (n_responses - taken), axis=1))


@lru_cache(maxsize=256)
def _all_subsets(n_responses: int, n: int) -> Floats:
    """(N, C(N, n)) membership of each subset."""
    chosen = np.array(list(combinations(range(n_responses), n))).T
    subsets = np.zeros((n_responses, chosen.shape[1]))
    np.put_along_axis(subsets, chosen, 1.0, axis=0)
    return subsets


def _answers(group: Group) -> NDArray[np.int64]:
    """(N,) number of each response's answer, as `outcomes` groups them; -1 where it has none."""
    numbers: dict[str, int] = {}
    return np.array(
        [
            _NO_ANSWER if response.answer is None else numbers.setdefault(response.answer.strip(), len(numbers))
            for response in group.responses
        ],
        dtype=np.int64,
    )


def _exact(method: str, reward: str, sizes: tuple[int, ...], values: Floats) -> Curve:
    return Curve(method, reward, sizes, values, np.zeros(len(sizes)))
