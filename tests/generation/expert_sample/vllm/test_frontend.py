"""What the front end makes of a request: settings, seed, samples, and reasons to turn it away."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("vllm")

from vllm import SamplingParams
from vllm.exceptions import VLLMClientError
from vllm.v1.engine.parallel_sampling import ParentRequest

from generation.expert_sample.vllm import frontend, server_default
from generation.expert_sample.vllm.frontend import Admission, RefusedRequestError
from generation.expert_sample.vllm.routing_request import WIRE, RoutingRequest
from generation.expert_sample.vllm.support import ModelSupport

MODEL = ModelSupport(k=8, n_experts=128, reason=None)


def _admission(default: dict[str, Any] | None = None, support: ModelSupport = MODEL) -> Admission:
    admission = Admission({} if default is None else {"expert_sample": default})
    admission.support = support
    return admission


def _params(**options: Any) -> SamplingParams:
    extra_args = {name: value for name, value in options.items() if name.startswith(("expert_sample", "other", "_"))}
    rest = {name: value for name, value in options.items() if name not in extra_args}
    return SamplingParams(extra_args=extra_args or None, **rest)


def _admitted(admission: Admission, params: SamplingParams) -> RoutingRequest:
    settings = admission.settings(params)
    assert settings is not None
    routing = RoutingRequest.find(admission.admit(params, settings).extra_args)
    assert routing is not None
    return routing


@pytest.mark.parametrize("params", [_params(), _params(other=1)])
def test_requests_that_do_not_ask_are_not_looked_at(params: SamplingParams) -> None:
    assert not _admission().concerns(params)
    assert not _admission({"enabled": False}).concerns(params)


@pytest.mark.parametrize(
    "asked", [{"expert_sample_k_keep": "k"}, {"expert_sample_r": "k"}, {"expert_sample_fragile_from": 1}]
)
def test_settings_that_leave_no_choice_are_off(asked: dict[str, Any]) -> None:
    params, admission = _params(expert_sample=1, **asked), _admission()
    settings = admission.settings(params)
    assert settings is not None
    assert admission.admit(params, settings) is params


@pytest.mark.parametrize("default", [None, {}])
def test_settings_that_come_to_no_choice_are_the_clients_error(default: dict[str, Any] | None) -> None:
    mixtral = _admission(default, ModelSupport(k=2, n_experts=8, reason=None))
    with pytest.raises(RefusedRequestError, match=r"k_keep is 'k//2\+1' = 2; .* give k_keep from 0 to 1") as caught:
        _admitted(mixtral, _params(expert_sample=1))
    assert isinstance(caught.value, VLLMClientError)  # what servers answer with HTTP 400
    assert _admitted(mixtral, _params(expert_sample=1, expert_sample_k_keep=1)).k_keep == 1


def test_a_request_gets_the_papers_settings_for_this_model() -> None:
    routing = _admitted(_admission(), _params(expert_sample=1, expert_sample_seed=7))
    assert routing == RoutingRequest(seed=7, sample_index=0, k_keep=5, r=32, tau=1.0, scope="generation")


def test_the_requests_own_seed_is_the_second_choice() -> None:
    assert _admitted(_admission(), _params(expert_sample=1, seed=3)).seed == 3
    assert _admitted(_admission(), _params(expert_sample=1, seed=3, expert_sample_seed=4)).seed == 4


def test_an_unseeded_request_gets_a_fresh_seed() -> None:
    seeds = {_admitted(_admission(), _params(expert_sample=1)).seed for _ in range(8)}
    assert len(seeds) == 8
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_callers_parameters_stay_as_they_were() -> None:
    params = _params(expert_sample=1, other=1)
    _admitted(_admission(), params)
    assert params.extra_args == {"expert_sample": 1, "other": 1}


def test_a_server_wide_default_holds_where_the_request_says_nothing() -> None:
    admission = _admission({"tau": 2.0, "seed": 5})
    assert admission.concerns(_params())
    assert _admitted(admission, _params()) == RoutingRequest(5, 0, k_keep=5, r=32, tau=2.0, scope="generation")
    assert _admitted(admission, _params(expert_sample_tau=3.0)).tau == 3.0
    assert admission.settings(_params(expert_sample=0)) is None


def test_the_threshold_of_fragile_tokens_is_the_servers_or_the_requests() -> None:
    admission = _admission({"fragile_from": 0.4})
    assert _admitted(admission, _params()).fragile_from == 0.4
    assert _admitted(admission, _params(expert_sample_fragile_from="0.3")).fragile_from == 0.3
    assert _admitted(admission, _params(expert_sample_fragile_from=0)).fragile_from == 0.0
    assert _admitted(_admission(), _params(expert_sample=1)).fragile_from == 0.0


@pytest.mark.parametrize(
    "config", [{"expert_sample": {"taus": 2}}, {"expert_sample": 1}, {"expert_sample": {"tau": 0}}]
)
def test_a_wrong_server_wide_default_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expert_sample|tau"):
        server_default.read(config)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"expert_sample_k_keep": 9}, "it must be from 0 to 8"),
        ({"expert_sample_r": 4}, "it must be at least 8"),
        ({"expert_sample_tau": 0}, "tau is 0"),
        ({"expert_sample_scope": "prompt"}, "generation, all"),
        ({"expert_sample_fragile_from": 1.5}, "fragile_from is 1.5; it must be a number from 0 to 1"),
        ({"expert_sample_fragile_from": 0.95}, r"leave at most 0\.9375 untaken"),
        ({"expert_sample_seed": 1.5}, "whole number"),
        ({"expert_sample_kkeep": 1}, "not a setting"),
        ({WIRE: [1, 0, 0, 8, 1.0, "all"]}, "can't be set"),
    ],
)
def test_bad_settings_are_the_clients_error_and_name_the_range(options: dict[str, Any], message: str) -> None:
    params = _params(expert_sample=1, **options)
    with pytest.raises(RefusedRequestError, match=message) as caught:
        _admitted(_admission(), params)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, VLLMClientError)  # what servers answer with HTTP 400


def test_a_model_that_cant_be_right_is_the_clients_error_with_the_reason() -> None:
    admission = _admission(support=ModelSupport(0, 0, "this model has no mixture-of-experts layer"))
    with pytest.raises(RefusedRequestError, match="no mixture-of-experts layer"):
        _admitted(admission, _params(expert_sample=1))


@pytest.mark.parametrize("seed", [None, 11])
def test_samples_of_one_request_are_numbered(seed: int | None) -> None:
    frontend.install()
    params = SamplingParams(n=3, seed=seed, temperature=1.0)
    params.extra_args = RoutingRequest(1, 0, 5, 32, 1.0, "generation").put({"other": 1})
    parent = ParentRequest(SimpleNamespace(request_id="r", external_req_id="r", params=params))
    children = [parent.get_child_info(number)[1] for number in range(3)]
    found = [RoutingRequest.find(child.extra_args) for child in children]
    assert [routing.sample_index for routing in found if routing] == [0, 1, 2]
    assert {routing.seed for routing in found if routing} == {1}
    assert [child.seed for child in children] == [None if seed is None else seed + number for number in range(3)]


def test_samples_of_other_requests_stay_vllms() -> None:
    frontend.install()
    parent = ParentRequest(SimpleNamespace(request_id="r", external_req_id="r", params=SamplingParams(n=2)))
    assert [parent.get_child_info(number)[1].extra_args for number in range(2)] == [None, None]
