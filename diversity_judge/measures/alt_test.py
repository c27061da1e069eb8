"""May the judge stand in for a person? The alternative annotator test (Calderon et al. 2025, arXiv 2501.10970).

Terms, used with just these meanings below:
    left out: one person at a time, held against the judge by how well each of the two matches all other people.
    wins: on a pair, whoever is at least as close to the others as the other one; both win a tie.
    advantage: share of the pairs on which the judge wins; its mean over people is rho.
    epsilon: how much more often a person may win, because people cost more.

For each person left out, with W_h and W_f saying who wins, the test rejects E(W_h) - E(W_f) >= epsilon where the mean
of d = W_h - W_f lies far enough below epsilon, by a t test; over people the false discovery rate is held by Benjamini
and Yekutieli (2001). The winning rate omega is the share of people for whom it rejects; the judge passes with a half or
more. Closeness is the negative root mean square distance to the others' scores, theirs for ordered labels; for 0 and 1
it orders as agreement does.

Unlike there, pairs of a problem are not taken for independent: the standard error is over problems (`clustered`), and
equals theirs where every problem has one pair. Where all d are equal t says nothing: P is then the largest chance of
that under the hypothesis, problems being independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from diversity_judge.choices import DEFAULT_EPSILON
from diversity_judge.measures.clustered import codes_of, jackknife_se, sums_by

LEVEL = 0.05
PASSES_FROM = 0.5
MIN_PEOPLE = 2
ENOUGH_PEOPLE = 3
"""With two people the others are one person: the test then says whom of the two the judge resembles more."""
MIN_PAIRS = 30
"""Of each person; below this the mean is not yet normal."""
MIN_PROBLEMS = 3
_ROUNDING = 1e-9


@dataclass(frozen=True)
class LeftOut:
    """The judge against one person.

    Attributes:
        annotator: Who.
        n_pairs: Pairs that this person, another one and the judge scored.
        n_problems: Of these pairs.
        judge_wins: Share of the pairs on which the judge is at least as close to the others.
        person_wins: Share on which the person is.
        p: Of the test; NaN where there are too few pairs or problems.
        is_won: Whether the test rejects that the person is better by epsilon or more, the false discovery rate held.
    """

    annotator: str
    n_pairs: int
    n_problems: int
    judge_wins: float
    person_wins: float
    p: float
    is_won: bool


@dataclass(frozen=True)
class AltTest:
    """What the test says.

    Attributes:
        people: Each person left out, in their order.
        omega: Winning rate; NaN where it cannot be said.
        rho: Average advantage of the judge; NaN without anybody to compare with.
        epsilon: How much more often a person may win.
        reason: Why there is no omega; empty where there is.
    """

    people: tuple[LeftOut, ...]
    omega: float
    rho: float
    epsilon: float
    reason: str = ""

    @property
    def passes(self) -> bool:
        """Whether the judge may stand in for a person, by this test."""
        return self.omega >= PASSES_FROM


def alt_test(
    judge: NDArray[np.float64],
    people: NDArray[np.float64],
    names: Sequence[str],
    problem: NDArray[np.str_],
    *,
    epsilon: float = DEFAULT_EPSILON,
) -> AltTest:
    """The test.

    Args:
        judge: (N,) the judge's scores, NaN where it has none.
        people: (N, R) those of the people, NaN where one has not labelled a pair.
        names: (R,) of the people.
        problem: (N,) the clusters.
        epsilon: Between 0 and 1.

    Raises:
        ValueError: epsilon is outside.
    """
    if not 0 <= epsilon < 1:
        raise ValueError(f"epsilon lies in [0, 1), not at {epsilon}")
    found = [_left_out(judge, people, at, name, problem, epsilon) for at, name in enumerate(names)]
    tested = [person for person in found if not np.isnan(person.p)]
    known = [person.judge_wins for person in found if person.n_pairs]
    rho = float(np.mean(known)) if known else float("nan")
    if len(tested) < MIN_PEOPLE:
        reason = (
            f"it needs {MIN_PEOPLE} people ({ENOUGH_PEOPLE} or more are advised) with {MIN_PAIRS} pairs each, on "
            f"{MIN_PROBLEMS} problems or more, that others labelled too; {len(tested)} of {len(found)} have them"
        )
        return AltTest(tuple(found), float("nan"), rho, epsilon, reason)
    adjusted = stats.false_discovery_control([person.p for person in tested], method="by")
    won = {person.annotator: bool(p <= LEVEL) for person, p in zip(tested, adjusted, strict=True)}
    rows = tuple(
        LeftOut(p.annotator, p.n_pairs, p.n_problems, p.judge_wins, p.person_wins, p.p, won.get(p.annotator, False))
        for p in found
    )
    return AltTest(rows, float(np.mean([won[person.annotator] for person in tested])), rho, epsilon)


def _left_out(
    judge: NDArray[np.float64],
    people: NDArray[np.float64],
    at: int,
    name: str,
    problem: NDArray[np.str_],
    epsilon: float,
) -> LeftOut:
    others = np.delete(people, at, axis=1)
    used = ~np.isnan(judge) & ~np.isnan(people[:, at]) & ~np.isnan(others).all(axis=1)
    if not used.any():
        return LeftOut(name, 0, 0, float("nan"), float("nan"), float("nan"), False)
    by_judge, by_person = (_distance(scores[used], others[used]) for scores in (judge, people[:, at]))
    judge_wins, person_wins = by_judge <= by_person + _ROUNDING, by_person <= by_judge + _ROUNDING
    ahead = person_wins.astype(np.float64) - judge_wins
    codes = codes_of(problem[used])
    n, n_problems = int(used.sum()), int(codes.max()) + 1
    p = float("nan") if n < MIN_PAIRS or n_problems < MIN_PROBLEMS else _p_below(ahead, codes, epsilon)
    return LeftOut(name, n, n_problems, float(judge_wins.mean()), float(person_wins.mean()), p, False)


def _distance(scores: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) root mean square distance to the others who scored the pair."""
    return np.asarray(np.sqrt(np.nanmean((others - scores[:, None]) ** 2, axis=1)))


def _p_below(ahead: NDArray[np.float64], codes: NDArray[np.intp], epsilon: float) -> float:
    """P of the hypothesis that the mean of d is epsilon or more, problems being the clusters."""
    sums = sums_by(codes, [ahead, np.ones(len(ahead))])
    total, g = sums.sum(axis=0), len(sums)
    mean = float(total[0] / total[1])
    if np.ptp(ahead) == 0:
        # d lies in [-1, 1]: its mean is epsilon, and most of it at this value, where the rest is 1.
        return 1.0 if mean >= epsilon else float(((1 - epsilon) / (1 - mean)) ** g)
    left = total - sums
    se = jackknife_se(left[:, 0] / left[:, 1])
    return float(stats.t.cdf((mean - epsilon) / se, g - 1)) if se > 0 else float(mean >= epsilon)
