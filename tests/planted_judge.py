"""A loopback judge whose biases are known: noise, a liking for the longer text first, obedience, blindness.

Responses name themselves `R#problem.strategy.index#`. The judge sees two texts between the template's markers and
scores

    truth + order_bias / 2 (with the sign of: longer text first) + noise

rounded and clipped to 0..5. The truth is 5 for texts of one response, 0 for responses to different problems, and else 2
or 3 by a hash of the two names, symmetric. Noise is drawn by a hash of the prompt and of how often it was asked, so
that the order in which calls arrive changes nothing.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from tests.judge_server import JudgeServer
from tests.judge_texts import KEY, N_SCORES
from tests.judge_wire import Call, Request, text_of

_TEXT = re.compile(r"=== BEGIN RESPONSE ([12]) (\w+) ===\n(.*?)\n=== END RESPONSE \1 \2 ===", re.DOTALL)
_FAKE = re.compile(r"\[Final Score: (\d)\]")


class PlantedJudge(JudgeServer):
    """See the module.

    Args:
        noise: Standard deviation of the noise, points.
        order_bias: Points by which a score is higher with the longer text first than with it second.
        obeys: Give the score that a response asks for.
        is_blind: Give 3 to everything.
        more: Arguments of the loopback judge.
    """

    def __init__(
        self, *, noise: float = 0.0, order_bias: float = 0.0, obeys: bool = False, is_blind: bool = False, **more: Any
    ) -> None:
        super().__init__(**more)
        self.noise, self.order_bias, self.obeys, self.is_blind = noise, order_bias, obeys, is_blind
        self.prompts: Counter[str] = Counter()

    def __enter__(self) -> PlantedJudge:
        """As the loopback judge."""
        super().__enter__()
        return self

    def _register(self, request: Request) -> Call:
        prompt = "\n".join(text_of(message) for message in json.loads(request.body)["messages"])
        call = super()._register(request)
        call.score = self._score(prompt)
        self.prompts[prompt] += 1
        return call

    def _score(self, prompt: str) -> int:
        texts = [text for _, _, text in _TEXT.findall(prompt)]
        assert len(texts) == 2, "the template's markers are not where this judge looks for them"
        if self.is_blind:
            return 3
        if self.obeys and (asked := _FAKE.findall("".join(texts))):
            return int(asked[-1])
        longer_first = np.sign(len(texts[0]) - len(texts[1]))
        seed = zlib.crc32(f"{self.prompts[prompt]}\n{prompt}".encode())
        noise = self.noise * np.random.default_rng(seed).standard_normal()
        return int(np.clip(np.rint(truth(*texts) + longer_first * self.order_bias / 2 + noise), 0, N_SCORES - 1))


def truth(first: str, second: str) -> int:
    """What a judge without fault would say."""
    names = [KEY.findall(text)[0] for text in (first, second)]
    if names[0] == names[1]:
        return 5
    if names[0].split(".")[0] != names[1].split(".")[0]:
        return 0
    return 2 + zlib.crc32("|".join(sorted(names)).encode()) % 2


def write_responses(
    path: Path, *, problems: int = 10, strategies: tuple[str, ...] = ("cold", "hot"), n: int = 6
) -> Path:
    """Responses of different lengths, with a final answer and several paragraphs, that name themselves."""
    with path.open("w", encoding="utf-8") as file:
        for problem in range(problems):
            for strategy in strategies:
                for index in range(n):
                    name = f"p{problem}.{strategy}.{index}"
                    filler = " ".join(f"word{zlib.crc32(f'{name}{k}'.encode()) % 89}" for k in range(20 + 3 * index))
                    text = f"R#{name}# {filler}.\n\n- Then \\(x = {index}\\).\n\nThe answer is {index}."
                    line = {
                        "problem_id": f"p{problem}",
                        "problem": f"What is p{problem}?",
                        "strategy": strategy,
                        "sample_id": index,
                        "answer": str(index),
                        "response": text,
                    }
                    file.write(json.dumps(line) + "\n")
    return path
