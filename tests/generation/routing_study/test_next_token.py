"""The distribution of the next token against one that numpy sorts, and against closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from generation.edt_settings import EDTSettings  # noqa: E402
from generation.routing_study.next_token import drawable, entropy, next_token_entropy  # noqa: E402
from generation.strategies import TokenSampling  # noqa: E402
from tests.generation.routing_study.oracles import entropy_by_sorting  # noqa: E402

LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0])


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (TokenSampling(), [0, 1, 2, 3]),
        (TokenSampling(top_k=2), [0, 1]),
        (TokenSampling(top_p=0.64), [0]),  # .644 .237 .087 .032: the first alone reaches it
        (TokenSampling(top_p=0.65), [0, 1]),
        (TokenSampling(temperature=0.5, top_p=0.9), [0, 1]),  # .865 .117
        (TokenSampling(min_p=0.1), [0, 1, 2]),
        (TokenSampling(top_k=2, top_p=0.73), [0]),  # of two, the first has .731
        (TokenSampling(temperature=1e-5, min_p=0.5), [0]),
    ],
)
def test_a_strategy_draws_from_the_tokens_that_it_leaves(sampling: TokenSampling, kept: list[int]) -> None:
    left = drawable(LOGITS, sampling)
    assert torch.isfinite(left).nonzero().flatten().tolist() == kept
    assert left[kept].tolist() == pytest.approx((LOGITS[kept] / max(sampling.temperature, 0.01)).tolist())
    assert torch.equal(drawable(LOGITS.expand(2, 3, 4), sampling)[1, 2], left)


def test_greedy_draws_nothing_and_has_no_entropy() -> None:
    greedy = TokenSampling(temperature=0)
    with pytest.raises(ValueError, match="greedy"):
        drawable(LOGITS, greedy)
    assert next_token_entropy(LOGITS[None], greedy).tolist() == [0.0]


def test_equal_tokens_have_the_logarithm_of_their_number() -> None:
    alike = torch.zeros(1, 6)
    assert float(entropy(alike)) == pytest.approx(math.log(6))
    assert float(next_token_entropy(alike, TokenSampling(top_p=0.5))) == pytest.approx(math.log(3))
    assert float(next_token_entropy(alike, TokenSampling(top_k=2))) == pytest.approx(math.log(6))  # all tie
    forbidden = torch.tensor([[0.0, 0.0, -math.inf]])
    assert float(entropy(forbidden)) == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    "sampling",
    [
        TokenSampling(),
        TokenSampling(temperature=0.7, top_p=0.8, top_k=20),
        TokenSampling(temperature=1.3, top_p=0.98),
        TokenSampling(temperature=0.05, top_p=0.8, top_k=20),
        TokenSampling(temperature=2.0, min_p=0.05, top_k=50, top_p=0.9),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_entropy_is_that_of_the_sorted_and_cut_distribution(sampling: TokenSampling, dtype: Any) -> None:
    logits = (3 * torch.randn(40, 300, generator=torch.Generator().manual_seed(1))).to(dtype)
    expected = [entropy_by_sorting(row, sampling) for row in logits.double().numpy()]
    np.testing.assert_allclose(next_token_entropy(logits, sampling).numpy(), expected, rtol=1e-4, atol=1e-6)


def test_edt_draws_at_the_temperature_of_its_formula() -> None:
    pytest.importorskip("vllm")
    logits = torch.randn(5, 50, generator=torch.Generator().manual_seed(2))
    expected = []
    for row in logits.double().numpy():
        temperature = 0.9 * 0.8 ** (0.3 / entropy_by_sorting(row, TokenSampling()))
        expected.append(entropy_by_sorting(row, TokenSampling(temperature=temperature, top_p=0.9)))
    found = next_token_entropy(logits, TokenSampling(top_p=0.9), EDTSettings(t0=0.9, theta=0.3))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4)


def test_what_is_left_is_what_vllm_leaves() -> None:
    """Its own cuts, in the order of its sampler."""
    pytest.importorskip("vllm")
    from vllm.v1.sample.ops.topk_topp_sampler import apply_top_k_top_p_pytorch

    # In bfloat16 many tokens tie at the border.
    logits = torch.randn(60, 400, generator=torch.Generator().manual_seed(3)).to(torch.bfloat16).float()
    sampling = TokenSampling(temperature=0.7, top_p=0.8, top_k=20)
    ours = drawable(logits, sampling)
    theirs = apply_top_k_top_p_pytorch(logits / 0.7, torch.full((60,), 20), torch.full((60,), 0.8))
    assert torch.equal(entropy(ours), entropy(theirs)) or torch.allclose(entropy(ours), entropy(theirs), atol=1e-6)
    assert torch.equal(ours.isfinite().sum(-1), theirs.isfinite().sum(-1))
