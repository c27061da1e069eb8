"""The schemes by which other routes of equal cost are drawn, by name: what the command line knows without torch."""

from __future__ import annotations

from typing import Literal, get_args

Scheme = Literal["gumbel", "tail", "swap-one", "optimum", "expert-sample"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

ABOUT: dict[Scheme, str] = {
    "gumbel": "k of all experts without replacement, in proportion to exp(router logit / tau)",
    "tail": "the router's first k//2+1 experts are kept, the others drawn from all that are left",
    "swap-one": "one expert of the standard route gives way to one that is not in it, drawn by exp(router logit / tau)",
    "optimum": "as gumbel, and the best route is searched for by exchanging experts (last layer only)",
    "expert-sample": "as Expert-Sample samples: head kept, tail drawn from the first 4k",
}
