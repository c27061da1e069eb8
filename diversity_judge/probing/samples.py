"""From answers and from the run itself to the arrays that the formulas take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from diversity_judge.inputs.responses import Response
from diversity_judge.ledger import Ledger
from diversity_judge.measures.probes.instrument import Replies
from diversity_judge.measures.probes.sample import Sample
from diversity_judge.planning.prompting import parse_reply
from diversity_judge.probing.buying import Answers
from diversity_judge.probing.drawing import DrawnPair
from diversity_judge.probing.same_judge import SameJudge
from diversity_judge.rubric import broken_off
from diversity_judge.runs.labelled import LabelledRun
from diversity_judge.runs.loading import Run

_PROVIDER = "{host} by {provider}"


def sample_of(answers: Answers) -> Sample:
    """(N, K) scores of a request, a row a row of it; (N,) where it has one draw."""
    rows = answers.request.rows
    scores = answers.scores
    return Sample(
        np.array([row.problem_id for row in rows], dtype=np.str_),
        np.array([row.strategy for row in rows], dtype=np.str_),
        scores[:, 0] if answers.request.draws == 1 else scores,
    )


def run_sample(drawn: Sequence[DrawnPair]) -> Sample:
    """(N,) the run's own scores of the drawn pairs."""
    return Sample(
        np.array([one.problem_id for one in drawn], dtype=np.str_),
        np.array([one.strategy for one in drawn], dtype=np.str_),
        np.array([one.score for one in drawn], dtype=np.float64),
    )


def base_of(answers: Answers, run_draws: Sample) -> Sample:
    """(N,) for each row the mean of what the run's judge gave to its drawn pair, unchanged and in the same order.

    Args:
        answers: Of changed pairs.
        run_draws: (M,) or (M, K) scores of all drawn pairs.
    """
    places = np.array([row.drawn for row in answers.request.rows], dtype=np.intp)
    return Sample(run_draws.problem[places], run_draws.strategy[places], run_draws.pair_means[places])


def asked_for_of(answers: Answers) -> NDArray[np.float64]:
    """(N,) the score that each injection asks for."""
    return np.array([np.nan if row.asked_for is None else row.asked_for for row in answers.request.rows], np.float64)


def first_is_longer(source: SameJudge, drawn: Sequence[DrawnPair]) -> NDArray[np.bool_]:
    """(N,) whether the text that the run showed first is the longer one."""
    lengths = [[len(source.plans[one.group].shown[place].text) for place in one.pair[:2]] for one in drawn]
    return np.array([first > second for first, second in lengths], dtype=np.bool_)


def replies_of(run: Run, ledger: Ledger) -> Replies:
    """Every stored reply to what the run wanted, oldest first: whether it holds a score, and who gave it."""
    rows: list[tuple[int, str, str, str, str, str, str]] = []
    seen: set[str] = set()
    for member in run.groups:
        keys = [j.key for j in member.judgments if j.key is not None and j.key not in seen]
        seen.update(keys)
        origins = {origin.id: origin for origin in ledger.origins(keys)}
        for replies in ledger.replies(keys).values():
            for reply in replies:
                origin = origins[reply.id]
                host = origin.host or ""
                who = _PROVIDER.format(host=host, provider=origin.provider) if origin.provider else host
                reason = parse_reply(reply.content, reply.finish_reason).reason or ""
                names = (origin.model or "", origin.system_fingerprint or "", who)
                rows.append((reply.id, member.problem_id, member.strategy, reason, *names))
    # In the order in which they came: only so it is seen whether the host changed what it serves.
    return Replies(*(np.array(column, dtype=np.str_) for column in list(zip(*sorted(rows), strict=True))[1:]))


def scored_pairs(run: Run, source: SameJudge) -> tuple[Sample, Mapping[str, NDArray[np.float64]]]:
    """Every judgment of the run that the judge gave, and what it could depend on besides the reasoning.

    Returns:
        (N,) scores; and by name (N,) `length_ratio` (log of longer over shorter text), and, as far as the responses
        say so, `same_answer`, `n_correct` and `n_cut` (of the two), NaN where one of the two says nothing.
    """
    members = [member for member in run.groups if member.judgments]
    problems, strategies, scores, rows = [], [], [], []
    for member, plan in zip(members, source.plans, strict=True):
        lengths = [max(1, len(shown.text)) for shown in plan.shown]
        for judgment in member.judgments:
            if judgment.score is None or judgment.key is None:
                continue
            first, second = judgment.pair[:2]
            problems.append(member.problem_id)
            strategies.append(member.strategy)
            scores.append(float(judgment.score))
            ratio = abs(float(np.log(lengths[first] / lengths[second])))
            rows.append((ratio, *_facts(member.responses[first], member.responses[second])))
    names = ("length_ratio", "same_answer", "n_correct", "n_cut")
    columns = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
    sample = Sample(np.array(problems, np.str_), np.array(strategies, np.str_), np.array(scores, np.float64))
    return sample, {name: column for name, column in zip(names, columns.T, strict=True) if not np.isnan(column).all()}


def judge_minus_labels(labelled: LabelledRun) -> Sample:
    """(N,) the run's score minus the mean label, of the labelled pairs about which the judge was asked."""
    asked = [pair for pair in labelled.pairs if not pair.is_unasked]
    return Sample(
        np.array([pair.problem_id for pair in asked], np.str_),
        np.array([pair.strategy for pair in asked], np.str_),
        np.array([pair.judge - pair.label for pair in asked], np.float64),
    )


def _facts(first: Response, second: Response) -> tuple[float, float, float]:
    """Whether the answers are the same, how many are correct, how many were cut; NaN where that is not known."""
    nan = float("nan")
    same = nan if first.answer is None or second.answer is None else float(first.answer == second.answer)
    correct = nan if first.correct is None or second.correct is None else float(first.correct) + float(second.correct)
    ends = [first.finish_reason, second.finish_reason]
    cut = nan if None in ends else float(sum(broken_off(end) is not None for end in ends))
    return same, correct, cut
