"""Steps of Adam, with a look at held-out problems every so often, until these get no better.

The measure that stops is the held-out negative log-likelihood of the realised tokens under the routes that the router
then takes, the same for all objectives; or, where that is asked for, the objective's own loss, on routes drawn with the
same noise at each look. What is kept is the best that was seen, the beginning included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diversity_judge.errors import RunError
from generation.router_training.forward import Forward, Tail, Tokens
from generation.router_training.objectives import drawn_routes, drawn_routes_loss, nll
from generation.router_training.options import Objective, StopBy, UpdateOptions
from generation.router_training.trained import Trained


@dataclass(frozen=True)
class Look:
    """The held-out problems at one step.

    Attributes:
        step: Steps taken.
        nll: Mean negative log-likelihood a token, in nats.
        loss: The objective's own mean loss a token; None where it decides nothing.
    """

    step: int
    nll: float
    loss: float | None = None

    @property
    def decides(self) -> float:
        """The figure that is to become small."""
        return self.nll if self.loss is None else self.loss


@dataclass(frozen=True)
class Part:
    """Some trajectories with the tokens that are to be made likely at their places.

    Attributes:
        numbers: Which trajectories.
        targets: By number of the trajectory, its tokens, or those of other places.
    """

    numbers: tuple[int, ...]
    targets: dict[int, Tensor]

    @property
    def n_tokens(self) -> int:
        """Tokens of all trajectories."""
        return sum(len(tokens) for tokens in self.targets.values())

    def tokens(self, batch: Sequence[int]) -> Tensor:
        """(T,) tokens of a batch, trajectory after trajectory."""
        return torch.cat([self.targets[number] for number in batch])


def part(
    trajectories: Sequence[Tokens], numbers: Sequence[int], device: Any, shuffled_by: torch.Generator | None = None
) -> Part:
    """Trajectories with their own tokens, or with all their tokens dealt out anew."""
    targets = {n: torch.tensor(trajectories[n].token_ids, device=device) for n in numbers}
    if shuffled_by is not None:
        pool = torch.cat([targets[n] for n in numbers])
        order = torch.randperm(len(pool), generator=shuffled_by).to(device)
        dealt = pool[order].split([len(targets[n]) for n in numbers])
        targets = dict(zip(numbers, dealt, strict=True))
    return Part(tuple(numbers), targets)


def train(
    forward: Forward,
    trained: Trained,
    training: Part,
    stopping: Part,
    options: UpdateOptions,
    on_look: Callable[[Look], None] = lambda look: None,
) -> tuple[Look, ...]:
    """Train, and leave in `trained` the best that was seen.

    Returns:
        All looks, in order.

    Raises:
        RunError: the loss is no number any more.
    """
    optimizer = torch.optim.Adam(trained.leaves, lr=options.lr)
    noise = torch.Generator().manual_seed(options.seed)
    looks = [_look(0, forward, trained, stopping, options)]
    on_look(looks[0])
    best, best_state = looks[0], trained.state()
    for step, batch in enumerate(_batches(training.numbers, options), start=1):
        optimizer.zero_grad()
        loss = _loss(forward, trained, batch, training.tokens(batch), options, noise)
        if not torch.isfinite(loss):
            raise RunError(f"the loss at step {step} is {loss.item()}; a smaller --lr may help")
        loss.backward()
        optimizer.step()
        if step % options.evaluate_every and step != options.steps:
            continue
        looks.append(_look(step, forward, trained, stopping, options))
        on_look(looks[-1])
        if looks[-1].decides < best.decides:
            best, best_state = looks[-1], trained.state()
        elif step - best.step >= options.patience * options.evaluate_every:
            break
    trained.restore(best_state)
    return tuple(looks)


def _look(step: int, forward: Forward, trained: Trained, stopping: Part, options: UpdateOptions) -> Look:
    found = mean_nll(forward, trained, stopping, options.batch_size)
    if options.stop_by is StopBy.NLL:
        return Look(step, found)
    noise, total, size = torch.Generator().manual_seed(options.seed + 1), 0.0, options.batch_size
    with torch.no_grad():
        for first in range(0, len(stopping.numbers), size):
            batch = stopping.numbers[first : first + size]
            targets = stopping.tokens(batch)
            total += float(_loss(forward, trained, batch, targets, options, noise)) * len(targets)
    return Look(step, found, total / stopping.n_tokens)


def mean_nll(forward: Forward, trained: Trained, where: Part, batch_size: int) -> float:
    """Mean negative log-likelihood a token, in nats."""
    sums = nll_sums(forward, trained, where, batch_size)
    return float(sums.sum() / where.n_tokens)


def nll_sums(forward: Forward, trained: Trained, where: Part, batch_size: int) -> NDArray[np.float64]:
    """(N,) negative log-likelihood of each trajectory in nats, in the order of its numbers."""
    sums = []
    with torch.no_grad():
        values = trained.in_model()
        for first in range(0, len(where.numbers), batch_size):
            batch = where.numbers[first : first + batch_size]
            logprobs = forward.logprobs(batch, values, where.tokens(batch)).double().cpu()
            sums += [-float(piece.sum()) for piece in logprobs.split([len(where.targets[n]) for n in batch])]
    return np.array(sums)


def _loss(
    forward: Forward,
    trained: Trained,
    batch: Sequence[int],
    targets: Tensor,
    options: UpdateOptions,
    noise: torch.Generator,
) -> Tensor:
    values = trained.in_model()
    if options.objective is Objective.NLL:
        return nll(forward, batch, values, targets)
    if not isinstance(forward, Tail):
        raise TypeError("routes are drawn at the last layer only")
    with torch.no_grad():
        logits = forward.logits(batch, values)
    routes = drawn_routes(logits, options.alternatives, forward.layer.k, options.tau, noise)
    return drawn_routes_loss(options.objective, forward, batch, values, targets, routes=routes, tau=options.tau)


def _batches(numbers: Sequence[int], options: UpdateOptions) -> Iterator[list[int]]:
    """Batches of trajectories, all once in random order, then all again in another, for so many steps."""
    order = torch.Generator().manual_seed(options.seed)
    left: list[int] = []
    for _ in range(options.steps):
        if not left:
            left = [numbers[place] for place in torch.randperm(len(numbers), generator=order)]
        batch, left = left[: options.batch_size], left[options.batch_size :]
        yield batch
