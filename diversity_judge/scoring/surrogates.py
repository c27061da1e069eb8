"""Where a run's surrogate comes from: the proxy judge, or another run of the same responses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from diversity_judge.errors import InputError
from diversity_judge.judges.proxy import proxy_similarity
from diversity_judge.measures.diversity import DIFFERENCE, MEAN_OF_SCORED_PAIRS, estimate, estimator_of
from diversity_judge.measures.surrogate import Surrogate, explained_share, pooled_coefficients, slope_moments
from diversity_judge.planning.groups import GroupPlan
from diversity_judge.rubric import MAX_SCORE
from diversity_judge.scoring.group_results import GroupResult
from diversity_judge.scoring.options import NO_SURROGATE, PROXY_SURROGATE
from diversity_judge.text_safety import printable

if TYPE_CHECKING:
    from diversity_judge.runs.loading import Run, RunGroup
    from diversity_judge.runs.sources import RunLike

FEWEST = 0.95
"""Share of a group's pairs that another run must have scored to be its surrogate; the rest get the mean of these."""


class SurrogateSource(Protocol):
    """Gives every pair of a group a score."""

    @property
    def record(self) -> dict[str, Any]:
        """What run.json says of it; `label` names it for people."""
        ...

    def values(self, plan: GroupPlan) -> NDArray[np.float64]:
        """(n, n) symmetric, in points of 0..5."""
        ...


@dataclass(frozen=True)
class ProxySource:
    """The proxy judge's similarity of what the judge is shown, not rounded to the rubric."""

    @property
    def record(self) -> dict[str, Any]:
        """Which surrogate this is."""
        return {"kind": PROXY_SURROGATE, "label": "proxy judge"}

    def values(self, plan: GroupPlan) -> NDArray[np.float64]:
        """(n, n) symmetric, 0..5."""
        return MAX_SCORE * proxy_similarity([shown.text for shown in plan.shown])


@dataclass(frozen=True, eq=False)
class RunSource:
    """The scores of another run of the same responses.

    Attributes:
        run: The other run.
        places: Name of a group's plan to the other run's group, and (n,) where our responses stand there.
    """

    run: Run
    places: Mapping[str, tuple[RunGroup, NDArray[np.intp]]]

    @property
    def record(self) -> dict[str, Any]:
        """Which run, and what it was measured with."""
        return {
            "kind": "run",
            "label": f"{self.run.judge} ({self.run.path.name})",
            "path": str(self.run.path),
            "instrument": asdict(self.run.instrument),
            "pairs_without_a_score": sum(int(np.isnan(self._scores(name)).sum()) // 2 for name in self.places),
        }

    def values(self, plan: GroupPlan) -> NDArray[np.float64]:
        """(n, n) symmetric; a pair without a score there has the mean of the others."""
        scores = self._scores(plan.name)
        off = ~np.eye(len(scores), dtype=np.bool_)
        return np.where(np.isnan(scores), np.nanmean(scores[off]) if off.any() else 0.0, scores)

    def _scores(self, name: str) -> NDArray[np.float64]:
        theirs, places = self.places[name]
        return theirs.matrix.symmetric()[np.ix_(places, places)]


def find_surrogate(asked: RunLike, plans: Sequence[GroupPlan], *, folder: Path | None) -> SurrogateSource | None:
    """What is asked for, held against the responses; None where none is.

    Args:
        asked: `none`, `proxy`, or another run.
        plans: The groups that are scored.
        folder: Where this run goes.

    Raises:
        InputError: there is no such run, or it does not have a score for the pairs of every group; nothing was sent.
    """
    if asked == NO_SURROGATE:
        return None
    if asked == PROXY_SURROGATE:
        return ProxySource()
    from diversity_judge.runs.sources import as_run  # pandas, which only this surrogate needs

    run = as_run(asked)
    if not run.is_judged:
        raise InputError(f"--surrogate {run.path}: these are responses without a judge; name a run folder of score")
    if folder is not None and run.path.resolve() == folder.resolve():
        raise InputError(f"--surrogate {run.path}: is this run's own folder; name the run of another judge")
    theirs = {(group.problem_id, group.strategy): group for group in run.groups if group.judgments}
    return RunSource(run, {plan.name: _matched(plan, theirs, run) for plan in plans})


def with_surrogate(groups: Sequence[GroupResult], source: SurrogateSource | None) -> list[GroupResult]:
    """The same groups, each with its surrogate, lambda from the others, and the estimate that follows.

    Args:
        groups: As judged.
        source: None leaves them as they are.
    """
    if source is None:
        return list(groups)
    values = [source.values(group.plan) for group in groups]
    moments = [slope_moments(group.matrix, its) for group, its in zip(groups, values, strict=True)]
    return [
        replace(group, surrogate=surrogate, diversity=estimate(group.matrix, surrogate))
        for group, its, coefficient in zip(groups, values, pooled_coefficients(moments), strict=True)
        for surrogate in (Surrogate(its, coefficient),)
    ]


def estimator_record(groups: Sequence[GroupResult], source: SurrogateSource | None) -> dict[str, Any]:
    """What run.json says of the estimator.

    Args:
        groups: With their surrogates.
        source: Of these.
    """
    if source is None:
        return {"name": MEAN_OF_SCORED_PAIRS}
    used = [group for group in groups if group.surrogate and estimator_of(group.diversity) == DIFFERENCE]
    coefficients = [group.surrogate.coefficient for group in used if group.surrogate]
    return {
        "name": DIFFERENCE,
        "surrogate": source.record,
        "groups_with_difference": len(used),
        "lambda": float(np.mean(coefficients)) if used else None,
        "r2": explained_share([(group.matrix, group.surrogate) for group in used if group.surrogate]) if used else None,
    }


def _matched(
    plan: GroupPlan, theirs: Mapping[tuple[str, str], RunGroup], run: Run
) -> tuple[RunGroup, NDArray[np.intp]]:
    """The other run's group, and where each of our responses stands in it.

    Raises:
        InputError: something does not match; the message says what.
    """
    name = f"{plan.group.problem_id} / {plan.group.strategy}"
    group = theirs.get((plan.group.problem_id, plan.group.strategy))
    if group is None:
        raise _refused(run, f"has no judged group {name}")
    by_text: dict[str, list[int]] = defaultdict(list)
    for position, response in enumerate(group.responses):
        by_text[response.text].append(position)
    places = []
    for response in plan.group.responses:
        left = by_text.get(response.text)
        if not left:
            raise _refused(run, f"holds another text than sample {response.sample_id} of {name}, or none")
        same = [position for position in left if group.responses[position].sample_id == response.sample_id]
        places.append((same or left)[0])
        left.remove(places[-1])
    n = len(places)
    scored = ~np.isnan(group.matrix.symmetric()[np.ix_(places, places)])
    share = (int(scored.sum()) - n) / (n * (n - 1)) if n > 1 else 1.0
    if share < FEWEST:
        raise _refused(run, f"has scored {share:.0%} of the pairs of {name}, and a surrogate needs all of them")
    return group, np.array(places, dtype=np.intp)


def _refused(run: Run, why: str) -> InputError:
    return InputError(
        printable(f"--surrogate {run.path}: {why}; score the same file of responses there, all pairs of it")
    )
