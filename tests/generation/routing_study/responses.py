"""Graded responses files as `generation.sample` writes them, for a tokenizer of one token a byte."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generation.prompt_formats import PromptFormat

MODEL = "tiny"


def row(problem_id: str, text: str, *, sample: int = 0, correct: bool | None = True, **changes: Any) -> dict[str, Any]:
    """One line; the end token is counted, as an engine does."""
    prompt = PromptFormat.load("generate_plain")
    meta = {"kind": "math", "prompt": {"name": prompt.file.name, "version": "1", "sha256": prompt.digest}}
    return {
        "problem_id": problem_id,
        "strategy": "token-normal",
        "sample_id": sample,
        "problem": f"What is {problem_id}?",
        "response": text,
        "correct": correct,
        "model": f"models/{MODEL}",
        "finish_reason": "stop",
        "n_tokens": len(text) + 1,
        "meta": meta,
    } | changes


def write(path: Path, rows: Sequence[dict[str, Any]], **settings: Any) -> Path:
    """Write the file; with settings a manifest beside it."""
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    if settings:
        manifest = {"format": 1, "settings": settings, "strategies": {}, "problems": {}, "prompts": {}}
        path.with_suffix(".manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return path
