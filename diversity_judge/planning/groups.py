"""The work of a run: for each group what the judge is shown, and the judgments that are wanted.

Everything here is decided, and can be printed and priced, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from diversity_judge.choices import MOST_PAIRS, View
from diversity_judge.display import counted
from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import Group
from diversity_judge.inputs.views import ShownText, estimate_tokens, truncate, view_of
from diversity_judge.planning.lots import drawn_order
from diversity_judge.planning.pairs import Pair, PairDesign, PlannedPairs
from diversity_judge.planning.prompting import PromptTemplate, parse_reply
from diversity_judge.planning.question import Fault
from diversity_judge.text_safety import printable, slug

_KEY_FORMAT = "1"
"""Version of how a judgment's key is made; a change of it would make every stored judgment unfindable."""

_NAME_LENGTH = 60
_NAMED = 10
"""How many offenders an error names before it says how many more there are."""


@dataclass(frozen=True, repr=False)
class GroupPlan:
    """One group: the texts that the judge sees and the pairs that are wanted.

    Attributes:
        group: The responses.
        name: A name that is safe for files and arrays, unique in the run.
        shown: (n,) what the judge sees of each response.
        pairs: The judgments wanted, those with the same first response together.
        skip_duplicates: Whether pairs of identical texts get the highest score without a call.
        lacking: Positions of responses of which there is nothing to show, as a summary is missing: a stand-in is in
            `shown`, and their pairs are wanted but cannot be asked.
        summarised: (n,) SHA-256 (hexadecimal) of the texts whose summaries are shown; empty where these texts
            themselves are.
    """

    group: Group
    name: str
    shown: tuple[ShownText, ...]
    pairs: PlannedPairs
    skip_duplicates: bool = True
    lacking: frozenset[int] = frozenset()
    summarised: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"GroupPlan({self.name}: {counted(len(self.shown), 'response')}, {counted(len(self.pairs), 'pair')})"

    @cached_property
    def text_digests(self) -> tuple[str, ...]:
        """(n,) SHA-256 (hexadecimal) of each shown text."""
        return tuple(sha256(shown.text.encode()).hexdigest() for shown in self.shown)

    @cached_property
    def token_counts(self) -> tuple[int, ...]:
        """(n,) estimated tokens of each shown text."""
        return tuple(estimate_tokens(shown.text) for shown in self.shown)

    def is_duplicate(self, pair: Pair) -> bool:
        """Whether this pair's score is known without a call: the two texts are the same."""
        return self.skip_duplicates and self.text_digests[pair.first] == self.text_digests[pair.second]

    def key(self, pair: Pair, fingerprint: str) -> str:
        """The judgment's key: a hash of all that can change it (see `Judge.fingerprint` for the rest)."""
        first, second = self.text_digests[pair.first], self.text_digests[pair.second]
        return sha256(_key_start(fingerprint, first) + _key_end(second, pair.draw)).hexdigest()

    def keys(self, fingerprint: str, pairs: Iterable[Pair] | None = None) -> list[str | None]:
        """The key of each of these pairs (None: of all, in the order of the plan); None for duplicates."""
        texts, skip = self.text_digests, self.skip_duplicates
        start, end = cache(partial(_key_start, fingerprint)), cache(_key_end)
        return [
            None
            if skip and texts[first] == texts[second]
            else sha256(start(texts[first]) + end(texts[second], draw)).hexdigest()
            for first, second, draw in (self.pairs if pairs is None else pairs)
        ]

    def key_heads(self, fingerprint: str, first: int) -> NDArray[np.uint64]:
        """(pairs of the row,) the first eight bytes of each key in the row of this first response, duplicates too.

        Half a microsecond a pair: enough to find the few keys of a huge group that a ledger may hold.
        """
        start = _key_start(fingerprint, self.text_digests[first])
        ends = [
            _key_end(self.text_digests[second], draw)
            for second in self.pairs.seconds(first).tolist()
            for draw in range(self.pairs.draws)
        ]
        digests = b"".join([sha256(start + end).digest()[:8] for end in ends])
        return np.frombuffer(digests, dtype=">u8").astype(np.uint64)

    def needs_call(self) -> NDArray[np.bool_]:
        """(pairs,) which pairs, in the order of the plan, have no score without a call: all but the duplicates."""
        needed = np.ones(len(self.pairs), dtype=np.bool_)
        if not self.skip_duplicates or len(set(self.text_digests)) == len(self.text_digests):
            return needed
        texts = np.unique(np.array(self.text_digests), return_inverse=True)[1]
        start = 0
        for first, seconds in self.pairs.rows():
            stop = start + len(seconds) * self.pairs.draws
            needed[start:stop] = np.repeat(texts[seconds] != texts[first], self.pairs.draws)
            start = stop
        return needed

    def can_be_asked(self) -> NDArray[np.bool_]:
        """(pairs,) which pairs, in the order of the plan, have two texts to show: all but those of `lacking`."""
        possible = np.ones(len(self.pairs), dtype=np.bool_)
        if self.lacking:
            is_there = np.ones(len(self.shown), dtype=np.bool_)
            is_there[list(self.lacking)] = False
            for first, seconds in self.pairs.rows():
                possible[self.pairs.row(first)] = np.repeat(is_there[seconds] & is_there[first], self.pairs.draws)
        return possible

    def pair_tokens(self, is_chosen: NDArray[np.bool_]) -> int:
        """Estimated tokens of both texts, summed over the chosen pairs.

        Args:
            is_chosen: (pairs,) in the order of the plan.
        """
        if not is_chosen.any():
            return 0
        tokens = np.array(self.token_counts, dtype=np.int64)
        start = total = 0
        for first, seconds in self.pairs.rows():
            stop = start + len(seconds) * self.pairs.draws
            times = is_chosen[start:stop].reshape(-1, self.pairs.draws).sum(axis=1)
            total += int(times @ (tokens[seconds] + tokens[first]))
            start = stop
        return total

    def tasks(self, fingerprint: str) -> Iterator[Task]:
        """The judgments that need a call, in the order of the plan."""
        return (Task(self, pair, self.key(pair, fingerprint)) for pair in self.pairs if not self.is_duplicate(pair))


@dataclass(frozen=True, slots=True)
class Task:
    """One judgment to be bought: an ordered pair of a group, and its key in the ledger."""

    plan: GroupPlan
    pair: Pair
    key: str

    @property
    def text1(self) -> str:
        """What the judge reads first."""
        return self.plan.shown[self.pair.first].text

    @property
    def text2(self) -> str:
        """What the judge reads second."""
        return self.plan.shown[self.pair.second].text

    @property
    def bundle(self) -> Hashable:
        """Those of a group that share their first response."""
        return id(self.plan), self.pair.first

    def prompt(self, template: PromptTemplate) -> str:
        """The judge's template with both texts."""
        return template.fill(self.text1, self.text2, self.plan.group.problem)

    def fault_of(self, content: str, finish_reason: str | None) -> Fault | None:
        """Why a reply holds no score; None where it does."""
        reason = parse_reply(content, finish_reason).reason
        return None if reason is None else Fault(reason, "the reply holds no valid score")


@dataclass(frozen=True)
class Showing:
    """The user's choice of what the judge sees.

    Attributes:
        view: The whole response, its thinking, or what follows the thinking.
        truncate_tokens: Keep only head and tail of longer texts (estimated tokens), or None for never.
        judge_duplicates: Ask about identical texts too, instead of giving them the highest score.
    """

    view: View = "full"
    truncate_tokens: int | None = None
    judge_duplicates: bool = False


def plan_groups(groups: Sequence[Group], design: PairDesign, showing: Showing) -> list[GroupPlan]:
    """Decide for every group what is shown and which pairs are judged.

    Raises:
        InputError: a response has nothing to show in this view; the message names such responses.
    """
    if showing.truncate_tokens is not None and showing.truncate_tokens < 2:
        raise InputError(f"--truncate-tokens must be at least 2, not {showing.truncate_tokens}")
    names = _names(groups)
    empty: list[str] = []
    all_pairs = {n: design.plan(n) for n in {group.n_responses for group in groups} if not design.is_thinned(n)}
    plans = []
    for group, name in zip(groups, names, strict=True):
        shown = tuple(_show(text, showing) for text in _views(group, showing.view, empty))
        n = group.n_responses
        pairs = all_pairs[n] if n in all_pairs else design.plan(n, drawn_order(group, design.seed))
        plans.append(GroupPlan(group, name, shown, pairs, not showing.judge_duplicates))
    if empty:
        raise InputError(
            f"--view {showing.view}: {len(empty)} response(s) have nothing to show: {name_some(empty)}. "
            "Use --view full, or leave these responses out of the file"
        )
    return plans


def check_context(
    plans: Sequence[GroupPlan], *, overhead_tokens: int, output_tokens: int, context_tokens: int | None
) -> None:
    """Name the responses with which a pair would not fit the judge's context, before anything is sent.

    Args:
        plans: The groups.
        overhead_tokens: Of the template.
        output_tokens: Room that the judge needs for its reply.
        context_tokens: What the judge reads and writes in one call; None: not known, not checked.

    Raises:
        InputError: some do not fit.
    """
    if context_tokens is None:
        return
    room = context_tokens - overhead_tokens - output_tokens
    too_long = []
    for plan in plans:
        too_long += [
            f"{describe(plan, i)} (about {plan.token_counts[i]:,} tokens)" for i in _too_long_for_a_pair(plan, room)
        ]
    if too_long:
        raise InputError(
            f"{len(too_long)} response(s) are too long for the judge, which has room for about {room:,} tokens of "
            f"responses a pair: {name_some(too_long)}. Show it less with --view final, keep head and tail with "
            f"--truncate-tokens {max(2, room // 2)}, or take a judge with a larger context"
        )


def too_many_pairs(plans: Sequence[GroupPlan], design: PairDesign) -> str | None:
    """What to do about groups so large that all their pairs may not be what is meant; None where there are none."""
    if design.pairs_per_group is not None:
        return None
    large = [plan.group for plan in plans if plan.group.n_responses * (plan.group.n_responses - 1) // 2 > MOST_PAIRS]
    if not large:
        return None
    group = max(large, key=lambda group: group.n_responses)
    n = group.n_responses
    return (
        f"{len(large)} group(s) have more than {MOST_PAIRS:,} pairs, the largest {n * (n - 1) // 2:,} of {n:,} "
        f"responses ({printable(group.problem_id, _NAME_LENGTH)} / {printable(group.strategy, _NAME_LENGTH)}): judge a "
        f"balanced choice with --pairs-per-group {MOST_PAIRS}, or say that you want all of them with --all-pairs"
    )


def describe(plan: GroupPlan, position: int) -> str:
    """A response as an error message names it."""
    response = plan.group.responses[position]
    return printable(f"{plan.group.problem_id} / {plan.group.strategy} / sample {response.sample_id}")


def name_some(offenders: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = len(offenders) - _NAMED
    return "; ".join(offenders[:_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _too_long_for_a_pair(plan: GroupPlan, room: int) -> list[int]:
    """The longer halves of the pairs that do not fit."""
    tokens = np.array(plan.token_counts, dtype=np.int64)
    if not (2 * tokens > room).any():
        return []
    found: set[int] = set()
    for first, seconds in plan.pairs.rows():
        over = seconds[tokens[seconds] + tokens[first] > room]
        if len(over):
            found.update((first, *over.tolist()))
    return [i for i in sorted(found) if 2 * tokens[i] > room]


def _key_start(fingerprint: str, first: str) -> bytes:
    return f"{_KEY_FORMAT}\n{fingerprint}\n{first}\n".encode()


def _key_end(second: str, draw: int) -> bytes:
    return f"{second}\n{draw}".encode()


def _views(group: Group, view: View, empty: list[str]) -> Iterator[str]:
    for response in group.responses:
        text = view_of(response.text, view)
        if text is None or (view != "full" and not text):
            empty.append(printable(f"{group.problem_id} / {group.strategy} / sample {response.sample_id}"))
        yield text or ""


def _show(text: str, showing: Showing) -> ShownText:
    return ShownText(text) if showing.truncate_tokens is None else truncate(text, showing.truncate_tokens)


def _names(groups: Sequence[Group]) -> list[str]:
    """Safe names of the groups, with a number behind those that two groups would share."""
    names: list[str] = []
    taken: set[str] = set()
    for group in groups:
        name = base = f"{slug(group.problem_id)}__{slug(group.strategy)}"
        count = 2
        while name.lower() in taken:
            name, count = f"{base}-{count}", count + 1
        taken.add(name.lower())
        names.append(name)
    return names
