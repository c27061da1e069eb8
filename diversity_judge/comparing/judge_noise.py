"""How large the judge's noise is beside each difference in diversity, where `reliability` has measured it.

The interval of a difference holds that noise already, for it is taken over problems. Beside it stands how much of it is
the judge's, so that one sees whether more draws would help. What an interval does not hold is an error that one
strategy alone has: that is said as a note.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from diversity_judge.comparing.differences import StrategyDifference
from diversity_judge.comparing.parts import judged_part
from diversity_judge.errors import InputError
from diversity_judge.measures.judge_noise import difference_noise, group_noise
from diversity_judge.runs.judge_noise import FOLDER, JudgeNoise, read_judge_noise
from diversity_judge.runs.loading import Run, RunGroup
from diversity_judge.wording import number, percent

METRIC = "diversity"


@dataclass(frozen=True)
class MeasuredNoise:
    """What is known of the noise of the runs.

    Attributes:
        groups: Variance of a diversity by the judge's chance, by strategy and problem; unknown groups are absent.
        sources: The folders that it comes from.
        notes: What was left out and what is to be kept in mind.
    """

    groups: dict[str, dict[str, float]]
    sources: tuple[JudgeNoise, ...]
    notes: tuple[str, ...]


def measure_noise(runs: Sequence[Run], folder: str | None, *, complete_only: bool) -> MeasuredNoise:
    """The noise of every group whose instrument was probed.

    Args:
        runs: The runs.
        folder: Of `reliability`, for all of them; None: that in each run's own folder, where there is one.
        complete_only: Whether responses that were cut are left out.

    Raises:
        InputError: the folder that was named is none, or is about another instrument than a run.
    """
    groups: dict[str, dict[str, float]] = {}
    sources: dict[Path, JudgeNoise] = {}
    notes: list[str] = []
    for run in runs:
        found = _of_run(run, folder, notes)
        if found is None:
            continue
        sources[found.path] = found
        if math.isnan(found.draw):
            notes.append(f"{found.path} has no retest, so the judge's noise is not known; probe retest too")
            continue
        for member in run.groups:
            if member.judgments:
                part = judged_part(member, complete_only=complete_only)
                groups.setdefault(member.strategy, {})[member.problem_id] = _noise_of(part, found)
    notes += _what_intervals_lack(tuple(sources.values()))
    return MeasuredNoise(groups, tuple(sources.values()), tuple(notes))


def beside(differences: Sequence[StrategyDifference], noise: MeasuredNoise) -> tuple[StrategyDifference, ...]:
    """The differences, those in diversity with the judge's noise in them."""
    return tuple(
        replace(one, judge_noise=_of_difference(one, noise)) if one.metric == METRIC else one for one in differences
    )


def noise_sentence(differences: Sequence[StrategyDifference], noise: MeasuredNoise) -> Iterator[str]:
    """What the judge's noise does to the differences in diversity, in one sentence; none where it is not known."""
    known = [one for one in differences if not math.isnan(one.judge_noise)]
    if known:
        each = ", ".join(f"{one.strategy} {noise_and_share(one.judge_noise, one.judge_noise_share)}" for one in known)
        sds = " and ".join(dict.fromkeys(number(found.retest_sd, 2) for found in noise.sources))
        yield (
            f"The judge's own noise ({sds} points a judgment) gives the differences in diversity this standard "
            f"deviation, and so much of their variance: {each}."
        )


def noise_and_share(noise: float, share: float) -> str:
    """`0.0042 (12.0 %)`: the noise, and its share of the variance, which by chance may be estimated below the noise."""
    if math.isnan(share):
        return number(noise, 4)
    return f"{number(noise, 4)} ({percent(share) if share < 1 else 'all'})"


def _of_run(run: Run, folder: str | None, notes: list[str]) -> JudgeNoise | None:
    if not run.is_judged:
        return None
    if folder is not None:
        return read_judge_noise(Path(folder), run.instrument)
    own = Path(run.path) / FOLDER
    if not own.is_dir():
        return None
    try:
        return read_judge_noise(own, run.instrument)
    except InputError as error:
        notes.append(f"the judge's noise is left out: {error}")
        return None


def _noise_of(member: RunGroup, found: JudgeNoise) -> float:
    n = len(member.responses)
    asked = np.zeros((n, n), np.int64)
    for judgment in member.judgments:
        if judgment.score is not None and not judgment.is_duplicate:
            asked[judgment.pair.first, judgment.pair.second] += 1
    order = 0.0 if math.isnan(found.order) else found.order
    return group_noise(member.matrix, asked, draw=found.draw, order=order)


def _of_difference(one: StrategyDifference, noise: MeasuredNoise) -> float:
    mine, theirs = (noise.groups.get(name, {}) for name in (one.strategy, one.baseline))
    return difference_noise(mine, theirs, one.found.problems)


def _what_intervals_lack(sources: Sequence[JudgeNoise]) -> Iterator[str]:
    for found in sources:
        if math.isnan(found.order) and not math.isnan(found.draw):
            yield f"{found.path} has not probed the order, so the judge's noise is that of its draws alone"
        if found.unequal:
            yield (
                f"warning: the judge's error is not the same for all strategies ({'; '.join(found.unequal)}, against "
                "the mean of the others): differences are shifted by it, and no interval here says so; see "
                f"{found.path}"
            )
