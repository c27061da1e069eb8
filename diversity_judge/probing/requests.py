"""What the probes ask: for each of them the judgments that it needs, as plans that the engine buys.

A probe's judgments are those of pairs of texts as the judge saw them in the run, or of changed texts. Identical texts
are asked about here, of course. Where the template shows the problem, the judge is shown that of the first text.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from diversity_judge.inputs.responses import Group, Response
from diversity_judge.inputs.views import ShownText, estimate_tokens
from diversity_judge.planning.groups import GroupPlan
from diversity_judge.planning.pairs import Circulant, Pair, PlannedPairs
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.probing import names
from diversity_judge.probing.answers import with_another_answer
from diversity_judge.probing.drawing import DrawnPair
from diversity_judge.probing.reformatting import reformatted
from diversity_judge.probing.same_judge import SameJudge
from diversity_judge.probing.stress import asked_for, cut, padded, with_injection

OTHER_TEMPLATES = ("process_similarity_outline", "process_similarity_questions")
"""The rubric in other words, with the same scale and final line."""
UNRELATED_PER_PAIR = 2.5
"""Unrelated pairs in each strategy, for each pair that is drawn: at 250 a strategy with an error of 0.3 points of its
own is found in 95 of 100 runs, at 13 problems too (benchmarks/planted_bias.py)."""


@dataclass(frozen=True)
class Row:
    """One judgment, or the draws of one, that a probe needs.

    Attributes:
        problem_id: Of the first text.
        strategy: Of both texts.
        plan: Place of its plan in the request.
        pair: Place of the two texts in that plan.
        drawn: Place of the drawn pair that it belongs to; of unrelated responses, their number in the strategy.
        asked_for: The score that an injection asks for; None without one.
    """

    problem_id: str
    strategy: str
    plan: int
    pair: Pair
    drawn: int
    asked_for: int | None = None


@dataclass(frozen=True)
class Request:
    """What one probe asks.

    Attributes:
        probe: Its name.
        plans: The judgments, group by group.
        rows: What of them belongs together.
        draws: Of each row.
        template: Other than the run's; None for the run's.
        left_out: Why rows could not be made, and how many.
    """

    probe: str
    plans: tuple[GroupPlan, ...]
    rows: tuple[Row, ...]
    draws: int = 1
    template: PromptTemplate | None = None
    left_out: Counter[str] = field(default_factory=Counter)


def make_requests(
    source: SameJudge, drawn: Sequence[DrawnPair], probes: Iterable[str], *, draws: int, seed: int = 0
) -> tuple[Request, ...]:
    """What these probes ask, the most telling first: where a budget ends the buying, the rest is missing.

    Args:
        source: The run and its judge.
        drawn: The pairs that are probed.
        probes: Names of probes; those that ask nothing have no request.
        draws: Of each pair in its order, the run's own among them.
        seed: Of the choice of unrelated responses.
    """
    wanted = set(probes)
    requests = []
    if names.RETEST in wanted:
        requests.append(_of_the_run(names.RETEST, source, drawn, draws=draws))
    if names.ORDER in wanted:
        requests.append(_of_the_run(names.ORDER, source, drawn, turned=True))
    requests += [_control(probe, source, drawn, seed) for probe in names.CONTROLS if probe in wanted]
    if names.TEMPLATE in wanted and not source.spec.is_embedded:
        for name in OTHER_TEMPLATES:
            template = PromptTemplate.load(name)
            requests.append(replace(_of_the_run(names.TEMPLATE, source, drawn), template=template))
    return tuple(requests)


def _of_the_run(
    probe: str, source: SameJudge, drawn: Sequence[DrawnPair], *, draws: int = 1, turned: bool = False
) -> Request:
    """The drawn pairs, as they are or the other way round."""
    by_group: dict[int, list[Pair]] = defaultdict(list)
    for one in drawn:
        by_group[one.group].append(Pair(one.pair.second, one.pair.first) if turned else Pair(*one.pair[:2]))
    plans = tuple(_plan(source.plans[group], source.plans[group].shown, by_group[group], draws) for group in by_group)
    place_of = {group: place for place, group in enumerate(by_group)}
    rows = []
    for place, one in enumerate(drawn):
        first, second = one.pair[:2]
        pair = Pair(second, first) if turned else Pair(first, second)
        rows.append(Row(one.problem_id, one.strategy, place_of[one.group], pair, place))
    return Request(probe, plans, tuple(rows), draws)


def _plan(plan: GroupPlan, shown: Sequence[ShownText], pairs: Iterable[Pair], draws: int = 1) -> GroupPlan:
    """A plan of these pairs of texts, under the group's problem."""
    edges = tuple(dict.fromkeys((pair.first, pair.second) for pair in pairs))
    wanted = PlannedPairs(len(shown), Circulant(frozenset(), edges), is_both=False, draws=draws)
    return GroupPlan(plan.group, plan.name, tuple(shown), wanted, skip_duplicates=False)


# --- controls: pairs of texts with a known answer -------------------------------------------------


@dataclass(frozen=True)
class _Texts:
    """The two texts of a control."""

    drawn: int
    group: int
    first: str
    second: str
    asked_for: int | None = None


def _control(probe: str, source: SameJudge, drawn: Sequence[DrawnPair], seed: int) -> Request:
    left_out: Counter[str] = Counter()
    made = [texts for texts in _MAKERS[probe](source, drawn, seed, left_out) if _fits(texts, source, left_out)]
    by_group: dict[int, list[_Texts]] = defaultdict(list)
    for texts in made:
        by_group[texts.group].append(texts)
    plans, rows = [], []
    for place, (group, members) in enumerate(by_group.items()):
        plan = source.plans[group]
        shown = [ShownText(text) for texts in members for text in (texts.first, texts.second)]
        pairs = [Pair(2 * number, 2 * number + 1) for number in range(len(members))]
        plans.append(_plan(_with_texts(plan, shown), shown, pairs))
        rows += [
            Row(plan.group.problem_id, plan.group.strategy, place, pair, texts.drawn, texts.asked_for)
            for texts, pair in zip(members, pairs, strict=True)
        ]
    return Request(probe, tuple(plans), tuple(sorted(rows, key=lambda row: row.drawn)), left_out=left_out)


def _with_texts(plan: GroupPlan, shown: Sequence[ShownText]) -> GroupPlan:
    group = plan.group
    responses = tuple(
        Response(group.problem_id, text.text, group.strategy, sample_id=place, problem=group.problem)
        for place, text in enumerate(shown)
    )
    return replace(plan, group=Group(group.problem_id, group.strategy, responses, group.problem))


def _fits(texts: _Texts, source: SameJudge, left_out: Counter[str]) -> bool:
    """Whether the judge can read both texts and still reply."""
    spec, template = source.spec, source.template.file.body
    if spec.is_embedded or spec.context_tokens is None:
        return True
    problem = source.plans[texts.group].group.problem or "" if source.template.uses_problem else ""
    room = spec.context_tokens - (spec.output_limit or spec.typical_output_tokens)
    fits = sum(map(estimate_tokens, (texts.first, texts.second, template, problem))) <= room
    left_out["too long for the judge"] += not fits
    return fits


_Maker = Callable[[SameJudge, Sequence[DrawnPair], int, Counter[str]], Iterator[_Texts]]


def _text(source: SameJudge, group: int, position: int) -> str:
    return source.plans[group].shown[position].text


def _with_itself(change: Callable[[str], str | None], why_not: str) -> _Maker:
    """A response beside itself in another form; each response once, of a drawn pair the one that was used less."""

    def make(source: SameJudge, drawn: Sequence[DrawnPair], seed: int, left_out: Counter[str]) -> Iterator[_Texts]:
        used: set[str] = set()
        for place, one in enumerate(drawn):
            texts = [_text(source, one.group, position) for position in one.pair[:2]]
            changed = [(text, other) for text in texts if text not in used and (other := change(text)) is not None]
            if not changed:
                left_out["the same text is among the others" if used.issuperset(texts) else why_not] += 1
                continue
            used.add(changed[0][0])
            yield _Texts(place, one.group, *changed[0])

    return make


def _beside_the_run(change: Callable[[str, int], str | None], why_not: str, *, is_asked_for: bool = False) -> _Maker:
    """A drawn pair, its second text changed."""

    def make(source: SameJudge, drawn: Sequence[DrawnPair], seed: int, left_out: Counter[str]) -> Iterator[_Texts]:
        for place, one in enumerate(drawn):
            first, second = (_text(source, one.group, position) for position in one.pair[:2])
            wanted = asked_for(one.score)
            changed = change(second, wanted)
            if changed is None or changed == second:
                left_out[why_not] += 1
                continue
            yield _Texts(place, one.group, first, changed, wanted if is_asked_for else None)

    return make


def _unrelated(source: SameJudge, drawn: Sequence[DrawnPair], seed: int, left_out: Counter[str]) -> Iterator[_Texts]:
    """Responses to different problems, in every strategy as many, of the same couples of problems."""
    wanted = round(UNRELATED_PER_PAIR * len(drawn))
    groups: dict[str, dict[str, int]] = defaultdict(dict)
    for place, plan in enumerate(source.plans):
        groups[plan.group.strategy][plan.group.problem_id] = place
    common = [problem for problem in dict.fromkeys(p.group.problem_id for p in source.plans)
              if all(problem in of_strategy for of_strategy in groups.values())]  # fmt: skip
    for strategy, of_strategy in groups.items():
        problems = common if len(common) > 1 else list(of_strategy)
        generator = np.random.default_rng(seed)  # The same for every strategy: the same pairs of problems.
        yield from _of_different_problems(source, of_strategy, problems, wanted, generator, left_out)
        if len(problems) < 2:
            left_out[f"{strategy} has one problem only"] += wanted


def _of_different_problems(
    source: SameJudge,
    group_of: dict[str, int],
    problems: Sequence[str],
    wanted: int,
    generator: np.random.Generator,
    left_out: Counter[str],
) -> Iterator[_Texts]:
    ordered = [(p, q) for p in range(len(problems)) for q in range(len(problems)) if p != q]
    if not ordered:
        return
    order = generator.permutation(len(ordered)).tolist()
    lots = generator.random((wanted, 2))
    seen: set[tuple[str, str]] = set()
    for number in range(wanted):
        p, q = ordered[order[number % len(order)]]
        places = [group_of[problems[p]], group_of[problems[q]]]
        first, second = (
            _text(source, place, int(lot * source.plans[place].group.n_responses))
            for place, lot in zip(places, lots[number], strict=True)
        )
        if (first, second) in seen or first == second:
            left_out["the same two texts are among the others"] += 1
            continue
        seen.add((first, second))
        yield _Texts(number, places[0], first, second)


_MAKERS: dict[str, _Maker] = {
    names.IDENTICAL: _with_itself(lambda text: text, "no text"),
    names.REFORMATTED: _with_itself(reformatted, "no rule changes the form of the text"),
    names.ANSWER: _with_itself(with_another_answer, "no final answer can be found in the text"),
    names.UNRELATED: _unrelated,
    names.PADDING: _beside_the_run(lambda text, _: padded(text), "no text"),
    names.CUT: _beside_the_run(lambda text, _: cut(text), "the text is too short to be cut"),
    names.INJECTION: _beside_the_run(with_injection, "no text", is_asked_for=True),
}
