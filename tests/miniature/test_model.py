"""The weights that ship: small, fine-grained, and able."""

import json

import pytest

from examples.miniature.plan import ACTIVE
from examples.miniature.run import MODEL
from examples.miniature.tokens import VOCABULARY

CONFIG = json.loads((MODEL / "config.json").read_text(encoding="utf-8"))


def test_the_model_is_small_and_fine_grained() -> None:
    assert sum(file.stat().st_size for file in MODEL.iterdir()) < 6_000_000
    assert CONFIG.get("num_experts", CONFIG.get("num_local_experts")) == 64
    assert CONFIG["num_experts_per_tok"] == ACTIVE == 8
    assert CONFIG["num_hidden_layers"] > 3
    assert CONFIG["vocab_size"] == len(VOCABULARY)


def test_the_recipe_is_with_it_and_is_the_one_in_the_code() -> None:
    pytest.importorskip("torch")
    from dataclasses import asdict

    from examples.miniature.train import SHAPE, Recipe

    assert json.loads((MODEL / "training.json").read_text(encoding="utf-8")) == asdict(Recipe())
    assert {key: CONFIG.get(key) for key in SHAPE if key != "num_experts"} == {
        key: value for key, value in SHAPE.items() if key != "num_experts"
    }
