"""From stored replies to judgments: read with today's parser, each with a score or with the reason why not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from diversity_judge.judges.base import Judge
from diversity_judge.ledger.store import Ledger, StoredReply
from diversity_judge.planning.groups import GroupPlan
from diversity_judge.planning.judgment import Judgment
from diversity_judge.planning.pairs import Pair
from diversity_judge.planning.prompting import parse_reply
from diversity_judge.rubric import MAX_SCORE, Missing


def read_judgments(
    plan: GroupPlan, judge: Judge, ledger: Ledger | None, pairs: Sequence[Pair] | None = None
) -> list[Judgment]:
    """The judgments of some pairs of a group (None: of all that are wanted), from the ledger (None: an empty one)."""
    pairs = plan.pairs if pairs is None else pairs
    keys = plan.keys(judge.fingerprint(plan), pairs)
    replies = ledger.replies([key for key in keys if key is not None]) if ledger is not None else {}
    judgments = [
        Judgment(pair, None, MAX_SCORE, None) if key is None else _judgment(pair, key, replies.get(key, ()))
        for pair, key in zip(pairs, keys, strict=True)
    ]
    judgments = _with_failures(judgments, ledger)
    return [_of_nothing_to_show(judgment, plan) for judgment in judgments] if plan.lacking else judgments


class Wanted(Protocol):
    """What has an answer or a reason why not: a judgment of a pair, or a sorting of a group."""

    @property
    def key(self) -> str | None:
        """In the ledger; None where no call is needed."""
        ...

    @property
    def reason(self) -> str | None:
        """Why there is no answer; None where there is one."""
        ...


def need_call(wanted: Sequence[Wanted], ledger: Ledger | None, limit: int | None) -> list[bool]:
    """For each of them whether a call could still bring an answer.

    A pair without a summary is not asked about; the summary is.

    Where the newest reply was cut at the present limit or a higher one, none could: it would be cut again, and paid
    for again.

    Args:
        wanted: As read from the ledger.
        ledger: To see at which limit a reply was cut.
        limit: The most tokens that a reply may have now.
    """
    if all(one.reason is None for one in wanted):
        return [False] * len(wanted)
    cut = [one.key for one in wanted if one.reason == Missing.TRUNCATED and one.key is not None]
    stored = ledger.replies(cut) if ledger is not None and cut else {}
    return [
        one.reason not in (None, Missing.NO_SUMMARY)
        and one.key is not None
        and (one.reason != Missing.TRUNCATED or _raised(stored.get(one.key, []), limit))
        for one in wanted
    ]


def _judgment(pair: Pair, key: str, replies: Sequence[StoredReply]) -> Judgment:
    """The first reply that holds a score decides; otherwise the newest says why there is none."""
    if not replies:
        return Judgment(pair, key, None, Missing.NOT_JUDGED)
    score: int | None = None
    reason: str | None = None
    reply_id: int | None = None
    prompt_tokens = completion_tokens = cached_tokens = 0
    cost_usd: float = 0
    # Unpacked, as a hundred thousand replies are read before the first table is written.
    for _, this_id, content, finish_reason, prompt, completion, cached, cost, _ in replies:
        if score is None:
            score, reason = parse_reply(content, finish_reason)
            reply_id = this_id
        prompt_tokens += prompt or 0
        completion_tokens += completion or 0
        cached_tokens += cached or 0
        cost_usd += cost or 0.0
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
    keys = [j.key for j in judgments if j.score is None and j.reason == Missing.NOT_JUDGED and j.key is not None]
    failures = ledger.failures(keys) if ledger is not None and keys else {}
    if not failures:
        return judgments
    return [j if j.key not in failures else Judgment(j.pair, j.key, None, failures[j.key].reason) for j in judgments]


def _of_nothing_to_show(judgment: Judgment, plan: GroupPlan) -> Judgment:
    """Say why a pair was not judged where one of its responses has nothing that could be shown."""
    if judgment.score is not None or plan.lacking.isdisjoint((judgment.pair.first, judgment.pair.second)):
        return judgment
    return judgment._replace(reason=Missing.NO_SUMMARY)


def _raised(replies: Sequence[StoredReply], limit: int | None) -> bool:
    """Whether the limit is higher now than when the newest of these replies was cut."""
    if not replies or replies[-1].output_limit is None:
        return True
    return limit is None or limit > replies[-1].output_limit
