"""How much is sampled: which strategies for how many of the held-out problems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from examples.miniature import sweeps

COMPARED = ("token-normal", "expert-sample")
STRATEGIES = ("token-normal", "token-high", "edt", "expert-sample")
"""The four strategies of the paper, whose responses are judged."""
CLAIMED = ("expert-sample:tau=4", "expert-sample:r=64")
"""Settings that a claim says bring nothing: as small a difference as that of the strategies compared."""
NO_HEAD = "expert-sample:k_keep=0"
ACTIVE = 8
"""The model's own number of active experts."""


@dataclass(frozen=True)
class Size:
    """How much is sampled; `problems` >= `others` >= `study`.

    Attributes:
        problems: Held-out problems where differences are small: the compared strategies, the settings that are
            said to bring nothing.
        others: Of these, problems for strategies whose differences are large.
        study: Of these, problems for the other values of the sweeps, and for the routers' probabilities.
        second: Of these, problems for the compared strategies of the second model.
        active: Numbers of active experts, each with its problems; the model's own number is of the main experiment.
        n: Responses a problem and strategy.
        pairs: Judged pairs a group; None for all.
        matrices: Problems whose pairs are all judged, by both judges.
        rounds: Of the measurement of overhead.
        routed: Tokens whose counterfactual routes are analysed.
        replayed: Fragile ones of these that are replayed with another route.
        sweeps: Values of each setting.
    """

    problems: int
    others: int
    study: int
    second: int
    active: Mapping[int, int]
    n: int
    pairs: int | None
    matrices: int
    rounds: int
    routed: int
    replayed: int
    sweeps: tuple[sweeps.Sweep, ...] = field(default=sweeps.FULL)

    def strategies(self) -> dict[int, list[str]]:
        """Number of problems -> the strategies that are sampled for so many, each strategy once."""
        wanted = (
            (self.problems, ("greedy", *COMPARED, *CLAIMED)),
            (self.others, (*STRATEGIES, NO_HEAD)),
            (self.study, sweeps.strategies(self.sweeps)),
        )
        found: dict[int, list[str]] = {}
        known: set[str] = set()
        for n_problems, names in wanted:
            found.setdefault(n_problems, []).extend(name for name in names if name not in known)
            known.update(names)
        return found


FULL = Size(
    1000, 300, 60, 300, {2: 200, 4: 1000, 16: 200}, n=32, pairs=32, matrices=8, rounds=6, routed=20_000, replayed=100
)  # fmt: skip
QUICK = Size(
    3, 3, 3, 3, {4: 3}, n=8, pairs=None, matrices=2, rounds=3, routed=200, replayed=3, sweeps=sweeps.QUICK
)  # fmt: skip
