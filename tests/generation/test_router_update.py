"""The command on tiny models of four architectures: what changes, what does not, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers", minversion="5")

from safetensors.torch import load_file  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402

from generation.router_training.card import RECORD  # noqa: E402
from generation.router_update import main  # noqa: E402
from tests.generation.moe_models.tiny import ARCHITECTURES  # noqa: E402
from tests.generation.router_training.cases import (  # noqa: E402
    plain_logprobs,
    right_sequences,
    write_model,
    write_responses,
)
from tests.generation.router_training.conftest import _one_thread as _one_thread  # noqa: E402
from tests.generation.router_training.conftest import tiny_folder as tiny_folder  # noqa: E402

QUICK = ["--steps", "4", "--evaluate-every", "2", "--lr", "0.01", "--held-out", "0.34", "--batch-size", "3"]
ROUTER = {
    "qwen3_moe": {"model.layers.2.mlp.gate.weight"},
    "olmoe": {"model.layers.2.mlp.gate.weight"},
    "gpt_oss": {"model.layers.2.mlp.router.weight", "model.layers.2.mlp.router.bias"},
    "deepseek_v2": {"model.layers.2.mlp.gate.weight"},
}
Folder = Callable[[str], Path]


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    return write_responses(tmp_path / "responses.jsonl")


def differing(old: Path, new: Path) -> set[str]:
    """Names of the tensors that differ in a bit; all others were held against each other."""
    one, other = load_file(old / "model.safetensors"), load_file(new / "model.safetensors")
    assert list(one) == list(other)
    assert all(one[name].dtype == other[name].dtype for name in one)
    return {name for name, value in one.items() if value.numpy().tobytes() != other[name].numpy().tobytes()}


def record_of(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    return record


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_only_the_router_changes_and_the_card_is_right(name: str, tiny_folder: Folder, responses: Path) -> None:
    """Its held-out likelihoods are those of a plain forward by transformers, of the old and of the new checkpoint."""
    old, new = tiny_folder(name), responses.parent / "new"
    assert main([str(old), str(responses), "--out", str(new), *QUICK]) == 0
    assert differing(old, new) == ROUTER[name]
    record = record_of(new)
    assert set(record["tensors"]) == ROUTER[name]
    sequences = right_sequences(responses)
    assert (record["training"]["problems"], record["held_out"]["problems"]) == (4, 2)
    assert record["training"]["responses"] + record["held_out"]["responses"] == sum(map(len, sequences.values()))
    for which, folder in (("before", old), ("after", new)):
        model = AutoModelForCausalLM.from_pretrained(folder).eval().requires_grad_(False)
        by_problem = {
            problem: torch.cat([plain_logprobs(model, *pair) for pair in pairs]) for problem, pairs in sequences.items()
        }
        pairs = [(one, other) for one in by_problem for other in by_problem if one < other]
        possible = [-float(torch.cat([by_problem[one], by_problem[other]]).mean()) for one, other in pairs]
        assert min(abs(value - record["held_out_nll"][which]["value"]) for value in possible) < 1e-5
    change = record["held_out_nll"]
    assert change["change"]["value"] == pytest.approx(change["after"]["value"] - change["before"]["value"])
    assert "to the bit" in (new / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("objective", ["best-route", "advantage"])
def test_objectives_that_draw_routes(objective: str, tiny_folder: Folder, responses: Path) -> None:
    old, new = tiny_folder("olmoe"), responses.parent / "new"
    command = [str(old), str(responses), "--objective", objective, "--alternatives", "3", "--patience", "9"]
    assert main([*command, "--out", str(new), *QUICK]) == 0
    assert differing(old, new) <= ROUTER["olmoe"]
    looks = record_of(new)["looks"]
    assert [look["step"] for look in looks] == [0, 2, 4]
    assert len({look["nll"] for look in looks}) == 3


def test_the_objectives_own_loss_can_decide(tiny_folder: Folder, responses: Path) -> None:
    """What a router of likely better routes is worth under its own choice need not be better."""
    old, new = tiny_folder("olmoe"), responses.parent / "new"
    command = [str(old), str(responses), "--objective", "best-route", "--alternatives", "3", "--stop-by", "objective"]
    assert main([*command, "--out", str(new), *QUICK]) == 0
    record = record_of(new)
    losses = {look["step"]: look["loss"] for look in record["looks"]}
    assert record["kept_step"] == min(losses, key=lambda step: losses[step])
    assert record["looks"][0]["nll"] == pytest.approx(record["held_out_nll"]["before"]["value"])


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        ("norm-scale", {"model.norm.weight"}),
        ("other-layer", {"model.layers.1.mlp.gate.weight"}),
        ("output-scale", {f"model.layers.2.mlp.experts.{expert}.down_proj.weight" for expert in range(12)}),
    ],
)
def test_controls_change_something_else(control: str, expected: set[str], tiny_folder: Folder, responses: Path) -> None:
    old, new = tiny_folder("qwen3_moe"), responses.parent / "new"
    assert main([str(old), str(responses), "--control", control, "--out", str(new), *QUICK]) == 0
    found = differing(old, new)
    if control != "output-scale":
        assert found == expected
    else:  # An expert that no token went through keeps its factors.
        assert found
        assert found <= expected
        router = load_file(old / "model.safetensors")["model.layers.2.mlp.gate.weight"]
        assert record_of(new)["parameters"] == router.numel()


def test_the_output_scale_of_all_experts_in_one_tensor(tiny_folder: Folder, responses: Path) -> None:
    old, new = tiny_folder("gpt_oss"), responses.parent / "new"
    assert main([str(old), str(responses), "--control", "output-scale", "--out", str(new), *QUICK]) == 0
    experts = "model.layers.2.mlp.experts"
    assert differing(old, new) == {f"{experts}.down_proj", f"{experts}.down_proj_bias"}
    one, other = (load_file(folder / "model.safetensors") for folder in (old, new))
    by_matrix = (other[f"{experts}.down_proj"] / one[f"{experts}.down_proj"]).median(dim=1).values
    by_bias = other[f"{experts}.down_proj_bias"] / one[f"{experts}.down_proj_bias"]
    assert torch.allclose(by_matrix, by_bias, atol=1e-5)


def test_shuffled_tokens_teach_no_right_ones(tiny_folder: Folder, responses: Path) -> None:
    """Early stopping looks at shuffled tokens too; the card tells of the true ones."""
    old = tiny_folder("qwen3_moe")
    commands = {"true": [], "shuffled": ["--control", "shuffled-targets"]}
    for name, words in commands.items():
        assert main([str(old), str(responses), *words, "--out", str(responses.parent / name), *QUICK]) == 0
    true, shuffled = (record_of(responses.parent / name) for name in commands)
    assert true["held_out_nll"]["before"]["value"] == shuffled["held_out_nll"]["before"]["value"]
    assert true["looks"][0]["nll"] == pytest.approx(true["held_out_nll"]["before"]["value"])
    assert shuffled["looks"][0]["nll"] != pytest.approx(true["looks"][0]["nll"])


def test_another_layer_is_trained_through_the_layers_after_it(tiny_folder: Folder, responses: Path) -> None:
    old, new = tiny_folder("deepseek_v2"), responses.parent / "new"
    assert main([str(old), str(responses), "--layer", "1", "--out", str(new), *QUICK]) == 0
    assert differing(old, new) == {"model.layers.1.mlp.gate.weight"}


def test_the_same_seed_writes_the_same_bytes(tiny_folder: Folder, responses: Path) -> None:
    old = tiny_folder("qwen3_moe")
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        out = str(responses.parent / name)
        assert main([str(old), str(responses), "--seed", seed, "--out", out, *QUICK]) == 0
    written = [(responses.parent / name / "model.safetensors").read_bytes() for name in "abc"]
    assert written[0] == written[1] != written[2]


def test_bfloat16_is_measured_as_it_is_written(tmp_path: Path, responses: Path) -> None:
    """The card's likelihood after is that of the rounded weights, which a model in float32 reads from the files."""
    old = write_model("qwen3_moe", tmp_path / "bf16", dtype=torch.bfloat16)
    new = tmp_path / "new"
    assert main([str(old), str(responses), "--dtype", "float32", "--out", str(new), *QUICK]) == 0
    assert (
        main([str(new), str(responses), "--any-model", "--dtype", "float32", "--out", str(tmp_path / "n"), *QUICK]) == 0
    )
    after, before = record_of(new)["held_out_nll"]["after"], record_of(tmp_path / "n")["held_out_nll"]["before"]
    assert after == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--layer", "7"], "layer 7 of"),
        (["--layer", "1", "--objective", "advantage"], "is done at the last layer only"),
        (["--control", "other-layer", "--objective", "best-route"], "is done at the last layer only"),
        (["--control", "norm-scale", "--objective", "best-route"], "trains no router"),
        (["--held-out", "0.05"], "none is left to hold out"),
        (["--held-out", "1"], "--held-out is a share"),
        (["--lr", "0"], "--lr must be above 0"),
        (["--alternatives", "1"], "needs 2 or more"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: list[str], message: str, tiny_folder: Folder, responses: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = responses.parent / "new"
    # Later words win: a wrong value stands behind the quick ones.
    assert main([str(tiny_folder("qwen3_moe")), str(responses), "--out", str(out), *QUICK, *words]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert sorted(path.name for path in responses.parent.iterdir()) == ["responses.jsonl"]


def test_no_right_response_is_said(tiny_folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = write_responses(tmp_path / "wrong.jsonl", right=False)
    assert main([str(tiny_folder("olmoe")), str(wrong), "--out", str(tmp_path / "new")]) == 2
    assert "graded right" in " ".join(capsys.readouterr().err.split())


def test_a_dense_model_is_said(responses: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dense = write_model("dense", responses.parent / "dense")
    assert main([str(dense), str(responses), "--out", str(responses.parent / "new")]) == 2
    assert "is a dense model" in " ".join(capsys.readouterr().err.split())


def test_a_taken_folder_is_said_before_anything_is_read(
    responses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["nowhere", str(responses), "--out", str(tmp_path)]) == 2
    assert "exists and is not empty" in " ".join(capsys.readouterr().err.split())
