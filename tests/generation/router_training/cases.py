"""A tiny model on disk, graded responses to a few problems, and what a plain forward says of them."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from generation.prompt_formats import PromptFormat
from tests.generation.moe_models.tiny import tiny
from tests.generation.tiny_models import EOS, write_tokenizer


@dataclass(frozen=True)
class Line:
    """A trajectory as the forward reads it."""

    prompt_ids: tuple[int, ...]
    token_ids: tuple[int, ...]


def lines(n: int = 5) -> list[Line]:
    """Trajectories of random tokens and various lengths."""
    rng = random.Random(2)
    return [Line(*(tuple(rng.randrange(256) for _ in range(rng.randint(2, 6))) for _ in range(2))) for _ in range(n)]


def write_model(name: str, folder: Path, **changes: Any) -> Path:
    """A tiny random model in float32, of three layers, with a byte tokenizer."""
    folder.mkdir(parents=True)
    tiny(name, **changes).save_pretrained(folder)
    write_tokenizer(folder)
    return folder


def write_responses(file: Path, *, n_problems: int = 6, right: bool = True) -> Path:
    """Two right responses (or none) and a wrong one to each problem, so alike that one problem teaches another."""
    digest = PromptFormat.load("generate_plain").digest
    rng = random.Random(1)
    rows = []
    for problem in range(n_problems):
        for sample in range(3):
            text = "".join(rng.choice("aaab") for _ in range(rng.randint(3, 9))) + "."
            rows.append(
                {
                    "problem_id": f"p{problem}",
                    "problem": f"Which is {problem}?",
                    "strategy": "token-normal",
                    "sample_id": sample,
                    "response": text,
                    "correct": right and sample < 2,
                    "finish_reason": "stop",
                    "n_tokens": len(text) + 1,
                    "meta": {"prompt": {"name": "generate_plain", "sha256": digest}},
                }
            )
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def right_sequences(file: Path) -> dict[str, list[tuple[list[int], list[int]]]]:
    """Prompts and right responses as bytes, by problem: what the tokenizer and its template make of them."""
    found: dict[str, list[tuple[list[int], list[int]]]] = {}
    for row in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
        if row["correct"]:
            pair = (_ids(f"{row['problem']}\n"), [*_ids(row["response"]), EOS])
            found.setdefault(row["problem_id"], []).append(pair)
    return found


def plain_logprobs(model: Any, prompt: Sequence[int], response: Sequence[int]) -> torch.Tensor:
    """Log-probabilities of the response's tokens by the model's own forward, one sequence alone."""
    logits = model(torch.tensor([[*prompt, *response]])).logits[0].float()
    wanted = torch.tensor(response)[:, None]
    return logits[len(prompt) - 1 : -1].log_softmax(-1).gather(1, wanted)[:, 0]


def _ids(text: str) -> list[int]:
    """The byte tokenizer numbers the symbols of bytes in their order."""
    from tokenizers import pre_tokenizers

    symbols = {symbol: number for number, symbol in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    (written,) = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)
    return [symbols[symbol] for symbol in written[0]]
