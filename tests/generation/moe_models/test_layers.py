"""The adapter against the models themselves and against blocks computed by hand."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers", minversion="5")

from diversity_judge.errors import InputError  # noqa: E402
from generation.moe_models.forcing import STANDARD, forced_routes, recorded  # noqa: E402
from generation.moe_models.layers import moe_layers  # noqa: E402
from generation.moe_models.readout import Readout  # noqa: E402
from tests.generation.moe_models.tiny import (  # noqa: E402
    ARCHITECTURES,
    N_LAYERS,
    block_by_hand,
    logprobs_with_route_by_hand,
    prompt_ids,
    tiny,
)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> tuple[str, Any]:
    return request.param, tiny(request.param)


def random_routes(layer: Any, n_tokens: int) -> Any:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(n_tokens, layer.n_experts, generator=generator).argsort(1)[:, : layer.k]


def test_dense_layers_are_passed_over(architecture: tuple[str, Any]) -> None:
    name, model = architecture
    first = 1 if name == "deepseek_v2" else 0
    assert [layer.index for layer in moe_layers(model)] == list(range(first, N_LAYERS))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_standard_route_forced_changes_nothing_to_the_bit(name: str, dtype: str) -> None:
    model = tiny(name, dtype=getattr(torch, dtype))
    ids = prompt_ids()
    plain = model(ids).logits
    for layer in moe_layers(model):
        with recorded(layer) as record:
            assert torch.equal(model(ids).logits, plain)
        with forced_routes(layer, record.routes):
            assert torch.equal(model(ids).logits, plain)
        with forced_routes(layer, torch.full_like(record.routes, STANDARD)):
            assert torch.equal(model(ids).logits, plain)
    assert torch.equal(model(ids).logits, plain)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_standard_routes_weights_are_the_routers_own_to_the_bit(name: str, dtype: str) -> None:
    model = tiny(name, dtype=getattr(torch, dtype))
    for layer in moe_layers(model):
        with recorded(layer) as record:
            model(prompt_ids())
        assert torch.equal(layer.weights(record.logits, record.routes), record.weights)
        assert torch.equal(layer.weights(record.logits, record.routes[:, None])[:, 0], record.weights)
        weights, routes = layer.standard_route(record.hidden)
        assert torch.equal(weights, record.weights)
        assert torch.equal(routes, record.routes)


def test_any_route_is_the_block_computed_by_hand(architecture: tuple[str, Any]) -> None:
    name, model = architecture
    for layer in moe_layers(model):
        with recorded(layer) as record:
            model(prompt_ids())
        routes = random_routes(layer, len(record.hidden))
        weights = layer.weights(record.logits, routes)
        outputs = layer.expert_outputs(record.hidden)
        chosen = outputs.gather(1, routes[..., None].expand(-1, -1, outputs.shape[-1]))
        total = (weights[..., None] * chosen).sum(1)
        shared = layer.shared_output(record.hidden)
        total = total if shared is None else total + shared
        for token, route in enumerate(routes.tolist()):
            expected = block_by_hand(name, layer.block, record.hidden[token], route)
            torch.testing.assert_close(total[token], expected, atol=1e-5, rtol=1e-5)


def test_a_forced_route_is_the_forward_with_the_block_computed_by_hand(architecture: tuple[str, Any]) -> None:
    name, model = architecture
    ids, position = prompt_ids(), 6
    for layer in moe_layers(model):
        routes = torch.full((ids.shape[1], layer.k), STANDARD)
        routes[position] = random_routes(layer, 1)[0]
        with forced_routes(layer, routes):
            forced = model(ids).logits[0, position].log_softmax(-1)
        expected = logprobs_with_route_by_hand(name, model, ids, layer.index, position, routes[position].tolist())
        torch.testing.assert_close(forced, expected, atol=1e-5, rtol=0)
        assert (forced - model(ids).logits[0, position].log_softmax(-1)).abs().max() > 1e-3


def test_given_weights_are_taken_as_they_are(architecture: tuple[str, Any]) -> None:
    _, model = architecture
    layer, ids = moe_layers(model)[-1], prompt_ids()
    routes = random_routes(layer, ids.shape[1])
    weights = torch.zeros(routes.shape)
    with forced_routes(layer, routes, weights), recorded(layer) as record:
        after = model.model(ids, output_hidden_states=False)
    shared = layer.shared_output(record.hidden)
    expected = record.before if shared is None else record.before + shared
    torch.testing.assert_close(after.last_hidden_state[0], model.model.norm(expected))


def test_routes_may_be_chosen_from_logits(architecture: tuple[str, Any]) -> None:
    _, model = architecture
    layer, ids = moe_layers(model)[-1], prompt_ids()
    worst = forced_routes(layer, lambda logits, own: logits.topk(layer.k, largest=False).indices)
    with worst, recorded(layer) as record:
        model(ids)
    assert torch.equal(record.routes, record.logits.topk(layer.k, largest=False).indices)


def test_routes_of_another_number_of_tokens_are_refused(architecture: tuple[str, Any]) -> None:
    _, model = architecture
    layer = moe_layers(model)[0]
    with pytest.raises(ValueError, match="are forced on"), forced_routes(layer, random_routes(layer, 4)):
        model(prompt_ids(5))


def test_the_readout_is_the_models_own_head(architecture: tuple[str, Any]) -> None:
    _, model = architecture
    ids = prompt_ids()
    states = []
    hook = model.model.norm.register_forward_pre_hook(lambda module, arguments: states.append(arguments[0]))
    logprobs = model(ids).logits[0].log_softmax(-1)
    hook.remove()
    readout, wanted = Readout(model), ids[0].roll(-1)
    torch.testing.assert_close(readout.logprobs(states[0][0], wanted), logprobs.gather(1, wanted[:, None])[:, 0])
    torch.testing.assert_close(
        readout.logprobs(states[0][0][:, None].expand(-1, 3, -1), wanted),
        logprobs.gather(1, wanted[:, None]).expand(-1, 3),
    )
    torch.testing.assert_close(
        readout.entropy(states[0][0]), torch.distributions.Categorical(logits=logprobs).entropy()
    )


def test_weights_pass_gradients_to_the_router(architecture: tuple[str, Any]) -> None:
    _, model = architecture
    layer = moe_layers(model)[-1]
    with recorded(layer) as record:
        model(prompt_ids())
    hidden, parameters = record.hidden, layer.router_parameters()
    assert set(parameters) <= {name for name, _ in model.named_parameters()}
    for parameter in parameters.values():
        parameter.requires_grad_(True)
    layer.weights(layer.logits(hidden), record.routes)[:, 0].sum().backward()
    gradients = [parameter.grad for parameter in parameters.values()]
    for parameter in parameters.values():
        parameter.requires_grad_(False).grad = None
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)


def test_a_dense_model_is_refused() -> None:
    with pytest.raises(InputError, match="dense model"):
        moe_layers(tiny("dense"))


def test_a_router_that_is_not_known_is_refused() -> None:
    with pytest.raises(InputError, match="MixtralTopKRouter is not known"):
        moe_layers(tiny("mixtral"))


def test_routers_that_choose_within_groups_are_refused() -> None:
    grouped = {"topk_method": "group_limited_greedy", "n_group": 4, "topk_group": 2}
    with pytest.raises(InputError, match="within 2 of 4 groups"):
        moe_layers(tiny("deepseek_v2", **grouped))
