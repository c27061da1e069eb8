"""What a plan says of itself: what it stands on, what else to know, and what to type next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from diversity_judge.budgeting.choices import Choice
from diversity_judge.budgeting.commands import files_of, score_command
from diversity_judge.budgeting.options import PlanOptions
from diversity_judge.budgeting.pilot import Basis, described, sentence
from diversity_judge.budgeting.work import Work
from diversity_judge.choices import Level
from diversity_judge.display import counted
from diversity_judge.measures.power import POWER, fewest_problems


@dataclass(frozen=True)
class Study:
    """What was planned, and on what.

    Attributes:
        options: What was asked.
        work: What would be judged.
        basis: The variances.
        level: Whose interval.
        comparisons: Among how many a difference is to be confirmed.
        surrogate_r2: Of the surrogate; 0 without one.
        all_pairs: Of the largest group.
    """

    options: PlanOptions
    work: Work
    basis: Basis
    level: Level
    comparisons: int
    surrogate_r2: float
    all_pairs: int


def assumptions(study: Study) -> dict[str, Any]:
    """By name, for programs."""
    spec = study.work.spec
    counts = study.options.counts
    return {
        "variances": study.basis.source,
        **described(study.basis.variances),
        "for": study.level,
        "part": study.options.part,
        "strategies": len(study.work.strategies),
        "comparisons": study.comparisons,
        "power": POWER,
        "surrogate_r2": study.surrogate_r2,
        "judge": spec.name,
        "tokens_of_a_response": None if counts is None else counts.tokens,
        "tokens_of_a_reply": spec.typical_output_tokens,
        "prices_as_of": spec.prices_as_of,
    }


def facts(study: Study) -> tuple[str, ...]:
    """For people, below the title."""
    spec = study.work.spec
    priced = f"prices of {spec.prices_as_of}" if spec.prices_as_of else "no prices known"
    found = [
        f"judge: {spec.label}; {priced}",
        f"variances: {study.basis.source}",
        f"  {sentence(study.basis.variances)}",
    ]
    if study.surrogate_r2:
        found.append(f"with a surrogate that explains {study.surrogate_r2 * 100:.0f} % of the scores' variance")
    if study.options.part != "all":
        found.append(f"of {'correct responses' if study.options.part == 'correct' else 'responses not cut'} alone")
    if len(study.work.strategies) > 1:
        among = f" among {study.comparisons} comparisons (Holm)" if study.comparisons > 1 else ""
        found.append(f"detects: the true difference that is confirmed in {POWER * 100:.0f} % of such studies{among}")
    return tuple(found)


def notes(study: Study) -> tuple[str, ...]:
    """What else to know."""
    return (*study.basis.notes, *_notes(study))


def next_steps(study: Study, chosen: Choice | None) -> tuple[str, ...]:
    """A pilot, where there was none; the recommended run, where its responses are there."""
    command = score_command(study.options)
    pilot = min(study.work.responses, study.all_pairs)
    steps = []
    if study.options.pilot is None:
        steps.append(f"a pilot, whose pairs are a part of any larger design: {command} --pairs-per-group {pilot}")
    if chosen is not None and files_of(study.options) and _is_as_it_is(study, chosen):
        thinned = f" --pairs-per-group {chosen.pairs_per_group}" if chosen.pairs_per_group < study.all_pairs else ""
        steps.append(f"next: {command}{thinned}{f' --draws {chosen.draws}' if chosen.draws > 1 else ''}")
    return tuple(steps)


def _is_as_it_is(study: Study, chosen: Choice) -> bool:
    return chosen.problems == study.work.problems and chosen.responses == study.work.responses


def _notes(study: Study) -> Iterator[str]:
    if len(study.work.strategies) > 1:
        fewest = fewest_problems(study.comparisons)
        if study.work.common < fewest:
            yield f"no difference is confirmed with fewer than {counted(fewest, 'common problem')}"
    if study.work.spec.is_proxy:
        yield "the proxy judge is not an LLM: its spread is another than a judge's"
    if study.options.counts is not None:
        yield f"a response is taken to have {study.options.counts.tokens:,} tokens (--tokens)"
