"""A model's two numbers, against brute force on a tiny model."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from examples.miniature.law.model_numbers import watch  # noqa: E402
from examples.miniature.law.models import SHIPPED  # noqa: E402
from examples.miniature.law.plan import Cell  # noqa: E402
from generation.expert_sample.settings import ExpertSampleSettings  # noqa: E402
from generation.moe_models.loading import LoadedModel, load_model  # noqa: E402
from generation.routing_study.trajectories import Trajectory  # noqa: E402

Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load_model(SHIPPED["miniature"], dtype="float32")


def trajectory(loaded: LoadedModel, problem_id: str, problem: str, solution: str) -> Trajectory:
    def ids(text: str) -> tuple[int, ...]:
        return tuple(loaded.tokenizer(text, add_special_tokens=False)["input_ids"])

    return Trajectory(problem_id, "s", 0, True, ids(f"<bos> {problem} :"), ids(solution))


@pytest.fixture(scope="module")
def responses(model: LoadedModel) -> Sequence[Trajectory]:
    """Two problems, one of them twice, of different lengths."""
    one, other = "12 2 11 6 target 52", "3 4 5 target 60"
    return [
        trajectory(model, "a", one, "6 * 11 = 66 left 12 2 66 ; 2 + 12 = 14 left 66 14 ; 66 - 14 = 52 <eos>"),
        trajectory(model, "a", one, "12 + 2 = 14 left 11 6 14"),
        trajectory(model, "b", other, "3 * 4 = 12 left 5 12 ; 5 * 12 = 60 <eos>"),
    ]


def alone(loaded: LoadedModel, response: Trajectory) -> tuple[Floats, list[Floats]]:
    """Logits (tokens, V) and router logits of each layer (tokens, E) of one response without padding."""
    ids = torch.tensor([[*response.prompt_ids, *response.token_ids]])
    with torch.inference_mode():
        output = loaded.model(input_ids=ids, use_cache=False)
        states: list[Floats] = []
        hooks = [
            layer.router.register_forward_hook(lambda _, given, __, into=states: into.append(given[0].numpy()))
            for layer in loaded.layers
        ]
        loaded.model(input_ids=ids)
        for hook in hooks:
            hook.remove()
    start = len(response.prompt_ids) - 1
    routers = [
        (state.reshape(ids.shape[1], -1) @ layer.router.weight.numpy().T)[start:-1]
        for state, layer in zip(states, loaded.layers, strict=True)
    ]
    return output.logits[0, start:-1].numpy(), routers


def entropy_by_hand(logits: Sequence[float], temperature: float) -> float:
    """Entropy in nats after temperature, top-k 20 and top-p 0.8, token by token."""
    scaled = sorted((value / temperature for value in logits), reverse=True)[:20]
    weights = [math.exp(value - scaled[0]) for value in scaled]
    kept, mass = [], 0.0
    for weight in weights:
        if mass >= 0.8 * sum(weights):
            break
        kept.append(weight)
        mass += weight
    return -sum(weight / mass * math.log(weight / mass) for weight in kept)


def over_problems(values: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Mean and standard error over two problems, of which the first has two responses."""
    means = [np.mean([*values[0], *values[1]]), np.mean(values[2])]
    return float(np.mean(means)), float(abs(means[0] - means[1]) / 2)


@pytest.mark.parametrize("temperature", [0.3, 0.7, 2.0])
def test_entropy_is_that_of_each_token_by_hand(
    model: LoadedModel, responses: Sequence[Trajectory], temperature: float
) -> None:
    by_hand = [
        [entropy_by_hand(row, temperature) for row in alone(model, response)[0].tolist()] for response in responses
    ]
    found = watch(model, responses).entropy(Cell(temperature))
    assert found == pytest.approx(over_problems(by_hand), rel=1e-3, abs=1e-6)


def test_new_share_of_a_tail_without_a_choice_is_exact(model: LoadedModel, responses: Sequence[Trajectory]) -> None:
    # A draw of the best 8 of 9 by logits whose differences are stretched without end (tau near 0) takes the top 8.
    nothing = watch(model, responses).new_share(ExpertSampleSettings(k_keep=0, r=9, tau=1e-6))
    assert nothing == pytest.approx((0, 0), abs=1e-12)


def test_new_share_is_the_mean_over_many_draws(model: LoadedModel, responses: Sequence[Trajectory]) -> None:
    """One expert drawn of ranks 8 to 10 in proportion to exp(logit): the expectation is a sum of two terms."""
    by_hand = []
    for response in responses:
        of_layers = []
        for logits in alone(model, response)[1]:
            ranked = np.exp(-np.sort(-logits, axis=1) + logits.max(1, keepdims=True) * -1)
            head, pool = ranked[:, :7].sum(1), ranked[:, 7:10]
            chances = pool / pool.sum(1, keepdims=True)
            of_layers.append((chances * pool / (head[:, None] + pool))[:, 1:].sum(1))
        by_hand.append(np.mean(of_layers, axis=0).tolist())
    many = [response for response in responses for _ in range(200)]
    value, _ = watch(model, many).new_share(ExpertSampleSettings(k_keep=7, r=10))
    assert value == pytest.approx(over_problems(by_hand)[0], rel=0.02)


def test_the_order_of_responses_does_not_mix_problems(model: LoadedModel, responses: Sequence[Trajectory]) -> None:
    turned = watch(model, [responses[0], responses[2], responses[1]]).entropy(Cell(1.0))
    assert turned == pytest.approx(watch(model, responses).entropy(Cell(1.0)), rel=1e-6)
