"""Draws follow their distributions and belong to their context."""

from __future__ import annotations

from itertools import permutations
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from generation.expert_sample.settings import ExpertSampleSettings  # noqa: E402
from generation.routing_study.alternatives import Drawing, contexts_of, route_codes  # noqa: E402
from generation.routing_study.search import neighbours  # noqa: E402

N = 2000
LOGITS = torch.tensor([[2.0, 0.5, 1.0, -1.0, 0.0, 1.5]])
STANDARD = LOGITS.topk(3).indices.sort(1).values


def layer(k: int = 3, n_experts: int = 6) -> Any:
    return SimpleNamespace(k=k, n_experts=n_experts, index=2)


def drawn(scheme: str, **settings: Any) -> Any:
    drawing = Drawing(scheme, n=N, **settings)  # type: ignore[arg-type]
    return drawing.routes(layer(), LOGITS, STANDARD, contexts_of([1, 2], [3]))[0]


def shares(routes: Any) -> dict[tuple[int, ...], float]:
    found, counts = np.unique(routes.numpy(), axis=0, return_counts=True)
    return {tuple(map(int, route)): count / len(routes) for route, count in zip(found, counts, strict=True)}


@pytest.mark.parametrize("tau", [0.7, 2.0])
def test_gumbel_draws_are_draws_without_replacement(tau: float) -> None:
    """Plackett-Luce: the probability of a set is the sum over its orders of the products of renormalised shares."""
    weights = np.exp(LOGITS[0].double().numpy() / tau)
    expected: dict[tuple[int, ...], float] = {}
    for order in permutations(range(6), 3):
        left, probability = weights.sum(), 1.0
        for expert in order:
            probability *= weights[expert] / left
            left -= weights[expert]
        expected[tuple(sorted(order))] = expected.get(tuple(sorted(order)), 0.0) + probability
    found = shares(drawn("gumbel", tau=tau))
    for route, probability in expected.items():
        error = (probability * (1 - probability) / (2 * N + 1)) ** 0.5
        assert found.get(route, 0.0) == pytest.approx(probability, abs=5 * error)


def test_swap_one_exchanges_one_expert_any_with_equal_chance() -> None:
    routes = drawn("swap-one")
    own = set(STANDARD[0].tolist())
    leaving = [own - set(route) for route in routes.tolist()]
    assert {len(one) for one in leaving} == {1}
    for expert in own:
        share = sum(expert in one for one in leaving) / len(leaving)
        assert share == pytest.approx(1 / 3, abs=5 * (2 / 9 / len(leaving)) ** 0.5)


def test_the_tail_is_drawn_below_a_head_that_stays() -> None:
    routes = drawn("tail", k_keep=2)
    assert all({0, 5} <= set(route) for route in routes.tolist())
    others = np.exp(LOGITS[0].double().numpy())[[1, 2, 3, 4]]
    for expert, probability in zip((1, 2, 3, 4), others / others.sum(), strict=True):
        share = float((routes == expert).any(1).float().mean())
        assert share == pytest.approx(probability, abs=5 * (probability * (1 - probability) / len(routes)) ** 0.5)


def test_expert_sample_draws_to_its_last_rank() -> None:
    drawing = Drawing("expert-sample", n=N, k_keep=2, r=4)
    assert drawing.head_and_tail(layer()) == (2, 4)
    assert shares(drawn("expert-sample", k_keep=2, r=4)).keys() == {(0, 2, 5), (0, 1, 5)}
    assert Drawing("expert-sample").head_and_tail(layer(k=8, n_experts=64)) == (5, 32)
    assert (Drawing().k_keep, Drawing().r) == (ExpertSampleSettings().k_keep, ExpertSampleSettings().r)


def test_alternatives_belong_to_what_stands_before_the_token() -> None:
    first, other = contexts_of([1, 2], [3, 4, 5]), contexts_of([1, 2], [3, 6, 5])
    assert list(first[:2]) == list(other[:2])
    assert first[2] != other[2]
    assert len(set(first)) == 3
    logits = LOGITS.expand(3, -1)
    routes = [Drawing(n=4).routes(layer(), logits, STANDARD.expand(3, -1), one) for one in (first, other)]
    assert torch.equal(routes[0][:2], routes[1][:2])
    assert not torch.equal(routes[0][2], routes[1][2])


def test_a_routes_number_is_its_sets() -> None:
    codes = route_codes(torch.tensor([[0, 3, 5], [5, 0, 3], [0, 3, 4]]), 6)
    assert codes[0] == codes[1] != codes[2]


def test_neighbours_are_all_exchanges_of_one() -> None:
    found = {tuple(sorted(route)) for route in neighbours(torch.tensor([[1, 4]]), 5)[0].tolist()}
    assert found == {(0, 4), (2, 4), (3, 4), (0, 1), (1, 2), (1, 3)}
