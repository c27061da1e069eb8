"""Solutions written in batches are those that the model writes one token after the other."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from examples.miniature import answers as module  # noqa: E402 - torch may be missing
from examples.miniature.answers import GREEDY, Tokens, answers  # noqa: E402
from examples.miniature.problems import held_out  # noqa: E402
from examples.miniature.pulled_loss import load_to_train  # noqa: E402
from examples.miniature.tokens import EOS, VOCABULARY, prompt_ids, solution_length  # noqa: E402
from examples.miniature.train_further import START  # noqa: E402

PROBLEMS = list(islice(held_out(0), 5))


@pytest.fixture(scope="module")
def model() -> Any:
    return load_to_train(START, 0.0)


def test_greedy_answers_are_the_most_likely_tokens(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    found = list(answers(model, PROBLEMS, GREEDY))
    assert len(found) == len(PROBLEMS)
    for problem, text in zip(PROBLEMS, found, strict=True):
        ids = prompt_ids(problem)
        words: list[str] = []
        while len(words) < solution_length(4):
            with torch.no_grad():
                ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
            if VOCABULARY[ids[-1]] == EOS:
                break
            words.append(VOCABULARY[ids[-1]])
        assert text.split() == words


def test_sampled_answers_repeat_by_the_seed_and_differ_without(model: Any) -> None:
    hot = Tokens(1.5)
    torch.manual_seed(0)
    first, second = list(answers(model, PROBLEMS, hot)), list(answers(model, PROBLEMS, hot))
    torch.manual_seed(0)
    assert list(answers(model, PROBLEMS, hot)) == first != second


def test_one_token_to_draw_from_is_greedy(model: Any) -> None:
    assert list(answers(model, PROBLEMS, Tokens(1.0, top_k=1))) == list(answers(model, PROBLEMS, GREEDY))
