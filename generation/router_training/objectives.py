"""What a step makes smaller. The paper does not give its objective: these three are choices of this project.

With g the router's logits, S a set of k experts, u(S) the log-probability of the realised token by the route S, and
P(S) the probability that Gumbel-top-k on g / tau draws S (Plackett and Luce's of a set):

    nll          - u(top k of g)                         the chosen experts' weights alone carry a gradient
    best-route   - log P(S*), S* the best of M drawn     the router learns to take what chance has found
    advantage    - mean over M of (u(S) - mean u) log P(S)   the gradient of the expected utility (REINFORCE)

Routes are drawn anew at each step, from the router as it is then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from generation.router_training.forward import Forward, Tail
from generation.router_training.options import Objective
from generation.router_training.set_probability import log_set_probability


def nll(forward: Forward, batch: Sequence[int], values: Mapping[str, Tensor], targets: Tensor) -> Tensor:
    """Mean negative log-likelihood of tokens under the routes that the router takes, in nats."""
    return -forward.logprobs(batch, values, targets).mean()


def drawn_routes_loss(
    objective: Objective,
    tail: Tail,
    batch: Sequence[int],
    values: Mapping[str, Tensor],
    targets: Tensor,
    *,
    routes: Tensor,
    tau: float,
) -> Tensor:
    """The loss of `best-route` or `advantage`, given the routes that were drawn.

    Args:
        objective: Which.
        tail: The last layer.
        batch: Numbers of trajectories, of T places together.
        values: What is trained, by name.
        targets: (T,) tokens.
        routes: (T, M, k) distinct experts.
        tau: Temperature that they were drawn at.
    """
    logits = tail.logits(batch, values)
    utilities = tail.utilities(batch, logits.detach(), routes, targets)
    if objective is Objective.BEST_ROUTE:
        best = utilities.argmax(dim=1)[:, None, None].expand(-1, 1, routes.shape[2])
        return -log_set_probability(logits, routes.gather(1, best), tau).mean()
    advantages = utilities - utilities.mean(dim=1, keepdim=True)
    return -(advantages * log_set_probability(logits, routes, tau)).mean()


def drawn_routes(logits: Tensor, n_routes: int, k: int, tau: float, generator: torch.Generator) -> Tensor:
    """Routes by Gumbel-top-k on logits / tau.

    Args:
        logits: (T, E).
        n_routes: M, a token.
        k: Experts a route.
        tau: Temperature.
        generator: Of the noise, on the CPU, so that a seed means the same on every device.

    Returns:
        (T, M, k) experts.
    """
    noise = torch.rand(logits.shape[0], n_routes, logits.shape[1], generator=generator)
    gumbel = -torch.log(-torch.log(noise.clamp(1e-20, 1 - 1e-7)))
    return (logits.detach().float()[:, None] / tau + gumbel.to(logits.device)).topk(k, dim=2).indices
