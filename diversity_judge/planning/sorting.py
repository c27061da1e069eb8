"""Questions about a whole group: which responses share an approach, and which approach of a given list each takes.

One call shows the judge all responses of a group. Identical texts take the same approach, so each text is shown once;
the texts stand in the order of their hashes, which knows nothing of what they say and does not change with the file.
A reply counts only where it gives every response exactly one place.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from diversity_judge.display import counted
from diversity_judge.errors import InputError
from diversity_judge.inputs.views import estimate_tokens
from diversity_judge.planning.groups import GroupPlan, name_some
from diversity_judge.planning.prompt_files import PromptFile, load_prompt_file
from diversity_judge.planning.prompting import PromptTemplate, enclosed, visible_answer
from diversity_judge.planning.question import Fault
from diversity_judge.rubric import Missing, broken_off, is_unfinished
from diversity_judge.text_safety import printable

APPROACHES = "approach_sorting"
REFERENCES = "reference_approaches"
"""Templates."""

NO_REFERENCE = 0
"""Label of a response that takes none of the reference approaches; the first of them is 1."""

_KEY_FORMAT = "sorting 1"
"""Version of how a key is made; a change of it would make every stored sorting unfindable."""
_RESPONSES_A_REPLY = 8
"""A reply about so many responses is taken to be twice as long as one about a pair: a guess, for the bill only."""
_TOKENS_OF_A_CUT = 20
"""Of the mark that a truncated text has where it was cut."""
_PLACEHOLDER = re.compile(r"\{(responses|references|count)\}")
_SORTED = re.compile(r"\[\s*approaches\s*:([^\[\]]*)\]", re.IGNORECASE)
_ASSIGNED = re.compile(r"\[\s*reference\s+approaches\s*:([^\[\]]*)\]", re.IGNORECASE)
_NUMBERS = re.compile(r"\d{1,6}(?:\s*,\s*\d{1,6})*")
_PLACE = re.compile(r"(\d{1,6})\s*=\s*(\d{1,6}|none)", re.IGNORECASE)
_DECORATION = " \t\r\n*_`"


@dataclass(frozen=True)
class SortingTemplate:
    """A template with the place `{responses}`, for approaches of a list `{references}`, and any number of `{count}`."""

    file: PromptFile

    @classmethod
    def load(cls, name: str) -> SortingTemplate:
        """A shipped template by its name."""
        return cls(load_prompt_file(name))

    @property
    def digest(self) -> str:
        """SHA-256 (hexadecimal) of all that the template adds to the texts."""
        return self.file.digest

    @property
    def label(self) -> str:
        """Name, version and the beginning of the hash, for tables."""
        return f"{self.file.name} v{self.file.version} ({self.digest[:8]})"

    def fill(self, texts: Sequence[str], references: Sequence[str]) -> str:
        """The prompt for these responses, filled in one pass that never looks at what it has put in."""
        everything = (*texts, *references)
        parts = {
            "responses": "\n\n".join(
                f"Response {number}:\n{enclosed(f'RESPONSE {number}', text, everything)}"
                for number, text in enumerate(texts, start=1)
            ),
            "references": "\n\n".join(
                f"Approach {number}:\n{enclosed(f'APPROACH {number}', text, everything)}"
                for number, text in enumerate(references, start=1)
            ),
            "count": str(len(texts)),
        }
        return _PLACEHOLDER.sub(lambda place: parts[place[1]], self.file.body)


class ReadSorting(NamedTuple):
    """What a reply says: a label for each shown text, or why there are none."""

    labels: tuple[int, ...] | None
    fault: Fault | None = None


@dataclass(frozen=True)
class SortingPlan:
    """One question about one group.

    Attributes:
        group: The group.
        template: In which it is asked.
        references: Approaches of a list; empty where the judge is to find the approaches itself.
    """

    group: GroupPlan
    template: SortingTemplate
    references: tuple[str, ...] = ()

    @cached_property
    def _digests(self) -> list[str]:
        """Of each different text, in the order in which they are shown."""
        return sorted(set(self.group.text_digests))

    @property
    def n_texts(self) -> int:
        """Different texts that are shown."""
        return len(self._digests)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """(m,) the different texts, in the order in which they are shown."""
        by_digest = dict(zip(self.group.text_digests, self.group.shown, strict=True))
        return tuple(by_digest[digest].text for digest in self._digests)

    @property
    def needs_call(self) -> bool:
        """Whether the answer is not known without the judge: responses of one text share their approach."""
        return self.n_texts > 1 or bool(self.references)

    @property
    def shown_tokens(self) -> int:
        """Estimated tokens of what is put into the template."""
        counts = dict(zip(self.group.text_digests, self.group.token_counts, strict=True))
        return sum(counts.values()) + sum(map(estimate_tokens, self.references))

    def reply_tokens(self, typical: int, limit: int | None) -> int:
        """Tokens of a reply, for the bill: rather too many.

        Args:
            typical: Of a reply about a pair.
            limit: The most that a reply may have; None for no limit.
        """
        tokens = round(typical * (1 + self.n_texts / _RESPONSES_A_REPLY))
        return tokens if limit is None else min(tokens, limit)

    def key(self, fingerprint: str) -> str:
        """The key in the ledger: a hash of all texts, the list of approaches, and the rest (`fingerprint`)."""
        parts = [_KEY_FORMAT, fingerprint, self._digests, self.references]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def read(self, content: str, finish_reason: str | None = None) -> ReadSorting:
        """Read a reply.

        The last bracket of its kind in the visible answer decides, and must give each text exactly one place.

        Returns:
            (m,) labels of the shown texts: 1, 2, ... in the order of the reply's approaches, or the number of the
            approach of the list (`NO_REFERENCE` for none).
        """
        if (reason := broken_off(finish_reason)) is not None:
            return ReadSorting(None, Fault(reason, "the reply was broken off"))
        answer = visible_answer(content)
        if not answer or answer.isspace():
            reason = Missing.UNFINISHED if is_unfinished(content) else Missing.EMPTY
            return ReadSorting(None, Fault(reason, "the reply holds no answer"))
        try:
            return ReadSorting(self._read(answer))
        except ValueError as error:
            return ReadSorting(None, Fault(Missing.UNPARSABLE, str(error)))

    def labels_of_responses(self, labels: Sequence[int]) -> tuple[int, ...]:
        """(n,) labels of the responses, from (m,) labels of the shown texts; approaches are numbered as they appear."""
        by_digest = dict(zip(self._digests, labels, strict=True))
        found = [by_digest[digest] for digest in self.group.text_digests]
        if self.references:
            return tuple(found)
        numbers = {label: number for number, label in enumerate(dict.fromkeys(found), start=1)}
        return tuple(numbers[label] for label in found)

    def _read(self, answer: str) -> tuple[int, ...]:
        if self.references:
            return _labels(_last(_ASSIGNED, answer, "[Reference approaches: ...]"), self.n_texts, self._assigned)
        return _labels(_last(_SORTED, answer, "[Approaches: ...]"), self.n_texts, _members)

    def _assigned(self, number: int, part: str) -> list[tuple[int, int]]:
        match = _PLACE.fullmatch(part)
        if match is None:
            raise ValueError(f"{printable(part, 40)!r} is not of the form 3=1 or 3=none")
        label = NO_REFERENCE if match[2].lower() == "none" else int(match[2])
        if label > len(self.references) or match[2] == str(NO_REFERENCE):
            raise ValueError(f"there is no reference approach {match[2]}; there are {len(self.references)}")
        return [(int(match[1]), label)]


@dataclass(frozen=True, slots=True)
class SortingTask:
    """A question about a group that is to be bought, and its key in the ledger."""

    plan: SortingPlan
    key: str

    @property
    def bundle(self) -> Hashable:
        """No other question begins as this one does."""
        return self.key

    def prompt(self, template: PromptTemplate) -> str:
        """What the judge reads: the question's own template, whatever that of pairs is."""
        return self.plan.template.fill(self.plan.texts, self.plan.references)

    def fault_of(self, content: str, finish_reason: str | None) -> Fault | None:
        """Why a reply does not answer it; None where it does."""
        return self.plan.read(content, finish_reason).fault


@dataclass(frozen=True)
class Sorting:
    """What is known of one question about a group.

    Attributes:
        plan: The question.
        key: In the ledger; None where no call is needed.
        labels: (n,) of the responses, see `SortingPlan`; None where they are missing.
        reason: Why they are missing; None where they are there.
        reply_id: The stored reply that decided.
        n_replies: Replies that were paid for.
        prompt_tokens: Summed over them, like the next three.
        completion_tokens: See above.
        cached_tokens: See above.
        cost_usd: See above.
    """

    plan: SortingPlan = field(repr=False)
    key: str | None
    labels: tuple[int, ...] | None
    reason: str | None = None
    reply_id: int | None = None
    n_replies: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float = 0.0


def plan_sortings(
    plans: Sequence[GroupPlan], *, approaches: bool, references: Mapping[str, tuple[str, ...]]
) -> list[SortingPlan]:
    """The questions about each group.

    Args:
        plans: The groups.
        approaches: Ask which responses share an approach.
        references: Problem to the list of approaches about which to ask.
    """
    template = SortingTemplate.load(APPROACHES) if approaches else None
    of_list = SortingTemplate.load(REFERENCES) if references else None
    found = []
    for plan in plans:
        if template is not None:
            found.append(SortingPlan(plan, template))
        if of_list is not None and (known := references.get(plan.group.problem_id)):
            found.append(SortingPlan(plan, of_list, known))
    return found


def check_sortings_fit(sortings: Sequence[SortingPlan], *, output_tokens: int, context_tokens: int | None) -> None:
    """Name the groups that do not fit the judge's context in one call, before anything is sent.

    Args:
        sortings: The questions.
        output_tokens: Room that the judge needs for its reply.
        context_tokens: What the judge reads and writes in one call; None: not known, not checked.

    Raises:
        InputError: some do not fit.
    """
    if context_tokens is None:
        return
    too_long, most = [], []
    for sorting in sortings:
        room = context_tokens - output_tokens - estimate_tokens(sorting.template.file.body)
        if sorting.needs_call and sorting.shown_tokens > room:
            group = sorting.group.group
            name = printable(f"{group.problem_id} / {group.strategy}")
            too_long.append(f"{name} (about {sorting.shown_tokens:,} tokens of {counted(sorting.n_texts, 'response')})")
            room_for_texts = room - sum(map(estimate_tokens, sorting.references))
            most.append(max(2, room_for_texts // sorting.n_texts - _TOKENS_OF_A_CUT))
    if too_long:
        raise InputError(
            f"{len(too_long)} group(s) are too long to be sorted in one call of the judge, which reads and writes "
            f"{context_tokens:,} tokens: {name_some(too_long)}. Show it less with --view final, keep head and tail of "
            f"each response with --truncate-tokens {min(most)} (in a run folder of its own, with few "
            "--pairs-per-group, where pairs are to be judged whole), or leave the sorting out"
        )


def is_about_a_group(content: str) -> bool:
    """Whether a reply has the line of a question about a group, right or wrong, so that it need not hold a score."""
    answer = visible_answer(content)
    return any(pattern.search(answer) for pattern in (_SORTED, _ASSIGNED))


def _last(pattern: re.Pattern[str], answer: str, form: str) -> str:
    found = pattern.findall(answer)
    if not found:
        raise ValueError(f"there is no line {form}")
    return str(found[-1])


def _labels(text: str, n: int, places: Callable[[int, str], list[tuple[int, int]]]) -> tuple[int, ...]:
    """(n,) labels from the parts between semicolons.

    Raises:
        ValueError: not every response has exactly one place.
    """
    labels: dict[int, int] = {}
    for number, part in enumerate(text.strip(_DECORATION).rstrip(";").split(";"), start=1):
        for response, label in places(number, part.strip(_DECORATION)):
            if not 1 <= response <= n:
                raise ValueError(f"there is no response {response}; there are {n}")
            if response in labels:
                raise ValueError(f"response {response} has two places")
            labels[response] = label
    lacking = [str(response) for response in range(1, n + 1) if response not in labels]
    if lacking:
        raise ValueError(f"{len(lacking)} response(s) have no place: {name_some(lacking)}")
    return tuple(labels[response] for response in range(1, n + 1))


def _members(number: int, part: str) -> list[tuple[int, int]]:
    if _NUMBERS.fullmatch(part) is None:
        raise ValueError(f"{printable(part, 40)!r} is no list of numbers with commas")
    return [(int(member), number) for member in part.split(",")]
