"""The method stands alone: it needs torch, and vLLM only in the plugin's room."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOM = Path(__file__).parents[3] / "generation" / "expert_sample"
PLUGIN = "plugin"
NOTHING = ("vllm", "triton", "numba", "llvmlite", "transformers")
"""What the reference must do without."""

# Each module, and what besides torch it is allowed to need: a fast path's compiler.
METHOD = {
    "settings": NOTHING,
    "expressions": NOTHING,
    "noise": NOTHING,
    "fragility": NOTHING,
    "rows": NOTHING,
    "reference": NOTHING,
    "dispatch": NOTHING,
    "cpu": NOTHING,
    "cpu_kernel": ("vllm", "triton", "transformers"),
    "triton_kernel": ("vllm", "numba", "transformers"),
}

BLOCKED = """
import sys
sys.modules.update(dict.fromkeys({blocked!r}))
{code}
"""

DRAW = """
import json, torch
from generation.expert_sample.noise import row_keys
from generation.expert_sample.reference import route
from generation.expert_sample.rows import RowSettings
from generation.expert_sample.settings import ExpertSampleSettings
resolved = ExpertSampleSettings().resolve(8, 64)
rows = RowSettings.alike(
    row_keys(torch.tensor(3), 0, torch.arange(20)), k_keep=resolved.k_keep, r=resolved.r, tau=resolved.tau
)
weights, ids = route(torch.arange(64.0).flip(0).expand(20, -1) / 8, rows, k=8, renormalize=True, layer=1)
print(json.dumps([ids.tolist(), weights.sum(dim=1).tolist()]))
"""


def run_without(blocked: tuple[str, ...], code: str) -> str:
    """Run code in a new process in which some packages can't be imported; return what it prints."""
    script = BLOCKED.format(blocked=blocked, code=code)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOM.parents[1], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules() -> dict[str, Path]:
    """The modules directly in the room, by name."""
    return {path.stem: path for path in ROOM.glob("*.py") if path.stem != "__init__"}


def imports(path: Path) -> Iterator[str]:
    """What a file imports, wherever in it, relative imports written out."""
    package = ("generation", "expert_sample")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            source = ".".join(filter(None, (base, node.module)))
            yield from (f"{source}.{alias.name}" for alias in node.names)


def is_vllm(name: str) -> bool:
    return name.split(".")[0] == "vllm" or name.split(".")[:3] == ["generation", "expert_sample", "vllm"]


def test_every_module_of_the_room_is_the_methods_or_the_entry_point() -> None:
    assert set(modules()) == {*METHOD, PLUGIN}


@pytest.mark.parametrize("name", METHOD)
def test_the_method_never_imports_from_the_plugin_or_from_vllm(name: str) -> None:
    assert [found for found in imports(modules()[name]) if is_vllm(found)] == []


def test_the_rule_sees_what_the_entry_point_imports() -> None:
    found = {name for name in imports(modules()[PLUGIN]) if is_vllm(name)}
    assert {"vllm", "generation.expert_sample.vllm.frontend"} <= found


@pytest.mark.parametrize("name", METHOD)
def test_a_module_of_the_method_is_imported_where_there_is_no_vllm(name: str) -> None:
    pytest.importorskip("torch")
    if name == "cpu_kernel":
        pytest.importorskip("numba")
    if name == "triton_kernel":
        pytest.importorskip("triton")
    run_without(METHOD[name], f"import generation.expert_sample.{name}")


def test_the_reference_draws_with_torch_alone() -> None:
    pytest.importorskip("torch")
    ids, sums = json.loads(run_without(NOTHING, DRAW))
    assert sums == pytest.approx([1.0] * 20)
    # The logits fall with the number: the head of k // 2 + 1 = 5, and three of ranks 6 to 32.
    assert all(row[:5] == [0, 1, 2, 3, 4] and set(row[5:]) <= set(range(5, 32)) for row in ids)
    assert len({tuple(row) for row in ids}) > 10
