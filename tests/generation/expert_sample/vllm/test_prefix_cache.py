"""Which blocks of a request's tokens share a hash with whom, by vLLM's own block hasher."""

from __future__ import annotations

from typing import Any, Literal

import pytest

pytest.importorskip("vllm")

from generation.expert_sample.vllm import prefix_cache
from generation.expert_sample.vllm.routing_request import RoutingRequest

BLOCK = 4


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    prefix_cache.install()


def _routing(
    seed: int = 0, scope: Literal["generation", "all"] = "generation", sample_index: int = 0
) -> RoutingRequest:
    return RoutingRequest(seed, sample_index, k_keep=2, r=16, tau=1.0, scope=scope)


def _hashes(routing: RoutingRequest | None, prompt: range, answer: range = range(0), salt: str | None = None) -> Any:
    """Hash the blocks of a request whose answer has been appended."""
    from vllm.sampling_params import SamplingParams
    from vllm.utils.hashing import sha256
    from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash
    from vllm.v1.request import Request

    init_none_hash(sha256)
    params = SamplingParams(max_tokens=99, extra_args=None if routing is None else routing.put(None))
    hasher = get_request_block_hasher(BLOCK, sha256)
    request = Request("r", list(prompt), params, None, cache_salt=salt, block_hasher=hasher)
    request.append_output_token_ids(list(answer))
    return request.block_hashes


def test_samples_and_plain_requests_share_the_prompts_blocks() -> None:
    prompt = range(3 * BLOCK + 1)
    plain = _hashes(None, prompt)
    assert len(plain) == 3
    assert _hashes(_routing(1), prompt) == _hashes(_routing(2), prompt) == plain


def test_the_block_of_the_prompts_last_token_is_the_samples_own() -> None:
    prompt = range(3 * BLOCK)  # its last token, at the end of the third block, is the first that is drawn
    plain, first, second = (_hashes(routing, prompt) for routing in (None, _routing(1), _routing(2)))
    assert plain[:2] == first[:2] == second[:2]
    assert len({plain[2], first[2], second[2]}) == 3


def test_the_answers_blocks_are_the_samples_own() -> None:
    prompt, answer = range(5), range(5, 20)
    kinds = [None, _routing(1), _routing(2), _routing(1, sample_index=1)]
    plain, *samples = [_hashes(routing, prompt, answer) for routing in kinds]
    assert len(plain) == 5
    for block in range(1, 5):
        assert len({hashes[block] for hashes in [plain, *samples]}) == 4


def test_a_follow_up_turn_shares_nothing_that_was_drawn() -> None:
    first = _hashes(_routing(1), range(6), range(6, 20))
    for routing in (None, _routing(1)):
        follow_up = _hashes(routing, range(22))
        assert follow_up[0] == first[0]
        assert not set(follow_up[1:]) & set(first[1:])


def test_a_request_that_is_the_same_in_all_shares_its_drawn_blocks() -> None:
    assert _hashes(_routing(1), range(6), range(6, 20)) == _hashes(_routing(1), range(6), range(6, 20))


def test_a_sequence_drawn_from_its_start_shares_no_block() -> None:
    assert not set(_hashes(_routing(1, "all"), range(9))) & set(_hashes(None, range(9)))


def test_other_keys_of_a_block_are_kept() -> None:
    salted = _hashes(_routing(1), range(9), range(9, 14), salt="mine")
    assert not set(salted) & set(_hashes(_routing(1), range(9), range(9, 14)))


def test_published_events_can_name_the_block() -> None:
    from vllm.v1.core import kv_cache_utils

    class Asked:
        mm_features: tuple[()] = ()
        lora_request = cache_salt = prompt_embeds = None
        num_prompt_tokens = 3
        sampling_params = type("Params", (), {"extra_args": _routing(1).put(None)})

    keys, _ = kv_cache_utils.generate_block_hash_extra_keys(Asked(), 0, BLOCK, 0)
    assert kv_cache_utils.to_event_extra_keys([keys]) == [(_routing(1).cache_key(3),)]
