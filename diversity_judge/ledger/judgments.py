"""From stored replies to judgments: read with today's parser, each with a score or with the reason why not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from diversity_judge.judges.base import Judge
from diversity_judge.ledger import Ledger, StoredReply
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.planning.groups import GroupPlan
from diversity_judge.planning.pairs import Pair
from diversity_judge.planning.prompting import MAX_SIMILARITY, parse_reply

NOT_JUDGED = "not_judged"
"""The reason of a pair that was wanted and never answered."""


class Judgment(NamedTuple):
    """What is known of one wanted pair.

    Attributes:
        pair: Which responses, in which order.
        key: The judgment's key in the ledger; None for duplicates, which need no call.
        score: 0..5, or None when it is missing.
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
    score: int | None
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


def read_judgments(plan: GroupPlan, judge: Judge, ledger: Ledger | None) -> list[Judgment]:
    """All wanted judgments of a group, from the ledger (None: an empty one), in the order of the plan."""
    keys = plan.keys(judge.fingerprint(plan))
    replies = ledger.replies([key for key in keys if key is not None]) if ledger is not None else {}
    judgments = [
        Judgment(pair, None, MAX_SIMILARITY, None) if key is None else _judgment(pair, key, replies.get(key, ()))
        for pair, key in zip(plan.pairs, keys, strict=True)
    ]
    return _with_failures(judgments, ledger)


def missing_pairs(judgments: Sequence[Judgment], ledger: Ledger | None, limit: int | None) -> list[Pair]:
    """The pairs for which a call could still bring a score.

    A pair whose newest reply was cut at the present limit or a higher one is left out: it would be cut again,
    and paid for again.

    Args:
        judgments: Of a group, as read from the ledger.
        ledger: To see at which limit a reply was cut.
        limit: The most tokens that a reply may have now.
    """
    cut = [j.key for j in judgments if j.reason == "truncated" and j.key is not None]
    stored = ledger.replies(cut) if ledger is not None and cut else {}
    return [
        judgment.pair
        for judgment in judgments
        if judgment.score is None
        and judgment.key is not None
        and (judgment.reason != "truncated" or _raised(stored.get(judgment.key, []), limit))
    ]


def build_matrix(n: int, judgments: Sequence[Judgment]) -> SimilarityMatrix:
    """The similarity matrix of n responses; repeated draws of a pair are averaged over those that have a score."""
    total, count = np.zeros((n, n)), np.zeros((n, n))
    wanted = np.zeros((n, n), dtype=np.bool_)
    first = np.array([judgment.pair.first for judgment in judgments], dtype=np.intp)
    second = np.array([judgment.pair.second for judgment in judgments], dtype=np.intp)
    given = np.array([judgment.score for judgment in judgments], dtype=np.float64)  # None is NaN
    is_given = ~np.isnan(given)
    wanted[first, second] = True
    np.add.at(total, (first[is_given], second[is_given]), given[is_given])
    np.add.at(count, (first[is_given], second[is_given]), 1.0)
    with np.errstate(invalid="ignore"):
        scores = np.where(count > 0, total / count, np.nan)
    return SimilarityMatrix(scores, wanted)


def _judgment(pair: Pair, key: str, replies: Sequence[StoredReply]) -> Judgment:
    """The first reply that holds a score decides; otherwise the newest says why there is none."""
    score: int | None = None
    reason: str | None = NOT_JUDGED
    reply_id: int | None = None
    prompt_tokens = completion_tokens = cached_tokens = 0
    cost_usd: float = 0
    for reply in replies:
        if score is None:
            score, reason = parse_reply(reply.content, reply.finish_reason)
            reply_id = reply.id
        prompt_tokens += reply.prompt_tokens or 0
        completion_tokens += reply.completion_tokens or 0
        cached_tokens += reply.cached_tokens or 0
        cost_usd += reply.cost_usd or 0.0
    return Judgment(
        pair,
        key,
        score,
        reason,
        len(replies),
        reply_id,
        prompt_tokens,
        completion_tokens,
        cached_tokens,
        cost_usd,
    )


def _with_failures(judgments: list[Judgment], ledger: Ledger | None) -> list[Judgment]:
    """Name the failure of pairs that never got a reply."""
    keys = [j.key for j in judgments if j.reason == NOT_JUDGED and j.key is not None]
    failures = ledger.failures(keys) if ledger is not None and keys else {}
    if not failures:
        return judgments
    return [
        Judgment(j.pair, j.key, None, failures[j.key].reason) if j.reason == NOT_JUDGED and j.key in failures else j
        for j in judgments
    ]


def _raised(replies: Sequence[StoredReply], limit: int | None) -> bool:
    """Whether the limit is higher now than when the newest of these replies was cut."""
    if not replies or replies[-1].output_limit is None:
        return True
    return limit is None or limit > replies[-1].output_limit
