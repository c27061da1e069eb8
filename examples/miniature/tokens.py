"""The miniature's tokenizer: every whole number is one token, words are separated by spaces."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from diversity_judge.countdown import Countdown, Step
from examples.miniature.problems import LARGEST, solution_text

PAD, BOS, EOS, ASK = "<pad>", "<bos>", "<eos>", ":"
VOCABULARY = (PAD, BOS, EOS, ASK, "target", "left", ";", "=", "+", "-", "*", "/", *map(str, range(1, LARGEST + 1)))
TOKEN_ID = {token: number for number, token in enumerate(VOCABULARY)}

CHAT_TEMPLATE = f"{BOS} {{{{ messages[-1]['content'] }}}} {ASK}"
"""A problem is asked as it stands; a system message or former turns have no meaning to this model."""


def prompt_ids(problem: Countdown) -> list[int]:
    """The token ids of a problem as the model is asked it."""
    return [TOKEN_ID[word] for word in (BOS, *problem.text.split(), ASK)]


def text_of(ids: Sequence[int]) -> str:
    """What was written after the prompt, up to its end."""
    words = [VOCABULARY[number] for number in ids]
    return " ".join(words[: words.index(EOS)] if EOS in words else words)


def encode(problem: Countdown, steps: tuple[Step, ...]) -> tuple[list[int], int]:
    """The token ids of a problem with a solution, and how many of them are the prompt."""
    prompt = prompt_ids(problem)
    words = [*solution_text(problem, steps).split(), EOS]
    return [*prompt, *(TOKEN_ID[word] for word in words)], len(prompt)


def solution_length(n_numbers: int) -> int:
    """How many tokens a right solution to a problem of so many numbers has, with its end."""
    steps = n_numbers - 1
    calculations, separators, end = 5 * steps, steps - 1, 1
    lefts = sum(1 + n_left for n_left in range(2, n_numbers))
    return calculations + lefts + separators + end


def write_tokenizer(folder: Path) -> None:
    """Write the files that vLLM and transformers load a tokenizer from."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel(TOKEN_ID, unk_token=PAD))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([PAD, BOS, EOS])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": EOS,
        "pad_token": PAD,
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
