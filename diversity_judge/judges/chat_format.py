"""What is sent to an LLM judge and what comes back, whether call by call or as the lines of a batch file.

A batch is judged by the same request bodies, and its results are read as live replies are: then both stand in the
ledger under the same keys.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from typing import Any

from diversity_judge.hosts.completion import Completion
from diversity_judge.judges.base import Reply
from diversity_judge.judges.presets import LIMIT_PARAMETERS, JudgeSpec
from diversity_judge.planning.groups import GroupPlan
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.planning.sorting import SortingPlan
from diversity_judge.planning.summaries import SummaryTemplate

PATH = "/chat/completions"
"""Below the base URL."""


def request_body(spec: JudgeSpec, prompt: str) -> dict[str, Any]:
    """The body of a request; what `extra_body` holds stands beside the other parameters, as in OpenAI's SDK."""
    parameters = dict(spec.parameters)
    extra = parameters.pop("extra_body", {})
    return {
        "model": spec.model,
        "messages": [{"role": "user", "content": prompt}],
        **parameters,
        **extra,
    }


def reply_of(completion: Completion, latency_s: float) -> Reply:
    """A completion as the ledger keeps it."""
    said: dict[str, Any] = {part.name: getattr(completion, part.name) for part in fields(Completion)}
    return Reply(**said, latency_s=latency_s)


def chat_fingerprint(spec: JudgeSpec, template: PromptTemplate, plan: GroupPlan) -> str:
    """Hash of what besides the two texts and the draw can change a reply.

    The limit on a reply's length is left out: it cannot change a reply that ends by itself, and a truncated reply is
    no score. So raising it buys again only the pairs that were truncated.
    """
    return _fingerprint(spec, template.digest, plan.group.problem if template.uses_problem else None)


def sorting_fingerprint(spec: JudgeSpec, plan: SortingPlan) -> str:
    """Hash of what besides the texts and the list of approaches can change how a group is sorted."""
    return _fingerprint(spec, plan.template.digest, None)


def summary_fingerprint(spec: JudgeSpec, template: SummaryTemplate) -> str:
    """Hash of what besides the text can change its summary."""
    return _fingerprint(spec, template.digest, None)


def _fingerprint(spec: JudgeSpec, template_digest: str, problem: str | None) -> str:
    parameters = {key: value for key, value in spec.parameters.items() if key not in LIMIT_PARAMETERS}
    parts = [template_digest, spec.model, spec.host, parameters, problem]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
