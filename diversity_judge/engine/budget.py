"""The user's limits on calls and cost, checked before each call is sent."""

from __future__ import annotations

from diversity_judge.engine.options import EngineOptions
from diversity_judge.engine.tally import Tally


class Budget:
    """Says whether one more call fits.

    A call costs what it turns out to cost, so calls in flight count with the mean cost of those that came back
    (the estimate of `--dry-run` until then), and so do replies whose tokens the host did not count.
    Spending can pass the limit by how far the last of them exceed it.

    Args:
        options: The limits.
        tally: What was spent so far.
        estimated_cost_usd: Of one call, before any came back.
    """

    def __init__(self, options: EngineOptions, tally: Tally, estimated_cost_usd: float | None) -> None:
        self._options = options
        self._tally = tally
        self._estimate = estimated_cost_usd or 0.0

    def refusal(self) -> str | None:
        """Why no further call may be sent, or None when one may."""
        options, tally = self._options, self._tally
        if options.max_calls is not None and tally.calls >= options.max_calls:
            return f"--max-calls {options.max_calls} is reached"
        if options.max_cost_usd is not None:
            priced = tally.replies - tally.unpriced
            a_call = tally.cost_usd / priced if priced else self._estimate
            if tally.cost_usd + a_call * (tally.unpriced + tally.in_flight + 1) > options.max_cost_usd:
                return f"--max-cost {options.max_cost_usd:g} USD is reached ({tally.cost_usd:.4f} USD spent)"
        return None
