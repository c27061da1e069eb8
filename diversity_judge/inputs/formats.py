"""Readers of other projects' files: each turns a row into records of the `responses.jsonl` contract.

A reader only renames and unpacks. All checks of the contract (types, duplicates, texts that differ) stay in
`collecting`, so that every format is held to the same rules and has the same error messages.

Schemas, as their projects write them:

- `problems`: this project's shorthand, one object a problem with a list `responses` of strings or objects.
- `noveltybench`: `generations.jsonl` of NoveltyBench (`id, prompt, model, generations`), with or without the
  columns that its later stages add.
- `lm-eval`: `samples_TASK_DATE.jsonl` of lm-evaluation-harness 0.4 (`--log_samples`), one row a document and
  filter.
- `lighteval`: `details_TASK_DATE.parquet` of LightEval since 0.10 (columns `doc, metric, model_response`).
- `chat`, `batch`, `inspect`: see `chat_formats`.
- `pairs`: two responses a row, `response_a` and `response_b`, with `pair_id` and `problem`, as in sets of pairs that
  people labelled; each row is a problem of its own with two responses.
- `csv`: the contract's fields as columns; JSON lines, Parquet and Arrow with those fields need no name.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from diversity_judge.choices import FORMATS
from diversity_judge.errors import InputError
from diversity_judge.inputs.chat_formats import from_batch, from_chat, from_inspect
from diversity_judge.inputs.jsonl import Line
from diversity_judge.inputs.records import (
    Converter,
    Found,
    Record,
    RowError,
    UnknownFormatError,
    id_text,
    kind,
    list_field,
    mapping_field,
    with_reasoning,
)
from diversity_judge.inputs.sources import DOCUMENT, Source
from diversity_judge.text_safety import printable

READABLE = (
    "JSON lines, JSON, CSV, Parquet, Arrow or a data set's folder with problem_id and response; one object a problem "
    "with responses; chat completions and batch results; logs of inspect_ai, lm-evaluation-harness, LightEval and "
    "NoveltyBench; pairs with response_a and response_b"
)
"""What can be read, for the message about what cannot."""

PAIR_TEXTS = ("response_a", "response_b")
"""Fields of a labelled pair's two texts."""
PAIR_IDS = ("pair_id", "id")
"""Fields that name it."""

CORRECTNESS_METRICS = frozenset(
    {"acc", "accuracy", "correct", "em", "exact_match", "extractive_match", "math_verify", "pass@1"}
)
"""Metrics of the harnesses whose 0 or 1 for a single response says whether it is right."""

_USE_GENERATION = "use a task whose output_type is generate_until"


def found_in(rows: Iterable[tuple[str, Line]], format_name: str | None, source: Source) -> Iterator[Found]:
    """What rows hold, row by row.

    Args:
        rows: Where each row stands, and the row.
        format_name: Of all rows; None: the first that can be read tells it.
        source: Where they come from.

    Raises:
        UnknownFormatError: The first row is of no known format.
    """
    convert = None if format_name is None else converter(format_name, source)
    for place, line in rows:
        if line.error is not None:
            yield Found(place, fault=line.error)
        elif not isinstance(line.value, dict):
            yield Found(place, fault="not a JSON object; write one object {...} on each line")
        else:
            if convert is None:
                convert = converter(_detect(line.value, place), source)
            yield from _converted(line, place, convert)


def _converted(line: Line, place: str, convert: Converter) -> Iterator[Found]:
    try:
        records = convert(line.value)
    except RowError as error:
        yield Found(place, fault=str(error))
        return
    if records == []:
        yield Found(place)
    for number, record in enumerate(records or (), start=1):
        where = place if len(records or ()) == 1 else f"{place} (response {number})"
        yield Found(where, record, is_plain=line.is_plain)


def _detect(row: Mapping[str, Any], place: str) -> str:
    found = detect_format(row)
    if found is not None:
        return found
    close = [
        f"{match!r} by {printable(repr(name), 40)}"
        for name in row
        for match in difflib.get_close_matches(name, ("problem_id", "response", "responses"), n=1, cutoff=0.7)
        if match not in row
    ]
    hint = f"; did you mean {' and '.join(close)}?" if close else ""
    fields = printable(", ".join(row), 120)
    raise UnknownFormatError(
        f"{place}: can't tell the format from the fields ({fields}){hint}; a response needs problem_id and response. "
        f"{what_can_be_read()}"
    )


def what_can_be_read() -> str:
    """The formats, for somebody whose file is of none."""
    return f"Can be read: {READABLE} (--format {'|'.join(FORMATS)})"


def detect_format(row: object) -> str | None:
    """Names the format of an input by the fields of its first row, None where none fits."""
    if not isinstance(row, Mapping):
        return None
    fields = set(row)
    if "custom_id" in fields and fields & {"response", "result", "error"} and not isinstance(row.get("response"), str):
        return "batch"
    if "key" in fields and isinstance(row.get("response"), Mapping):
        return "batch"
    if fields == {"sample", "eval"}:
        return "inspect"
    if "response" in fields:
        return "responses"
    if fields.issuperset(PAIR_TEXTS):
        return "pairs"
    for field, format_name in (("responses", "problems"), ("generations", "noveltybench"), ("choices", "chat")):
        if field in fields:
            return format_name
    if "resps" in fields and "doc_id" in fields:
        return "lm-eval"
    if {"doc", "model_response"} <= fields:
        return "lighteval"
    return None


def converter(format_name: str, source: Source) -> Converter:
    """Returns the function that turns the rows of a file of this format into records."""
    match format_name:
        case "responses" | "csv":
            return lambda row: [dict(row)]
        case "problems":
            return _from_problem
        case "chat":
            return from_chat
        case "batch":
            return from_batch
        case "inspect":
            return lambda row: from_inspect(row, source.strategy)
        case "pairs":
            return _from_pair
        case "noveltybench":
            return lambda row: _from_noveltybench(row, source)
        case "lm-eval":
            return _LmEvalConverter(source)
        case "lighteval":
            return lambda row: _from_lighteval(row, source)
    raise InputError(f"format {printable(format_name, 40)!r} is unknown; use auto or one of {', '.join(FORMATS)}")


# --- one function a format ------------------------------------------------------------------------


def _from_problem(row: Mapping[str, Any]) -> list[Record]:
    shared = {key: value for key, value in row.items() if key != "responses"}
    for name, aliases in (("problem_id", ("id",)), ("problem", ("prompt", "question"))):
        alias = next((alias for alias in aliases if alias in shared), None)
        if name not in shared and alias:
            shared[name] = shared.pop(alias)
    shared["problem_id"] = id_text(shared.get("problem_id"), "problem_id")
    return [shared | _response_item(item) for item in list_field(row, "responses")]


def _response_item(item: object) -> Record:
    if isinstance(item, str):
        return {"response": item}
    if not isinstance(item, Mapping):
        raise RowError(f"an entry of responses is {kind(item)}; write a string or an object")
    record = dict(item)
    if "response" not in record and "text" in record:
        record["response"] = record.pop("text")
    clash = {"problem_id", "problem", "strategy"} & set(record)
    if clash:
        raise RowError(f"an entry of responses names its own {min(clash)}; keep that on the problem's object")
    return record


def _from_pair(row: Mapping[str, Any]) -> list[Record]:
    name = next((name for name in PAIR_IDS if name in row), PAIR_IDS[0])
    shared: Record = {"problem_id": id_text(row.get(name), name)}
    shared |= {name: row[name] for name in ("problem", "strategy") if name in row}
    return [{**shared, "response": row.get(text), "sample_id": text[-1]} for text in PAIR_TEXTS]


def _from_noveltybench(row: Mapping[str, Any], source: Source) -> list[Record]:
    shared: Record = {"problem_id": id_text(row.get("id"), "id"), "problem": row.get("prompt")}
    # Rows of several models, and of one model's modes of sampling, share their ids.
    config = row.get("generation_config")
    mode = config.get("sampling") if isinstance(config, Mapping) else None
    names = [source.run, row.get("model"), mode]
    strategy = source.strategy or " ".join(name for name in names if isinstance(name, str))
    shared |= {"model": row.get("model"), "strategy": strategy or None}
    return [{**shared, "response": text} for text in list_field(row, "generations")]


class _LmEvalConverter:
    """Keeps the first row of each document: the harness writes one a filter, all with the same responses."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._first_filter: dict[str, object] = {}

    def __call__(self, row: Mapping[str, Any]) -> list[Record] | None:
        document = id_text(row.get("doc_id"), "doc_id")
        row_filter = row.get("filter")
        if self._first_filter.setdefault(document, row_filter) != row_filter:
            return None
        texts = _lm_eval_texts(row)
        problem, request = _lm_eval_request(row)
        shared: Record = {
            "problem_id": f"{self._source.task}-{document}" if self._source.task else document,
            "problem": problem,
            "meta": {
                "target": row.get("target"),
                "filter": row_filter,
                "request": request,
                DOCUMENT: _digest([document, row.get("doc"), _lm_eval_call(row).get("arg_0")]),
            },
        }
        shared |= self._source.fallback
        answers = _lm_eval_answers(row, len(texts))
        verdicts = _verdicts(row, len(texts))
        return [
            {**shared, "response": text, "answer": answer, "correct": correct}
            for text, answer, correct in zip(texts, answers, verdicts, strict=True)
        ]


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _lm_eval_texts(row: Mapping[str, Any]) -> list[str]:
    requests = list_field(row, "resps")
    if len(requests) != 1:
        raise RowError(f"resps holds {len(requests)} requests; only tasks with one generated text a request are read")
    texts = requests[0] if isinstance(requests[0], list) else [requests[0]]
    if not all(isinstance(text, str) for text in texts):
        raise RowError(f"resps holds log-likelihoods, not texts; {_USE_GENERATION}")
    return texts


def _lm_eval_request(row: Mapping[str, Any]) -> tuple[str | None, object]:
    """The problem's text (the document's question, else the prompt) and the generation parameters."""
    document, call = row.get("doc"), _lm_eval_call(row)
    prompt, request = call.get("arg_0"), call.get("arg_1")
    if call and not isinstance(request, Mapping):
        raise RowError(f"the request has no generation parameters; {_USE_GENERATION}")
    if isinstance(document, Mapping):
        for name in ("problem", "question", "prompt", "query", "input"):
            if isinstance(document.get(name), str):
                return document[name], request
    if prompt is not None and not isinstance(prompt, str):
        prompt = json.dumps(prompt, ensure_ascii=False)
    return prompt, request


def _lm_eval_call(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping_field(mapping_field(row, "arguments"), "gen_args_0")


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
    texts = list_field(reply, "text")
    if not texts:
        raise RowError("model_response.text is empty; use a task that generates text")
    # The loader strips the reasoning of some servers from the text and keeps it beside it.
    reasonings = reply.get("reasonings") or [None] * len(texts)
    if len(reasonings) != len(texts):
        raise RowError(f"model_response has {len(texts)} texts but {len(reasonings)} reasonings")
    task = document.get("task_name") or source.task
    document_id = id_text(document.get("id"), "doc.id")
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
            "response": with_reasoning(text, reasoning),
            "correct": correct,
        }
        for text, reasoning, correct in zip(texts, reasonings, verdicts, strict=True)
    ]


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
