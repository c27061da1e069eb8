"""Keeping perturbed keys and values apart in the prefix cache.

A block's hash says what its keys and values were computed from. Blocks of a request's prompt are computed
without noise and stay shared by its samples, by other settings and by requests without Expert-Sample. From
the block on that holds the first drawn token, the routing is part of what was computed, and so it becomes
part of the hash; later blocks inherit it, because each hash includes the one before. A `cache_salt` can't do
this: it enters at the first block, and 32 samples of one prompt would compute the prompt 32 times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from generation.expert_sample.vllm.patching import replace
from generation.expert_sample.vllm.routing_request import RoutingRequest

TAG = "expert_sample"

ExtraKeys = Callable[..., tuple[tuple[Any, ...] | None, int]]


def install() -> None:
    """Extend the block hashes of the scheduler and of the caches outside the GPU."""
    from vllm.v1.core import block_pool, kv_cache_utils
    from vllm.v1.simple_kv_offload import manager

    for module in (kv_cache_utils, block_pool, manager):
        replace(module, "generate_block_hash_extra_keys", _with_routing)


def _with_routing(original: ExtraKeys) -> ExtraKeys:
    def generate_block_hash_extra_keys(
        request: Any, start_token_idx: int, end_token_idx: int, start_mm_idx: int
    ) -> tuple[tuple[Any, ...] | None, int]:
        keys, mm_idx = original(request, start_token_idx, end_token_idx, start_mm_idx)
        params = request.sampling_params
        routing = RoutingRequest.find(params.extra_args) if params is not None else None
        if routing is None or end_token_idx <= routing.start(request.num_prompt_tokens):
            return keys, mm_idx
        return (*(keys or ()), (TAG, routing.cache_key(request.num_prompt_tokens))), mm_idx

    return generate_block_hash_extra_keys
