"""A model between two others: its weights, and what the ends give back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from safetensors.torch import load_file  # noqa: E402 - torch may be missing

from examples.miniature.mix import WEIGHTS, main  # noqa: E402
from examples.miniature.train import TRAINING, Recipe, export, make_model  # noqa: E402
from examples.miniature.train_further import START  # noqa: E402


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the same shape with other weights."""
    folder = tmp_path_factory.mktemp("other")
    export(make_model(Recipe(seed=1)), {"seed": 1}, folder)
    (folder / "config.json").write_bytes((START / "config.json").read_bytes())
    return folder


def mixed(first: Path, second: Path, share: float, out: Path) -> Path:
    assert main([str(first), str(second), "--share", str(share), "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize(("share", "end"), [(0, 0), (1, 1)])
def test_an_end_gives_back_its_weights_byte_for_byte(share: float, end: int, other: Path, tmp_path: Path) -> None:
    expected = (START, other)[end]
    out = mixed(START, other, share, tmp_path / "mixed")
    assert (out / WEIGHTS).read_bytes() == (expected / WEIGHTS).read_bytes()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (out / name).read_bytes() == (START / name).read_bytes()


def test_between_them_each_weight_is_the_mean_in_its_precision(other: Path, tmp_path: Path) -> None:
    out = load_file(mixed(START, other, 0.25, tmp_path / "mixed") / WEIGHTS)
    first, second = load_file(START / WEIGHTS), load_file(other / WEIGHTS)
    assert out.keys() == first.keys()
    for name, weight in out.items():
        assert weight.dtype == torch.bfloat16
        exact = 0.75 * first[name].double() + 0.25 * second[name].double()
        torch.testing.assert_close(weight.double(), exact, rtol=2**-8, atol=1e-30)


def test_it_says_what_was_mixed(other: Path, tmp_path: Path) -> None:
    out = mixed(START, other, 0.25, tmp_path / "mixed")
    assert json.loads((out / TRAINING).read_text(encoding="utf-8")) == {
        "share_of_second": 0.25,
        "mixed": [json.loads((START / TRAINING).read_text(encoding="utf-8")), {"seed": 1}],
    }


def test_shares_and_shapes_that_make_no_sense_are_refused(other: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"outside of 0\.\.1"):
        mixed(START, other, 1.5, tmp_path / "mixed")
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    (stranger / "config.json").write_text("{}")
    with pytest.raises(SystemExit, match="differ in config"):
        mixed(START, stranger, 0.5, tmp_path / "mixed")
    assert not (tmp_path / "mixed").exists()
