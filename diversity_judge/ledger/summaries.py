"""From stored replies to summaries of responses: each with its text or with the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from diversity_judge.judges.base import Judge
from diversity_judge.judges.chat_format import summary_fingerprint
from diversity_judge.ledger.store import Ledger, StoredReply
from diversity_judge.planning.summaries import Summary, SummaryPlan, read_summary
from diversity_judge.rubric import Missing


def read_summaries(plans: Sequence[SummaryPlan], judge: Judge, ledger: Ledger | None) -> list[Summary]:
    """The summaries of some texts, from the ledger (None: an empty one)."""
    keys = [plan.key(summary_fingerprint(judge.spec, plan.template)) for plan in plans]
    replies = ledger.replies(keys) if ledger is not None else {}
    found = [_summary(plan, key, replies.get(key, ())) for plan, key in zip(plans, keys, strict=True)]
    unanswered = [summary.key for summary in found if summary.reason == Missing.NOT_JUDGED]
    failures = ledger.failures(unanswered) if ledger is not None and unanswered else {}
    return [replace(s, reason=failures[s.key].reason) if s.key in failures else s for s in found]


def _summary(plan: SummaryPlan, key: str, replies: Sequence[StoredReply]) -> Summary:
    """The first reply that is a summary decides; otherwise the newest says why there is none."""
    text, reason, reply_id = None, str(Missing.NOT_JUDGED), None
    for reply in replies:
        reply_id = reply.id
        text, fault = read_summary(reply.content, reply.finish_reason)
        if fault is None:
            break
        reason = fault.reason
    return Summary(
        plan,
        key,
        text,
        reason if text is None else None,
        reply_id,
        n_replies=len(replies),
        prompt_tokens=sum(reply.prompt_tokens or 0 for reply in replies),
        completion_tokens=sum(reply.completion_tokens or 0 for reply in replies),
        cached_tokens=sum(reply.cached_tokens or 0 for reply in replies),
        cost_usd=sum(reply.cost_usd or 0.0 for reply in replies),
    )
