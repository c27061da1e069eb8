"""The variances that a plan stands on: those of a pilot, or assumed ones, with the words that say which."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

from diversity_judge.budgeting.options import Part
from diversity_judge.budgeting.work import members_of
from diversity_judge.errors import InputError
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.measures.moments import JudgedGroup
from diversity_judge.measures.retest import retest
from diversity_judge.measures.variances import ASSUMED, Variances, variances_of
from diversity_judge.runs.loading import Run, RunGroup
from diversity_judge.wording import number

_R2 = "surrogate_r2"
"""The column of scores.csv that a run with a surrogate has."""
_OVER_PROBLEMS = {"problem": "how much problems differ", "difference": "how much differences differ between problems"}


@dataclass(frozen=True)
class Basis:
    """What a plan stands on.

    Attributes:
        variances: All that it needs; only the noise may be NaN.
        source: Whose they are.
        notes: What is assumed beside a pilot, and other things to know.
        surrogate_r2: Of the pilot's surrogate; 0 without one.
    """

    variances: Variances
    source: str
    notes: tuple[str, ...] = ()
    surrogate_r2: float = 0.0


def assumed() -> Basis:
    """Without a pilot."""
    return Basis(ASSUMED, "assumed, as measured on graded responses of other studies")


def basis_of(pilot: Run, part: Part) -> Basis:
    """The variances of a pilot.

    Args:
        pilot: A judged run.
        part: The responses that are looked at.

    Raises:
        InputError: nothing was judged, or nothing can be learned from what was.
    """
    if not pilot.is_judged:
        raise InputError(f"--pilot {pilot.path}: nothing was judged here; name a run folder of score")
    groups = [_judged(member, part) for member in pilot.groups]
    try:
        found = variances_of([group for group in groups if group is not None])
    except ValueError as error:
        raise InputError(
            f"--pilot {pilot.path}: says nothing of how pairs and responses differ: {error}; a pilot has at least as "
            "many pairs a group as responses"
        ) from error
    if not found.response + found.pair > 0:
        raise InputError(f"--pilot {pilot.path}: all scores of a group are equal, so no spread can be planned for")
    unknown = [name for name in _OVER_PROBLEMS if math.isnan(getattr(found, name))]
    notes = [f"{_OVER_PROBLEMS[name]} is assumed: the pilot has too few problems or strategies" for name in unknown]
    found = replace(found, **{name: getattr(ASSUMED, name) for name in unknown})
    if pilot.is_proxy:
        notes.append("the pilot's judge is the proxy judge, not an LLM, whose noise and spread may be others")
    return Basis(found, f"of the pilot {pilot.path}", tuple(notes), _pilot_r2(pilot))


def described(variances: Variances) -> dict[str, float | None]:
    """The variances as a person reads them: standard deviations in units of diversity, None where not known."""
    found = {field.name: getattr(variances, field.name) for field in fields(variances)}
    diversity = found.pop("diversity")
    deviations = {f"{name}_sd": math.sqrt(value) if value >= 0 else None for name, value in found.items()}
    return {"diversity": diversity, **deviations}


def sentence(variances: Variances) -> str:
    """The same in one line."""
    shown = described(variances)
    words = {
        "response_sd": "responses",
        "pair_sd": "pairs",
        "noise_sd": "the judge's chance",
        "problem_sd": "problems",
        "difference_sd": "differences",
    }
    known = [f"{word} {number(shown[name] or 0.0)}" for name, word in words.items() if shown[name] is not None]
    return f"diversity {number(variances.diversity, 2)}; spread (sd) of {', '.join(known)}"


def _judged(member: RunGroup, part: Part) -> JudgedGroup | None:
    if not member.judgments:
        return None
    matrix: SimilarityMatrix = member.matrix.part(members_of(member.responses, part))
    draws = 1 + max(judgment.pair.draw for judgment in member.judgments)
    return JudgedGroup(member.problem_id, member.strategy, matrix, draws, retest(member.judgments))


def _pilot_r2(pilot: Run) -> float:
    if _R2 not in pilot.scores:
        return 0.0
    known = pilot.scores[_R2].dropna()
    return float(min(max(known.mean(), 0.0), 0.99)) if len(known) else 0.0
