"""The probability that k experts are the ones drawn: Plackett and Luce's of a set, whatever the order.

Gumbel-top-k on g / tau draws experts one by one without replacement, in proportion to w_i = exp(g_i / tau). Seen as a
race, expert i arrives after an exponential time of rate w_i, and the set S is drawn if all of S arrive before the first
of the others, whose time is exponential of rate W, the sum of their rates:

    P(S) = integral over t of W exp(-W t) prod over S of (1 - exp(-w_i t)) dt

(Kool, van Hoof and Welling 2020, "Estimating Gradients for Discrete Random Variables by Sampling without Replacement",
appendix B.) With t = exp(s) the integrand falls off at both ends at least exponentially, so that the trapezoid rule on
even steps of s is exact to many digits; sums of logarithms keep it so where P(S) is tiny. The sum over subsets or
orders of S, exact too, has 2^k terms of either sign or k! terms.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

_STEP = 0.25
"""Of s. The error is exp(-pi^2 / step), 1e-17, in units of the largest term of the sum over subsets."""
_BELOW, _ABOVE = 21.0, 4.5
"""How far s goes below and above the time at which the first of the others is due: exp(-21) is 1e-9."""
_MOST_VALUES = 1 << 22
"""Numbers in a working array."""
_EARLY, _LATE = -60.0, 5.0
"""Of log(w t): before, an expert's chance to have arrived is w t itself; after, it is 1."""


def log_set_probability(logits: Tensor, sets: Tensor, tau: float = 1.0) -> Tensor:
    """Log-probability that Gumbel-top-k draws exactly these experts; differentiable in the logits.

    Args:
        logits: (T, E) router logits.
        sets: (T, M, k) numbers of experts, distinct within a set; k < E.
        tau: Temperature of the draws, above 0.

    Returns:
        (T, M) in nats, in the precision of the logits but at least float32.
    """
    g = (logits if logits.dtype == torch.float64 else logits.float()) / tau
    at_once = max(1, _MOST_VALUES // (sets.shape[1] * len(_offsets(g))))
    pieces = zip(g.split(at_once), sets.split(at_once), strict=True)
    # The steps of one piece take memory at a time; they are computed again for the gradient.
    return torch.cat([checkpoint(_log_probability, *piece, use_reentrant=False) for piece in pieces])


def _log_probability(g: Tensor, sets: Tensor) -> Tensor:
    g = g - g.logsumexp(dim=1, keepdim=True)
    inside = g[:, None, :].expand(-1, sets.shape[1], -1).gather(2, sets)  # (T, M, k)
    others = _log_rate_of_others(g, sets)[:, :, None]  # (T, M, 1)
    s = _offsets(g) - others.detach()  # (T, M, S)
    arrived = torch.zeros_like(s)
    for member in inside.unbind(dim=2):
        arrived = arrived + _log_arrived(member[:, :, None] + s)
    density = others + s - torch.exp(others + s)
    return torch.logsumexp(density + arrived, dim=2) + math.log(_STEP)


def _log_arrived(log_time: Tensor) -> Tensor:
    """log(1 - exp(-x)) from log x, without a NaN in the gradient where x underflows or overflows."""
    between = torch.log(-torch.expm1(-torch.exp(log_time.clamp(_EARLY, _LATE))))
    return torch.where(log_time < _EARLY, log_time, between)


def _log_rate_of_others(g: Tensor, sets: Tensor) -> Tensor:
    """(T, M) log of the sum of the rates of all experts outside of each set."""
    hidden = torch.zeros((*sets.shape[:2], g.shape[1]), dtype=torch.bool, device=g.device)
    hidden.scatter_(2, sets, True)
    return torch.where(hidden, -torch.inf, g[:, None, :]).logsumexp(dim=2)


def _offsets(g: Tensor) -> Tensor:
    """(S,) even steps of s, from the time at which the first of the others is due, 1 / W.

    At W t = exp(4.5) the density is exp(-90). Below, it falls with exp(s) or faster.
    """
    return torch.arange(-_BELOW, _ABOVE + _STEP / 2, _STEP, dtype=g.dtype, device=g.device)
