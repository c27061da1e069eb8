"""What Expert-Sample does in a tier, where no response both chooses the tier and is measured.

Token-normal's responses are split by sample number. One half says which tier a problem is of, the other half is what
Expert-Sample is measured against; then the halves change places, so that no response is thrown away (cross-fitting;
Chernozhukov et al. 2018, Econometrics J. 21, C1-C68). A problem counts once for each half that puts it into the tier,
and the interval is over problems.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from diversity_judge.inputs.responses import Group
from diversity_judge.measures.clustered import of_sums, ratio
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.outcomes import Outcome, Tier, best_of_n, pass_at_k, tier
from diversity_judge.planning.judgment import Judgment
from diversity_judge.runs.loading import RunGroup

Value = Callable[[RunGroup], float]
"""Of a half of a group; NaN where it has none."""


def difference(normal: Mapping[str, RunGroup], other: Mapping[str, RunGroup], wanted: Tier, value: Value) -> Estimate:
    """What `other` has more than token-normal in a tier.

    Args:
        normal: Problem to token-normal's responses, which decide the tier.
        other: Problem to the other strategy's.
        wanted: The tier.
        value: What is compared; the other strategy's is the mean of its two halves.

    Returns:
        Mean over (problem, half) in the tier, with an interval over problems; NaN where fewer than 3 are in it.
    """
    rows = []
    for name in normal:
        if name not in other:
            continue
        base = halves(normal[name])
        own = np.mean([value(half) for half in halves(other[name])])
        found = [own - value(base[1 - i]) for i in (0, 1) if tier(base[i].group) is wanted]
        found = [gap for gap in found if not np.isnan(gap)]
        if found:
            rows.append((sum(found), len(found)))
    sums = np.array(rows, dtype=np.float64).reshape(-1, 2)
    return of_sums(lambda total: ratio(total[..., 0], total[..., 1]), sums)


def halves(member: RunGroup) -> tuple[RunGroup, RunGroup]:
    """The responses of even and of odd rank by sample number: the order of the file depends on which came first."""
    ranked = sorted(range(len(member.responses)), key=lambda i: int(member.responses[i].sample_id))
    return _part(member, ranked[0::2]), _part(member, ranked[1::2])


def _part(member: RunGroup, kept: list[int]) -> RunGroup:
    place = {old: new for new, old in enumerate(kept)}
    responses = tuple(member.responses[i] for i in kept)
    judgments = tuple(_moved(j, place) for j in member.judgments if {j.pair.first, j.pair.second} <= place.keys())
    return RunGroup(Group(member.problem_id, member.strategy, responses, member.group.problem), judgments)


def _moved(judgment: Judgment, place: Mapping[int, int]) -> Judgment:
    first, second = place[judgment.pair.first], place[judgment.pair.second]
    return judgment._replace(pair=judgment.pair._replace(first=first, second=second))


def pass_rate(member: RunGroup) -> float:
    """Share of right responses."""
    return _n_right(member) / len(member.responses)


def pass_at_all(member: RunGroup) -> float:
    """Whether one response or more is right."""
    return pass_at_k(len(member.responses), _n_right(member), len(member.responses))


def best_of_all(member: RunGroup) -> float:
    """Correctness of the response with the highest reward."""
    outcome = best_of_n(member.group)
    return outcome.value if isinstance(outcome, Outcome) else float("nan")


def diversity(member: RunGroup) -> float:
    """Process diversity of the pairs within."""
    return member.diversity.value if member.judgments else float("nan")


def _n_right(member: RunGroup) -> int:
    return sum(response.correct is True for response in member.responses)
