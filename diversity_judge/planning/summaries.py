"""Summaries: the core steps of each response in one call, so that pairs are compared by what was written down of them.

    responses -> one question a different text -> summaries -> the same pairs, whose shown texts are the summaries

A summary depends on its text alone, so identical responses share theirs. Until it is there, a stand-in of the usual
length takes its place, so that a run can be priced before anything is sent; a stand-in is never shown to a judge.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diversity_judge.errors import InputError
from diversity_judge.inputs.views import ShownText, estimate_tokens
from diversity_judge.planning.groups import GroupPlan, describe, name_some
from diversity_judge.planning.prompt_files import PromptFile, load_prompt_file
from diversity_judge.planning.prompting import PromptTemplate, enclosed, visible_answer
from diversity_judge.planning.question import Fault
from diversity_judge.rubric import Missing, broken_off, is_unfinished

SUMMARISE = "summarise_steps"
COMPARE = "compare_summaries"
"""Templates: of one response, and of a pair of summaries."""

USUAL_TOKENS = 500
"""Of a summary, for the bill: somewhat more than the 250 words that the template allows."""

_KEY_FORMAT = "summary 1"
"""Version of how a key is made; a change of it would make every stored summary unfindable."""
_CHARACTERS = 3 * USUAL_TOKENS
"""Of a stand-in."""
_PLACEHOLDER = re.compile(r"\{text\}")
_LAST_LINE = re.compile(r"\[\s*core\s+steps\s*:[\s*_`]*\d{1,6}[\s*_`]*\]", re.IGNORECASE)
_DECORATION = " \t\r\n*_`"


@dataclass(frozen=True)
class SummaryTemplate:
    """A template with the place `{text}`."""

    file: PromptFile

    @classmethod
    def load(cls, name: str = SUMMARISE) -> SummaryTemplate:
        """A shipped template by its name."""
        return cls(load_prompt_file(name))

    @property
    def digest(self) -> str:
        """SHA-256 (hexadecimal) of all that the template adds to the text."""
        return self.file.digest

    @property
    def label(self) -> str:
        """Name, version and the beginning of the hash, for tables."""
        return f"{self.file.name} v{self.file.version} ({self.digest[:8]})"

    def fill(self, text: str) -> str:
        """The prompt for this response, filled in one pass that never looks at what it has put in."""
        return _PLACEHOLDER.sub(lambda place: enclosed("RESPONSE", text, (text,)), self.file.body)


class ReadSummary(NamedTuple):
    """What a reply says: the core steps, or why there are none."""

    text: str | None
    fault: Fault | None = None


def read_summary(content: str, finish_reason: str | None = None) -> ReadSummary:
    """Read the core steps out of a reply: what its visible answer says before its last line.

    A reply without that line is none: it refuses, says something else, or was cut by a host that does not say so.

    Args:
        content: The reply's text, without a separate reasoning field.
        finish_reason: As the API gave it.
    """
    if (reason := broken_off(finish_reason)) is not None:
        return ReadSummary(None, Fault(reason, "the reply was broken off"))
    answer = visible_answer(content)
    if not answer or answer.isspace():
        reason = Missing.UNFINISHED if is_unfinished(content) else Missing.EMPTY
        return ReadSummary(None, Fault(reason, "the reply holds no answer"))
    ends = list(_LAST_LINE.finditer(answer))
    if not ends:
        return ReadSummary(None, Fault(Missing.UNPARSABLE, "there is no line [Core steps: N]"))
    text = answer[: ends[-1].start()].rstrip(_DECORATION).strip()
    if not text:
        return ReadSummary(None, Fault(Missing.EMPTY, "there is no step before the line [Core steps: N]"))
    return ReadSummary(text)


def is_summary(content: str) -> bool:
    """Whether a reply has the last line of a summary, so that it need not hold a score."""
    return _LAST_LINE.search(visible_answer(content)) is not None


@dataclass(frozen=True)
class SummaryPlan:
    """One text that is to be summarised.

    Attributes:
        text: As it would be shown to a judge.
        text_digest: SHA-256 (hexadecimal) of it.
        template: In which the judge is asked.
        where: A response that has this text, for messages.
    """

    text: str = field(repr=False)
    text_digest: str
    template: SummaryTemplate = field(repr=False)
    where: str = ""

    @cached_property
    def shown_tokens(self) -> int:
        """Estimated tokens of what is put into the template."""
        return estimate_tokens(self.text)

    def key(self, fingerprint: str) -> str:
        """The key in the ledger: a hash of the text and the rest (`fingerprint`)."""
        return hashlib.sha256(f"{_KEY_FORMAT}\n{fingerprint}\n{self.text_digest}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SummaryTask:
    """A summary that is to be bought, and its key in the ledger."""

    plan: SummaryPlan
    key: str

    @property
    def bundle(self) -> Hashable:
        """No other question begins as this one does."""
        return self.key

    def prompt(self, template: PromptTemplate) -> str:
        """What the judge reads: the question's own template, whatever that of pairs is."""
        return self.plan.template.fill(self.plan.text)

    def fault_of(self, content: str, finish_reason: str | None) -> Fault | None:
        """Why a reply is no summary; None where it is one."""
        return read_summary(content, finish_reason).fault


@dataclass(frozen=True)
class Summary:
    """What is known of one summary.

    Attributes:
        plan: Of which text.
        key: In the ledger.
        text: The core steps; None where they are missing.
        reason: Why they are missing; None where they are there.
        reply_id: The stored reply that decided.
        n_replies: Replies that were paid for.
        prompt_tokens: Summed over them, like the next three.
        completion_tokens: See above.
        cached_tokens: See above.
        cost_usd: See above.
    """

    plan: SummaryPlan = field(repr=False)
    key: str
    text: str | None
    reason: str | None = None
    reply_id: int | None = None
    n_replies: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float = 0.0


def plan_summaries(plans: Sequence[GroupPlan], template: SummaryTemplate) -> list[SummaryPlan]:
    """One a different text of the responses that stand in a pair which needs a judgment.

    Args:
        plans: The groups, their responses shown.
        template: In which the judge is asked.
    """
    found: dict[str, SummaryPlan] = {}
    for plan in plans:
        for position in np.flatnonzero(_is_needed(plan)).tolist():
            digest = plan.text_digests[position]
            if digest not in found:
                found[digest] = SummaryPlan(plan.shown[position].text, digest, template, describe(plan, position))
    return list(found.values())


def with_summaries(
    plans: Sequence[GroupPlan], summaries: Sequence[Summary], promised: Collection[str] = ()
) -> list[GroupPlan]:
    """The same pairs, of which the judge is shown the summaries.

    A response in no pair that needs a judgment has no summary and keeps its text, which nobody is shown.

    Args:
        plans: The groups, their responses shown.
        summaries: What is known of those that are wanted.
        promised: Keys of the missing ones that will be bought first: their pairs are to be asked, too. The pairs of
            other missing ones cannot be.
    """
    by_text = {summary.plan.text_digest: summary for summary in summaries}
    return [_with_summaries(plan, by_text, promised) for plan in plans]


def check_summaries_fit(wanted: Sequence[SummaryPlan], *, output_tokens: int, context_tokens: int | None) -> None:
    """Name the responses that do not fit the judge's context, before anything is sent.

    Args:
        wanted: The texts.
        output_tokens: Room that the judge needs for its reply.
        context_tokens: What the judge reads and writes in one call; None: not known, not checked.

    Raises:
        InputError: some do not fit.
    """
    if context_tokens is None or not wanted:
        return
    room = context_tokens - output_tokens - estimate_tokens(wanted[0].template.file.body)
    too_long = [f"{plan.where} (about {plan.shown_tokens:,} tokens)" for plan in wanted if plan.shown_tokens > room]
    if too_long:
        raise InputError(
            f"{len(too_long)} response(s) are too long to be summarised in one call of the judge, which has room for "
            f"about {room:,} tokens: {name_some(too_long)}. Show it less with --view final, keep head and tail with "
            f"--truncate-tokens {max(2, room)}, or take a judge with a larger context"
        )


def _with_summaries(plan: GroupPlan, by_text: Mapping[str, Summary], promised: Collection[str]) -> GroupPlan:
    shown, lacking = [], set()
    for position, (text, digest) in enumerate(zip(plan.shown, plan.text_digests, strict=True)):
        summary = by_text.get(digest)
        if summary is None:
            shown.append(text)
            continue
        if summary.text is None and summary.key not in promised:
            lacking.add(position)
        shown.append(ShownText(_stand_in(summary) if summary.text is None else summary.text, text.tokens_cut))
    return replace(plan, shown=tuple(shown), lacking=frozenset(lacking), summarised=plan.text_digests)


def _stand_in(summary: Summary) -> str:
    """As long as a summary usually is, and another one for each text, so that pairs, repeats and keys can be told."""
    return f"summary to come: {summary.key} ".ljust(_CHARACTERS, ".")


def _is_needed(plan: GroupPlan) -> NDArray[np.bool_]:
    """(n,) which responses stand in a pair that needs a judgment: not of identical texts."""
    needed, found = plan.needs_call(), np.zeros(len(plan.shown), dtype=np.bool_)
    for first, seconds in plan.pairs.rows():
        is_asked = needed[plan.pairs.row(first)].reshape(-1, plan.pairs.draws).any(axis=1)
        found[seconds[is_asked]] = True
        found[first] |= is_asked.any()
    return found
