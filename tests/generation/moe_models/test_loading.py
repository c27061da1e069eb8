"""Models are read from a folder, in their own precision, and named by what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers", minversion="5")

from diversity_judge.errors import InputError  # noqa: E402
from generation.moe_models.loading import load_model  # noqa: E402
from tests.generation.tiny_models import build  # noqa: E402


@pytest.fixture(scope="module")
def olmoe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("olmoe", tmp_path_factory.mktemp("models") / "olmoe")


def test_a_model_is_read_in_its_own_precision(olmoe: Path) -> None:
    loaded = load_model(olmoe)
    assert {value.dtype for value in loaded.model.parameters()} == {torch.bfloat16}
    assert not any(value.requires_grad for value in loaded.model.parameters())
    assert loaded.tokenizer("a")["input_ids"]
    assert [layer.index for layer in loaded.layers] == [0, 1]
    assert loaded.layer(1) is loaded.layers[1]


def test_another_precision_can_be_asked_for(olmoe: Path) -> None:
    loaded = load_model(olmoe, dtype="float32")
    assert {value.dtype for value in loaded.model.parameters()} == {torch.float32}


def test_a_changed_router_is_another_model(olmoe: Path, tmp_path: Path) -> None:
    loaded, again = load_model(olmoe), load_model(olmoe)
    assert (loaded.config_sha256, loaded.router_sha256) == (again.config_sha256, again.router_sha256)
    loaded.layers[-1].router.weight.data[0, 0] += 1
    loaded.model.save_pretrained(tmp_path)
    loaded.tokenizer.save_pretrained(tmp_path)
    changed = load_model(tmp_path)
    assert changed.config_sha256 == again.config_sha256
    assert changed.router_sha256 != again.router_sha256


def test_a_layer_without_experts_is_refused(olmoe: Path) -> None:
    with pytest.raises(InputError, match=r"layer 5 of .* has no experts; layers with experts: 0, 1"):
        load_model(olmoe).layer(5)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read this model"):
        load_model(tmp_path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_refused(olmoe: Path) -> None:
    with pytest.raises(InputError, match="no CUDA device"):
        load_model(olmoe, device="cuda")
