"""Diversities and differences once more, corrected for the judge: by people's labels, or by a better judge's run.

Only a random sample with known chances can correct anything: labels that `labels make` drew, or a run whose pairs are
those that its seed draws. Everything else is refused, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diversity_judge.comparing.tables import CorrectedRow
from diversity_judge.display import counted
from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import PathLike
from diversity_judge.measures.corrected import Corrected, LabelledGroup, corrected_difference, corrected_diversity
from diversity_judge.measures.intervals import Estimate
from diversity_judge.planning.groups import Showing, plan_groups
from diversity_judge.planning.pairs import PairDesign
from diversity_judge.rubric import MAX_SCORE
from diversity_judge.runs.instrument import differences
from diversity_judge.runs.labelled import LabelledPair, match_labels
from diversity_judge.runs.labels import read_labels
from diversity_judge.runs.layout import MANIFEST, entry
from diversity_judge.runs.loading import Run, RunGroup
from diversity_judge.runs.sources import RunLike, as_run
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval

FEWEST_SCORED = 0.95
"""Share of the reference's pairs that both judges must have scored: what is missing is not missing by chance."""


@dataclass(frozen=True, eq=False)
class Correction:
    """What the judge is corrected by.

    Attributes:
        source: The labels or the reference, as sentences name it.
        groups: Every judged group, with its labels.
        notes: What is to be kept in mind.
    """

    source: str
    groups: tuple[LabelledGroup, ...]
    notes: tuple[str, ...] = ()

    def rows(
        self,
        strategies: Sequence[str],
        baseline: str,
        *,
        levels: dict[str, Estimate],
        differences: dict[str, Estimate],
        detect: float,
    ) -> tuple[CorrectedRow, ...]:
        """Of each strategy, and of each against the baseline.

        Args:
            strategies: In order.
            baseline: Its name.
            levels: Uncorrected diversity of each strategy.
            differences: Uncorrected difference of each to the baseline.
            detect: Difference that should be seen, for the number of labels.
        """
        rows = [
            _corrected_row(name, "", corrected_diversity(self.groups, name), levels[name], detect)
            for name in strategies
            if name in levels
        ]
        rows += [
            _corrected_row(name, baseline, corrected_difference(self.groups, name, baseline), differences[name], detect)
            for name in strategies
            if name in differences
        ]
        return tuple(row for row in rows if row.n_labels)


def find_correction(runs: Sequence[Run], *, labels: PathLike | None, reference: RunLike | None) -> Correction | None:
    """What is asked for; None where nothing is.

    Args:
        runs: Those that are compared.
        labels: A file of labels.
        reference: Another run, of a better judge.

    Raises:
        InputError: both are, or they are no random sample of these runs' pairs.
    """
    if labels is None and reference is None:
        return None
    if labels is not None and reference is not None:
        raise InputError("--labels and --reference: correct by one of them")
    judged = [run for run in runs if run.is_judged]
    if not judged:
        raise InputError("nothing was judged here, so there is no judge to be corrected")
    return _by_labels(judged, Path(labels)) if labels is not None else _by_reference(judged, as_run(reference or ""))


def corrected_sentences(rows: Iterable[CorrectedRow], source: str) -> Iterator[str]:
    """One plain sentence a difference.

    Args:
        rows: Of `Correction.rows`.
        source: What corrected them.
    """
    for row in rows:
        if row.baseline:
            yield (
                f"Corrected by {source}, {row.strategy} minus {row.baseline} is "
                f"{interval(row.corrected, row.ci_low, row.ci_high, signed=True)} in diversity; uncorrected "
                f"{interval(row.uncorrected, row.uncorrected_ci_low, row.uncorrected_ci_high, signed=True)}; "
                f"{row.n_labels:,} labels, {_needed(row)}."
            )


def _needed(row: CorrectedRow) -> str:
    if math.isnan(row.labels_needed):
        return "too few to say how many a difference would need"
    if math.isinf(row.labels_needed):
        return "and no number of them shows the difference asked for (--difference) in 80 %: that takes more problems"
    return f"and about {row.labels_needed:,.0f} would show the difference asked for (--difference) in 80 %"


def _corrected_row(name: str, baseline: str, found: Corrected, plain: Estimate, detect: float) -> CorrectedRow:
    estimate = found.estimate
    return CorrectedRow(
        name,
        baseline,
        estimate.value,
        estimate.low,
        estimate.high,
        plain.value,
        plain.low,
        plain.high,
        found.coefficient,
        estimate.n,
        found.n_labels,
        found.labels_needed(detect),
        estimate.reason or estimate.method,
    )


# --- labels ---------------------------------------------------------------------------------------


def _by_labels(runs: Sequence[Run], path: Path) -> Correction:
    labels = read_labels(path)
    if labels.is_binary:
        raise InputError(
            f"{path}: says only whether two responses are similar (0 or 1); a correction needs scores 0..5"
        )
    found = [match_labels(run, labels, skip_unknown=len(runs) > 1) for run in runs]
    pairs = [pair for matched in found for pair in matched.pairs]
    unknown = sum(math.isnan(pair.probability) or pair.n_asked is None for pair in pairs)
    if unknown:
        raise InputError(
            f"{path}: {unknown:,} of {len(pairs):,} labels have no probability, so nobody knows what they are a sample "
            "of; `labels make` draws pairs with known chances, and `agree --labels` takes labels of any pairs"
        )
    by_group: dict[int, list[LabelledPair]] = {}
    for pair in pairs:
        if not math.isnan(pair.judge):
            by_group.setdefault(id(pair.group), []).append(pair)
    groups = tuple(
        _of_labels(member, by_group.get(id(member), []))
        for run in runs
        for member in run.groups
        if member.judgments and not math.isnan(member.diversity.value)
    )
    people = len({name for matched in found for name in matched.annotators})
    source = f"the labels of {counted(people, 'person', 'people')}"
    left_out = sum(math.isnan(pair.judge) for pair in pairs)
    notes = (f"{left_out:,} labelled pairs without a score of the judge are left out",) if left_out else ()
    return Correction(source, groups, notes)


def _of_labels(member: RunGroup, pairs: Sequence[LabelledPair]) -> LabelledGroup:
    similarity = member.matrix.symmetric()
    scored = ~np.isnan(similarity[np.triu_indices(len(similarity), 1)])
    unasked = {frozenset((j.pair.first, j.pair.second)) for j in member.judgments if j.is_duplicate}
    return LabelledGroup(
        member.problem_id,
        member.strategy,
        MAX_SCORE * (1 - member.diversity.value),
        np.array([pair.label for pair in pairs]),
        np.array([pair.judge for pair in pairs]),
        expected=pairs[0].probability * (pairs[0].n_asked or 0) if pairs else 0.0,
        asked_share=1 - len(unasked) / int(scored.sum()),
    )


# --- a better judge -------------------------------------------------------------------------------


def _by_reference(runs: Sequence[Run], reference: Run) -> Correction:
    if not reference.is_judged:
        raise InputError(f"--reference {reference.path}: these are responses without a judge; name a run of score")
    theirs = {(group.problem_id, group.strategy): group for group in reference.groups if group.judgments}
    members = [member for run in runs for member in run.groups if member.judgments]
    common = [member for member in members if (member.problem_id, member.strategy) in theirs]
    if not common:
        raise InputError(f"--reference {reference.path}: has no judged group in common with what is compared")
    _refuse_unless_drawn(reference, [theirs[member.problem_id, member.strategy] for member in common])
    groups = tuple(_of_reference(member, theirs[member.problem_id, member.strategy], reference) for member in common)
    notes = []
    if len(common) < len(members):
        notes.append(
            f"{len(members) - len(common)} group(s) were not judged by the reference; what is corrected is of the "
            "problems that it judged"
        )
    if any(not differences(run.instrument, reference.instrument) for run in runs):
        notes.append(
            f"the reference {reference.path} is of the judge that it is to correct, so nothing but noise is corrected; "
            "name the run of a better judge"
        )
    return Correction(f"the reference {reference.judge}", groups, tuple(notes))


def _refuse_unless_drawn(reference: Run, members: Sequence[RunGroup]) -> None:
    """Hold the reference's pairs against those that its manifest says were drawn.

    Raises:
        InputError: its design is not a random choice, it is not what was judged, or too much of it is missing.
    """
    path = reference.path / MANIFEST
    recorded = entry(reference.manifest, path, "design", dict)
    shown = entry(reference.manifest, path, "showing", dict)
    try:
        design, showing = PairDesign(**recorded), Showing(**shown)
    except TypeError:
        raise InputError(f"--reference {reference.path}: its run.json does not say which pairs were drawn") from None
    plans = plan_groups([member.group for member in members], design, showing)
    for plan, member in zip(plans, members, strict=True):
        # Which response stood first is no part of the choice: one that was bought earlier keeps its orientation.
        drawn = {frozenset((p.first, p.second)) for p in plan.pairs}
        if drawn != {frozenset((j.pair.first, j.pair.second)) for j in member.judgments}:
            raise InputError(
                printable(
                    f"--reference {reference.path}: its pairs of {member.problem_id} / {member.strategy} are not those "
                    f"that --pairs-per-group {design.pairs_per_group} --seed {design.seed} draws, so they are no "
                    "random sample with known chances; score it again"
                )
            )
    matrices = [member.matrix for member in members]
    scored, wanted = sum(m.n_scored for m in matrices), sum(m.n_wanted for m in matrices)
    if scored < FEWEST_SCORED * wanted:
        raise InputError(
            f"--reference {reference.path}: {wanted - scored:,} of {wanted:,} pairs have no score, and the others are "
            "no random sample; the same score command goes on"
        )


def _of_reference(member: RunGroup, theirs: RunGroup, reference: Run) -> LabelledGroup:
    name = f"{member.problem_id} / {member.strategy}"
    if [response.text for response in member.responses] != [response.text for response in theirs.responses]:
        raise InputError(
            printable(f"--reference {reference.path}: holds other responses of {name}; score the same file with both")
        )
    labels, scores = theirs.matrix.symmetric(), member.matrix.symmetric()
    above = np.triu_indices(len(labels), 1)
    y, f = labels[above], scores[above]
    both = ~np.isnan(y) & ~np.isnan(f)
    if both.sum() < FEWEST_SCORED * (~np.isnan(y)).sum():
        raise InputError(
            printable(
                f"--reference {reference.path}: the compared run has no score for {int((~both & ~np.isnan(y)).sum())} "
                f"of its pairs of {name}; give both runs the same --seed, or score all pairs in the compared run"
            )
        )
    return LabelledGroup(
        member.problem_id,
        member.strategy,
        MAX_SCORE * (1 - member.diversity.value),
        y[both],
        f[both],
        expected=float(both.sum()),
    )
