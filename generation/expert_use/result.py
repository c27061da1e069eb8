"""What watching a model's routers found, in words and in tables."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diversity_judge.files import write_csv
from diversity_judge.measures.intervals import Estimate
from generation.expert_use.numbers import GREEDY, number_rows
from generation.expert_use.options import ProbabilitiesOptions
from generation.expert_use.profile import BINS
from generation.expert_use.profile_files import write_profile
from generation.expert_use.watching import Seen
from generation.strategies import Strategy

_SHARES_DRAWN = (0.75, 0.5, 0.25)


@dataclass(frozen=True)
class ProbabilitiesResult:
    """What was seen, and where it stands; as text what a person reads.

    Attributes:
        seen: The routers' profile, the numbers, and the draw that was weighed.
        strategy: How the responses were sampled.
        paths: What was written.
    """

    seen: Seen
    strategy: Strategy
    paths: tuple[Path, ...]

    @classmethod
    def write(cls, seen: Seen, options: ProbabilitiesOptions) -> ProbabilitiesResult:
        """Write the tables and the figure into the options' folder."""
        strategy, folder = options.read_strategy(), options.out
        folder.mkdir(parents=True, exist_ok=True)
        numbers = folder / "router_numbers.csv"
        draw = {name: getattr(seen.draw, name, None) for name in ("k_keep", "tau", "r")}
        write_csv(numbers, number_rows(seen.numbers, strategy=strategy.name, draw=draw))
        written = write_profile(seen.profile, folder, k_keep=seen.k_keep, model=Path(options.model).name)
        return cls(seen, strategy, (numbers, *written))

    def __str__(self) -> str:
        """All of it, a line each."""
        return "\n".join([self._ranks(), *self._untaken(), self._new_share(), self._entropy(), *map(str, self.paths)])

    def _ranks(self) -> str:
        profile, k_keep = self.seen.profile, self.seen.k_keep
        head, active = profile.mean[:k_keep].sum(), profile.mean[: profile.active_experts].sum()
        return (
            f"{len(profile.layers)} layers, {profile.n_tokens:,} tokens, {len(profile.mean)} experts: the first "
            f"{k_keep} hold {head:.1%} of the probability, the active {profile.active_experts} {active:.1%}"
        )

    def _untaken(self) -> list[str]:
        """Which `fragile_from` would draw how many tokens."""
        profile = self.seen.profile
        if not len(profile.untaken):
            return []
        shares = profile.fragile_shares().mean(axis=0)
        found = [f"{np.flatnonzero(shares >= wanted)[-1] / BINS:.3g} draws {wanted:.0%}" for wanted in _SHARES_DRAWN]
        return [f"of these tokens, expert-sample-fragile at fragile_from {', '.join(found)}"]

    def _new_share(self) -> str:
        draw, found = self.seen.draw, self.seen.numbers.new_share
        if draw is None:
            return f"weight on new experts: not known: {found.reason}"
        share = _shown(found, " %", factor=100, digits=1)
        return f"weight on new experts: {share}, with k_keep {draw.k_keep}, tau {draw.tau:g}, r {draw.r}"

    def _entropy(self) -> str:
        numbers, tokens = self.seen.numbers, self.strategy.tokens
        sampled = "0 nats" if numbers.entropy.method == GREEDY else _shown(numbers.entropy, " nats")
        penalised = tokens.repetition_penalty != 1 or tokens.presence_penalty != 0
        left_out = ", its penalties left out" if penalised else ""
        return f"next token's entropy: {sampled}{left_out}; {_shown(numbers.entropy_t1)} at T 1"


def _shown(found: Estimate, unit: str = "", *, factor: float = 1, digits: int = 3) -> str:
    """A number and its interval, where it has one."""
    value, low, high = (f"{factor * number:.{digits}f}" for number in (found.value, found.low, found.high))
    return f"{value}{unit}" if math.isnan(found.low) else f"{value}{unit} ({low} to {high})"
