"""What the page shows of each problem: its heat maps, and the texts behind them.

The index (names, matrices, judgments without words) is read when the page opens; the texts of a problem are packed
apart, and unpacked when the reader opens a pair of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from diversity_judge.comparing.group_measures import GroupMeasures
from diversity_judge.comparing.result import Comparison
from diversity_judge.drawing.look import SCORE_COLOURS
from diversity_judge.inputs.responses import Response
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.planning.judgment import Judgment
from diversity_judge.report.clusters import cluster_order
from diversity_judge.report.mathematics import Formulas, Part, Trees
from diversity_judge.report.packing import Cuts, Lengths, Paragraphs, cut
from diversity_judge.runs.loading import Rationale, Run
from diversity_judge.text_safety import printable, slugs

Json = dict[str, Any]
"""What the page's script reads: JSON by nature."""

NOT_WANTED = -1
"""In a matrix: the pair was not to be judged. None: it was, and has no score."""
_ANSWER_LENGTH = 200
_NAME_LENGTH = 200

_PICTURES = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\t\n"} | {0x7F: "\u2421"}
_INVISIBLE = re.compile("[\x80-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class ProblemSection:
    """One problem as the page shows it.

    Attributes:
        number: Place in the comparison.
        anchor: Its link on the page.
        problem_id: Its name, on one line.
        tier: Its tier; empty where it has none.
        groups: (number of the group, its measures) of each strategy, in the comparison's order.
    """

    number: int
    anchor: str
    problem_id: str
    tier: str
    groups: tuple[tuple[int, GroupMeasures], ...]

    @property
    def judged(self) -> tuple[tuple[int, GroupMeasures], ...]:
        """The groups that have a heat map."""
        return tuple((number, group) for number, group in self.groups if group.process is not None)

    def of(self, strategy: str) -> GroupMeasures | None:
        """The group of a strategy."""
        return next((group for _, group in self.groups if group.strategy == strategy), None)

    @property
    def has_low_coverage(self) -> bool:
        """Whether one of its groups lacks many scores."""
        return any(group.has_low_coverage for _, group in self.groups)


def sections(comparison: Comparison) -> tuple[ProblemSection, ...]:
    """The problems, in the comparison's order."""
    anchors = slugs(comparison.problems)
    place = {strategy: number for number, strategy in enumerate(comparison.strategies)}
    found = []
    for number, problem_id in enumerate(comparison.problems):
        members = [(n, g) for n, g in enumerate(comparison.groups) if g.problem_id == problem_id]
        members.sort(key=lambda member: place[member[1].strategy])
        tier = comparison.tiers.get(problem_id)
        found.append(
            ProblemSection(
                number,
                f"problem-{anchors[problem_id]}",
                printable(problem_id, _NAME_LENGTH),
                tier.value if tier else "",
                tuple(members),
            )
        )
    return tuple(found)


def index(comparison: Comparison, problems: Sequence[ProblemSection]) -> Json:
    """What the script needs as soon as the page opens."""
    threshold = comparison.options.thresholds.approach
    reasons = sorted({j.reason for g in comparison.groups for j in g.member.judgments if j.reason})
    groups: dict[int, Json] = {}
    for problem in problems:
        for number, group in problem.judged:
            groups[number] = _group(group, problem.number, threshold, reasons)
    return {
        "problems": [problem.anchor for problem in problems],
        "hues": SCORE_COLOURS,
        "strategies": [printable(strategy, _NAME_LENGTH) for strategy in comparison.strategies],
        "reasons": reasons,
        "strategyOf": [comparison.strategies.index(group.strategy) for group in comparison.groups],
        "groups": groups,
    }


def texts(problem: ProblemSection, rationales: Mapping[int, Mapping[int, Rationale]], cuts: Cuts, trees: Trees) -> Json:
    """All texts of a problem.

    Args:
        problem: The problem.
        rationales: Group number to reply id to rationale.
        cuts: How much is kept.
        trees: Formulas that were converted before; new ones are added.
    """
    formulas, paragraphs = Formulas(trees), Paragraphs()

    def parts(text: str, limit: int | None) -> list[Part]:
        return paragraphs.add(formulas.parts(visible(cut(text, limit))))

    groups = {}
    for number, group in problem.groups:
        groups[number] = {
            "responses": [
                {"text": parts(response.text, cuts.response), **_facts(response)} for response in group.member.responses
            ],
            "replies": [
                _reply(judgment, rationales.get(number, {}), cuts, parts) for judgment in group.member.judgments
            ],
        }
    statement = problem.groups[0][1].member.group.problem or ""
    problem_parts = parts(statement, cuts.response)
    return {
        "paragraphs": paragraphs.shared(),
        "problem": problem_parts,
        "groups": groups,
        "formulas": formulas.table,
    }


def rationales_of(comparison: Comparison, problem: ProblemSection) -> dict[int, dict[int, Rationale]]:
    """Group number to reply id to rationale, of one problem."""
    runs = {id(member): run for run in comparison.runs for member in run.groups}
    found: dict[int, dict[int, Rationale]] = {}
    for run in comparison.runs:
        mine = [(number, group) for number, group in problem.judged if runs[id(group.member)] is run]
        known = run.rationales([j for _, group in mine for j in group.member.judgments])
        for number, group in mine:
            ids = {judgment.reply_id for judgment in group.member.judgments}
            found[number] = {reply_id: why for reply_id, why in known.items() if reply_id in ids}
    return found


def add_lengths(lengths: Lengths, problem: ProblemSection, rationales: Mapping[int, Mapping[int, Rationale]]) -> None:
    """Count the characters of a problem's texts."""
    for number, group in problem.groups:
        lengths.response += [len(response.text) for response in group.member.responses]
        for why in rationales.get(number, {}).values():
            lengths.answer.append(len(why.content))
            lengths.reasoning.append(len(why.reasoning or ""))


def runs_without_replies(comparison: Comparison) -> list[Run]:
    """Judged runs whose ledger is not where they left it: their scores have no rationale on the page."""
    return [run for run in comparison.runs if run.is_judged and run.ledger_path is None]


def visible(text: str) -> str:
    r"""A text in which nothing is hidden and nothing moves other text: escapes and overrides are drawn as signs."""
    text = text.replace("\r\n", "\n").translate(_PICTURES)
    return _INVISIBLE.sub(lambda match: f"\u27e8U+{ord(match.group()):04X}\u27e9", text)


def _group(group: GroupMeasures, problem: int, threshold: float, reasons: Sequence[str]) -> Json:
    matrix = group.member.matrix
    judgments = group.member.judgments
    return {
        "problem": problem,
        "samples": [printable(str(response.sample_id), 40) for response in group.member.responses],
        "matrix": _cells(matrix),
        "order": cluster_order(matrix.symmetric(), threshold=threshold),
        "first": [judgment.pair.first for judgment in judgments],
        "second": [judgment.pair.second for judgment in judgments],
        "draw": [judgment.pair.draw for judgment in judgments],
        "score": [judgment.score for judgment in judgments],
        "reason": [None if judgment.reason is None else reasons.index(judgment.reason) for judgment in judgments],
        "same": [number for number, judgment in enumerate(judgments) if judgment.is_duplicate],
    }


def _cells(matrix: SimilarityMatrix) -> list[list[float | None]]:
    """(n, n) similarities, None where there is no score, -1 where none was wanted and on the diagonal."""
    similarity = matrix.symmetric()
    wanted = matrix.wanted | matrix.wanted.T
    cells = np.where(wanted, similarity, NOT_WANTED)
    return [[None if math.isnan(cell) else round(float(cell), 4) for cell in row] for row in cells]


def _reply(
    judgment: Judgment, rationales: Mapping[int, Rationale], cuts: Cuts, parts: Any
) -> list[list[Part] | None] | None:
    why = rationales.get(judgment.reply_id or 0)
    if why is None:
        return None
    has_reasoning = bool(why.reasoning) and cuts.reasoning != 0
    return [parts(why.content, cuts.answer), parts(why.reasoning, cuts.reasoning) if has_reasoning else None]


def _facts(response: Response) -> Json:
    """What is known of a response beside its text; unknown fields are left out."""
    answer = None if response.answer is None else printable(response.answer, _ANSWER_LENGTH)
    facts = {
        "answer": answer,
        "correct": response.correct,
        "reward": response.reward,
        "tokens": response.n_tokens,
        "finish": response.finish_reason and printable(response.finish_reason, 40),
    }
    return {name: value for name, value in facts.items() if value is not None}
