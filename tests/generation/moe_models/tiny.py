"""The four architectures as tiny random models in memory, and their blocks computed by hand, expert by expert.

The hand computation shares nothing with the project: it is written from the published definitions of the four models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from tests.generation.tiny_models import SHARED, TINY_MODELS

ARCHITECTURES = ("qwen3_moe", "olmoe", "gpt_oss", "deepseek_v2")
N_LAYERS = 3

_SMALLER: Mapping[str, Mapping[str, Any]] = {
    "qwen3_moe": {"num_experts": 12, "num_experts_per_tok": 3},
    "olmoe": {"num_experts": 10, "num_experts_per_tok": 4},
    "gpt_oss": {"num_local_experts": 9, "num_experts_per_tok": 3, "sliding_window": 4},
    "deepseek_v2": {"n_routed_experts": 8, "num_experts_per_tok": 2, "kv_lora_rank": 32, "routed_scaling_factor": 1.7},
}


def tiny(name: str, *, dtype: torch.dtype = torch.float32, **changes: Any) -> Any:
    """A random model of three layers; GPT-OSS's second layer attends to everything, DeepSeek-V2's first is dense."""
    from transformers import AutoConfig, AutoModelForCausalLM

    model = TINY_MODELS[name]
    values = {**SHARED, **model.config, **_SMALLER.get(name, {}), "num_hidden_layers": N_LAYERS, **changes}
    config = AutoConfig.for_model(model.model_type, **values)
    torch.manual_seed(7)
    made = AutoModelForCausalLM.from_config(config, dtype=dtype).eval().requires_grad_(False)
    for parameter_name, value in made.named_parameters():
        if parameter_name.endswith("bias") or "norm" in parameter_name:  # as trained models have them: not all 0 or 1
            value.add_(torch.randn_like(value) * 0.2)
    return made


def prompt_ids(n_tokens: int = 11) -> torch.Tensor:
    """A sequence (1, T) of tokens."""
    return torch.randint(0, 256, (1, n_tokens), generator=torch.Generator().manual_seed(3))


def block_by_hand(name: str, block: Any, hidden: torch.Tensor, route: list[int]) -> torch.Tensor:
    """The block's output (D,) for one token (D,) and any route."""
    router = block.router if name == "gpt_oss" else block.gate
    logits = router.weight @ hidden
    if name == "gpt_oss":
        logits = logits + router.bias
        weights = torch.softmax(torch.stack([logits[e] for e in route]), 0)
    else:
        probabilities = torch.exp(logits - logits.max()) / torch.exp(logits - logits.max()).sum()
        weights = torch.stack([probabilities[e] for e in route])
        if name == "qwen3_moe":
            weights = weights / weights.sum()
        if name == "deepseek_v2":
            weights = weights * 1.7
    outputs = [_expert_by_hand(name, block.experts, expert, hidden) for expert in route]
    total = sum(weight * output for weight, output in zip(weights, outputs, strict=True))
    if name == "deepseek_v2":
        shared = block.shared_experts
        gate, up = shared.gate_proj.weight @ hidden, shared.up_proj.weight @ hidden
        total = total + shared.down_proj.weight @ (torch.nn.functional.silu(gate) * up)
    return total


def _expert_by_hand(name: str, experts: Any, expert: int, hidden: torch.Tensor) -> torch.Tensor:
    if name == "gpt_oss":
        both = hidden @ experts.gate_up_proj[expert] + experts.gate_up_proj_bias[expert]
        gate, up = both[::2].clamp(max=7.0), both[1::2].clamp(-7.0, 7.0)
        inner = (up + 1) * gate * torch.sigmoid(1.702 * gate)
        return inner @ experts.down_proj[expert] + experts.down_proj_bias[expert]
    width = experts.gate_up_proj.shape[1] // 2
    gate, up = experts.gate_up_proj[expert, :width] @ hidden, experts.gate_up_proj[expert, width:] @ hidden
    return experts.down_proj[expert] @ (torch.nn.functional.silu(gate) * up)


def logprobs_with_route_by_hand(
    name: str, model: Any, ids: torch.Tensor, layer: int, position: int, route: list[int]
) -> torch.Tensor:
    """Log-probabilities (V,) after `position`, one token's block at one layer computed by hand, by a whole forward."""
    decoder_layer = model.model.layers[layer]
    block = decoder_layer.mlp
    own_forward = block.forward

    def forward(hidden: torch.Tensor) -> Any:
        output = own_forward(hidden)
        states = output[0] if isinstance(output, tuple) else output
        states = states.clone()
        states[0, position] = block_by_hand(name, block, hidden[0, position], route)
        return (states, output[1]) if isinstance(output, tuple) else states

    block.forward = forward
    try:
        with torch.no_grad():
            return model(ids[:, : position + 1]).logits[0, -1].float().log_softmax(-1)
    finally:
        del block.forward
