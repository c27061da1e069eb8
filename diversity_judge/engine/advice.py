"""What a person can do about a judgment without a score, by its reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from diversity_judge.rubric import Missing

About = Literal["pairs", "groups", "summaries"]

_WHAT_TO_DO: dict[str, str] = {
    Missing.TRUNCATED: "the reply was cut: raise --max-tokens",
    Missing.UNFINISHED: "the reply ends inside its reasoning: the same command asks again, or raise --max-tokens",
    Missing.UNPARSABLE: "the reply holds no valid score: the same command asks again",
    Missing.EMPTY: "the reply was empty: the same command asks again",
    Missing.CONTENT_FILTER: "the host's content filter stopped the reply",
    Missing.TIMEOUT: "no reply in time: the same command asks again, or raise --deadline",
    Missing.MALFORMED: "the host sent what is no completion: the same command asks again",
    Missing.CONNECTION: "the host could not be reached: the same command asks again",
    Missing.BUDGET: "the budget ended first: the same command with a higher one goes on",
    Missing.INTERRUPTED: "the run was interrupted: the same command goes on",
    Missing.NOT_JUDGED: "never asked: the same command goes on",
    Missing.NO_SUMMARY: "a summary of one of the two responses is missing (summaries.csv says why)",
    Missing.FAILED: "the run stopped first: the same command goes on once that is mended",
}
_WHAT_AN_EMBEDDED_JUDGE_LACKS: dict[str, str] = {
    Missing.UNPARSABLE: "the judge cannot read one of the two responses; asking again changes nothing",
}

_WHAT_IS_NOT_SORTED: dict[str, str] = {
    Missing.UNPARSABLE: "the reply gives not every response one place: the same command asks again",
}
_WHAT_IS_NO_SUMMARY: dict[str, str] = {
    Missing.UNPARSABLE: "the reply is no summary, its last line is missing: the same command asks again",
}
_WHAT_AN_EMBEDDED_JUDGE_CANNOT_SORT: dict[str, str] = {
    Missing.UNPARSABLE: "the judge cannot read one of the responses; asking again changes nothing",
}

_WHAT_ELSE: Mapping[About, dict[str, str]] = {
    "pairs": {},
    "groups": _WHAT_IS_NOT_SORTED,
    "summaries": _WHAT_IS_NO_SUMMARY,
}


def advice(missing: Mapping[str, int], *, is_embedded: bool, about: About = "pairs") -> Iterator[str]:
    """A line a reason: how many, why, and what to do.

    Args:
        missing: Number of judgments by reason, in the order of the lines.
        is_embedded: Whether the judge computes, so that asking again changes nothing.
        about: What is missing: judgments of pairs, sortings of whole groups, or summaries of responses.
    """
    embedded = _WHAT_AN_EMBEDDED_JUDGE_LACKS if about == "pairs" else _WHAT_AN_EMBEDDED_JUDGE_CANNOT_SORT
    known = _WHAT_TO_DO | _WHAT_ELSE[about] | (embedded if is_embedded else {})
    for reason, count in missing.items():
        what = known.get(reason, "see the message in the ledger's table 'failures'; the same command asks again")
        yield f"{count:,} x {reason}: {what}"
