"""How much memory vLLM's cache of keys and values gets on a CPU.

vLLM 0.32 takes 92 % of all memory for it, whatever the model: it does not start beside another program, and two copies
of a model of 5 MB do not fit one machine. Here it gets what the requests in flight can fill, or what is left.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diversity_judge.errors import RunError

GIB = 2**30
SHARE = 0.7
"""Of the memory that is left beside the weights; the rest is for activations and for other programs."""

CHOSEN_BY_THE_USER = ("kv_cache_memory_bytes", "gpu_memory_utilization", "num_gpu_blocks_override")
VARIABLE = "VLLM_CPU_KVCACHE_SPACE"


@dataclass(frozen=True)
class Workload:
    """What the cache is for.

    Attributes:
        concurrency: Requests in flight at most.
        longest: Tokens of the longest prompt and its response at most; None for the model's context.
        copies: Engines that share the memory.
    """

    concurrency: int = 256
    longest: int | None = None
    copies: int = 1


@dataclass(frozen=True)
class CacheNeed:
    """What a model and its requests take.

    Attributes:
        bytes_per_block: Of keys and values in all layers of one worker.
        block: Tokens a block.
        context: The longest sequence that the engine accepts, which must fit alone.
        sequences: Sequences at once.
        longest: Tokens of each of them at most.
    """

    bytes_per_block: int
    block: int
    context: int
    sequences: int
    longest: int

    @property
    def least(self) -> int:
        """Bytes for one sequence of the whole context, and the block that vLLM keeps empty."""
        return (math.ceil(self.context / self.block) + 1) * self.bytes_per_block

    @property
    def wanted(self) -> int:
        """Bytes with which no sequence ever waits for another's room."""
        blocks = self.sequences * math.ceil(self.longest / self.block) + 1
        return max(self.least, blocks * self.bytes_per_block)


def cache_size(need: CacheNeed, available: int, weights: int, workers: int) -> int:
    """Bytes of the cache of each worker.

    Args:
        need: What would be enough.
        available: Bytes of memory that nobody uses.
        weights: Bytes of the model's weights, 0 if unknown.
        workers: Processes that share the memory.

    Raises:
        RunError: not even one sequence fits.
    """
    room = int((available - weights) * SHARE / workers)
    if need.least > room:
        raise RunError(
            f"one sequence of {need.context:,} tokens takes {need.least / GIB:.2f} GiB of cache, and "
            f"{max(room, 0) / GIB:.2f} GiB of the {available / GIB:.2f} GiB of free memory are left for it: lower "
            f"--max-model-len (or --cpu-replicas), end other programs, or choose the size yourself ({VARIABLE}=GiB)"
        )
    return min(need.wanted, room)


def choose_cache(vllm_config: Any, given: Mapping[str, Any], workload: Workload) -> None:
    """Set the cache's size in vLLM's configuration where nobody else did, on a CPU.

    Args:
        vllm_config: A `VllmConfig`; changed.
        given: The arguments for `EngineArgs` that the user chose.
        workload: What the cache is for.

    Raises:
        RunError: the memory does not hold one sequence.
    """
    from vllm.platforms import current_platform

    if not current_platform.is_cpu() or os.environ.get(VARIABLE) or any(given.get(n) for n in CHOSEN_BY_THE_USER):
        return
    need = _need(vllm_config, workload)
    if need is None:
        return
    from vllm.utils.cpu_resource_utils import get_allowed_cpu_list, get_memory_node_info

    parallel = vllm_config.parallel_config
    available = get_memory_node_info(get_allowed_cpu_list()[0].numa_node).available_memory
    workers = parallel.world_size * parallel.data_parallel_size * workload.copies
    copies = parallel.data_parallel_size * workload.copies
    weights = weights_size(vllm_config.model_config.model) * copies
    vllm_config.cache_config.kv_cache_memory_bytes = cache_size(need, available, weights, workers)


def _need(vllm_config: Any, workload: Workload) -> CacheNeed | None:
    """None where a sequence's share is not a number of bytes a token: there vLLM chooses."""
    model, cache, parallel = vllm_config.model_config, vllm_config.cache_config, vllm_config.parallel_config
    if model.is_attention_free or model.is_hybrid:
        return None
    per_token = model.get_num_layers(parallel) * model.get_num_kv_heads(parallel) * model.get_head_size()
    # Keys and values; with latent attention one vector stands for both.
    per_token *= _width(model, cache) * (1 if model.use_mla else 2)
    longest = min(workload.longest or model.max_model_len, model.max_model_len)
    sequences = min(vllm_config.scheduler_config.max_num_seqs, workload.concurrency)
    return CacheNeed(per_token * cache.block_size, cache.block_size, model.max_model_len, sequences, longest)


def _width(model: Any, cache: Any) -> int:
    """Bytes of a number in the cache."""
    from vllm.utils.torch_utils import STR_DTYPE_TO_TORCH_DTYPE

    dtype = model.dtype if cache.cache_dtype == "auto" else STR_DTYPE_TO_TORCH_DTYPE[cache.cache_dtype]
    return int(dtype.itemsize)


def weights_size(model: str) -> int:
    """Bytes of a model's weights on disk, 0 where they are not on this machine yet."""
    folder = Path(model)
    if not folder.is_dir():
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        try:
            folder = Path(snapshot_download(model, local_files_only=True))
        except (LocalEntryNotFoundError, HfHubHTTPError, ValueError, OSError):
            return 0
    for kind in ("*.safetensors", "*.bin", "*.pt"):
        if files := list(folder.glob(kind)):
            return sum(file.stat().st_size for file in files)
    return 0
