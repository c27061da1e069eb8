"""Probabilities and gradients of each objective, against autograd through the whole model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers", minversion="5")

from generation.moe_models.forcing import STANDARD, forced_routes, recorded  # noqa: E402
from generation.moe_models.layers import moe_layers  # noqa: E402
from generation.moe_models.loading import LoadedModel  # noqa: E402
from generation.router_training import forward as forwards  # noqa: E402
from generation.router_training.forward import Tail, Whole  # noqa: E402
from generation.router_training.objectives import drawn_routes, drawn_routes_loss, nll  # noqa: E402
from generation.router_training.options import Objective  # noqa: E402
from tests.generation.moe_models.tiny import ARCHITECTURES, tiny  # noqa: E402
from tests.generation.router_training.cases import lines, plain_logprobs  # noqa: E402
from tests.generation.router_training.test_set_probability import by_orders  # noqa: E402

LINES = lines()
TARGETS = torch.tensor([token for line in LINES for token in line.token_ids])
BATCH = range(len(LINES))


def loaded(name: str) -> LoadedModel:
    model = tiny(name)
    return LoadedModel(name, model, None, moe_layers(model), "", "")


def other_values(layer: Any) -> dict[str, Any]:
    """A router that is another one, with gradients."""
    generator = torch.Generator().manual_seed(5)
    return {
        name: (value + 0.05 * torch.randn(value.shape, generator=generator)).requires_grad_(True)
        for name, value in layer.router_parameters().items()
    }


def put_into(model: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        parameter = model.get_parameter(name)
        parameter.requires_grad_(False).copy_(value.detach())
        parameter.requires_grad_(True)


def by_the_model(model: Any) -> Any:
    return torch.cat([plain_logprobs(model, line.prompt_ids, line.token_ids) for line in LINES])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_likelihood_and_gradient_are_the_whole_models(name: str) -> None:
    model = loaded(name)
    for layer in model.layers:
        ways = [Whole(model, LINES)] + ([Tail(model, layer, LINES, at_once=2)] if layer is model.layers[-1] else [])
        values = other_values(layer)
        found = [(way.logprobs(BATCH, values, TARGETS), nll(way, BATCH, values, TARGETS)) for way in ways]
        gradients = [torch.autograd.grad(loss, list(values.values())) for _, loss in found]
        put_into(model.model, values)
        expected = by_the_model(model.model)
        right = torch.autograd.grad(-expected.mean(), [model.model.get_parameter(name) for name in values])
        for (logprobs, _), gradient in zip(found, gradients, strict=True):
            assert torch.allclose(logprobs, expected, atol=2e-5)
            for one, other in zip(gradient, right, strict=True):
                assert torch.allclose(one, other, atol=2e-6, rtol=1e-3)
        model.model.requires_grad_(False)


@pytest.mark.parametrize("objective", [Objective.BEST_ROUTE, Objective.ADVANTAGE])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_losses_of_drawn_routes_and_their_gradients(name: str, objective: Objective) -> None:
    """Utilities by a forward of the whole model with each route forced, probabilities order by order."""
    model = loaded(name)
    layer, tau, n_routes = model.layers[-1], 1.5, 4
    tail = Tail(model, layer, LINES)
    values = other_values(layer)
    routes = drawn_routes(tail.logits(BATCH, values), n_routes, layer.k, tau, torch.Generator().manual_seed(0))
    loss = drawn_routes_loss(objective, tail, BATCH, values, TARGETS, routes=routes, tau=tau)
    gradients = torch.autograd.grad(loss, list(values.values()))

    put_into(model.model, values)
    terms = []
    starts = [sum(len(line.token_ids) for line in LINES[:number]) for number in range(len(LINES))]
    for line, start in zip(LINES, starts, strict=True):
        own = routes[start : start + len(line.token_ids)]
        with recorded(layer) as record:
            plain_logprobs(model.model, line.prompt_ids, line.token_ids)
        utilities = torch.stack([_forced(model.model, layer, line, own[:, m]) for m in range(n_routes)], 1)
        logits = record.logits[len(line.prompt_ids) - 1 : -1]
        sets = [[by_orders(g / tau, route) for route in some] for g, some in zip(logits, own.tolist(), strict=True)]
        for u, logs in zip(utilities, sets, strict=True):
            if objective is Objective.BEST_ROUTE:
                terms.append(-logs[int(u.argmax())])
            else:
                terms.append(-((u - u.mean()) * torch.stack(logs)).mean())
    expected = torch.stack(terms).mean()
    right = torch.autograd.grad(expected, [model.model.get_parameter(name) for name in values])
    assert float(loss) == pytest.approx(float(expected), rel=1e-4, abs=1e-5)
    for one, other in zip(gradients, right, strict=True):
        assert torch.allclose(one, other, atol=2e-5, rtol=2e-3)


def _forced(model: Any, layer: Any, line: Any, routes: Any) -> Any:
    whole = torch.full((len(line.prompt_ids) + len(line.token_ids), layer.k), STANDARD)
    whole[len(line.prompt_ids) - 1 : -1] = routes
    with torch.no_grad(), forced_routes(layer, whole):
        return plain_logprobs(model, line.prompt_ids, line.token_ids)


def test_a_final_norm_of_another_weight() -> None:
    model = loaded("qwen3_moe")
    weight = (model.model.model.norm.weight * 1.3).requires_grad_(True)
    values = {"model.norm.weight": weight}
    found = {
        way: way.logprobs(BATCH, values, TARGETS) for way in (Whole(model, LINES), Tail(model, model.layers[-1], LINES))
    }
    put_into(model.model, values)
    expected = by_the_model(model.model)
    (right,) = torch.autograd.grad(expected.sum(), [model.model.model.norm.weight])
    for logprobs in found.values():
        assert torch.allclose(logprobs, expected, atol=2e-5)
        assert torch.allclose(torch.autograd.grad(logprobs.sum(), weight)[0], right, atol=1e-4, rtol=1e-3)


def test_states_in_a_file_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model = loaded("olmoe")
    inside = Tail(model, model.layers[-1], LINES).logprobs([3, 1], {}, TARGETS[:0].new_zeros(_length(3) + _length(1)))
    monkeypatch.setattr(forwards, "MOST_IN_MEMORY", 0)
    outside = Tail(model, model.layers[-1], LINES).logprobs([3, 1], {}, TARGETS[:0].new_zeros(_length(3) + _length(1)))
    assert torch.equal(inside, outside)


def _length(number: int) -> int:
    return len(LINES[number].token_ids)


def test_routes_are_drawn_in_proportion(tmp_path: Path) -> None:
    """The share of each pair of four experts among 20,000 draws is within five standard errors of its probability."""
    logits = torch.tensor([[1.0, 0.0, -0.5, 0.3]])
    n = 20_000
    routes = drawn_routes(logits, n, 2, 1.0, torch.Generator().manual_seed(3))[0].sort(dim=1).values
    for pair in ([0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]):
        p = float(by_orders(logits[0], pair).exp())
        share = float((routes == torch.tensor(pair)).all(dim=1).float().mean())
        assert abs(share - p) < 5 * (p * (1 - p) / n) ** 0.5
