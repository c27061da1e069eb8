"""Plackett and Luce's probability of a set, against sums over all orders."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from generation.router_training import set_probability  # noqa: E402
from generation.router_training.set_probability import log_set_probability  # noqa: E402
from tests.generation.expert_sample.plackett_luce import set_probabilities  # noqa: E402


def by_orders(logits: Any, chosen: list[int]) -> Any:
    """Log-probability of a set, order by order; differentiable."""
    orders = []
    for order in itertools.permutations(chosen):
        left, total = list(range(len(logits))), 0
        for item in order:
            total = total + logits[item] - logits[left].logsumexp(0)
            left.remove(item)
        orders.append(total)
    return torch.stack(orders).logsumexp(0)


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0, 8.0])
def test_all_sets_have_their_probabilities(scale: float) -> None:
    logits = torch.randn(1, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * scale
    expected = set_probabilities(np.exp(logits[0].numpy()), 3)
    found = log_set_probability(logits, torch.tensor([list(expected)]))
    assert found[0].numpy() == pytest.approx(np.log(list(expected.values())), abs=1e-10)
    assert float(found.exp().sum()) == pytest.approx(1, abs=1e-12)


def test_temperature_divides_the_logits() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.5, -1.0]], dtype=torch.float64)
    sets = torch.tensor([[[0, 2], [1, 3]]])
    assert torch.allclose(log_set_probability(logits, sets, 2.0), log_set_probability(logits / 2, sets))


def test_the_gradient_is_that_of_the_sum_over_orders() -> None:
    logits = torch.randn(2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 2
    logits.requires_grad_(True)
    sets = torch.tensor([[[0, 1, 2], [3, 5, 1]], [[5, 4, 2], [0, 3, 4]]])
    expected = torch.stack(
        [torch.stack([by_orders(g, s) for s in some]) for g, some in zip(logits, sets.tolist(), strict=True)]
    )
    found = log_set_probability(logits, sets)
    weigh = torch.tensor([[0.3, -1.0], [2.0, 0.7]])
    (right,) = torch.autograd.grad((weigh * expected).sum(), logits)
    (gradient,) = torch.autograd.grad((weigh * found).sum(), logits)
    assert torch.allclose(found, expected, atol=1e-10)
    assert torch.allclose(gradient, right, atol=1e-9)


def test_float32_is_exact_enough_and_extreme_logits_give_no_nan() -> None:
    logits = torch.tensor([[60.0, 30.0, 0.0, -80.0, -90.0]], requires_grad=True)
    sets = torch.tensor([[[0, 1], [3, 4], [0, 4]]])
    found = log_set_probability(logits, sets)
    (gradient,) = torch.autograd.grad(found.sum(), logits)
    expected = [float(by_orders(logits[0].double(), chosen)) for chosen in sets[0].tolist()]
    assert found[0].tolist() == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert torch.isfinite(gradient).all()


def test_pieces_of_tokens_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.randn(9, 5, generator=torch.Generator().manual_seed(2))
    sets = torch.tensor([[[0, 1], [2, 4]]]).expand(9, -1, -1)
    whole = log_set_probability(logits, sets)
    monkeypatch.setattr(set_probability, "_MOST_VALUES", 500)
    assert torch.equal(log_set_probability(logits, sets), whole)
