"""Results into the ledger: by key, in any order, twice without harm.

    lines -> known keys only -> not there yet? -> ledger (on disk) -> counted

A result that the ledger holds already, from an earlier ingest that was killed or from a copy of the file, is recognised
by what it says. A judgment that was bought meanwhile in another way keeps both replies: both were paid for.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from diversity_judge.batching.record import BatchJudge
from diversity_judge.batching.results import BadLine, ResultLine
from diversity_judge.judges.base import Reply
from diversity_judge.ledger import Failure, Ledger
from diversity_judge.ledger.store import StoredReply
from diversity_judge.planning.prompting import parse_reply
from diversity_judge.planning.sorting import is_about_a_group
from diversity_judge.planning.summaries import is_summary

_AT_ONCE = 256
"""Lines that one look at the ledger and a few commits serve."""

_SHOWN = 5
"""Lines that are named before the rest is counted."""


@dataclass
class IngestCounts:
    """What came of the lines.

    Attributes:
        lines: Results, well formed or not.
        stored: Replies that are new in the ledger.
        without_score: Of these, those in which no score can be read.
        summaries: Of the new replies, summaries of responses, of which pairs are still to be compared.
        already_there: Replies that the ledger held.
        failed: Calls without a reply, by reason.
        unknown: Lines whose key no exported file holds.
        bad: Lines that are no results: where, and what is wrong; the first few.
        n_bad: All of them.
        cost_usd: Of the new replies, where prices are known.
    """

    lines: int = 0
    stored: int = 0
    without_score: int = 0
    summaries: int = 0
    already_there: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    bad: list[BadLine] = field(default_factory=list)
    n_bad: int = 0
    cost_usd: float = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether every line was a reply to a call of this run."""
        return not (self.failed or self.unknown or self.n_bad)


def ingest(
    lines: Iterable[ResultLine | BadLine], ledger: Ledger, judge: BatchJudge, known: Collection[str]
) -> IngestCounts:
    """Put results into the ledger; those before an error or a kill are there.

    Args:
        lines: Of `read_results`.
        ledger: Open for writing.
        judge: Who answered, for prices and the limit of a reply.
        known: Keys of the calls that were exported.

    Raises:
        RunError: the ledger cannot be written.
    """
    counts = IngestCounts()
    asyncio.run(_ingest(iter(lines), ledger, judge, known, counts))
    return counts


async def _ingest(
    lines: Iterator[ResultLine | BadLine],
    ledger: Ledger,
    judge: BatchJudge,
    known: Collection[str],
    counts: IngestCounts,
) -> None:
    while portion := list(islice(lines, _AT_ONCE)):
        counts.lines += len(portion)
        results = list(_of_this_run(portion, known, counts))
        stored = ledger.replies([line.key for line in results])
        await asyncio.gather(*[_keep(line, stored.setdefault(line.key, []), ledger, judge, counts) for line in results])


def _of_this_run(
    portion: Iterable[ResultLine | BadLine], known: Collection[str], counts: IngestCounts
) -> Iterator[ResultLine]:
    for line in portion:
        if isinstance(line, BadLine):
            counts.n_bad += 1
            if len(counts.bad) < _SHOWN:
                counts.bad.append(line)
        elif line.key not in known:
            counts.unknown += 1
        else:
            yield line


async def _keep(
    line: ResultLine, stored: list[StoredReply], ledger: Ledger, judge: BatchJudge, counts: IngestCounts
) -> None:
    if isinstance(line.outcome, Failure):
        counts.failed[line.outcome.reason] += 1
        if not stored:
            await ledger.give_up(line.key, line.outcome)
        return
    reply = line.outcome
    if any(_is_same(there, reply) for there in stored):
        counts.already_there += 1
        return
    cost = judge.cost(reply)
    stored.append(_as_stored(line.key, reply, cost, judge))  # A second line of the same portion may repeat it.
    await ledger.add_reply(
        line.key, reply, is_last=True, cost_usd=cost, host=judge.host, attempt=1, output_limit=judge.output_limit
    )
    counts.stored += 1
    counts.cost_usd += cost or 0.0
    has_score = parse_reply(reply.content, reply.finish_reason).score is not None
    if is_summary(reply.content) and not has_score:
        counts.summaries += 1
    else:
        counts.without_score += not has_score and not is_about_a_group(reply.content)


def _is_same(there: StoredReply, reply: Reply) -> bool:
    return (there.content, there.finish_reason, there.prompt_tokens, there.completion_tokens) == (
        reply.content,
        reply.finish_reason,
        reply.prompt_tokens,
        reply.completion_tokens,
    )


def _as_stored(key: str, reply: Reply, cost: float | None, judge: BatchJudge) -> StoredReply:
    return StoredReply(
        key,
        0,
        reply.content,
        reply.finish_reason,
        reply.prompt_tokens,
        reply.completion_tokens,
        reply.cached_tokens,
        cost,
        judge.output_limit,
    )
