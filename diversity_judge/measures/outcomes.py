"""What the responses of a group achieve: pass@k, verification, tiers.

Diversity is worth something when it solves problems, so these stand beside it. Each function works on one
group and returns either an `Outcome` or a `Skipped` that says which field is missing. A response that was
not graded is neither right nor wrong: one of them is enough to skip what depends on grades, because
leaving it out would change what is estimated without anyone seeing it.

Where a choice is tied (two answers with as many votes, two responses with the same reward) no order of
the file decides it: the value is the expected correctness over the tied choices, and the tie is counted.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from diversity_judge.inputs.responses import Group, Response

TIER_RUNS = 5
"""Runs that decide whether a problem is Correct (Chen et al. 2026, section 3.3)."""
TIER_RUNS_RIGHT = 4
"""Of these, how many must be right."""
TIER_SAMPLES = 32
"""Responses among which a Hard problem has no right one."""


@dataclass(frozen=True)
class Outcome:
    """One metric of one group.

    Attributes:
        metric: `pass_rate`, `pass_at_k`, `majority`, `best_of_n` or `weighted_majority`.
        k: Number of responses the metric looks at.
        value: Between 0 and 1: a probability or an expected correctness.
        n_tied: Number of choices that shared the first place; 1 where there was no tie.
        tie_matters: Whether the tied choices differ in correctness, so that `value` is an average.
    """

    metric: str
    k: int
    value: float
    n_tied: int = 1
    tie_matters: bool = False


@dataclass(frozen=True)
class Skipped:
    """A metric that can't be computed, and the data that would enable it."""

    metric: str
    needs: str


class Tier(str, Enum):
    """How hard a problem is for token sampling."""

    CORRECT = "Correct"
    MEDIUM = "Medium"
    HARD = "Hard"


def pass_at_k(n: int, n_correct: int, k: int) -> float:
    """Unbiased estimate of the probability that at least one of k responses is right.

    1 - C(n - c, k) / C(n, k), as a product of ratios, so that no binomial coefficient is formed.
    Chen et al. 2021 (arXiv 2107.03374), section 2.1.

    Raises:
        ValueError: Not 0 <= n_correct <= n, or not 1 <= k <= n.
    """
    if not 0 <= n_correct <= n or not 1 <= k <= n:
        raise ValueError(f"pass@{k} of {n} responses with {n_correct} right is not defined")
    n_wrong = n - n_correct
    if n_wrong < k:
        return 1.0
    return 1.0 - math.prod((n_wrong - i) / (n - i) for i in range(k))


def curve_sizes(n: int) -> tuple[int, ...]:
    """The k of a pass@k curve for n responses: 1, 2, 4, ... and n itself."""
    powers = [2**i for i in range(n.bit_length()) if 2**i < n]
    return (*powers, n) if n else ()


def pass_rate(group: Group) -> Outcome | Skipped:
    """Share of right responses."""
    missing = _missing(group, "pass_rate", ("correct",))
    return missing or Outcome("pass_rate", group.n_responses, _mean_correct(group.responses))


def pass_curve(group: Group, sizes: Sequence[int] | None = None) -> tuple[Outcome | Skipped, ...]:
    """pass@k for each k of `sizes` (default: `curve_sizes`); too large a k is skipped."""
    missing = _missing(group, "pass_at_k", ("correct",))
    if missing:
        return (missing,)
    return tuple(_pass_at(group, k) for k in sizes or curve_sizes(group.n_responses))


def majority_vote(group: Group) -> Outcome | Skipped:
    """Correctness of the most common answer; a response without an answer casts no vote."""
    return _vote(group, "majority", len, needs=("correct",))


def weighted_majority(group: Group) -> Outcome | Skipped:
    """Correctness of the answer whose responses have the highest mean reward."""
    return _vote(group, "weighted_majority", _mean_reward, needs=("correct", "reward"))


def best_of_n(group: Group) -> Outcome | Skipped:
    """Correctness of the response with the highest reward."""
    missing = _missing(group, "best_of_n", ("correct", "reward"))
    if missing:
        return missing
    return _chosen(group, "best_of_n", [[response] for response in group.responses], _mean_reward)


def outcomes(group: Group, sizes: Sequence[int] | None = None) -> tuple[Outcome | Skipped, ...]:
    """Every metric of a group, in the order pass rate, pass@k, majority, Best-of-N, weighted majority."""
    return (
        pass_rate(group),
        *pass_curve(group, sizes),
        majority_vote(group),
        best_of_n(group),
        weighted_majority(group),
    )


def tier(group: Group) -> Tier | Skipped:
    """Tier of a problem from its group under token sampling.

    Correct: at least 4 of the first 5 responses are right. Medium: not Correct, and at least 1 of the
    first 32 is. Hard: none of the first 32 is. Responses are exchangeable, so the first are as good as
    any; with fewer than 32 a problem is called Hard on less evidence.
    Chen et al. 2026 (arXiv 2602.02443), section 3.3.
    """
    missing = _missing(group, "tier", ("correct",))
    if missing:
        return missing
    if group.n_responses < TIER_RUNS:
        return Skipped("tier", f"at least {TIER_RUNS} responses; there are {group.n_responses}")
    right = [bool(response.correct) for response in group.responses[:TIER_SAMPLES]]
    if sum(right[:TIER_RUNS]) >= TIER_RUNS_RIGHT:
        return Tier.CORRECT
    return Tier.MEDIUM if any(right) else Tier.HARD


def _pass_at(group: Group, k: int) -> Outcome | Skipped:
    n = group.n_responses
    if k > n:
        return Skipped("pass_at_k", f"at least {k} responses for pass@{k}; there are {n}")
    n_correct = sum(bool(response.correct) for response in group.responses)
    return Outcome("pass_at_k", k, pass_at_k(n, n_correct, k))


def _missing(group: Group, metric: str, fields: Iterable[str]) -> Skipped | None:
    if not group.responses:
        return Skipped(metric, "at least one response; there is none")
    for field in fields:
        absent = sum(_is_absent(getattr(response, field)) for response in group.responses)
        if absent:
            return Skipped(metric, f"`{field}` on every response; {absent} of {group.n_responses} lack it")
    return None


def _is_absent(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _vote(
    group: Group, metric: str, weight: Callable[[Sequence[Response]], float], needs: Iterable[str]
) -> Outcome | Skipped:
    missing = _missing(group, metric, needs)
    if missing:
        return missing
    by_answer: dict[str, list[Response]] = defaultdict(list)
    for response in group.responses:
        if response.answer is not None:
            by_answer[response.answer.strip()].append(response)
    if not by_answer:
        return Skipped(metric, f"`answer`; none of the {group.n_responses} responses has one")
    return _chosen(group, metric, list(by_answer.values()), weight)


def _chosen(
    group: Group,
    metric: str,
    candidates: Sequence[Sequence[Response]],
    weight: Callable[[Sequence[Response]], float],
) -> Outcome:
    """Expected correctness over the candidates of the highest weight."""
    weights = [weight(responses) for responses in candidates]
    tied = [_mean_correct(c) for c, w in zip(candidates, weights, strict=True) if w == max(weights)]
    value = math.fsum(tied) / len(tied)
    return Outcome(metric, group.n_responses, value, len(tied), min(tied) != max(tied))


def _mean_correct(responses: Sequence[Response]) -> float:
    return sum(bool(response.correct) for response in responses) / len(responses)


def _mean_reward(responses: Sequence[Response]) -> float:
    return math.fsum(response.reward or 0.0 for response in responses) / len(responses)
