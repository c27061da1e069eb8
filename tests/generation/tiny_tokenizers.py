"""Tokenizers of one token a byte with the special tokens and chat templates of reward models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

QWEN_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<extra_0>")
QWEN_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA_SPECIAL = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
LLAMA_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)


def write_marked_tokenizer(folder: Path) -> int:
    """As Qwen2.5-Math-PRM's; returns the size of a vocabulary that holds it."""
    return _write_tokenizer(folder, QWEN_SPECIAL, QWEN_TEMPLATE)


def write_dialogue_tokenizer(folder: Path) -> int:
    """As Llama 3's; returns the size of a vocabulary that holds it."""
    return _write_tokenizer(folder, LLAMA_SPECIAL, LLAMA_TEMPLATE, bos="<|begin_of_text|>")


def ids_of(folder: Path, text: str) -> list[int]:
    """Token ids of a text of bytes and special tokens."""
    from tokenizers import Tokenizer

    ids: list[int] = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text, add_special_tokens=False).ids
    return ids


def _write_tokenizer(folder: Path, special: Sequence[str], template: str, bos: str | None = None) -> int:
    """A byte-level tokenizer without merges that puts `bos` before every text, as Llama's does; returns its size."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    folder.mkdir(parents=True, exist_ok=True)
    characters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*special, *characters])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(special))
    if bos is not None:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, vocabulary[bos])]
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": special[-1] if bos else special[0],
        "chat_template": template,
        "model_max_length": 1024,
    } | ({"bos_token": bos} if bos else {})
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    return -(-len(vocabulary) // 64) * 64
