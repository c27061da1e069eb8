"""The cache's size on a CPU, from the model, the length and the batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from diversity_judge.errors import RunError
from generation.engines.cpu_cache import GIB, CacheNeed, cache_size, weights_size
from generation.problems import Problem
from generation.prompt_formats import formats_for
from generation.sampling.run import workload
from generation.sampling.sampler import SamplingPlan
from generation.strategies import load_presets, parse_strategies

# The miniature in float32: keys and values, 5 layers, 2 heads of 32 numbers, blocks of 128 tokens.
MINIATURE = CacheNeed(2 * 5 * 2 * 32 * 4 * 128, 128, context=96, sequences=1024, longest=96)


def test_every_sequence_of_the_batch_has_its_blocks() -> None:
    """1,024 sequences of one block, and the one that vLLM keeps empty."""
    assert cache_size(MINIATURE, available=20 * GIB, weights=5_000_000, workers=2) == 1025 * 327_680


def test_a_large_model_gets_what_its_weights_leave() -> None:
    """Qwen3-30B-A3B in bfloat16: 48 layers, 4 heads of 128; 40,960 tokens take 3.75 GiB, 256 times that is too much."""
    need = CacheNeed(2 * 48 * 4 * 128 * 2 * 128, 128, context=40_960, sequences=256, longest=40_960)
    assert need.least == 321 * 12_582_912
    assert need.wanted > 900 * GIB
    size = cache_size(need, available=100 * GIB, weights=60 * GIB, workers=1)
    assert size == pytest.approx(28 * GIB)
    assert cache_size(need, available=100 * GIB, weights=60 * GIB, workers=2) == pytest.approx(14 * GIB)


def test_where_one_sequence_does_not_fit_the_error_says_what_to_change() -> None:
    need = CacheNeed(2 * 48 * 4 * 128 * 2 * 128, 128, context=40_960, sequences=1, longest=40_960)
    with pytest.raises(RunError, match=r"40,960 tokens takes 3\.76 GiB.*1\.40 GiB of the 2\.00 GiB.*--max-model-len"):
        cache_size(need, available=2 * GIB, weights=0, workers=1)


def test_short_responses_take_less_than_the_context() -> None:
    need = CacheNeed(1000, 128, context=40_960, sequences=8, longest=300)
    assert need.wanted == need.least == 321 * 1000
    assert CacheNeed(1000, 128, context=1024, sequences=8, longest=300).wanted == (8 * 3 + 1) * 1000


def test_the_length_is_that_of_the_longest_prompt_and_response() -> None:
    problems = (Problem("a", "1+1?"), Problem("b", "é" * 1000))
    strategies = parse_strategies(["token-normal"], load_presets())
    plan = SamplingPlan(problems, strategies, 1, 0, 100, formats_for(problems))
    longest = workload(plan, 16).longest
    assert longest is not None
    assert 2000 + 100 < longest < 2000 + 100 + 1500
    assert workload(SamplingPlan(problems, strategies, 1, 0, None, formats_for(problems)), 16).longest is None


def test_weights_are_counted_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"x" * 30)
    (tmp_path / "b.safetensors").write_bytes(b"x" * 12)
    (tmp_path / "config.json").write_text("{}")
    assert weights_size(str(tmp_path)) == 42
    assert weights_size(str(tmp_path / "nowhere")) == 0
