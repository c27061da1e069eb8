"""Readers of what APIs and inspect_ai return: completions, results of a provider's batch, samples of a log.

Schemas, as their projects write them:

- `chat`: a chat completion (`choices`, one a response), beside it the `problem_id` and, if wanted, the `problem` or
  the `messages` that were sent.
- `batch`: a line of a batch's results, `custom_id` with `response.body` (OpenAI, Azure, Mistral, Together, vLLM's
  `run_batch`), `result.message` (Anthropic), or `key` with `response.candidates` (Gemini). Of a `custom_id` such as
  `aime-1#3` the part before the last `#` is the problem and the number behind it the sample.
- `inspect`: a sample of a log of inspect_ai, as `inspect_logs` takes it out of the log.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from diversity_judge.inputs.records import Record, RowError, id_text, list_field, mapping_field
from diversity_judge.rubric import with_thinking

_SAMPLE_SUFFIX = re.compile(r"(.+)#([0-9]{1,9})", re.DOTALL)
_ATTACHMENT = "attachment://"
_VERDICTS = {"C": True, "I": False, "N": False}
"""Values of inspect_ai's scorers: correct, incorrect, no answer. `P` (partly) is neither."""

_SHORT = {"temperature": "T"}
_SAMPLING = (
    "temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "reasoning_effort", "reasoning_tokens",
    "max_tokens",
)  # fmt: skip
"""Settings of a log's model that name a strategy, where they were set."""


def from_chat(row: Mapping[str, Any]) -> list[Record]:
    """A completion with n choices."""
    responses = list(_completion(row))
    identity = next((row[name] for name in ("problem_id", "custom_id") if row.get(name) is not None), None)
    if identity is None and len(responses) > 1:
        identity = row.get("id")  # The choices of one call are the responses to one problem.
    if identity is None:
        raise RowError(
            "a completion of one choice does not say to which problem it belongs; write problem_id beside choices"
        )
    problem_id, sample = _problem_and_sample(identity, "problem_id" if "problem_id" in row else "custom_id")
    sample = row.get("sample_id", sample)
    problem = row.get("problem")
    if problem is None:
        problem = _last_of_user(row.get("messages") or mapping_field(row, "request").get("messages"))
    shared = {name: row[name] for name in ("strategy", "answer", "correct", "reward", "seed", "meta") if name in row}
    return [shared | {"problem_id": problem_id, "problem": problem} | r for r in _with_samples(responses, sample)]


def from_batch(row: Mapping[str, Any]) -> list[Record]:
    """A request's result; none for a request that failed."""
    problem_id, sample = _problem_and_sample(row.get("custom_id", row.get("key")), "custom_id")
    body = _batch_body(row)
    responses = [] if body is None else list(_completion(body))
    return [{"problem_id": problem_id} | response for response in _with_samples(responses, sample)]


def from_inspect(row: Mapping[str, Any], strategy: str | None) -> list[Record]:
    """A sample: one epoch of one problem; none for a sample that failed.

    Args:
        row: The sample, and the head of its log.
        strategy: What the user calls it; None: by the model and its settings.
    """
    sample, head = mapping_field(row, "sample"), mapping_field(row, "eval")
    output = mapping_field(sample, "output")
    if sample.get("error") or not output.get("choices"):
        return []
    attachments = mapping_field(sample, "attachments")
    task, epoch = head.get("task"), sample.get("epoch")
    name = id_text(sample.get("id"), "sample id")
    scores = mapping_field(sample, "scores")
    correct, answer = _verdict(scores)
    shared: Record = {
        "problem_id": f"{task}-{name}" if isinstance(task, str) else name,
        "problem": _resolved(_last_of_user(sample.get("input")), attachments),
        "strategy": strategy or _strategy_of(head),
        "model": output.get("model") or head.get("model"),
        "correct": correct,
        "answer": answer,
        "meta": {
            "target": sample.get("target"),
            "epoch": epoch,
            "scores": {scorer: mapping_field(scores, scorer).get("value") for scorer in scores},
        },
    }
    responses = list(_completion(output, attachments))
    return [shared | response for response in _with_samples(responses, epoch)]


# --- completions -----------------------------------------------------------------------------------


def _completion(body: Mapping[str, Any], attachments: Mapping[str, Any] | None = None) -> Iterator[Record]:
    """The responses of one call, by any of the APIs."""
    if "candidates" in body:
        found = [_gemini_candidate(candidate) for candidate in _objects(body, "candidates")]
    elif "choices" in body:
        found = [_choice(choice, attachments or {}) for choice in _objects(body, "choices")]
    elif body.get("type") == "message":
        found = [{"response": _joined(body.get("content"), {}), "finish_reason": body.get("stop_reason")}]
    elif isinstance(body.get("output"), list):
        found = [_openai_response(body)]
    else:
        raise RowError("holds no choices; a chat completion has a list choices, each with a message")
    n_tokens = _output_tokens(body) if len(found) == 1 else None  # Of several the API gives the sum.
    model = body.get("model") or body.get("modelVersion")
    for response in found:
        yield {**response, "model": model, "n_tokens": n_tokens}


def _objects(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    items = list_field(body, name)
    if not all(isinstance(item, Mapping) for item in items):
        raise RowError(f"{name} holds what is no object")
    return items


def _choice(choice: Mapping[str, Any], attachments: Mapping[str, Any]) -> Record:
    """A choice of OpenAI's chat or text completions, or of inspect_ai."""
    finish_reason = choice.get("finish_reason", choice.get("stop_reason"))
    message = choice.get("message")
    if not isinstance(message, Mapping):
        return {"response": choice.get("text"), "finish_reason": finish_reason}
    text = _joined(message.get("content"), attachments)
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(reasoning, str) and reasoning.strip():
        text = with_thinking(_resolved(reasoning, attachments), text)
    return {"response": text, "finish_reason": finish_reason}


def _gemini_candidate(candidate: Mapping[str, Any]) -> Record:
    parts = mapping_field(candidate, "content").get("parts") or []
    return {"response": _joined(parts, {}), "finish_reason": candidate.get("finishReason")}


def _openai_response(body: Mapping[str, Any]) -> Record:
    """A body of OpenAI's Responses API."""
    parts: list[Any] = []
    for item in _objects(body, "output"):
        if item.get("type") == "reasoning":
            shown = item.get("content") or item.get("summary") or []
            parts += [{"type": "reasoning", "reasoning": part.get("text")} for part in shown if isinstance(part, dict)]
        elif item.get("type") == "message":
            parts += item.get("content") or []
    reason = mapping_field(body, "incomplete_details").get("reason")
    return {"response": _joined(parts, {}), "finish_reason": reason or body.get("status")}


def _joined(content: object, attachments: Mapping[str, Any]) -> str:
    """The text of a message's content, a string or a list of parts, its thinking marked as such."""
    if content is None:
        return ""
    if isinstance(content, str):
        return _resolved(content, attachments) or ""
    if not isinstance(content, list):
        raise RowError("the content of a message is neither a string nor a list of parts")
    thinking, answer = [], []
    for part in content:
        if isinstance(part, str):
            answer.append(part)
        elif isinstance(part, Mapping):
            thought = next((part[n] for n in ("thinking", "reasoning") if isinstance(part.get(n), str)), None)
            text = part.get("text")
            if thought is not None:
                thinking.append(_resolved(thought, attachments) or "")
            elif isinstance(text, str):
                (thinking if part.get("thought") is True else answer).append(_resolved(text, attachments) or "")
    return with_thinking("\n".join(thinking), "".join(answer))


def _resolved(text: str | None, attachments: Mapping[str, Any]) -> str | None:
    """A text that inspect_ai may have put aside, leaving a reference to it."""
    if text is None or not text.startswith(_ATTACHMENT):
        return text
    found = attachments.get(text.removeprefix(_ATTACHMENT))
    if not isinstance(found, str):
        raise RowError("refers to an attachment that the log does not hold; write the log again")
    return found


def _output_tokens(body: Mapping[str, Any]) -> int | None:
    usage = mapping_field(body, "usage") or mapping_field(body, "usageMetadata")
    for name in ("completion_tokens", "output_tokens", "candidatesTokenCount"):
        value = usage.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def _batch_body(row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the API answered; None where the request failed."""
    result = row.get("result")
    if isinstance(result, Mapping):
        message = result.get("message")
        return message if result.get("type") == "succeeded" and isinstance(message, Mapping) else None
    response = row.get("response")
    if row.get("error") or not isinstance(response, Mapping):
        return None
    status = response.get("status_code", 200)
    body = response.get("body", response)
    return body if status == 200 and isinstance(body, Mapping) else None


def _problem_and_sample(identity: object, name: str) -> tuple[str, object]:
    """`aime-1#3` as problem and sample; the whole as the problem where it does not end in a number."""
    text = id_text(identity, name)
    match = _SAMPLE_SUFFIX.fullmatch(text) if name == "custom_id" else None
    return (match[1], int(match[2])) if match else (text, None)


def _with_samples(responses: list[Record], sample: object) -> Iterator[Record]:
    """The responses of one call with their sample ids: the sample's own, and a number behind it where they are many."""
    for index, response in enumerate(responses):
        if sample is None:
            yield response
        else:
            yield {**response, "sample_id": sample if len(responses) == 1 else f"{sample}.{index}"}


def _last_of_user(messages: object) -> str | None:
    """The text of the last message that the user wrote; a prompt that is one text, as it is."""
    if isinstance(messages, str):
        return messages
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, Mapping) and message.get("role") == "user":
            return _joined(message.get("content"), {}) or None
    return None


# --- inspect_ai ------------------------------------------------------------------------------------


def _verdict(scores: Mapping[str, Any]) -> tuple[bool | None, str | None]:
    """Whether the response is right and what its answer is, where the scorers tell and agree."""
    verdicts: set[bool | None] = set()
    answers: list[str] = []
    for scorer in scores:
        score = mapping_field(scores, scorer)
        value = score.get("value")
        if isinstance(value, str) and value in _VERDICTS:
            verdicts.add(_VERDICTS[value])
        elif isinstance(value, bool | int | float) and value in (0, 1):
            verdicts.add(bool(value))
        elif value is not None:
            verdicts.add(None)
        if isinstance(score.get("answer"), str):
            answers.append(score["answer"])
    return verdicts.pop() if len(verdicts) == 1 else None, answers[0] if answers else None


def _strategy_of(head: Mapping[str, Any]) -> str | None:
    settings = mapping_field(head, "model_generate_config")
    named = [f"{_SHORT.get(n, f'{n}=')}{settings[n]}" for n in _SAMPLING if settings.get(n) is not None]
    model = head.get("model")
    return " ".join([*([model] if isinstance(model, str) else []), *named]) or None
