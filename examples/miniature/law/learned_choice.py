"""What the learned reward model thinks of responses: the weakest step of each text, by the recipe of `make miniature`.

    texts -> prompts, as `generation.reward` makes them -> a forward of those that differ -> P(good) at marks -> weakest

A nearly deterministic model writes the same few texts over and over, and this small model needs no engine to read them.
What it thinks of a step follows from the tokens up to its mark, and texts begin alike more often than not: each
beginning is looked at once, so that texts whose weakest step is the same are tied to the last bit, and no rounding of a
sum chooses between them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from diversity_judge.measures.step_rewards import aggregate
from examples.miniature.run import REWARD_MODEL, REWARD_RECIPES
from generation.rewarding.options import DEFAULT_AGGREGATE
from generation.rewarding.prompts import Prepared, Prompts, load_tokenizer
from generation.rewarding.recipes import load_recipes, recipe_for

if TYPE_CHECKING:
    from torch import Tensor

Rewards = Mapping[str, float]
"""Text to its reward."""
Learned = Callable[[Mapping[str, Collection[str]]], Mapping[str, Rewards]]
"""From the text of each problem, and its responses' texts, to their rewards."""

WITHOUT_A_STEP = 0.0
"""The reward of a text without a step: no other text has so little, as theirs are probabilities of a network."""
_AT_ONCE = 256
"""Texts in a forward."""


def learned_rewards(texts: Mapping[str, Collection[str]]) -> Mapping[str, Rewards]:
    """The shipped reward model's rewards of texts, 0..1: P(good) of the weakest step, in float32.

    Args:
        texts: The problem's own text to those of its responses.

    Raises:
        InputError: the reward model's folder, or its recipe, is not whole.
    """
    prompts = _prompts()
    read = {problem: {text: _prepared(prompts, problem, text) for text in own} for problem, own in texts.items()}
    known = _rewards(prompts, {one for own in read.values() for one in own.values() if one is not None})
    return {
        problem: {text: WITHOUT_A_STEP if one is None else known[one] for text, one in own.items()}
        for problem, own in read.items()
    }


def _prompts() -> Prompts:
    from examples.miniature.reward_model_files import TOKENIZER

    recipe = recipe_for(str(REWARD_MODEL), None, load_recipes(REWARD_RECIPES))
    return Prompts(recipe, load_tokenizer(str(REWARD_MODEL / TOKENIZER), local_files_only=True))


def _prepared(prompts: Prompts, problem: str, text: str) -> Prepared | None:
    """A response as the model reads it; None where there is no step to read."""
    found = prompts.prepare(problem, text, prompts.recipe.context)
    return None if isinstance(found, str) else found


def _rewards(prompts: Prompts, prepared: Collection[Prepared]) -> Mapping[Prepared, float]:
    import torch

    from examples.miniature.reward_model_files import load_reward_model

    model = load_reward_model(REWARD_MODEL)
    known: dict[tuple[int, ...], float] = {}
    found = {}
    for some in _batches(prepared):
        with torch.inference_mode():
            probabilities = model(_padded(some)).softmax(-1).tolist()
        for one, at_tokens in zip(some, probabilities, strict=True):
            steps = [known.setdefault(*step) for step in _steps(prompts, one, at_tokens)]
            found[one] = aggregate(steps, DEFAULT_AGGREGATE)
    return found


def _steps(
    prompts: Prompts, one: Prepared, at_tokens: Sequence[Sequence[float]]
) -> Iterator[tuple[tuple[int, ...], float]]:
    """Each step's tokens with all before it, and P(good) at its mark."""
    marks = [place for place, token in enumerate(one.token_ids) if token == prompts.mark_id]
    scores = prompts.scores(one, tuple(tuple(at_tokens[place]) for place in marks))
    for place, score in zip(marks, scores, strict=True):
        yield one.token_ids[: place + 1], score


def _batches(prepared: Collection[Prepared]) -> Iterator[Sequence[Prepared]]:
    """Those of a length together, always in the same order."""
    ordered = sorted(prepared, key=lambda one: (len(one.token_ids), one.token_ids))
    for start in range(0, len(ordered), _AT_ONCE):
        yield ordered[start : start + _AT_ONCE]


def _padded(some: Sequence[Prepared]) -> Tensor:
    """(texts, longest) token ids; what stands behind a text changes nothing in a causal model."""
    import torch

    return torch.nn.utils.rnn.pad_sequence([torch.tensor(one.token_ids) for one in some], batch_first=True)
