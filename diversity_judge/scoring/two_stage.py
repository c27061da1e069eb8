"""Two stages: a pilot's worth of pairs, one decision from their spread, and the rest.

The decision is on the disk before the second stage buys: a run that is killed goes on with it, and never decides again
from what it has bought meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

from diversity_judge.choices import Level
from diversity_judge.engine.bill import Bill
from diversity_judge.engine.tally import Tally
from diversity_judge.errors import InputError, RunError
from diversity_judge.files import write_json
from diversity_judge.inputs.responses import Group
from diversity_judge.measures.moments import JudgedGroup
from diversity_judge.measures.two_stage import PairsNeeded, pairs_needed
from diversity_judge.planning.judgment import Judgment
from diversity_judge.rubric import Missing
from diversity_judge.runs.layout import TWO_STAGE, read_manifest
from diversity_judge.scoring.options import ScoreOptions
from diversity_judge.scoring.result import ScoreResult

_ASKED, _DECIDED = "asked", "decided"
"""Entries of the file: for what, and what."""
_SUMMED = ("calls", "replies", "prompt_tokens", "completion_tokens", "cached_tokens", "cost_usd")
"""Counts of a run that are those of both stages together."""


@dataclass(frozen=True)
class Stages:
    """A run in two stages.

    Attributes:
        options: Of the run.
        pilot_pairs: Pairs a group of the first stage.
        asked: What the decision is for; another one is another decision.
    """

    options: ScoreOptions
    pilot_pairs: int
    asked: Mapping[str, Any]

    @classmethod
    def of(cls, options: ScoreOptions, groups: Sequence[Group]) -> Stages:
        """The stages for these responses: the pilot has as many pairs a group as the largest group has responses.

        Raises:
            InputError: these responses have no such interval.
        """
        _refuse_what_has_no_interval(groups, options.level)
        pilot_pairs = max(group.n_responses for group in groups)
        asked = {
            "target_width": options.target_width,
            "for": options.level,
            "pilot_pairs": pilot_pairs,
            "design": {name: getattr(options.design, name) for name in ("orders", "draws", "seed")},
            "judge": options.judge.label,
            "judge_input": options.judge_input,
            "responses": _digest(groups),
        }
        return cls(options, pilot_pairs, asked)

    @property
    def pilot(self) -> ScoreOptions:
        """The first stage."""
        return self._with(self.pilot_pairs)

    @property
    def all_pairs(self) -> ScoreOptions:
        """What would be judged without stages."""
        return self._with(None)

    def rest(self, decided: PairsNeeded, spent: Tally | None) -> ScoreOptions:
        """The second stage, within what the first has left of the limits.

        Args:
            decided: How many pairs.
            spent: By the first stage in this run; None: it was not in this run.
        """
        options = self._with(decided.pairs)
        if spent is None:
            return options
        return replace(options, engine=options.engine.after(spent.calls, spent.cost_usd))

    def agreed(self) -> Stages:
        """The same, the user having agreed to what both stages can cost."""
        return replace(self, options=replace(self.options, engine=replace(self.options.engine, yes=True)))

    def earlier_decision(self) -> PairsNeeded | None:
        """What an earlier run in this folder decided for the same; None where it did not.

        Raises:
            InputError: the file is there and is none of this command's.
        """
        folder = self.options.folder
        record = None if folder is None else read_manifest(folder, TWO_STAGE)
        if record is None or record.get(_ASKED) != self.asked:
            return None
        try:
            return PairsNeeded(**record[_DECIDED])
        except (KeyError, TypeError) as error:
            raise InputError(f"{folder}/{TWO_STAGE}: holds no decision: {error}; remove it") from error

    def decide(self, pilot: ScoreResult) -> PairsNeeded:
        """How many pairs, from the pilot alone; on the disk when this returns, where there is a folder.

        Raises:
            InputError: without calls, the ledger does not hold the pilot.
            RunError: the pilot's replies say nothing of the interval, or the disk does not take the decision.
        """
        if self.options.offline and pilot.missing[Missing.NOT_JUDGED]:
            raise InputError(
                f"--offline --target-width: {pilot.missing[Missing.NOT_JUDGED]:,} judgments of the pilot are not in "
                "the ledger, so nothing says how many pairs are wanted; run it once without --offline"
            )
        groups = [
            JudgedGroup(g.problem_id, g.strategy, g.matrix, self.options.design.draws, g.retest) for g in pilot.groups
        ]
        try:
            decided = pairs_needed(groups, self.options.level, self.options.target_width or 0.0, self.pilot_pairs)
        except ValueError as error:
            raise RunError(f"the pilot does not say how many pairs are needed: {error}") from error
        self._write(decided)
        return decided

    def _write(self, decided: PairsNeeded) -> None:
        folder = self.options.folder
        if folder is None:
            return
        try:
            write_json(folder / TWO_STAGE, {_ASKED: self.asked, _DECIDED: asdict(decided)})
        except (OSError, ValueError) as error:
            raise RunError(f"{folder / TWO_STAGE}: cannot write the decision: {error}") from error

    def _with(self, pairs: int | None) -> ScoreOptions:
        design = replace(self.options.design, pairs_per_group=pairs)
        return replace(self.options, design=design, target_width=None)


def with_decision(found: ScoreResult, stages: Stages, decided: PairsNeeded, spent: Tally | None) -> ScoreResult:
    """The result of the second stage as that of both: the manifest has the decision, the tally what the pilot spent."""
    record = {_ASKED: dict(stages.asked), _DECIDED: asdict(decided)}
    manifest = dict(found.manifest) | {"two_stage": record}
    if spent is None:
        return replace(found, manifest=manifest)
    tally = found.tally.after(spent)
    sums = {name: getattr(tally, name) for name in _SUMMED if name in manifest["this_run"]}
    this_run = manifest["this_run"] | sums | {"reused": tally.reused}
    return replace(found, tally=tally, manifest=manifest | {"this_run": this_run})


def saved_sentence(decided: PairsNeeded, judgments: Sequence[Judgment], of_all: Bill) -> str:
    """What two stages saved.

    Args:
        decided: How many pairs.
        judgments: That were wanted in the end.
        of_all: The bill of all pairs, without what was bought.
    """
    n = sum(judgment.key is not None for judgment in judgments)
    share = n / of_all.judgments if of_all.judgments else 1.0
    saved = f", which saved about {of_all.cost_usd * (1 - share):,.2f} USD" if of_all.cost_usd else ""
    return (
        f"two stages: {decided.pairs:,} of {decided.all_pairs:,} pairs a group, {n:,} judgments instead of "
        f"{of_all.judgments:,}{saved}"
    )


def decision_sentence(decided: PairsNeeded, level: Level) -> str:
    """What was decided, and why."""
    if decided.is_reached:
        return (
            f"the pilot says: {decided.pairs:,} pairs a group for an interval of a {level} no wider than "
            f"{decided.target:g} (now about {decided.width_of_pilot:.3f}, then {decided.width:.3f})"
        )
    return (
        f"the pilot says: all pairs of these responses do not reach {decided.target:g} for a {level} (they give "
        f"about {decided.width_of_all:.3f}); {decided.pairs:,} pairs a group come within 5 % of that. `plan --pilot` "
        "says how many problems would do"
    )


def _refuse_what_has_no_interval(groups: Sequence[Group], level: Level) -> None:
    problems: dict[str, set[str]] = {}
    for group in groups:
        problems.setdefault(group.strategy, set()).add(group.problem_id)
    common = max((len(one & other) for one, other in combinations(problems.values(), 2)), default=0)
    lacks = {
        "group": "" if any(group.n_responses > 3 for group in groups) else "four responses to a problem",
        "strategy": "" if any(len(found) > 1 for found in problems.values()) else "two problems",
        "difference": "" if common > 1 else "two strategies on two common problems",
    }[level]
    if lacks:
        raise InputError(f"--target-width --for {level}: such an interval needs {lacks}")


def _digest(groups: Sequence[Group]) -> str:
    found = hashlib.sha256()
    for group in groups:
        for response in group.responses:
            for part in (group.problem_id, group.strategy, response.text):
                found.update(hashlib.sha256(part.encode()).digest())
    return found.hexdigest()
