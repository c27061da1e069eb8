"""What tests of any training ask: are these the same weights, and does a killed run come to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch


def weights(model: Any) -> dict[str, Any]:
    """A copy of a model's weights."""
    return {name: weight.detach().clone() for name, weight in model.state_dict().items()}


def assert_same(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Equal to the bit."""
    assert first.keys() == second.keys()
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name


def weights_after_a_kill(training: ModuleType, run: Callable[[Path], Any], state: Path) -> dict[str, Any]:
    """The weights of a run that keeps its state after two steps, is killed in the fourth, and goes on.

    Args:
        training: The module that trains; its `batch` takes the number of the step last.
        run: Trains a model of four steps, with its state in the file that it is given.
        state: That file.
    """
    batch = training.batch

    def dies(*args: Any) -> Any:
        if args[-1] == 3:
            raise KeyboardInterrupt
        return batch(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "KEEP_EVERY", 2)
        patch.setattr(training, "batch", dies)
        with pytest.raises(KeyboardInterrupt):
            run(state)
    assert torch.load(state)["step"] == 2
    return weights(run(state))
