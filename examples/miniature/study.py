"""Everything that a run measured, read back from its folder and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diversity_judge.inputs.responses import Group
from diversity_judge.runs.loading import Run, load_run
from examples.miniature import responses
from examples.miniature.comparing import Asked, Compared, all_compared
from examples.miniature.plan import ACTIVE, CLAIMED, COMPARED, NO_HEAD
from examples.miniature.points import PAPERS, SECOND, OperatingPoint, read_point
from examples.miniature.processors import cores
from generation.expert_sample.settings import ExpertSampleSettings

NORMAL, EXPERT = COMPARED
HIGH, EDT = "token-high", "edt"
COMPARISONS = "compare"
"""The folder of the comparisons, in the run's."""

ByActive = Mapping[int, Mapping[str, Sequence[Group]]]
"""Number of active experts -> strategy -> its groups."""


@dataclass(frozen=True)
class Study:
    """Everything that was measured.

    Attributes:
        main: The four strategies, with the rewards of the verifier by rules.
        learned: The same responses with the rewards of the reward model.
        second: Token-normal and Expert-Sample of the second model.
        sweeps: Settings of Expert-Sample, judged.
        settings: Those of them that a claim is about, on more problems and not judged.
        greedy: Greedy accuracy with several numbers of active experts.
        sampled: The same of pass@n.
        active: The model's own number of active experts.
        by_rank: (experts,) mean router probability by rank.
        by_block: (blocks, experts) the same in blocks of problems.
        k_keep: Experts that the defaults keep.
        speed: Ratios of tokens a second, with Expert-Sample to without.
        n: Responses a group.
        n_sampled: All responses.
        points: The operating point of the run, and that of the second model.
    """

    main: Compared
    learned: Compared
    second: Compared
    sweeps: Compared
    settings: Compared
    greedy: Compared
    sampled: Compared
    active: int
    by_rank: NDArray[np.float64]
    by_block: NDArray[np.float64]
    k_keep: int
    speed: NDArray[np.float64]
    n: int
    n_sampled: int
    points: tuple[OperatingPoint, OperatingPoint]


def load_study(folder: Path, sampled: Mapping[str, Sequence[Group]], by_active: ByActive) -> Study:
    """Read what the steps left, compare, and write the comparisons into the run's folder.

    Args:
        folder: The run's.
        sampled: With the model's own number of active experts.
        by_active: With each number of active experts.
    """
    found = all_compared(folder / COMPARISONS, _asked(folder, sampled, by_active), processes=cores())
    by_rank = pd.read_csv(folder / "routing" / "router_by_rank.csv")["mean_probability"].to_numpy()
    by_block = pd.read_csv(folder / "routing" / "router_by_block.csv")
    return Study(
        **found,
        active=ACTIVE,
        by_rank=by_rank,
        by_block=by_block.pivot_table(index="block", columns="rank", values="mean_probability").to_numpy(),
        k_keep=ExpertSampleSettings().resolve(ACTIVE, len(by_rank)).k_keep,
        speed=_speed_ratios(pd.read_csv(folder / "overhead.csv")),
        n=max(group.n_responses for group in found["main"].groups),
        n_sampled=_n_responses(by_active) + sum(group.n_responses for group in found["second"].groups),
        points=(
            read_point(PAPERS, found["main"], folder / "routing"),
            read_point(SECOND, found["second"], folder / responses.SECOND_ROUTING),
        ),
    )


def _asked(folder: Path, sampled: Mapping[str, Sequence[Group]], by_active: ByActive) -> list[Asked]:
    own = responses.active_name(ACTIVE)
    settings = tuple(group for name in (EXPERT, *CLAIMED, NO_HEAD) for group in sampled.get(name, ()))
    by_number = {name: responses.with_active(by_active, of) for name, of in (("sampled", NORMAL), ("greedy", "greedy"))}
    return [
        Asked("learned", partial(load_run, folder / responses.LEARNED), NORMAL, draws=True),
        Asked("main", partial(load_run, folder / "scores" / "main"), NORMAL, draws=True),
        Asked("settings", partial(responses.unjudged, settings), EXPERT),
        Asked("sampled", partial(_itself, by_number["sampled"]), own, own),
        Asked("sweeps", partial(load_run, folder / "scores" / "sweeps"), EXPERT),
        Asked("second", partial(load_run, folder / "scores" / "second"), NORMAL),
        Asked("greedy", partial(_itself, by_number["greedy"]), own, own),
    ]


def _itself(run: Run) -> Run:
    return run


def _n_responses(by_active: ByActive) -> int:
    return sum(group.n_responses for sampled in by_active.values() for groups in sampled.values() for group in groups)


def _speed_ratios(overhead: pd.DataFrame) -> NDArray[np.float64]:
    speed = (overhead.tokens / overhead.seconds).groupby([overhead["round"], overhead.strategy]).first().unstack()
    return np.asarray((speed[EXPERT] / speed[NORMAL]).to_numpy())
