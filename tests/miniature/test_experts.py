"""The experts' fast path for training against plain indexing, forward and backward."""

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from examples.miniature.experts import sorted_experts  # noqa: E402 - torch may be missing


@pytest.mark.parametrize(("n_experts", "k", "n_tokens"), [(6, 2, 9), (64, 8, 40), (4, 4, 1)])
def test_output_and_gradients_equal_those_of_plain_indexing(n_experts: int, k: int, n_tokens: int) -> None:
    torch.manual_seed(n_experts)
    hidden, width = 10, 4
    weights = [torch.randn(n_experts, 2 * width, hidden), torch.randn(n_experts, hidden, width)]
    inputs = [torch.randn(n_tokens, hidden), torch.rand(n_tokens, k), *weights]
    tokens, gates, gate_up, down = (tensor.double().requires_grad_() for tensor in inputs)
    ids = torch.stack([torch.randperm(n_experts)[:k] for _ in range(n_tokens)])
    gate, up = torch.einsum("th,tkoh->tko", tokens, gate_up[ids]).chunk(2, -1)
    inner = torch.nn.functional.silu(gate) * up
    expected = (torch.einsum("tkw,tkhw->tkh", inner, down[ids]) * gates.unsqueeze(-1)).sum(1)
    found = sorted_experts(SimpleNamespace(gate_up_proj=gate_up, down_proj=down), tokens, ids, gates)
    torch.testing.assert_close(found, expected)
    direction = torch.randn_like(expected)
    of = (tokens, gates, gate_up, down)
    ours = torch.autograd.grad((found * direction).sum(), of)
    theirs = torch.autograd.grad((expected * direction).sum(), of)
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, other)
