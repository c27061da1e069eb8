"""From stored replies to the sortings of groups: each with its labels or with the reason why there are none."""

from __future__ import annotations

from collections.abc import Sequence

from diversity_judge.judges.base import Judge
from diversity_judge.judges.chat_format import sorting_fingerprint
from diversity_judge.ledger.store import Ledger, StoredReply
from diversity_judge.planning.sorting import Sorting, SortingPlan
from diversity_judge.rubric import Missing


def read_sortings(plans: Sequence[SortingPlan], judge: Judge, ledger: Ledger | None) -> list[Sorting]:
    """The answers to some questions about groups, from the ledger (None: an empty one)."""
    keys = [plan.key(sorting_fingerprint(judge.spec, plan)) if plan.needs_call else None for plan in plans]
    wanted = [key for key in keys if key is not None]
    replies = ledger.replies(wanted) if ledger is not None else {}
    found = [
        Sorting(plan, None, (1,) * len(plan.group.shown)) if key is None else _sorting(plan, key, replies.get(key, ()))
        for plan, key in zip(plans, keys, strict=True)
    ]
    return _with_failures(found, ledger)


def _sorting(plan: SortingPlan, key: str, replies: Sequence[StoredReply]) -> Sorting:
    """The first reply that answers decides; otherwise the newest says why there is no answer."""
    labels, reason, reply_id = None, str(Missing.NOT_JUDGED), None
    for reply in replies:
        reply_id = reply.id
        labels, fault = plan.read(reply.content, reply.finish_reason)
        if fault is None:
            break
        reason = fault.reason
    return Sorting(
        plan,
        key,
        None if labels is None else plan.labels_of_responses(labels),
        reason if labels is None else None,
        reply_id,
        n_replies=len(replies),
        prompt_tokens=sum(reply.prompt_tokens or 0 for reply in replies),
        completion_tokens=sum(reply.completion_tokens or 0 for reply in replies),
        cached_tokens=sum(reply.cached_tokens or 0 for reply in replies),
        cost_usd=sum(reply.cost_usd or 0.0 for reply in replies),
    )


def _with_failures(sortings: list[Sorting], ledger: Ledger | None) -> list[Sorting]:
    """Name the failure of those that never got a reply."""
    keys = [s.key for s in sortings if s.reason == Missing.NOT_JUDGED and s.key is not None]
    failures = ledger.failures(keys) if ledger is not None and keys else {}
    return [Sorting(s.plan, s.key, None, failures[s.key].reason) if s.key in failures else s for s in sortings]
