"""A tiny mixture-of-experts model with random weights, for trying the machinery without a download.

Its text means nothing. It has all that a real model has: a router, a tokenizer, a chat template, a
checkpoint.
"""

from __future__ import annotations

import json
from pathlib import Path

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL_TOKENS = ("<|end|>", "<|system|>", "<|user|>", "<|assistant|>")


def make_tiny_model(folder: Path, *, seed: int = 0, n_experts: int = 32, active_experts: int = 4) -> Path:
    """Write a Qwen3-MoE checkpoint with random weights (about 0.3 million of them) and a byte tokenizer.

    Args:
        folder: Where to; made if it does not exist.
        seed: Of the weights.
        n_experts: Experts a layer.
        active_experts: Experts a token.

    Returns:
        `folder`, which vLLM and transformers load as a model.
    """
    import torch
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    n_tokens = _write_tokenizer(folder)
    config = Qwen3MoeConfig(
        vocab_size=n_tokens,
        hidden_size=64,
        intermediate_size=64,
        moe_intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        num_experts=n_experts,
        num_experts_per_tok=active_experts,
        norm_topk_prob=True,
        max_position_embeddings=2048,
        tie_word_embeddings=False,
        eos_token_id=0,
        bos_token_id=None,
        pad_token_id=0,
        # Wider than a trained model's start: else all tokens are about as likely and experts don't matter.
        initializer_range=0.2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Qwen3MoeForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    return folder


def _write_tokenizer(folder: Path) -> int:
    """A byte-level tokenizer without merges: every text is in its vocabulary. Returns its size."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    characters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*SPECIAL_TOKENS, *characters])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": SPECIAL_TOKENS[0],
        "pad_token": SPECIAL_TOKENS[0],
        "chat_template": CHAT_TEMPLATE,
        "model_max_length": 2048,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    return len(vocabulary)
