"""Do the computed distributions sample what was sampled? A check of the forwards by another engine's responses.

A response is the greedy solution, word for word, where no decision leaves the likeliest token: the product of their
probabilities, since Expert-Sample draws anew at every token. What stands between decisions is taken for certain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from diversity_judge.inputs.responses import Group
from diversity_judge.measures.across import Floats
from diversity_judge.measures.intervals import outcome_estimate
from diversity_judge.measures.paired import mean_difference
from examples.miniature.why.findings import Finding
from examples.miniature.why.flips import Arms

KEPT = "greedy kept to its end"


def findings(found: Arms, ways: Mapping[str, str], sampled: Mapping[str, Mapping[str, Group]]) -> Iterator[Finding]:
    """Share of responses that are the greedy solution, computed and sampled.

    Args:
        found: The computed distributions.
        ways: Problem to its greedy solution.
        sampled: Arm to problem to responses.
    """
    problems = sorted(set(found.problems.tolist()))
    for arm, groups in sampled.items():
        computed = np.minimum(kept(found, arm, problems), 1.0)
        seen = np.array([_share(groups[name], ways[name]) for name in problems])
        yield Finding("decisions", KEPT, "computed", arm, outcome_estimate(computed))
        yield Finding("decisions", KEPT, "sampled", arm, outcome_estimate(seen))
        yield Finding("decisions", KEPT, "sampled - computed", arm, mean_difference(seen - computed)[0])


def kept(found: Arms, arm: str, problems: list[str]) -> Floats:
    """(P,) probability that every decision of a problem takes the likeliest token."""
    stays = found.by_arm[arm][np.arange(len(found.top)), found.top]
    return np.array([stays[found.problems == name].prod() for name in problems])


def _share(group: Group, way: str) -> float:
    return float(np.mean([response.text == way for response in group.responses]))
