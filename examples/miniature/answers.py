"""Solutions that a model writes to many problems at once, in this process and on one thread.

Problems of one number of numbers have prompts of one length, so a batch needs no padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import Qwen3MoeForCausalLM

from diversity_judge.countdown import Countdown
from examples.miniature.tokens import EOS, PAD, TOKEN_ID, prompt_ids, solution_length, text_of

_AT_ONCE = 1024
"""Problems in one batch."""


@dataclass(frozen=True)
class Tokens:
    """How the next token is drawn.

    Attributes:
        temperature: 0 takes the most likely one.
        top_p: The smallest set of tokens with this probability can be drawn.
        top_k: So many tokens can be drawn.
    """

    temperature: float
    top_p: float = 1.0
    top_k: int = 0

    @property
    def generation(self) -> dict[str, Any]:
        """As transformers' `generate` takes it."""
        if self.temperature == 0:
            return {"do_sample": False}
        return {"do_sample": True, "temperature": self.temperature, "top_p": self.top_p, "top_k": self.top_k}


GREEDY = Tokens(0)
NORMAL = Tokens(0.7, top_p=0.8, top_k=20)
"""Token sampling as `token-normal`."""


def answers(model: Qwen3MoeForCausalLM, problems: Sequence[Countdown], tokens: Tokens) -> Iterator[str]:
    """One solution to each problem, in order, without its end.

    Args:
        model: In evaluation mode.
        problems: All with as many numbers.
        tokens: How tokens are drawn, with the random numbers of torch.
    """
    for start in range(0, len(problems), _AT_ONCE):
        prompts = torch.tensor([prompt_ids(problem) for problem in problems[start : start + _AT_ONCE]])
        with torch.no_grad():
            written = model.generate(
                input_ids=prompts,
                attention_mask=torch.ones_like(prompts),
                max_new_tokens=solution_length(len(problems[0].numbers)),
                eos_token_id=TOKEN_ID[EOS],
                pad_token_id=TOKEN_ID[PAD],
                output_router_logits=False,
                **tokens.generation,
            )
        yield from (text_of(ids) for ids in written[:, prompts.shape[1] :].tolist())
