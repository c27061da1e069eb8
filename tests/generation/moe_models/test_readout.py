"""The log-probability of a token that is nearly certain, against float64."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers", minversion="5")

from generation.moe_models.readout import token_logprobs  # noqa: E402


def test_it_is_that_of_log_softmax() -> None:
    logits = torch.randn(5, 3, 40, generator=torch.Generator().manual_seed(0)) * 4
    tokens = torch.arange(5)
    whole = logits.double().log_softmax(-1)
    assert torch.allclose(token_logprobs(logits, tokens).double(), whole[tokens, :, tokens], rtol=1e-5, atol=0)
    assert token_logprobs(logits[:, 0], tokens).tolist() == pytest.approx(whole[tokens, 0, tokens].tolist(), rel=1e-5)


@pytest.mark.parametrize("margin", [15.0, 20.0, 40.0])
def test_two_certain_tokens_are_told_apart(margin: float) -> None:
    """1 - p is 3e-7, 2e-9, 4e-18: the plain difference of float32 numbers is 0 or a unit of rounding for all."""
    logits = torch.tensor([[20.0, 20.0 - margin], [20.0, 20.5 - margin]])
    found = token_logprobs(logits, torch.tensor([0, 0]))
    exact = -torch.log1p(torch.exp(logits[:, 1].double() - 20.0))
    assert found.tolist() == pytest.approx(exact.tolist(), rel=1e-4)
    assert found[0] > found[1]
