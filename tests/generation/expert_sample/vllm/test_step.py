"""Which rows of a batch are drawn, with which numbers."""

from __future__ import annotations

import itertools
from typing import Any, Literal

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from generation.expert_sample.noise import row_keys  # noqa: E402
from generation.expert_sample.vllm.routing_request import RoutingRequest  # noqa: E402
from generation.expert_sample.vllm.step import Step, drawn_rows  # noqa: E402


def _request(
    seed: int = 0, *, sample_index: int = 0, scope: Literal["generation", "all"] = "generation"
) -> RoutingRequest:
    return RoutingRequest(
        seed, sample_index, 2 + seed, r=16 + seed, tau=2.0 ** (seed + 1), scope=scope, fragile_from=seed / 4
    )


def _drawn(*batch: tuple[RoutingRequest | None, int, int, int]) -> Any:
    """Make the drawn rows, or None, of a batch of (request, prompt length, first position, tokens)."""
    requests, n_prompt, first, n_tokens = zip(*batch, strict=True)
    return drawn_rows(
        requests,
        n_prompt_tokens=n_prompt,
        first_positions=np.array(first, dtype=np.int64),
        n_tokens=np.array(n_tokens, dtype=np.int64),
    )


def test_a_batch_without_expert_sample_draws_nothing() -> None:
    assert _drawn((None, 5, 0, 5), (None, 9, 9, 1)) is None


def test_a_prompt_is_drawn_from_its_last_token_on() -> None:
    drawn = _drawn((_request(), 5, 0, 5))
    assert drawn.numbers.tolist() == [4]


def test_a_chunk_before_the_prompts_last_token_draws_nothing() -> None:
    assert _drawn((_request(), 9, 0, 8)) is None


def test_a_recomputed_request_is_drawn_from_the_same_position_on() -> None:
    # After a preemption, prompt and answer come in one chunk: positions 0 to 7 of a prompt of 5.
    assert _drawn((_request(), 5, 0, 8)).numbers.tolist() == [4, 5, 6, 7]


def test_the_scope_of_all_tokens_starts_at_the_first() -> None:
    assert _drawn((_request(scope="all"), 5, 0, 4)).numbers.tolist() == [0, 1, 2, 3]


def test_rows_carry_their_requests_numbers() -> None:
    plain, first, second = (None, 4, 0, 4), (_request(1), 3, 7, 1), (_request(2, sample_index=6), 2, 0, 3)
    drawn = _drawn(plain, first, second)
    assert drawn.numbers.tolist() == [4, 6, 7]
    settings = drawn.settings
    assert settings.k_keep.tolist() == [3, 4, 4]
    assert settings.r.tolist() == [17, 18, 18]
    assert settings.inv_tau.tolist() == [1 / 4, 1 / 8, 1 / 8]
    assert settings.fragile_from.tolist() == [1 << 14, 1 << 15, 1 << 15]  # in 2**-16
    assert settings.enabled.all()
    expected = row_keys(torch.tensor([1, 2, 2]), torch.tensor([0, 6, 6]), torch.tensor([7, 1, 2]))
    assert settings.keys.tolist() == expected.tolist()


@given(seed=st.integers(-(2**63), 2**63 - 1), prompt=st.integers(1, 40), cuts=st.sets(st.integers(1, 59), max_size=6))
def test_keys_do_not_depend_on_how_the_sequence_was_cut(seed: int, prompt: int, cuts: set[int]) -> None:
    request = RoutingRequest(seed, 3, 2, 16, 1.0, "generation")
    bounds = [0, *sorted(cuts), 60]
    chunks = [_drawn((request, prompt, a, b - a)) for a, b in itertools.pairwise(bounds)]
    keys = [key for chunk in chunks if chunk is not None for key in chunk.settings.keys.tolist()]
    assert keys == _drawn((request, prompt, 0, 60)).settings.keys.tolist()


def _static_step(capacity: int) -> Step:
    step = Step()
    step.reserve(capacity, torch.device("meta"))
    assert step.static is not None
    step.static = step.static.map(lambda column: torch.zeros_like(column, device="cpu"))
    return step


def test_static_rows_cover_the_batch_and_keep_their_addresses() -> None:
    step = _static_step(8)
    assert step.static is not None
    before = step.static.addresses
    drawn = _drawn((None, 4, 0, 3), (_request(1), 3, 7, 1), (_request(2), 2, 9, 1))
    step.set(drawn)
    static = step.static
    assert static.enabled.tolist() == [False, False, False, True, True, False, False, False]
    assert static.keys[3:5].tolist() == drawn.settings.keys.tolist()
    assert static.k_keep[3:5].tolist() == [3, 4]
    assert static.r[3:5].tolist() == [17, 18]
    assert static.inv_tau[3:5].tolist() == [1 / 4, 1 / 8]
    assert static.fragile_from[3:5].tolist() == [1 << 14, 1 << 15]
    assert tuple(tensor.data_ptr() for tensor in static.tensors) == before


def test_rows_of_the_step_before_are_switched_off() -> None:
    step = _static_step(4)
    assert step.static is not None
    step.set(_drawn((_request(), 1, 0, 4)))
    step.set(_drawn((_request(), 1, 0, 1)))
    assert step.static.enabled.tolist() == [True, False, False, False]
    step.set(None)
    assert not step.static.enabled.any()


def test_the_cpu_keeps_no_static_rows() -> None:
    step = Step()
    step.reserve(8, torch.device("cpu"))
    assert step.static is None


def test_a_larger_second_engine_is_refused_where_graphs_may_read_the_first_ones_rows() -> None:
    step = _static_step(4)
    step.reserve(4, torch.device("meta"))
    with pytest.raises(RuntimeError, match="process of its own"):
        step.reserve(5, torch.device("meta"))
