"""What a request's routing is made of, and that it survives the way to the workers."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

pytest.importorskip("torch")

from generation.expert_sample.vllm.routing_request import WIRE, RoutingRequest

ROUTING = RoutingRequest(seed=-5, sample_index=3, k_keep=5, r=32, tau=0.1, scope="generation")


def test_it_travels_as_plain_values() -> None:
    extra_args = ROUTING.put({"mine": 1})
    assert extra_args["mine"] == 1
    assert all(isinstance(value, (int, float, str)) for value in extra_args[WIRE])
    assert RoutingRequest.find(extra_args) == ROUTING


@pytest.mark.parametrize("extra_args", [None, {}, {"expert_sample": 1}])
def test_requests_without_it_have_none(extra_args: dict[str, object] | None) -> None:
    assert RoutingRequest.find(extra_args) is None


def test_putting_it_leaves_the_callers_arguments_alone() -> None:
    extra_args = {"mine": 1}
    ROUTING.put(extra_args)
    assert extra_args == {"mine": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"sample_index": 0},
        {"k_keep": 4},
        {"r": 31},
        {"tau": 0.2},
        {"scope": "all"},
        {"fragile_from": 0.25},
        {"noise_version": 0},
    ],
)
def test_whatever_changes_the_routing_changes_the_cache_key(changes: dict[str, Any]) -> None:
    assert dataclasses.replace(ROUTING, **changes).cache_key(9) != ROUTING.cache_key(9)


def test_the_cache_key_names_the_first_drawn_token() -> None:
    # A follow-up turn's prompt holds the earlier answer, which this request would not draw.
    assert ROUTING.cache_key(9) != ROUTING.cache_key(10)
