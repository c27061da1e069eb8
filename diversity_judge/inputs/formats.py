"""Readers of other projects' files: each turns a row into records of the `responses.jsonl` contract.

A reader only renames and unpacks. All checks of the contract (types, duplicates, texts that differ) stay in
`responses`, so that every format is held to the same rules and has the same error messages.

Schemas, as their projects write them:

- `problems`: this project's shorthand, one object a problem with a list `responses` of strings or objects.
- `noveltybench`: `generations.jsonl` of NoveltyBench (`id, prompt, model, generations`), with or without the
  columns that its later stages add.
- `lm-eval`: `samples_TASK_DATE.jsonl` of lm-evaluation-harness 0.4 (`--log_samples`), one row a document and
  filter.
- `lighteval`: `details_TASK_DATE.parquet` of LightEval since 0.10 (columns `doc, metric, model_response`).
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.rubric import with_thinking
from diversity_judge.text_safety import printable

FORMATS = ("responses", "problems", "noveltybench", "lm-eval", "lighteval")
"""Names that `--format` takes besides `auto`."""

CORRECTNESS_METRICS = frozenset(
    {"acc", "accuracy", "correct", "em", "exact_match", "extractive_match", "math_verify", "pass@1"}
)
"""Metrics of the harnesses whose 0 or 1 for a single response says whether it is right."""

_HARNESS_FILE = re.compile(r"(?:samples|details)_(.+?)(?:_(\d{4}-\d\d-\d\dT[^_]*))?")

_USE_GENERATION = "use a task whose output_type is generate_until"
_KINDS = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}

Record = dict[str, Any]
"""A row shaped as the contract has it, still unchecked."""

Converter = Callable[[Mapping[str, Any]], list[Record] | None]
"""Turns a row into its records; None for a row that repeats another. Raises `RowError`."""


class RowError(ValueError):
    """A row that does not follow its format; says what is wrong and what to do."""


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


def is_parquet(path: Path) -> bool:
    """Whether the file's first bytes are those of Parquet."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError:
        return False  # whoever opens the file next reports why it can't be read


def detect_format(row: object) -> str | None:
    """Names the JSON lines format of a file by the fields of its first row, None where none fits."""
    if not isinstance(row, Mapping):
        return None
    fields = set(row)
    if "response" in fields:
        return "responses"
    if "responses" in fields:
        return "problems"
    if "generations" in fields:
        return "noveltybench"
    if "resps" in fields and "doc_id" in fields:
        return "lm-eval"
    return None


def converter(format_name: str, source: Source) -> Converter:
    """Returns the function that turns the rows of a file of this format into records."""
    match format_name:
        case "responses":
            return lambda row: [dict(row)]
        case "problems":
            return _from_problem
        case "noveltybench":
            return lambda row: _from_noveltybench(row, source)
        case "lm-eval":
            return _LmEvalConverter(source)
        case "lighteval":
            return lambda row: _from_lighteval(row, source)
    raise InputError(f"format {printable(format_name, 40)!r} is unknown; use auto or one of {', '.join(FORMATS)}")


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


def read_parquet_rows(path: Path) -> Iterator[Record]:
    """Yields the rows of a Parquet file as dictionaries.

    Raises:
        InputError: pyarrow is not installed, or the file is not Parquet.
    """
    shown = printable(str(path))
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError(
            f"{shown}: reading Parquet needs pyarrow; install it with: pip install 'diversity-judge[parquet]'"
        ) from None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=64):
                yield from batch.to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{shown}: not a readable Parquet file: {printable(str(error), 200)}") from error


# --- one function a format ------------------------------------------------------------------------


def _from_problem(row: Mapping[str, Any]) -> list[Record]:
    shared = {key: value for key, value in row.items() if key != "responses"}
    for name, aliases in (("problem_id", ("id",)), ("problem", ("prompt", "question"))):
        alias = next((alias for alias in aliases if alias in shared), None)
        if name not in shared and alias:
            shared[name] = shared.pop(alias)
    shared["problem_id"] = _id_text(shared.get("problem_id"), "problem_id")
    return [shared | _response_item(item) for item in _list_field(row, "responses")]


def _response_item(item: object) -> Record:
    if isinstance(item, str):
        return {"response": item}
    if not isinstance(item, Mapping):
        raise RowError(f"an entry of responses is {_kind(item)}; write a string or an object")
    record = dict(item)
    if "response" not in record and "text" in record:
        record["response"] = record.pop("text")
    clash = {"problem_id", "problem", "strategy"} & set(record)
    if clash:
        raise RowError(f"an entry of responses names its own {min(clash)}; keep that on the problem's object")
    return record


def _from_noveltybench(row: Mapping[str, Any], source: Source) -> list[Record]:
    shared: Record = {"problem_id": _id_text(row.get("id"), "id"), "problem": row.get("prompt")}
    # Rows of several models, and of one model's modes of sampling, share their ids.
    config = row.get("generation_config")
    mode = config.get("sampling") if isinstance(config, Mapping) else None
    names = [source.run, row.get("model"), mode]
    strategy = source.strategy or " ".join(name for name in names if isinstance(name, str))
    shared |= {"model": row.get("model"), "strategy": strategy or None}
    return [{**shared, "response": text} for text in _list_field(row, "generations")]


class _LmEvalConverter:
    """Keeps the first row of each document: the harness writes one a filter, all with the same responses."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._first_filter: dict[str, object] = {}

    def __call__(self, row: Mapping[str, Any]) -> list[Record] | None:
        document = _id_text(row.get("doc_id"), "doc_id")
        row_filter = row.get("filter")
        if self._first_filter.setdefault(document, row_filter) != row_filter:
            return None
        texts = _lm_eval_texts(row)
        problem, request = _lm_eval_request(row)
        shared: Record = {
            "problem_id": f"{self._source.task}-{document}" if self._source.task else document,
            "problem": problem,
            "meta": {"target": row.get("target"), "filter": row_filter, "request": request},
        }
        shared |= self._source.fallback
        answers = _lm_eval_answers(row, len(texts))
        verdicts = _verdicts(row, len(texts))
        return [
            {**shared, "response": text, "answer": answer, "correct": correct}
            for text, answer, correct in zip(texts, answers, verdicts, strict=True)
        ]


def _lm_eval_texts(row: Mapping[str, Any]) -> list[str]:
    requests = _list_field(row, "resps")
    if len(requests) != 1:
        raise RowError(f"resps holds {len(requests)} requests; only tasks with one generated text a request are read")
    texts = requests[0] if isinstance(requests[0], list) else [requests[0]]
    if not all(isinstance(text, str) for text in texts):
        raise RowError(f"resps holds log-likelihoods, not texts; {_USE_GENERATION}")
    return texts


def _lm_eval_request(row: Mapping[str, Any]) -> tuple[str | None, object]:
    """The problem's text (the document's question, else the prompt) and the generation parameters."""
    document = row.get("doc")
    arguments = row.get("arguments")
    call = arguments.get("gen_args_0") if isinstance(arguments, Mapping) else None
    prompt, request = (call.get("arg_0"), call.get("arg_1")) if isinstance(call, Mapping) else (None, None)
    if isinstance(call, Mapping) and not isinstance(request, Mapping):
        raise RowError(f"the request has no generation parameters; {_USE_GENERATION}")
    if isinstance(document, Mapping):
        for name in ("problem", "question", "prompt", "query", "input"):
            if isinstance(document.get(name), str):
                return document[name], request
    if prompt is not None and not isinstance(prompt, str):
        prompt = json.dumps(prompt, ensure_ascii=False)
    return prompt, request


def _lm_eval_answers(row: Mapping[str, Any], n_texts: int) -> list[str | None]:
    """What the filter extracted: `["18"]`, or `[["18", "20"]]` for a filter that keeps all repeats."""
    filtered = row.get("filtered_resps")
    kept = filtered[0] if isinstance(filtered, list) and len(filtered) == 1 else None
    answers = kept if isinstance(kept, list) else [kept]
    if len(answers) != n_texts:
        return [None] * n_texts
    return [answer if isinstance(answer, str) and answer != "[invalid]" else None for answer in answers]


def _from_lighteval(row: Mapping[str, Any], source: Source) -> list[Record]:
    document, reply, metric = row.get("doc"), row.get("model_response"), row.get("metric")
    if not isinstance(document, Mapping) or not isinstance(reply, Mapping):
        found = printable(", ".join(sorted(row)), 120)
        raise RowError(f"has {found}, not doc, metric and model_response; write it with LightEval 0.10 or later")
    texts = _list_field(reply, "text")
    if not texts:
        raise RowError("model_response.text is empty; use a task that generates text")
    # The loader strips the reasoning of some servers from the text and keeps it beside it.
    reasonings = reply.get("reasonings") or [None] * len(texts)
    if len(reasonings) != len(texts):
        raise RowError(f"model_response has {len(texts)} texts but {len(reasonings)} reasonings")
    task = document.get("task_name") or source.task
    document_id = _id_text(document.get("id"), "doc.id")
    shared: Record = {
        "problem_id": f"{task}-{document_id}" if task else document_id,
        "problem": document.get("original_query") or document.get("query"),
        "meta": {"golds": _golds(document)},
    }
    shared |= source.fallback
    verdicts = _verdicts(metric if isinstance(metric, Mapping) else {}, len(texts))
    return [
        {
            **shared,
            "response": _with_reasoning(text, reasoning),
            "correct": correct,
        }
        for text, reasoning, correct in zip(texts, reasonings, verdicts, strict=True)
    ]


def _with_reasoning(text: object, reasoning: object) -> object:
    """A reasoning model's response as one text; what is no text stays as it is, for the contract to refuse."""
    return with_thinking(reasoning, text) if isinstance(reasoning, str) and isinstance(text, str) else text


def _golds(document: Mapping[str, Any]) -> list[Any]:
    choices, gold = document.get("choices") or [], document.get("gold_index")
    indices = gold if isinstance(gold, list) else [gold]
    return [choices[index] for index in indices if isinstance(index, int) and 0 <= index < len(choices)]


# --- shared by the formats ------------------------------------------------------------------------


def _verdicts(metrics: Mapping[str, Any], n_texts: int) -> list[bool | None]:
    """Whether each response is right, where the metrics tell: an average over repeats is no verdict."""
    found = []
    for name, value in metrics.items():
        if name.split(":")[0] in CORRECTNESS_METRICS:
            values = value if isinstance(value, list) else [value]
            if len(values) == n_texts and all(_is_verdict(item) for item in values):
                found.append([bool(item) for item in values])
    if not found or any(verdicts != found[0] for verdicts in found):
        return [None] * n_texts
    return list(found[0])


def _is_verdict(value: object) -> bool:
    return isinstance(value, (bool, int, float)) and value in (0, 1)


def _list_field(row: Mapping[str, Any], name: str) -> list[Any]:
    value = row.get(name)
    if not isinstance(value, list):
        raise RowError(f"{name} is {_kind(value)}; write a list")
    return value


def _id_text(value: object, name: str) -> str:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise RowError(f"{name} is {_kind(value)}; every row needs one, a string or a whole number")


def _kind(value: object) -> str:
    if value is None:
        return "missing"
    if value == "":
        return "empty"
    return _KINDS.get(type(value), type(value).__name__)
