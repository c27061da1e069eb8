"""A judge held against people: their scores or what they call similar, and beside how they agree with each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diversity_judge.agreeing.result import JudgeAgreement, People, unasked_notes
from diversity_judge.choices import DEFAULT_EPSILON
from diversity_judge.display import block, counted, html_block, short
from diversity_judge.errors import InputError
from diversity_judge.measures.agreement import agreements
from diversity_judge.measures.alt_test import ENOUGH_PEOPLE, AltTest, alt_test
from diversity_judge.measures.binary_labels import BinaryAgreement, binary_agreements, crossfitted
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.raters import RaterPair, rater_pairs, raters_alpha
from diversity_judge.rubric import MAX_SCORE
from diversity_judge.runs.labelled import LabelledRun, match_labels
from diversity_judge.runs.labels import Labels
from diversity_judge.runs.loading import Run
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval, number

JUDGE = "the judge"
"""The judge as a rater beside people."""
_TIE = 0.5
_SHOWN_COLUMNS = ("one", "other", "pairs", "equal", "within 1", "kappa")


@dataclass(frozen=True)
class AmongPeople:
    """How people agree with each other, and the judge with them.

    Attributes:
        pairs: Each two of the judge and the people; those with the judge first.
        alpha: Krippendorff's alpha of the people.
        alpha_with_judge: Of the people and the judge.
        test: Whether the judge may stand in for a person.
    """

    pairs: tuple[RaterPair, ...]
    alpha: Estimate
    alpha_with_judge: Estimate
    test: AltTest


@dataclass(frozen=True, eq=False, repr=False)
class LabelAgreement:
    """How well a judge agrees with people.

    Attributes:
        tested: The run of the judge.
        labelled: Its pairs that people labelled.
        reference: The people.
        scores: Against their mean scores; None where their labels are 0 and 1.
        binary: Against what they call similar, one a strategy and last all together; empty where they gave scores.
        people: Among themselves; None with labels of one person.
        notes: What is to be kept in mind; one sentence each.
    """

    tested: Run
    labelled: LabelledRun
    reference: People
    scores: JudgeAgreement | None
    binary: tuple[BinaryAgreement, ...]
    people: AmongPeople | None
    notes: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What it comes to, in plain words."""
        return tuple(printable(sentence) for sentence in self._sentences())

    def _sentences(self) -> Iterator[str]:
        if self.scores is not None:
            yield self.scores.sentence
        if self.binary:
            yield binary_sentence(self.binary[-1])
        if self.people is not None:
            yield test_sentence(self.people.test)

    def __repr__(self) -> str:
        return self._shown(block)

    def _repr_html_(self) -> str:
        return self._shown(html_block)

    def _shown(self, how: Callable[[str, Sequence[str], Sequence[Sequence[str]], Iterable[str]], str]) -> str:
        title = f"LabelAgreement: {counted(len(self.labelled.pairs), 'pair')}, {self.reference.judge}"
        rows = [_cells(pair) for pair in self.people.pairs] if self.people else []
        return how(title, _SHOWN_COLUMNS, rows, [f"tested: {self.tested.judge}", *self.sentences])


def _cells(pair: RaterPair) -> tuple[str, ...]:
    kappa = interval(pair.kappa.value, pair.kappa.low, pair.kappa.high)
    shares = (number(pair.exact.value), number(pair.within_one.value))
    return short(pair.one), short(pair.other), f"{pair.n:,}", *shares, kappa


def label_agreement(
    tested: Run, labels: Labels, *, skip_unknown: bool = False, epsilon: float = DEFAULT_EPSILON
) -> LabelAgreement:
    """Hold a judge against people.

    Args:
        tested: A run of the judge.
        labels: What people said of pairs of it.
        skip_unknown: Leave labels of pairs that are not in the run out, instead of refusing them.
        epsilon: Of the alternative annotator test.

    Raises:
        InputError: labels are of other pairs, or none is of a pair with a score.
    """
    labelled = match_labels(tested, labels, skip_unknown=skip_unknown)
    judge = np.array([pair.judge for pair in labelled.pairs])
    if np.isnan(judge).all():
        raise InputError(f"{labels.path}: no labelled pair of {tested.path} has a score of the judge")
    names = labelled.annotators
    people = np.array([[pair.labels.get(name, np.nan) for name in names] for pair in labelled.pairs])
    problem = np.array([pair.problem_id for pair in labelled.pairs])
    reference = People(labels.path, f"{counted(len(names), 'person', 'people')}, {labels.path.name}")
    binary, says, binary_notes = _binary(labelled, judge, people, problem) if labels.is_binary else ((), judge, ())
    scores = None if labels.is_binary else _scores(labelled, reference)
    among = _among(says, people, names, problem, epsilon, 1 if labels.is_binary else MAX_SCORE)
    notes = [*_notes(labelled, judge), *binary_notes, *(scores.notes if scores else ())]
    if among is not None and len(names) < ENOUGH_PEOPLE:
        notes.append(
            "with two people the alt-test says only whom of them the judge resembles more; three or more are advised"
        )
    return LabelAgreement(tested, labelled, reference, scores, binary, among, tuple(printable(note) for note in notes))


def _scores(labelled: LabelledRun, reference: People) -> JudgeAgreement:
    groups = labelled.shared_groups()
    rows = agreements(groups)
    return JudgeAgreement(labelled.run, reference, groups, rows, tuple(unasked_notes(rows[-1])))


def _binary(
    labelled: LabelledRun, judge: NDArray[np.float64], people: NDArray[np.float64], problem: NDArray[np.str_]
) -> tuple[tuple[BinaryAgreement, ...], NDArray[np.float64], tuple[str, ...]]:
    """Against 0 and 1, what the judge then calls similar (thresholds of other problems), and notes."""
    share = np.nanmean(people, axis=1)
    used = ~np.isnan(judge) & (share != _TIE)
    strategy = np.array([pair.strategy for pair in labelled.pairs])
    is_similar = share > _TIE
    found = binary_agreements(judge[used], is_similar[used], problem[used], strategy[used])
    says = np.full(len(judge), np.nan)
    says[used] = crossfitted(judge[used], is_similar[used], problem[used])
    n_ties = int((share == _TIE).sum())
    notes = (f"{n_ties:,} pair(s) that people are evenly split on are left out",) if n_ties else ()
    return found, says, notes


def _among(
    judge: NDArray[np.float64],
    people: NDArray[np.float64],
    names: Sequence[str],
    problem: NDArray[np.str_],
    epsilon: float,
    highest: float,
) -> AmongPeople | None:
    if len(names) < 2:
        return None
    everybody = np.column_stack([judge, people])
    return AmongPeople(
        rater_pairs(everybody, [JUDGE, *names], problem, highest=highest),
        raters_alpha(people, problem),
        raters_alpha(everybody, problem),
        alt_test(judge, people, names, problem, epsilon=epsilon),
    )


def _notes(labelled: LabelledRun, judge: NDArray[np.float64]) -> Iterator[str]:
    if labelled.n_unknown:
        yield f"--skip-unknown: {labelled.n_unknown:,} label(s) of pairs that are not in the run are left out"
    if n_missing := int(np.isnan(judge).sum()):
        yield f"{n_missing:,} labelled pair(s) without a score of the judge are left out"


def binary_sentence(found: BinaryAgreement) -> str:
    """What a judge of 0..5 tells of similar or not."""
    roc = found.auc
    if math.isnan(roc.value):
        return f"All {found.n_pairs:,} labels are the same, so nothing can be told apart."
    return (
        f"The judge ranks a similar pair above another one with chance {interval(roc.value, roc.low, roc.high)} (AUC); "
        f"called similar from {found.threshold:g} on, it is right on {found.corrected:.1%} of both kinds on average, "
        f"{found.balanced_accuracy.value:.1%} on the pairs that chose this threshold."
    )


def test_sentence(test: AltTest) -> str:
    """What the alternative annotator test says."""
    if test.reason:
        return f"Whether the judge may stand in for a person cannot be told: {test.reason}."
    won = sum(person.is_won for person in test.people)
    verdict = "may stand in for a person" if test.passes else "may not stand in for a person"
    return (
        f"Alt-test: the judge wins against {won} of {len([p for p in test.people if not math.isnan(p.p)])} people "
        f"(omega {test.omega:.2f}, epsilon {test.epsilon:g}), so it {verdict}; average advantage rho {test.rho:.2f}."
    )
