"""What tests of any training ask: are these the same weights."""

from __future__ import annotations

from typing import Any

import torch


def weights(model: Any) -> dict[str, Any]:
    """A copy of a model's weights."""
    return {name: weight.detach().clone() for name, weight in model.state_dict().items()}


def assert_same(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Equal to the bit."""
    assert first.keys() == second.keys()
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name
