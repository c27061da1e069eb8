"""What a run has done so far and how it ended: the only thing that the progress display and the manifest read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import Enum

from diversity_judge.engine.bill import Bill
from diversity_judge.judges.base import Reply
from diversity_judge.rubric import Missing

_SPENT = (
    "calls", "replies", "cost_usd", "unpriced", "prompt_tokens", "completion_tokens", "cached_tokens",
    "cache_reported_tokens",
)  # fmt: skip
"""What calls take, whatever they were for."""


class Ending(Enum):
    """Why no more calls are sent."""

    DONE = "done"
    BUDGET = "budget"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass
class Tally:
    """Counts of a run; judgments are counted only once their reply is on disk.

    Attributes:
        wanted: Judgments, sortings and summaries that the plan wants.
        reused: Of these, found in the ledger.
        scored: Scored in this run.
        missing: Ended without a score in this run, by reason.
        calls: Calls sent.
        replies: Replies that arrived and were kept.
        cost_usd: Their cost, as far as prices and token counts are known.
        unpriced: Replies whose cost is not known, because the host counted no tokens or the judge has no prices.
        prompt_tokens: Tokens of their prompts.
        completion_tokens: Tokens of the replies.
        cached_tokens: Prompt tokens that a prefix cache served.
        cache_reported_tokens: Prompt tokens of the replies whose host reports cache hits at all.
        in_flight: Calls open now.
        trouble: The newest reason why something had to be asked again.
        ending: Why no more calls are sent.
        message: A sentence about the ending, where the plan was not simply done.
    """

    wanted: int = 0
    reused: int = 0
    scored: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    replies: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_reported_tokens: int = 0
    in_flight: int = 0
    trouble: str = ""
    ending: Ending = Ending.DONE
    message: str = ""

    @classmethod
    def of(cls, bill: Bill) -> Tally:
        """The counts before the first call."""
        tally = cls()
        tally.go_on_with(bill)
        return tally

    def after(self, earlier: Tally) -> Tally:
        """Of both together: of an earlier stage, whose judgments this one found in the ledger, and this one."""
        counts = {name: getattr(self, name) + getattr(earlier, name) for name in ("scored", *_SPENT)}
        return replace(self, reused=max(0, self.reused - earlier.scored), **counts)

    def go_on_with(self, bill: Bill) -> None:
        """Count what a bill wants, beside what was wanted before."""
        self.wanted += bill.judgments + bill.sortings + bill.summaries
        self.reused += bill.reused + bill.sortings_reused + bill.summaries_reused
        if cut := bill.not_asked_again + bill.sortings_not_asked_again + bill.summaries_not_asked_again:
            self.missing[Missing.TRUNCATED] += cut
        if bill.without_summary:
            self.missing[Missing.NO_SUMMARY] += bill.without_summary

    @property
    def done(self) -> int:
        """Judgments that are finished with, with or without a score."""
        return self.reused + self.scored + sum(self.missing.values())

    @property
    def cache_hit_share(self) -> float | None:
        """Share of the prompt tokens that a prefix cache served, None where no host reported it."""
        return self.cached_tokens / self.cache_reported_tokens if self.cache_reported_tokens else None

    def spend(self, other: Tally) -> None:
        """Add what other calls of the same run took: calls, replies, tokens and cost, and not their judgments."""
        for name in _SPENT:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def count_reply(self, reply: Reply, cost_usd: float | None) -> None:
        """Add a reply that is on disk."""
        self.replies += 1
        self.cost_usd += cost_usd or 0.0
        self.unpriced += cost_usd is None
        self.prompt_tokens += reply.prompt_tokens or 0
        self.completion_tokens += reply.completion_tokens or 0
        if reply.cached_tokens is not None:
            self.cached_tokens += reply.cached_tokens
            self.cache_reported_tokens += reply.prompt_tokens or 0
