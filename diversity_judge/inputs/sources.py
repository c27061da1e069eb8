"""What the places of files tell about their rows: the harness task, and what tells one file from another."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from diversity_judge.inputs.records import Found, Record

DOCUMENT = "document"
"""In the `meta` of a row of lm-eval: a hash of the document and of the prompt, which tell one problem from another
whatever the file is called."""

_HARNESS_FILE = re.compile(r"(?:samples|details)_(.+?)(?:_(\d{4}-\d\d-\d\dT[^_]*))?")


@dataclass(frozen=True)
class Source:
    """What a file's place tells about its rows.

    Attributes:
        task: The harness task in the file's name; None where there is none.
        run: What tells this file from the others that are read with it; None where nothing does.
        strategy: What the user calls the strategy of rows that name none.
    """

    task: str | None = None
    run: str | None = None
    strategy: str | None = None

    @property
    def fallback(self) -> dict[str, str]:
        """The strategy of a harness row as a field; nothing where only the contract's default is left."""
        strategy = self.strategy or self.run
        return {"strategy": strategy} if strategy else {}


def describe_sources(paths: Sequence[Path]) -> list[Source]:
    """Reads task and strategy from the places of harness files, `.../RUN/samples_TASK_DATE.jsonl`.

    Harness rows do not say how they were sampled. Where several files are read together, the folder below
    their common one is the strategy, and the date where one folder holds a task twice.
    """
    names = [_HARNESS_FILE.fullmatch(path.stem) for path in paths]
    tasks = [match[1] if match else None for match in names]
    folders = [path.absolute().parent for path in paths]
    common = os.path.commonpath(folders)
    runs = [folder.relative_to(common).as_posix() for folder in folders]
    uses = Counter(zip(tasks, runs, strict=True))
    sources = []
    for path, match, task, run in zip(paths, names, tasks, runs, strict=True):
        parts = [] if run == "." else [run]
        if uses[task, run] > 1:
            parts.append(match[2] if match and match[2] else path.stem)
        sources.append(Source(task, "@".join(parts) or None))
    return sources


def join_problems(paths: Sequence[Path], sources: Sequence[Source], files: Sequence[list[Found]]) -> None:
    """Give the problems of one task the same ids where its files are called by different names.

    Users rename the files of lm-eval, `samples_gsm8k_T0.7.jsonl`, and what then looks like another task is another
    strategy: two files that hold a document with the same prompt are of one task. What their names share is the task,
    and the rest names the strategy of rows that have none.

    Args:
        paths: The files.
        sources: What their places tell.
        files: What was found in each; the records are changed.
    """
    for members in _files_of_one_task(files):
        names = [sources[i].task or paths[i].name.split(".jsonl")[0] for i in members]
        if len({sources[i].task for i in members}) == 1:
            continue
        known = {sources[i].task for i in members} - {None}
        task = known.pop() if len(known) == 1 else _shared_name(names)
        for i, name in zip(members, names, strict=True):
            rest = name.removeprefix(task or "").lstrip("_-. ") or name
            for record in _documents(files[i]):
                own = f"{sources[i].task}-" if sources[i].task else ""
                number = record["problem_id"].removeprefix(own)
                record["problem_id"] = f"{task}-{number}" if task else number
                record.setdefault("strategy", rest)


def _documents(found: Sequence[Found]) -> list[Record]:
    return [f.record for f in found if f.record is not None and DOCUMENT in (f.record.get("meta") or {})]


def _files_of_one_task(files: Sequence[list[Found]]) -> list[list[int]]:
    """Positions of files that share a document, those that do together."""
    groups: list[tuple[list[int], set[str]]] = []
    for i, found in enumerate(files):
        members, documents = [i], {record["meta"][DOCUMENT] for record in _documents(found)}
        apart = []
        for others, theirs in groups:
            if documents & theirs:
                members, documents = others + members, documents | theirs
            else:
                apart.append((others, theirs))
        groups = [*apart, (members, documents)]
    return [sorted(members) for members, _ in groups if len(members) > 1]


def _shared_name(names: Sequence[str]) -> str:
    """What names share at their beginning, up to a separator."""
    prefix = "".join(
        letters[0] for letters in takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    )
    if any(name[len(prefix) :][:1] not in ("", "_", "-", ".") for name in names):
        prefix = re.sub(r"[^_.-]*$", "", prefix)
    return prefix.rstrip("_-.")
