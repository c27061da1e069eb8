"""From the calls that a run needs to files in the format that providers and vLLM share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from diversity_judge.files import write_whole
from diversity_judge.judges.chat_format import PATH, request_body
from diversity_judge.judges.presets import BatchTerms, JudgeSpec
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.planning.question import Question
from diversity_judge.runs.batches import BatchFile

URL = f"/v1{PATH}"
"""Of a call inside a batch, whatever the host's base URL."""

_MEGABYTE = 10**6


def request_lines(tasks: Iterable[Question], spec: JudgeSpec, template: PromptTemplate) -> Iterator[bytes]:
    """One line a call; its `custom_id` is the judgment's key, by which the result finds its place."""
    for task in tasks:
        body = request_body(spec, task.prompt(template))
        call = {"custom_id": task.key, "method": "POST", "url": URL, "body": body}
        yield json.dumps(call, ensure_ascii=False).encode() + b"\n"


def write_files(lines: Iterable[bytes], folder: Path, terms: BatchTerms, *, first: int) -> list[BatchFile]:
    """Write lines into as few files as the terms allow, each whole.

    Args:
        lines: Of `request_lines`; taken one by one, so that millions fit.
        folder: Where to.
        terms: The most lines and megabytes of a file.
        first: Number of the first file.

    Returns:
        The files, in order; none where there is no line.

    Raises:
        OSError: the disk does not take them.
    """
    source = _Source(iter(lines))
    files: list[BatchFile] = []
    while not source.is_empty:
        name = f"requests-{first + len(files):03d}.jsonl"
        taken = _Portion(source, terms)
        write_whole(folder / name, taken.write)
        files.append(BatchFile(name, taken.n))
    return files


class _Source:
    """Lines, of which the next one can be looked at."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self.next = next(lines, None)

    @property
    def is_empty(self) -> bool:
        return self.next is None

    def take(self) -> bytes:
        line, self.next = self.next, next(self._lines, None)
        assert line is not None
        return line


class _Portion:
    """What goes into one file: always a line, however long."""

    def __init__(self, source: _Source, terms: BatchTerms) -> None:
        self._source, self._terms = source, terms
        self.n = 0

    def write(self, path: Path) -> None:
        size = 0
        with path.open("wb") as file:
            while (line := self._source.next) is not None and (self.n == 0 or self._fits(size + len(line))):
                file.write(self._source.take())
                size += len(line)
                self.n += 1

    def _fits(self, size: int) -> bool:
        return self.n < self._terms.lines and size <= self._terms.megabytes * _MEGABYTE
