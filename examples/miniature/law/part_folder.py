"""The folder of one part: with what it was made, what is sampled, and what that achieved.

A part stands for itself, so that parts can be made on several machines and put into one folder. Further cells and
problems are added to those that are there; another model, seed, task or number of responses is another experiment
and is refused.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diversity_judge import __version__
from diversity_judge.countdown import Countdown, read_problem
from diversity_judge.errors import InputError
from diversity_judge.files import read_json, write_json
from examples.miniature.law.learned_choice import Learned, Rewards
from examples.miniature.law.measuring import ProblemMeasurer
from examples.miniature.law.models import sha256
from examples.miniature.law.plan import Cell, Part, Task
from examples.miniature.law.tables import LEARNED, OUTCOMES, OutcomeRow, read_outcomes, write_rows
from examples.miniature.problems import TARGETS, held_out
from examples.miniature.router_update import write_problems
from generation.json_lines import whole_lines
from generation.response_file import finished_samples

if TYPE_CHECKING:
    import pandas as pd

PARTS = "parts"
"""The folder of all parts."""
RECORD, PROBLEMS, RESPONSES = "part.json", "problems.jsonl", "responses.jsonl"


@dataclass(frozen=True)
class Made:
    """With what a part is made; each of it makes another experiment.

    Attributes:
        router: Name of the model.
        task: Name of the task.
        n_numbers: Numbers of a problem.
        largest_target: Of a problem; records of before it could be chosen are of all targets.
        model_sha256: Of the checkpoint.
        seed: Of problems and draws.
        n: Responses a problem and cell.
    """

    router: str
    task: str
    n_numbers: int
    largest_target: int
    model_sha256: str
    seed: int
    n: int

    @classmethod
    def of(cls, part: Part, model_sha256: str, seed: int) -> Made:
        """With what a part is to be made."""
        task = part.task
        return cls(part.router, task.name, task.n_numbers, task.targets[-1], model_sha256, seed, part.n)


class PartFolder:
    """A part's folder; it is made by what is first written into it."""

    def __init__(self, grid: Path, part: Part, model: Path) -> None:
        self.part, self.model = part, model
        self.path = grid / PARTS / part.router / part.task.name

    @property
    def problems(self) -> Path:
        """The problems, as `generation.sample` reads them."""
        return self.path / PROBLEMS

    @property
    def responses(self) -> Path:
        """What is sampled."""
        return self.path / RESPONSES

    def begin(self, seed: int) -> None:
        """Write down with what the part is made, and its problems.

        Raises:
            InputError: the folder was made with something else; the message says with what.
        """
        made = Made.of(self.part, sha256(self.model), seed)
        record = self.path / RECORD
        if record.exists():
            check_made(record, made)
        else:
            write_json(record, asdict(made) | {"model": str(self.model), "version": __version__})
        n_problems = sum(1 for _ in whole_lines(self.problems))
        if n_problems < self.part.problems:
            wanted = held_out(seed, self.part.task.n_numbers, self.part.task.targets)
            write_problems(self.problems, "c", islice(wanted, self.part.problems))

    def wanted_ids(self) -> list[str]:
        """The problems of the part by their ids."""
        return [row["problem_id"] for _, row in islice(whole_lines(self.problems), self.part.problems)]

    def unfinished(self) -> tuple[Cell, ...]:
        """The cells of which a response is missing; those that are measured are whole."""
        if self.has_outcomes():
            return ()
        found = Counter((key.strategy, key.problem_id) for key in finished_samples(self.responses))
        ids = self.wanted_ids()
        return tuple(
            cell
            for cell in self.part.cells
            if any(found[cell.name, problem_id] < self.part.n_of(cell) for problem_id in ids)
        )

    def has_outcomes(self) -> bool:
        """Whether the table of outcomes has every cell of the part with every problem."""
        return self._measured().issuperset(
            (cell.name, problem) for cell in self.part.cells for problem in self.wanted_ids()
        )

    def is_measured(self) -> bool:
        """Whether these outcomes have all that is measured today."""
        return self.has_outcomes() and not _are_old(self._outcomes, self.part.task)

    def measure(self, learned: Learned) -> None:
        """Write the outcomes of all groups that are whole, of this part and of earlier ones in its place.

        Args:
            learned: The reward model, which is asked where it knows the task.

        Raises:
            InputError: there are outcomes of responses that are gone.
        """
        groups = self.groups()
        self._check_nothing_is_gone(groups)
        problems = {row["problem_id"]: read_problem(row["problem"]) for _, row in whole_lines(self.problems)}
        rewards = self._rewards(problems, groups, learned)
        measurers = {name: ProblemMeasurer(problem, rewards.get(name)) for name, problem in problems.items()}
        rows = [
            self._row(cell, problem_id, measurers[problem_id], texts)
            for cell in in_order(groups)
            for problem_id, texts in sorted(groups[cell.name].items())
        ]
        write_rows(self.path / OUTCOMES, rows)
        del self._outcomes

    def groups(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """Strategy and problem to the texts of the responses, by their numbers, where all of them are there."""
        found: dict[str, dict[str, dict[int, str]]] = defaultdict(lambda: defaultdict(dict))
        once: dict[str, str] = {}
        for _, row in whole_lines(self.responses):
            text = once.setdefault(row["response"], row["response"])
            found[row["strategy"]][row["problem_id"]][row["sample_id"]] = text
        return {
            strategy: {
                problem: [texts[n] for n in sorted(texts)]
                for problem, texts in of_problem.items()
                if len(texts) == self.part.n_of(Cell.of(strategy))
            }
            for strategy, of_problem in found.items()
        }

    def _measured(self) -> set[tuple[str, str]]:
        """The strategies and problems that have outcomes."""
        table = self._outcomes
        return set() if table is None else set(zip(table.strategy, table.problem_id, strict=True))

    @cached_property
    def _outcomes(self) -> pd.DataFrame | None:
        """The table of outcomes, read once until it is written anew."""
        return _outcomes_in(self.path)

    def _check_nothing_is_gone(self, groups: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        there = {(strategy, problem) for strategy, of_problem in groups.items() for problem in of_problem}
        gone = self._measured() - there
        if gone:
            raise InputError(
                f"{self.responses}: the responses to {len(gone)} of the groups in {OUTCOMES} are gone, so they cannot "
                f"be measured again: put the file back, or remove {self.path} to sample them anew"
            )

    def _rewards(
        self,
        problems: Mapping[str, Countdown],
        groups: Mapping[str, Mapping[str, Sequence[str]]],
        learned: Learned,
    ) -> Mapping[str, Rewards]:
        """Problem to the reward of each of its texts; nothing where the reward model knows no such problems."""
        if not self.part.task.rewarded:
            return {}
        texts: dict[str, set[str]] = {problem_id: set() for problem_id in problems}
        for of_problem in groups.values():
            for problem_id, written in of_problem.items():
                texts[problem_id].update(written)
        found = learned({problems[problem_id].text: written for problem_id, written in texts.items()})
        return {problem_id: found[problem.text] for problem_id, problem in problems.items()}

    def _row(self, cell: Cell, problem_id: str, measurer: ProblemMeasurer, texts: Sequence[str]) -> OutcomeRow:
        measured = measurer.measure(texts)
        return OutcomeRow(
            self.part.router,
            self.part.task.name,
            cell.name,
            cell.temperature,
            cell.strategy.tokens.top_p,
            cell.setting,
            problem_id,
            measured.n,
            measured.n_right,
            measured.diversity,
            measured.best_of_n,
            measured.best_of_n_learned,
        )


def lacks_learned(part: Path) -> bool:
    """Whether a part's outcomes are of before the learned reward model chose, which knows its task.

    Raises:
        InputError: nothing says how this part was made.
    """
    table = _outcomes_in(part)
    if table is None:
        return False
    record = _read_record(part / RECORD)
    return _are_old(table, Task(record["task"], record["n_numbers"]))


def _outcomes_in(part: Path) -> pd.DataFrame | None:
    """A part's table of outcomes, if there is one."""
    return read_outcomes(part) if (part / OUTCOMES).exists() else None


def _are_old(outcomes: pd.DataFrame | None, task: Task) -> bool:
    """Whether outcomes are of before the learned reward model chose, which knows their task."""
    return outcomes is not None and task.rewarded and bool(outcomes[LEARNED].isna().any())


def in_order(strategies: Iterable[str]) -> tuple[Cell, ...]:
    """The cells behind strategies' names, by temperature and setting."""
    return tuple(sorted(map(Cell.of, strategies), key=lambda cell: (cell.temperature, cell.setting)))


def check_together(parts: Sequence[Path]) -> None:
    """Refuse parts that are of different experiments, as when they come from several machines.

    Raises:
        InputError: the message names what differs.
    """
    records = [(path, _read_record(path / RECORD)) for path in parts]
    for path, record in records:
        first, earliest = next((p, r) for p, r in records if r.get("router") == record.get("router"))
        if record.get("model_sha256") != earliest.get("model_sha256"):
            raise InputError(f"{first} and {path} are of different models: remove one of these folders")
        for name in ("seed", "n"):
            if record.get(name) != records[0][1].get(name):
                raise InputError(
                    f"{records[0][0]} and {path} differ in {name}, {records[0][1].get(name)} and {record.get(name)}: "
                    "remove one of these folders"
                )


def check_made(record: Path, made: Made) -> None:
    """Refuse a folder that was made with something else.

    Raises:
        InputError: the message names what differs.
    """
    earlier = _read_record(record)
    for name, value in asdict(made).items():
        if earlier.get(name) != value:
            raise InputError(
                f"{record.parent}: {name} was {earlier.get(name)!r} and is now {value!r}; that is another experiment: "
                "name another --out, or remove this folder"
            )


def _read_record(record: Path) -> Mapping[str, Any]:
    try:
        found = read_json(record)
    except (OSError, ValueError) as error:
        raise InputError(f"{record}: cannot read with what this part was made: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{record}: says nothing of how this part was made")
    return {"largest_target": TARGETS[-1], **found}
