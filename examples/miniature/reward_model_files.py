"""The miniature's process reward model: the architecture of Qwen2.5-Math-PRM at a thousandth of a thousandth its size.

Qwen2 with a head of two layers on every token; at the mark after a step its softmax is P(bad), P(good). vLLM loads the
folder as `Qwen2ForProcessRewardModel`; transformers has no such class, so `load_reward_model` is the other loader.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import Qwen2Config, Qwen2Model

from diversity_judge.countdown import Countdown, Step
from examples.miniature.step_labels import words_of
from examples.miniature.tokens import ASK, BOS, EOS, PAD, TOKEN_ID, write_tokenizer

MARK = "<extra_0>"
"""After each step; the same as Qwen's, so that its recipe fits."""
MARK_ID = len(TOKEN_ID)
TOKENIZER = "tokenizer"
"""Folder of the tokenizer alone: beside a config.json of type qwen2 transformers makes any tokenizer a Qwen2Tokenizer,
which would read 11 as two ones. `generation.reward` is given it by `--tokenizer`."""
_TOKENS = TOKEN_ID | {MARK: MARK_ID}
_TEMPLATE = f"{BOS} {{{{ messages[-2]['content'] }}}} {ASK} {{{{ messages[-1]['content'] }}}}"
SHAPE: dict[str, Any] = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


class RewardModel(nn.Module):  # type: ignore[misc]  # torch is not type-checked here
    """Qwen2 and a two-layer head, with the names of Qwen2.5-Math-PRM's weights.

    Args:
        config: Of the Qwen2 model.
    """

    def __init__(self, config: Qwen2Config) -> None:
        super().__init__()
        self.config = config
        self.model = Qwen2Model(config)
        size = config.hidden_size
        self.score = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, 2))

    def forward(self, tokens: Tensor) -> Tensor:
        """(sequences, longest, 2) logits of bad and good at each token; padding stands at the end, where none looks."""
        logits: Tensor = self.score(self.states(tokens))
        return logits

    def states(self, tokens: Tensor) -> Tensor:
        """(sequences, longest, hidden size) what the head sees."""
        hidden: Tensor = self.model(input_ids=tokens, use_cache=False).last_hidden_state
        return hidden

    def next_token(self, states: Tensor) -> Tensor:
        """(sequences, longest, vocabulary) logits of the next token, by the embedding; for training alone."""
        weight = self.model.embed_tokens.weight
        return states @ weight.T / weight.shape[1] ** 0.5


def make_reward_model(seed: int) -> RewardModel:
    """The untrained model."""
    torch.manual_seed(seed)
    config = Qwen2Config(
        **SHAPE,
        vocab_size=len(_TOKENS),
        max_position_embeddings=128,
        bos_token_id=TOKEN_ID[BOS],
        eos_token_id=TOKEN_ID[EOS],
        pad_token_id=TOKEN_ID[PAD],
        num_labels=2,
        tie_word_embeddings=False,
        architectures=["Qwen2ForProcessRewardModel"],
    )
    return RewardModel(config)


def marked_ids(problem: Countdown, steps: Sequence[Step]) -> list[int]:
    """The token ids of a problem and an attempt, a mark after each step."""
    words = [BOS, *problem.text.split(), ASK]
    for line in words_of(problem, steps):
        words += [*line.split(), MARK]
    return [_TOKENS.get(word, TOKEN_ID[PAD]) for word in words]


def text_ids(problem: str, text: str) -> list[int]:
    """The token ids of a response as it stands, its steps split at `;`, a mark after each."""
    words = [BOS, *problem.split(), ASK]
    for line in (part.split() for part in text.split(";")):
        words += [*line, MARK] if line else []
    return [_TOKENS.get(word, TOKEN_ID[PAD]) for word in words]


def step_rewards(model: RewardModel, problem: str, text: str) -> list[float]:
    """P(good) of each step of a response."""
    ids = text_ids(problem, text)
    with torch.no_grad():
        good = model(torch.tensor([ids])).float().softmax(-1)[0, :, 1]
    return [float(good[place]) for place, token in enumerate(ids) if token == MARK_ID]


def write_reward_model(model: RewardModel, folder: Path) -> None:
    """Write the weights in bfloat16, the configuration and the tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    model.config.dtype = "bfloat16"
    model.config.save_pretrained(folder)
    weights = {name: weight.detach().to(torch.bfloat16).contiguous() for name, weight in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    for place in (folder, folder / TOKENIZER):
        place.mkdir(exist_ok=True)
        write_tokenizer(place)
        _add_mark(place)


def load_reward_model(folder: Path) -> RewardModel:
    """Read what `write_reward_model` wrote, in float32.

    Raises:
        RuntimeError: the weights are not of this architecture.
    """
    model = RewardModel(Qwen2Config.from_pretrained(folder))
    model.load_state_dict({name: weight.float() for name, weight in load_file(folder / "model.safetensors").items()})
    model.eval()
    return model


def _add_mark(folder: Path) -> None:
    """Make the mark a special token of the tokenizer, and show it a dialogue of problem and answer."""
    from tokenizers import AddedToken, Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_special_tokens([AddedToken(MARK, special=True)])
    if tokenizer.token_to_id(MARK) != MARK_ID:
        raise ValueError(f"the mark is token {tokenizer.token_to_id(MARK)}, and the model has it as {MARK_ID}")
    tokenizer.save(str(folder / "tokenizer.json"))
    file = folder / "tokenizer_config.json"
    settings = json.loads(file.read_text(encoding="utf-8")) | {"chat_template": _TEMPLATE}
    file.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
