"""The GPU kernel without a GPU: its results in Triton's interpreter, and what it compiles to for an H100."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")
triton = pytest.importorskip("triton")

from generation.expert_sample import reference, triton_kernel  # noqa: E402
from tests.generation.expert_sample import cases  # noqa: E402

ROOT = Path(__file__).parents[3]


def kernel_cases() -> dict[str, dict[str, Any]]:
    """Name calls of `route`: every router and dtype, the awkward rows, `out`, and Triton's own sort."""
    named: dict[str, dict[str, Any]] = {}
    for router, dtype in itertools.product(cases.ROUTERS, cases.DTYPES):
        options: dict[str, Any] = {"k": router.k, "renormalize": router.renormalize, "layer": 47}
        named[f"{router.model} {dtype}"] = options | {
            "logits": cases.logits(router, dtype, 8),
            "rows": cases.mixed_rows(router, 8, seed=2),
            "own_sort": False,
        }
    small = cases.Router("", 20, 3, False)
    for renormalize in (False, True):
        named[f"awkward {renormalize}"] = {
            "logits": cases.awkward_logits(20),
            "k": 3,
            "renormalize": renormalize,
            "layer": 0,
            "rows": cases.rows(small, 7, k_keep=1),
            "own_sort": False,
        }
        named[f"awkward, gated {renormalize}"] = named[f"awkward {renormalize}"] | {
            "rows": cases.rows(small, 7, k_keep=1, fragile_from=0.3),
        }
    qwen = cases.ROUTERS[0]
    wide = cases.logits(cases.Router("", 160, 8, True), torch.bfloat16, 6)
    named["out, strided rows"] = {
        "logits": wide[:, :128],
        "k": 8,
        "renormalize": True,
        "layer": 1,
        "rows": cases.mixed_rows(qwen, 9),
        "out": (torch.full((6, 8), 9.0), torch.full((6, 8), -9, dtype=torch.int32)),
        "own_sort": False,
    }
    named["own sort"] = {
        "logits": cases.logits(small, torch.bfloat16, 4),
        "k": 3,
        "renormalize": True,
        "layer": 1,
        "rows": cases.rows(small, 4),
        "own_sort": True,
    }
    return named


CASES = kernel_cases()


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("triton")
    plain = [case | {"rows": case["rows"].tensors} for case in CASES.values()]
    torch.save(plain, folder / "cases.pt")
    module = f"{__package__}.interpreted_triton"
    command = [sys.executable, "-W", "ignore", "-m", module, str(folder / "cases.pt"), str(folder / "results.pt")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(zip(CASES, torch.load(folder / "results.pt"), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_the_kernel_equals_the_reference(name: str, interpreted: dict[str, Any]) -> None:
    arguments = {key: value for key, value in CASES[name].items() if key != "own_sort"}
    weights, ids = reference.route(**arguments)
    assert torch.equal(interpreted[name][1], ids)
    torch.testing.assert_close(interpreted[name][0], weights, rtol=1e-6, atol=1e-37, equal_nan=True)


def compile_for_h100(n_experts: int, k: int, dtype: str) -> Any:
    """Compile the kernel for compute capability 9.0 as `route` launches it."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    pointers = {"logits": f"*{dtype}", "keys": "*i64", "enabled": "*i1", "k_keep": "*i32", "r": "*i32"}
    pointers |= {"inv_tau": "*fp32", "fragile_from": "*i32", "weights": "*fp32", "ids": "*i32"}
    pointers |= {"row_stride": "i32", "layer": "i32"}
    constants = {
        "n_experts": n_experts,
        "k": k,
        "renormalize": True,
        "leave_others": True,
        "n_lanes": n_experts,
    }
    source = ASTSource(triton_kernel._route_row, pointers | dict.fromkeys(constants, "constexpr"), constants)
    options = triton_kernel.launch_options(n_experts)
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)


@pytest.mark.parametrize(("n_experts", "k", "dtype"), [(128, 8, "bf16"), (512, 10, "fp32")])
def test_the_kernel_compiles_to_single_rounded_operations(n_experts: int, k: int, dtype: str) -> None:
    ptx = compile_for_h100(n_experts, k, dtype).asm["ptx"]
    assert "div.rn.f32" in ptx  # the logarithm's division, rounded as IEEE 754 says
    assert "fma." not in ptx  # a fused multiply-add rounds once where the reference rounds twice
    assert ".f64" not in ptx
    assert "mad.rn.f32" not in ptx


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("router", cases.ROUTERS, ids=cases.ROUTER_IDS)
@pytest.mark.parametrize("dtype", cases.DTYPES, ids=cases.DTYPE_IDS)
def test_the_kernel_equals_the_reference_on_a_gpu(router: cases.Router, dtype: torch.dtype) -> None:
    logits = cases.logits(router, dtype, 4000)
    rows = cases.mixed_rows(router, 4000)
    options: dict[str, Any] = {"k": router.k, "renormalize": router.renormalize, "layer": 47}
    weights, ids = reference.route(logits, rows, **options)
    result = triton_kernel.route(logits.cuda(), rows.map(torch.Tensor.cuda), **options)
    assert torch.equal(result[1].cpu(), ids)
    torch.testing.assert_close(result[0].cpu(), weights, rtol=1e-5, atol=1e-37)
