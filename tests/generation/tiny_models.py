"""Tiny randomly initialised models with the routing shapes of the real ones, which vLLM loads from a folder.

Only what routing depends on is real: the number of experts, how many are active, whether their weights are
renormalised, shared experts and the kind of attention. Everything else is as small as vLLM's CPU kernels
allow. The weights are wide enough that greedy decoding wanders instead of repeating one token, and that
choosing other experts changes what is said.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

VOCABULARY = 320
"""256 bytes, three special tokens, and room up to a multiple of 64."""
PAD, BOS, EOS = 256, 257, 258

SHARED = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "max_position_embeddings": 4096,
    "initializer_range": 0.2,
    "tie_word_embeddings": False,
    "pad_token_id": PAD,
    "bos_token_id": BOS,
    "eos_token_id": EOS,
}
ATTENTION = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32}


@dataclass(frozen=True)
class TinyModel:
    """How to make a model's folder.

    Attributes:
        model_type: name of the architecture in transformers.
        n_experts: number of routed experts.
        k: number of active experts.
        config: the rest of the configuration.
        write: writes configuration and weights into a folder.
    """

    model_type: str
    n_experts: int
    k: int
    config: Mapping[str, Any]
    write: Callable[[TinyModel, Path], None]


def build(name: str, folder: Path) -> Path:
    """Write the model called `name` into `folder` with seeded weights and a byte tokenizer."""
    model = TINY_MODELS[name]
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(20_260_202)
    model.write(model, folder)
    write_tokenizer(folder)
    return folder


def write_tokenizer(folder: Path) -> None:
    """Write a tokenizer of one token a byte, with a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {symbol: number for number, symbol in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<pad>", "<bos>", "<eos>"])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>")
    fast.chat_template = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
    fast.save_pretrained(folder)


def _with_transformers(model: TinyModel, folder: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(model.model_type, **{**SHARED, **model.config})
    made = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    made.save_pretrained(folder)


BAILING_CONFIG = '''"""Configuration of the tiny model, as the published model brings its own."""

from transformers import PretrainedConfig


class BailingMoeConfig(PretrainedConfig):
    model_type = "bailing_moe"
'''


def _bailing(model: TinyModel, folder: Path) -> None:
    """Write a Ling-Lite folder; transformers does not have the architecture, so the names are vLLM's."""
    from safetensors.torch import save_file

    config = {
        **SHARED,
        **model.config,
        "model_type": model.model_type,
        "architectures": ["BailingMoeForCausalLM"],
        "auto_map": {"AutoConfig": "configuration_bailing_moe.BailingMoeConfig"},
        "torch_dtype": "bfloat16",
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    (folder / "configuration_bailing_moe.py").write_text(BAILING_CONFIG)
    hidden, width = int(SHARED["hidden_size"]), model.config["moe_intermediate_size"]
    heads = ATTENTION["num_attention_heads"] + 2 * ATTENTION["num_key_value_heads"]

    def random(*shape: int) -> torch.Tensor:
        return (torch.randn(shape) * SHARED["initializer_range"]).to(torch.bfloat16)

    weights = {
        "model.word_embeddings.weight": random(VOCABULARY, hidden),
        "model.norm.weight": torch.ones(hidden, dtype=torch.bfloat16),
        "lm_head.weight": random(VOCABULARY, hidden),
    }
    for number in range(int(SHARED["num_hidden_layers"])):
        layer = f"model.layers.{number}"
        weights |= {
            f"{layer}.input_layernorm.weight": torch.ones(hidden, dtype=torch.bfloat16),
            f"{layer}.post_attention_layernorm.weight": torch.ones(hidden, dtype=torch.bfloat16),
            f"{layer}.attention.query_key_value.weight": random(heads * ATTENTION["head_dim"], hidden),
            f"{layer}.attention.dense.weight": random(hidden, ATTENTION["num_attention_heads"] * ATTENTION["head_dim"]),
            f"{layer}.mlp.gate.weight": random(model.n_experts, hidden),
        }
        experts = [f"{layer}.mlp.experts.{expert}" for expert in range(model.n_experts)]
        for mlp in [*experts, f"{layer}.mlp.shared_experts"]:
            weights |= {
                f"{mlp}.gate_proj.weight": random(width, hidden),
                f"{mlp}.up_proj.weight": random(width, hidden),
                f"{mlp}.down_proj.weight": random(hidden, width),
            }
    save_file(weights, folder / "model.safetensors")


TINY_MODELS: dict[str, TinyModel] = {
    "qwen3_moe": TinyModel(
        "qwen3_moe",
        n_experts=128,
        k=8,
        write=_with_transformers,
        config={
            **ATTENTION,
            "num_experts": 128,
            "num_experts_per_tok": 8,
            "norm_topk_prob": True,
            "moe_intermediate_size": 32,
            "intermediate_size": 64,
        },
    ),
    "gpt_oss": TinyModel(
        "gpt_oss",
        n_experts=32,
        k=4,
        write=_with_transformers,
        config={
            **ATTENTION,
            "num_local_experts": 32,
            "num_experts_per_tok": 4,
            "intermediate_size": 32,
            "sliding_window": 32,
        },
    ),
    "bailing_moe": TinyModel(
        "bailing_moe",
        n_experts=64,
        k=6,
        write=_bailing,
        config={
            **ATTENTION,
            "num_experts": 64,
            "num_experts_per_tok": 6,
            "norm_topk_prob": True,
            "num_shared_experts": 1,
            "moe_intermediate_size": 32,
            "intermediate_size": 64,
            "first_k_dense_replace": 0,
            "hidden_act": "silu",
            "rms_norm_eps": 1e-6,
            "rope_theta": 10000.0,
            "use_bias": False,
            "use_qkv_bias": False,
            "embedding_dropout": 0.0,
        },
    ),
    "qwen3_next": TinyModel(
        "qwen3_next",
        n_experts=512,
        k=10,
        write=_with_transformers,
        config={
            **ATTENTION,
            "num_experts": 512,
            "num_experts_per_tok": 10,
            "norm_topk_prob": True,
            "moe_intermediate_size": 32,
            "shared_expert_intermediate_size": 32,
            "intermediate_size": 64,
            "layer_types": ["linear_attention", "full_attention"],
            "linear_key_head_dim": 128,
            "linear_value_head_dim": 128,
            "linear_num_key_heads": 1,
            "linear_num_value_heads": 2,
        },
    ),
    "olmoe": TinyModel(
        "olmoe",
        n_experts=64,
        k=8,
        write=_with_transformers,
        config={
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "num_experts": 64,
            "num_experts_per_tok": 8,
            "norm_topk_prob": False,
            "intermediate_size": 32,
        },
    ),
    "deepseek_v2": TinyModel(
        "deepseek_v2",
        n_experts=64,
        k=6,
        write=_with_transformers,
        config={
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "n_routed_experts": 64,
            "num_experts_per_tok": 6,
            "n_shared_experts": 2,
            "norm_topk_prob": False,
            "n_group": 1,
            "topk_group": 1,
            "topk_method": "greedy",
            "scoring_func": "softmax",
            "routed_scaling_factor": 1.0,
            "first_k_dense_replace": 1,
            "moe_intermediate_size": 32,
            "intermediate_size": 64,
            "kv_lora_rank": 512,
            "q_lora_rank": None,
            "qk_nope_head_dim": 32,
            "qk_rope_head_dim": 64,
            "v_head_dim": 32,
        },
    ),
    "mixtral": TinyModel(
        "mixtral",
        n_experts=8,
        k=2,
        write=_with_transformers,
        config={
            **ATTENTION,
            "num_local_experts": 8,
            "num_experts_per_tok": 2,
            "intermediate_size": 64,
        },
    ),
    "dense": TinyModel(
        "qwen3",
        n_experts=0,
        k=0,
        write=_with_transformers,
        config={**ATTENTION, "intermediate_size": 64},
    ),
}
TINY_MODELS["grouped"] = replace(
    TINY_MODELS["bailing_moe"], config={**TINY_MODELS["bailing_moe"].config, "n_group": 4, "topk_group": 2}
)
