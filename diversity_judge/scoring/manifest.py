"""The manifest of a run: what a stranger needs to know to reproduce the numbers, and what they cost."""

from __future__ import annotations

import os
import platform
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from importlib import metadata
from operator import attrgetter
from pathlib import Path
from typing import Any

from diversity_judge import __version__
from diversity_judge.hosts.address import read_address
from diversity_judge.inputs.in_memory import InMemory
from diversity_judge.inputs.reading import ReadResult
from diversity_judge.inputs.views import estimate_tokens
from diversity_judge.judges.base import Judge
from diversity_judge.judges.presets import JudgeSpec
from diversity_judge.measures.diversity import DIFFERENCE, MEAN_OF_SCORED_PAIRS
from diversity_judge.planning.judgment import Judgment
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.planning.sorting import APPROACHES, REFERENCES, Sorting, SortingTemplate
from diversity_judge.planning.summaries import Summary, SummaryTemplate
from diversity_judge.runs.instrument import Instrument
from diversity_judge.runs.ledger_place import place_record
from diversity_judge.scoring.options import NO_SURROGATE, ScoreOptions
from diversity_judge.scoring.result import ScoreResult

Manifest = dict[str, Any]
"""What `run.json` holds: JSON by nature, so a mapping."""

_LIBRARIES = ("aiohttp", "numpy", "pandas", "scipy", "scikit-learn")


def instrument_of(options: ScoreOptions, judge: Judge, template: PromptTemplate) -> Instrument:
    """With what the run is going to measure."""
    return Instrument.of(
        judge.spec,
        prompt=judge.prompt_label,
        prompt_sha256=None if judge.spec.is_embedded else template.digest,
        design=options.design,
        showing=options.shown,
        summary_prompt=SummaryTemplate.load().label if options.judge_input == "summaries" else None,
    )


def describe(options: ScoreOptions, judge: Judge, template: PromptTemplate, read: ReadResult) -> Manifest:
    """What is known before anything is sent."""
    return {
        "instrument": asdict(instrument_of(options, judge, template)),
        "tool": {
            "diversity_judge": __version__,
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in _LIBRARIES},
        },
        "inputs": _inputs(options.source, read),
        "selection": {"strategies": options.strategies, "limit": options.limit},
        "warnings": list(read.warnings),
        "judge": _judge(judge.spec),
        "prompt": {"label": judge.prompt_label, **(_prompt(template) if not judge.spec.is_embedded else {})},
        "summaries": _summaries(options),
        "sortings": _sortings(options),
        "design": asdict(options.design),
        "showing": asdict(options.shown),
        "estimator": {"name": DIFFERENCE if options.surrogate != NO_SURROGATE else MEAN_OF_SCORED_PAIRS},
        "engine": asdict(options.engine),
        **_ledger(options),
    }


def complete(record: Manifest, result: ScoreResult, *, started: float) -> Manifest:
    """Add what happened.

    Args:
        record: Of `describe`.
        result: Of the run.
        started: When it began, seconds since the epoch.
    """
    tally = result.tally
    pairs = [judgment for group in result.groups for judgment in group.judgments]
    judgments = result.judgments
    n_duplicates = sum(judgment.is_duplicate for judgment in pairs)
    return record | {
        "ending": {"state": tally.ending.value, "message": tally.message},
        "judgments": {
            "groups": len(result.groups),
            "responses": sum(group.plan.group.n_responses for group in result.groups),
            "wanted": len(pairs),
            "scored": sum(judgment.score is not None for judgment in pairs),
            "duplicates": n_duplicates,
            "repeats": len(pairs) - n_duplicates - len(judgments),
            "missing": dict(result.missing),
            "replies": _sum("n_replies", judgments),
            "prompt_tokens": _sum("prompt_tokens", judgments),
            "completion_tokens": _sum("completion_tokens", judgments),
            "cost_usd": _sum("cost_usd", judgments),
        },
        "summaries": record["summaries"] | (_written(result.summaries) if record["summaries"] else {}),
        "sortings": record["sortings"] | _sorted(result.sortings),
        "truncated_responses": [
            {"group": group.plan.name, "sample_id": response.sample_id, "tokens_cut": shown.tokens_cut}
            for group in result.groups
            for response, shown in zip(group.plan.group.responses, group.plan.shown, strict=True)
            if shown.tokens_cut
        ],
        "this_run": {
            "reused": tally.reused,
            "calls": tally.calls,
            "replies": tally.replies,
            "prompt_tokens": tally.prompt_tokens,
            "completion_tokens": tally.completion_tokens,
            "cached_tokens": tally.cached_tokens,
            "prefix_cache_hit_share": tally.cache_hit_share,
            "cost_usd": tally.cost_usd,
            "started": _timestamp(started),
            "wall_s": round(time.time() - started, 3),
        },
    }


def _ledger(options: ScoreOptions) -> Manifest:
    if options.ledger_path is None or options.folder is None:
        return {"ledger": str(options.ledger_path)}
    return place_record(options.ledger_path, options.folder)


def _inputs(source: tuple[Path, ...] | InMemory, read: ReadResult) -> list[Manifest]:
    if isinstance(source, InMemory):
        return [{"in_memory": source.description}]  # The run folder holds the responses themselves.
    return [asdict(one) for one in read.inputs]


def _judge(spec: JudgeSpec) -> Manifest:
    return {
        "label": spec.label,
        "preset": spec.name,
        "kind": spec.kind,
        "model": spec.model,
        "host": spec.host,
        "replicas": [read_address(url).shown for url in spec.replicas],
        # A name that is set is a name: what is not may be the key itself, given in its place by mistake.
        "api_key_env": spec.api_key_env if (spec.api_key_env or "") in os.environ else None,
        "parameters": dict(spec.parameters),
        "prices_usd_per_million_tokens": asdict(spec.prices) if spec.prices else None,
        "prices_as_of": spec.prices_as_of,
    }


def _prompt(template: PromptTemplate | SortingTemplate | SummaryTemplate) -> Manifest:
    return {
        "label": template.label,
        "name": template.file.name,
        "version": template.file.version,
        "sha256": template.digest,
        "file": template.file.path.name,
        "text": template.file.body,
    }


def _sortings(options: ScoreOptions) -> Manifest:
    """What is asked about whole groups, and in which prompts."""
    asked = {APPROACHES: options.clusters == "judge", REFERENCES: options.reference_approaches}
    prompts = {name: SortingTemplate.load(name) for name, is_asked in asked.items() if is_asked}
    return {
        "clusters": options.clusters,
        "reference_approaches": options.reference_approaches,
        "prompts": {} if options.judge.is_embedded else {name: _prompt(prompt) for name, prompt in prompts.items()},
    }


def _sorted(sortings: Sequence[Sorting]) -> Manifest:
    return {
        "wanted": len(sortings),
        "answered": sum(sorting.labels is not None for sorting in sortings),
        "missing": dict(Counter(sorting.reason for sorting in sortings if sorting.reason is not None)),
        "replies": _sum("n_replies", sortings),
        "prompt_tokens": _sum("prompt_tokens", sortings),
        "completion_tokens": _sum("completion_tokens", sortings),
        "cost_usd": _sum("cost_usd", sortings),
    }


def _summaries(options: ScoreOptions) -> Manifest:
    """In which prompt responses are summarised; nothing where they are compared themselves."""
    return {"prompt": _prompt(SummaryTemplate.load())} if options.judge_input == "summaries" else {}


def _written(summaries: Sequence[Summary]) -> Manifest:
    texts = [summary.text for summary in summaries if summary.text is not None]
    return {
        "wanted": len(summaries),
        "written": len(texts),
        "missing": dict(Counter(summary.reason for summary in summaries if summary.reason is not None)),
        "mean_tokens": sum(map(estimate_tokens, texts)) / len(texts) if texts else None,
        "replies": _sum("n_replies", summaries),
        "prompt_tokens": _sum("prompt_tokens", summaries),
        "completion_tokens": _sum("completion_tokens", summaries),
        "cost_usd": _sum("cost_usd", summaries),
    }


def _sum(name: str, answers: Sequence[Judgment] | Sequence[Sorting] | Sequence[Summary]) -> Any:
    """Of one of their numbers."""
    return sum(map(attrgetter(name), answers))


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")
