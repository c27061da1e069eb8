"""Two numbers of a model that say what Expert-Sample can bring.

How much of a layer's weight it may change, and how random the tokens are without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.clustered import of_equal, of_sums, ratio
from diversity_judge.measures.intervals import Estimate
from generation.expert_use.profile import Reading

GREEDY = "greedy: the next token is certain"
_SHARE = (0.0, 1.0)


@dataclass(frozen=True)
class RouterNumbers:
    """Means over the tokens of responses, with intervals over blocks of problems.

    A token counts where it yields the next one: from the last of the prompt to the last but one of the response.

    Attributes:
        new_share: Share of a layer's expert weight, 0..1, that Expert-Sample would put on experts which top-k would not
            have taken; mean of the layers; NaN with a reason where no expert can be drawn.
        entropy: Nats of the next token as the strategy draws it, penalties left out; 0 by definition where greedy.
        entropy_t1: Nats of the next token at temperature 1 without cuts.
        n_tokens: Tokens that were looked at.
    """

    new_share: Estimate
    entropy: Estimate
    entropy_t1: Estimate
    n_tokens: int

    @classmethod
    def from_workers(cls, *readings: Reading, is_greedy: bool = False, no_draw: str = "") -> RouterNumbers:
        """Join what the workers saw: tensor-parallel ranks the same, or no logits; pipeline stages other layers.

        Args:
            readings: The workers' answers after each block of problems; their sums go on from block to block.
            is_greedy: Whether the most probable token is taken: then its entropy is known.
            no_draw: Why no expert can be drawn; empty where one can.

        Raises:
            ValueError: no worker saw the logits of a next token.
        """
        entropies = np.diff([_entropies(answers) for answers in readings], axis=0, prepend=0.0)
        drawn, uncut, n_tokens = entropies.T
        if not n_tokens.sum():
            raise ValueError("the logits of no token were seen: the model's head runs where it can't be watched")
        return cls(
            _unknown(no_draw) if no_draw else _share(np.diff([_shares(a) for a in readings], axis=0, prepend=0.0)),
            _certain(len(readings)) if is_greedy else _per_token(drawn, n_tokens),
            _per_token(uncut, n_tokens),
            int(n_tokens.sum()),
        )


def _entropies(answers: Reading) -> tuple[float, ...]:
    """Both sums and their tokens, from the first worker that has the logits."""
    found = (answer["entropy"] for answer in answers)
    return next(((*sums, float(n)) for sums, n in found if n), (0.0, 0.0, 0.0))


def _shares(answers: Reading) -> tuple[float, float]:
    """The sum over tokens and layers, and how many these are."""
    layers: dict[int, tuple[list[float], int]] = {}
    for answer in answers:
        for layer, seen in answer["new_share"].items():
            layers.setdefault(int(layer), seen)
    return sum(sums[0] for sums, n in layers.values() if n), float(sum(n for _, n in layers.values()))


def _share(blocks: NDArray[np.float64]) -> Estimate:
    """Mean of (blocks, 2) sums of shares and their numbers."""
    found = of_sums(_ratio, blocks, bounds=_SHARE)
    return of_equal(found, len(blocks), _SHARE) if found.se == 0.0 else found


def _per_token(sums: NDArray[np.float64], n_tokens: NDArray[np.float64]) -> Estimate:
    return of_sums(_ratio, np.stack([sums, n_tokens], axis=1), scale="log")


def _ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return ratio(sums[..., 0], sums[..., 1])


def _certain(n: int) -> Estimate:
    return Estimate(0.0, 0.0, 0.0, 0.0, n, GREEDY)


def _unknown(reason: str) -> Estimate:
    nan = float("nan")
    return Estimate(nan, nan, nan, nan, 0, "", reason)


def number_rows(numbers: RouterNumbers, *, strategy: str, draw: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lines of `router_numbers.csv`; what is not known is an empty cell.

    Args:
        numbers: What was found.
        strategy: How the responses were sampled.
        draw: `k_keep`, `tau` and `r` of the draw, which the share alone depends on.
    """
    found = (
        ("new_share", numbers.new_share, "share of a layer's expert weight", dict(draw)),
        ("entropy", numbers.entropy, "nats", dict.fromkeys(draw)),
        ("entropy_t1", numbers.entropy_t1, "nats", dict.fromkeys(draw)),
    )
    return [
        {
            "number": name,
            "value": estimate.value,
            "ci_low": estimate.low,
            "ci_high": estimate.high,
            "unit": unit,
            "strategy": strategy,
            **of_draw,
        }
        for name, estimate, unit, of_draw in found
    ]
