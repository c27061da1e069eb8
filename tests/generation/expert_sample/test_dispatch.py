from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from generation.expert_sample import cpu, dispatch, reference  # noqa: E402
from generation.expert_sample.rows import RowSettings  # noqa: E402
from tests.generation.expert_sample import cases  # noqa: E402


@pytest.fixture(autouse=True)
def forget_paths() -> Iterator[None]:
    yield
    dispatch._cpu_path.cache_clear()
    dispatch._gpu_path.cache_clear()


def test_the_cpu_takes_the_compiled_path(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    fast = cpu.route

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        return fast(*args, **kwargs)

    monkeypatch.setattr(cpu, "route", counted)
    router = cases.ROUTERS[0]
    logits = cases.logits(router, torch.bfloat16, 20)
    rows = cases.rows(router, 20)
    options: dict[str, Any] = {"k": 8, "renormalize": True, "layer": 1}
    assert torch.equal(dispatch.route(logits, rows, **options)[1], reference.route(logits, rows, **options)[1])
    assert calls


def test_warming_up_routes_on_the_cpu() -> None:
    dispatch.warm_up(torch.device("cpu"), k=8, n_experts=128, dtype=torch.bfloat16)


def test_a_gpu_without_triton_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch._gpu_path.cache_clear()
    monkeypatch.delitem(sys.modules, "generation.expert_sample.triton_kernel", raising=False)
    monkeypatch.delattr("generation.expert_sample.triton_kernel", raising=False)
    monkeypatch.setitem(sys.modules, "triton", None)
    with pytest.raises(RuntimeError, match=r"on a GPU needs Triton.*leave Expert-Sample off"):
        dispatch._gpu_path("cuda")


def test_a_cpu_without_numba_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch._cpu_path.cache_clear()
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(RuntimeError, match="needs numba"):
        dispatch._cpu_path()


def test_other_devices_are_refused() -> None:
    rows = RowSettings.off(2, torch.device("meta"))
    with pytest.raises(RuntimeError, match="not on 'meta'"):
        dispatch.route(torch.zeros((2, 128), device="meta"), rows, k=8, renormalize=True, layer=0)
