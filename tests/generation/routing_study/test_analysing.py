"""The analysis against a whole forward in which one token's block is computed by hand (see `moe_models.tiny`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers", minversion="5")

from diversity_judge.errors import InputError  # noqa: E402
from generation.moe_models.layers import moe_layers  # noqa: E402
from generation.moe_models.loading import LoadedModel  # noqa: E402
from generation.routing_study.analysing import Analysis  # noqa: E402
from generation.routing_study.options import CounterfactualOptions  # noqa: E402
from generation.routing_study.schemes import SCHEMES  # noqa: E402
from generation.routing_study.token_rows import RoutedTokens  # noqa: E402
from generation.routing_study.trajectories import Trajectory, TrajectoryOptions  # noqa: E402
from tests.generation.moe_models.tiny import (  # noqa: E402
    ARCHITECTURES,
    logprobs_with_route_by_hand,
    prompt_ids,
    tiny,
)

IDS = prompt_ids(9)
ITEM = Trajectory("p", "s", 0, True, tuple(IDS[0, :4].tolist()), tuple(IDS[0, 4:].tolist()))
M = 3
MODELS: dict[str, Any] = {}


def loaded(name: str) -> LoadedModel:
    if name not in MODELS:
        model = tiny(name)
        MODELS[name] = LoadedModel(name, model, None, moe_layers(model), "", "")
    found: LoadedModel = MODELS[name]
    return found


def routed(name: str, **options: Any) -> list[RoutedTokens]:
    chosen = {"alternatives": M, "k_keep": 1, "r": "k+2", **options}
    settings = CounterfactualOptions(model=name, trajectories=TrajectoryOptions(Path("-")), **chosen)
    return list(Analysis(loaded(name), settings).response(ITEM))


def by_hand(name: str, layer: int, token: int, route: list[int]) -> Any:
    """Log-probabilities of what follows, for the token of the response that is predicted."""
    position = len(ITEM.prompt_ids) - 1 + token
    return logprobs_with_route_by_hand(name, loaded(name).model, IDS, layer, position, route)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_layer_is_the_forward_with_the_block_computed_by_hand(name: str) -> None:
    pieces = routed(name, layer="each")
    assert [piece.layer for piece in pieces] == [layer.index for layer in loaded(name).layers]
    for piece in pieces:
        assert piece.logprobs.shape == (ITEM.n_tokens, 2 * M + 2)
        for token in range(ITEM.n_tokens):
            for route, found in zip(piece.routes[token], piece.logprobs[token], strict=True):
                expected = by_hand(name, piece.layer, token, route.tolist())[ITEM.token_ids[token]]
                assert found == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_at_the_last_layer(name: str, scheme: str) -> None:
    (piece,) = routed(name, scheme=scheme)
    layer = loaded(name).layers[-1]
    for token in (0, ITEM.n_tokens - 1):
        routes = [*piece.routes[token], *([] if piece.best is None else [piece.best[0][token]])]
        values = [*piece.logprobs[token], *([] if piece.best is None else [piece.best[1][token]])]
        for route, found in zip(routes, values, strict=True):
            assert len(set(route.tolist())) == layer.k
            expected = by_hand(name, layer.index, token, route.tolist())[ITEM.token_ids[token]]
            assert found == pytest.approx(float(expected), abs=1e-5)


def test_the_standard_route_is_the_models_own_probability() -> None:
    (piece,) = routed("olmoe")
    logprobs = loaded("olmoe").model(IDS).logits[0].log_softmax(-1)
    expected = [logprobs[3 + token, ITEM.token_ids[token]].item() for token in range(ITEM.n_tokens)]
    assert piece.logprobs[:, 0] == pytest.approx(np.array(expected), abs=1e-5)
    entropy = torch.distributions.Categorical(logits=logprobs[3:8]).entropy()
    assert piece.entropy == pytest.approx(entropy.numpy(), abs=1e-5)


def test_router_mass_is_the_probability_of_a_routes_experts() -> None:
    (piece,) = routed("gpt_oss")
    model, layer = loaded("gpt_oss").model, loaded("gpt_oss").layers[-1]
    seen = []
    hook = layer.router.register_forward_hook(lambda module, arguments, output: seen.append(output[0]))
    model(IDS)
    hook.remove()
    probabilities = seen[0][3:8].softmax(-1).numpy()
    expected = np.take_along_axis(probabilities[:, None], piece.routes, axis=2).sum(2)
    assert piece.masses == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("layer", ["last", 0])
@pytest.mark.parametrize("scheme", ["gumbel", "tail", "swap-one", "expert-sample"])
def test_routes_do_not_depend_on_the_batch_and_utilities_only_in_rounding(scheme: str, layer: str | int) -> None:
    (whole,) = routed("qwen3_moe", scheme=scheme, layer=layer, batch_size=100)
    pieces = routed("qwen3_moe", scheme=scheme, layer=layer, batch_size=2)
    assert [len(piece.routes) for piece in pieces] == [2, 2, 1]
    assert [piece.first for piece in pieces] == [0, 2, 4]
    assert np.array_equal(np.concatenate([piece.routes for piece in pieces]), whole.routes)
    assert np.concatenate([piece.logprobs for piece in pieces]) == pytest.approx(whole.logprobs, abs=1e-5)


def test_the_same_again_is_the_same_to_the_bit_and_another_seed_is_not() -> None:
    (first,), (again,), (other,) = (routed("qwen3_moe", seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first.logprobs, again.logprobs)
    assert np.array_equal(first.routes, again.routes)
    assert not np.array_equal(first.routes, other.routes)


def test_the_search_ends_where_no_exchange_helps() -> None:
    (piece,) = routed("deepseek_v2", scheme="optimum")
    assert piece.best is not None
    layer = loaded("deepseek_v2").layers[-1]
    for token in range(2):
        route, value = piece.best[0][token].tolist(), piece.best[1][token]
        assert value >= piece.logprobs[token, : M + 1].max()
        outside = set(range(layer.n_experts)) - set(route)
        for leaving in route:
            for incoming in outside:
                other = [incoming if expert == leaving else expert for expert in route]
                neighbour = by_hand("deepseek_v2", layer.index, token, other)[ITEM.token_ids[token]]
                assert float(neighbour) <= value + 1e-5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "7"}, "layer 7 of qwen3_moe has no experts"),
        ({"scheme": "tail", "k_keep": "k+1"}, "k_keep is 'k\\+1' = 4; with k=3 it must be from 0 to 3"),
        ({"layer": "first"}, "must be last, each, or the number of a layer"),
        ({"scheme": "optimum", "layer": "each"}, "searches at the last layer only"),
        ({"alternatives": 1}, "at least 2"),
        ({"tau": 0.0}, "tau is 0.0"),
        ({"scheme": "best"}, "there are gumbel, tail"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        routed("qwen3_moe", **options)
