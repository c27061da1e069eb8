"""`python -m generation.grade responses.jsonl`: extract and grade the answers of a file again.

For files that were sampled elsewhere, and after a change of the extraction or of a reference. The file is
replaced in one step, so that a reader sees the old grades or the new ones, and a run that is killed changes nothing.
"""

from __future__ import annotations

if __name__ == "__main__":  # Before the imports: they take a second, in which Ctrl-C may come.
    from diversity_judge.command_process import run_as_process

    run_as_process("generation.grade")


from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from diversity_judge.command_line import CommandParser
from diversity_judge.display import counted
from diversity_judge.errors import DiversityJudgeError, InputError
from generation.grading.grader import GradeCounts, Grader
from generation.grading.rows import grade_row, problem_of
from generation.problems import Problem, ProblemKind, read_problems
from generation.response_file import waiting_note
from generation.response_rows import read_rows, reading, write_rows


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the contract."""
    parser = CommandParser(prog="python -m generation.grade", description="Grade the responses of a file again.")
    parser.add_argument("responses", type=Path, help="a responses.jsonl; its answer and correct are replaced")
    parser.add_argument(
        "--problems",
        type=Path,
        help="take kind, choices and reference from this file (default: from each response's meta)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write to another file")
    args = parser.parse_args(argv)
    console = Console(stderr=True)

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    try:
        counts = regrade(
            args.responses,
            args.out or args.responses,
            problems=args.problems,
            on_start=lambda n: say(f"grading {counted(n, 'response')} of {args.responses}"),
        )
    except DiversityJudgeError as error:
        console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return error.exit_code
    except KeyboardInterrupt:
        console.print("interrupted; nothing was changed", markup=False)
        return 130
    say(_summary(counts, args.out or args.responses))
    for note in waiting_note(args.responses):
        say(note)
    return 0


def regrade(
    source: Path,
    target: Path,
    *,
    problems: Path | None = None,
    on_start: Callable[[int], None] = lambda n_responses: None,
) -> GradeCounts:
    """Grade every response of a file; other fields and the order of lines stay.

    Args:
        source: A responses.jsonl.
        target: Where the graded lines go; may be the source.
        problems: A problems file with the references; None takes what sampling left in `meta`.
        on_start: Told the number of responses when the file was found good.

    Raises:
        InputError: a line is not a response, or there is no reference for any of them.
        RunError: a run is writing to the file, or math-verify is missing.
    """
    known = {} if problems is None else {item.problem_id: item for item in read_problems(problems)}
    with reading(source):
        rows = read_rows(source)
        references = [_reference(row, known, where) for where, row in rows]
        if all(problem.answer is None and problem.kind is not ProblemKind.CODE for problem in references):
            raise InputError(f"{source}: no response has a reference answer; name the problems: --problems")
        on_start(len(rows))
        counts = _grade([row for _, row in rows], references)
        write_rows(target, [row for _, row in rows])
    return counts


def _reference(row: Mapping[str, Any], known: Mapping[str, Problem], where: str) -> Problem:
    """What a response is graded by: the problem in the problems file, or what its `meta` says."""
    if not known:
        return problem_of(row, where)
    name = str(row["problem_id"])
    if name not in known:
        raise InputError(f"{where}: problem_id {name!r} is not in the problems file")
    return known[name]


def _grade(rows: Sequence[dict[str, Any]], references: Sequence[Problem]) -> GradeCounts:
    counts = GradeCounts()
    with Grader() as grader:
        for row, problem in zip(rows, references, strict=True):
            counts.add(grade_row(row, problem, grader))
    return counts


def _summary(counts: GradeCounts, target: Path) -> str:
    lines = [f"{counts.right} right, {counts.wrong} wrong, {counts.ungraded.total()} not graded; written to {target}"]
    return "\n".join(lines + counts.why_ungraded())
