"""What an update has found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.clustered import codes_of, of_sums, sums_by
from diversity_judge.measures.intervals import Estimate
from generation.router_training.options import UpdateOptions
from generation.router_training.training import Look


@dataclass(frozen=True)
class HeldOut:
    """Negative log-likelihood of the held-out right responses, a token, in nats, over problems.

    Attributes:
        before: By the old checkpoint.
        after: By the new one, as it is written.
        change: After minus before.
    """

    before: Estimate
    after: Estimate
    change: Estimate


@dataclass(frozen=True)
class Amount:
    """How much was learned from, and how much decided when to stop.

    Attributes:
        problems: Problems of the right responses.
        responses: Right responses.
        tokens: Their tokens.
    """

    problems: int
    responses: int
    tokens: int


@dataclass(frozen=True)
class UpdateResult:
    """An update, done and written.

    Attributes:
        options: What was asked for.
        layer: Whose router it is; of a control, where it was trained.
        tensors: Names of the tensors of the checkpoint that differ.
        n_parameters: Numbers that the optimizer changed.
        changed: Euclidean norm of the change, as it is written.
        size: Euclidean norm of these tensors before.
        training: What was trained on.
        stopping: What decided when to stop.
        held_out: What it did to these.
        looks: The held-out problems as training went on.
        seconds: Training alone.
    """

    options: UpdateOptions
    layer: int
    tensors: tuple[str, ...]
    n_parameters: int
    changed: float
    size: float
    training: Amount
    stopping: Amount
    held_out: HeldOut
    looks: tuple[Look, ...]
    seconds: float

    @property
    def best(self) -> Look:
        """The look whose tensors were written."""
        return min(self.looks, key=lambda look: look.decides)


def held_out(
    problems: Sequence[str], n_tokens: Sequence[int], before: NDArray[np.float64], after: NDArray[np.float64]
) -> HeldOut:
    """Likelihoods a token with intervals over problems.

    Args:
        problems: Of each trajectory.
        n_tokens: Of each trajectory.
        before: (N,) its negative log-likelihood in nats, by the old checkpoint.
        after: (N,) the same by the new one.
    """
    sums = sums_by(codes_of(np.array(problems)), [np.array(n_tokens, float), before, after])
    return HeldOut(
        of_sums(lambda s: s[..., 1] / s[..., 0], sums),
        of_sums(lambda s: s[..., 2] / s[..., 0], sums),
        of_sums(lambda s: (s[..., 2] - s[..., 1]) / s[..., 0], sums),
    )
