"""A judgment: one wanted pair, with its score or the reason why it has none."""

from __future__ import annotations

from typing import NamedTuple

from diversity_judge.planning.pairs import Pair


class Judgment(NamedTuple):
    """What is known of one wanted pair.

    Attributes:
        pair: Which responses, in which order.
        key: The judgment's key in the ledger; None for duplicates, which need no call.
        score: 0..5, whole of one judge and a mean of a panel's; None when it is missing.
        reason: Why the score is missing; None when it is there.
        n_replies: Replies that were paid for.
        reply_id: The stored reply that holds the score.
        prompt_tokens: Summed over the paid replies, like the next three.
        completion_tokens: See above.
        cached_tokens: See above.
        cost_usd: See above.
    """

    pair: Pair
    key: str | None
    score: float | None
    reason: str | None
    n_replies: int = 0
    reply_id: int | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float = 0.0

    @property
    def is_duplicate(self) -> bool:
        """Whether the score was given without a call, because the two texts are the same."""
        return self.key is None
