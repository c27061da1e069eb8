"""Tiny reward models with random weights, one of each kind, and what transformers says that their scores are.

The scores here are made without any of the project's code: the chat is spelled out, the model is transformers' own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from tests.generation.tiny_tokenizers import QWEN_SPECIAL, ids_of, write_dialogue_tokenizer, write_marked_tokenizer

SIZE = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 1024,
    "initializer_range": 0.2,
    "tie_word_embeddings": False,
}
SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."


def make_marked(folder: Path) -> Path:
    """A process reward model as Qwen2.5-Math-PRM is one."""
    from safetensors.torch import save_file
    from transformers import Qwen2Config, Qwen2Model

    n_tokens = write_marked_tokenizer(folder)
    config = Qwen2Config(vocab_size=n_tokens, architectures=["Qwen2ForProcessRewardModel"], num_labels=2, **SIZE)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = Qwen2Model(config)
        head = _marked_head(config)
        for layer in (head[0], head[2]):
            torch.nn.init.normal_(layer.weight, std=0.2)
    weights = {f"model.{name}": value for name, value in model.state_dict().items()}
    weights |= {f"score.{name}": value for name, value in head.state_dict().items()}
    save_file({name: value.contiguous() for name, value in weights.items()}, folder / "model.safetensors")
    config.architectures = ["Qwen2ForProcessRewardModel"]
    config.save_pretrained(folder)
    return folder


def make_dialogue(folder: Path) -> Path:
    """A language model that answers each step with + or -, as Llama3.1-8B-PRM-Deepseek-Data is one."""
    from transformers import LlamaForCausalLM

    config = _llama_config(folder)
    with torch.random.fork_rng():
        torch.manual_seed(2)
        LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def make_whole(folder: Path) -> Path:
    """A model of one number a response, as Skywork-Reward-V2-Llama is one."""
    from transformers import LlamaForSequenceClassification

    config = _llama_config(folder)
    config.num_labels = 1
    with torch.random.fork_rng():
        torch.manual_seed(3)
        LlamaForSequenceClassification(config).save_pretrained(folder)
    return folder


def marked_scores(folder: Path, problem: str, steps: Sequence[str]) -> list[float]:
    """P(good) at each mark, by transformers."""
    from safetensors.torch import load_file
    from transformers import AutoConfig, Qwen2Model

    config = AutoConfig.from_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    model = Qwen2Model(config).eval()
    model.load_state_dict({n.removeprefix("model."): w for n, w in weights.items() if n.startswith("model.")})
    head = _marked_head(config)
    head.load_state_dict({n.removeprefix("score."): w for n, w in weights.items() if n.startswith("score.")})
    answer = "".join(f"{step}<extra_0>" for step in steps)
    text = (
        f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{problem}<|im_end|>\n"
        f"<|im_start|>assistant\n{answer}<|im_end|>\n"
    )
    ids = ids_of(folder, text)
    mark = QWEN_SPECIAL.index("<extra_0>")
    with torch.no_grad():
        probabilities = head(model(torch.tensor([ids])).last_hidden_state)[0].softmax(-1)
    return [float(probabilities[place, 1]) for place, token in enumerate(ids) if token == mark]


def dialogue_scores(folder: Path, problem: str, steps: Sequence[str]) -> list[float]:
    """P(+) against P(-) as the next token of each conversation, one conversation a step, by transformers."""
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    plus, minus = ids_of(folder, "+")[0], ids_of(folder, "-")[0]
    text, scores = "<|begin_of_text|>", []
    for number, step in enumerate(steps):
        said = step if number else f"{problem} {step}"
        text += f"<|start_header_id|>user<|end_header_id|>\n\n{said}<|eot_id|>"
        text += "<|start_header_id|>assistant<|end_header_id|>\n\n"
        with torch.no_grad():
            logits = model(torch.tensor([ids_of(folder, text)])).logits[0, -1]
        scores.append(float(logits[[plus, minus]].softmax(-1)[0]))
        text += "+<|eot_id|>"
    return scores


def whole_score(folder: Path, problem: str, answer: str) -> list[float]:
    """The one number, by transformers."""
    from transformers import LlamaForSequenceClassification

    model = LlamaForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    text = (
        f"<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{problem}<|eot_id|>"
        f"<|start_header_id|>assistant<|end_header_id|>\n\n{answer}<|eot_id|>"
    )
    with torch.no_grad():
        return [float(model(torch.tensor([ids_of(folder, text)])).logits[0, 0])]


def _marked_head(config: Any) -> torch.nn.Sequential:
    return torch.nn.Sequential(
        torch.nn.Linear(config.hidden_size, config.hidden_size),
        torch.nn.ReLU(),
        torch.nn.Linear(config.hidden_size, 2),
    )


def _llama_config(folder: Path) -> Any:
    from transformers import LlamaConfig

    n_tokens = write_dialogue_tokenizer(folder)
    return LlamaConfig(vocab_size=n_tokens, bos_token_id=0, eos_token_id=3, pad_token_id=None, **SIZE)
