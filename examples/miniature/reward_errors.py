"""How a process reward model errs, on responses that carry the rewards of their steps and whose truth is computable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diversity_judge.countdown import read_problem, read_steps
from diversity_judge.inputs.responses import Response
from diversity_judge.measures.verification import STEP_REWARDS
from examples.miniature.problems import is_held_out
from examples.miniature.step_labels import labels


@dataclass(frozen=True)
class Errors:
    """How a reward model errs on responses to problems that it never saw.

    Attributes:
        n_responses: Responses whose every part between two `;` is a step.
        n_steps: Their steps.
        good_steps: Share of good steps.
        step_auc: Probability that a good step has a higher reward than a bad one.
        accuracy: Share of steps whose reward is on the right side of 0.5.
        last_auc: Probability that a right response's last step has a higher reward than a wrong one's.
        min_auc: The same of the weakest step.
    """

    n_responses: int
    n_steps: int
    good_steps: float
    step_auc: float
    accuracy: float
    last_auc: float
    min_auc: float


def errors_of(responses: Iterable[Response]) -> Errors:
    """How the rewards of steps err on graded responses to held-out problems.

    Raises:
        ValueError: a problem was there in training, or there are not good and bad ones to be told apart.
    """
    rewards: list[float] = []
    good: list[bool] = []
    last: list[float] = []
    weakest: list[float] = []
    right: list[bool] = []
    for response in responses:
        problem, steps = read_problem(response.problem or ""), read_steps(response.text)
        found: Sequence[float] = response.meta.get(STEP_REWARDS) or []
        if not steps or len(found) != len(steps) or response.correct is None:
            continue
        if not is_held_out(problem):
            raise ValueError(f"the problem {problem.text} may have been there in training")
        rewards += found
        good += labels(problem, steps)
        last.append(found[-1])
        weakest.append(min(found))
        right.append(response.correct)
    scores, truth, is_right = np.array(rewards), np.array(good, dtype=np.bool_), np.array(right, dtype=np.bool_)
    return Errors(
        n_responses=len(right),
        n_steps=len(scores),
        good_steps=float(truth.mean()) if len(truth) else float("nan"),
        step_auc=auc(scores, truth),
        accuracy=float(((scores > 0.5) == truth).mean()),
        last_auc=auc(np.array(last), is_right),
        min_auc=auc(np.array(weakest), is_right),
    )


def auc(scores: NDArray[np.float64], is_good: NDArray[np.bool_]) -> float:
    """Probability that a good one has a higher score than a bad one, ties half (Mann-Whitney).

    Raises:
        ValueError: all are good, or none is.
    """
    from scipy.stats import rankdata

    n_good = int(is_good.sum())
    n_bad = len(is_good) - n_good
    if not n_good or not n_bad:
        raise ValueError("an AUC needs good ones and bad ones")
    return float((rankdata(scores)[is_good].sum() - n_good * (n_good + 1) / 2) / (n_good * n_bad))
