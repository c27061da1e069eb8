"""What one layer's routing costs on the CPU: vLLM's top k, Expert-Sample's fast path and its reference.

    python benchmarks/expert_sample_routing.py [--repeats 200] [--threads 2] [--csv FILE]

All variants take turns in one process, so that a busy machine slows all of them alike; the table shows the
least and the median microseconds of a call, and the median ratio to the baseline of the same round with its
quartiles. The least is what a call costs where nothing else runs.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from generation.expert_sample import cpu, noise, reference
from generation.expert_sample.rows import DrawnRows, RowSettings

MODELS = {
    "Qwen3-MoE": (128, 8, True),
    "GPT-OSS": (32, 4, True),
    "Ling": (64, 6, True),
    "Qwen3-Next": (512, 10, True),
    "OLMoE": (64, 8, False),
}
ROWS = (1, 8, 32, 256)
REFERENCE = "reference"
LINE: Any = "{:<11}{:>5}  {:<29}{:>9.1f}{:>9.1f}{:>8.2f}   {:.2f}..{:.2f}"
HEADER = ("model", "rows", "variant", "least_us", "median_us", "ratio", "ratio_q1", "ratio_q3")


def baseline(logits: torch.Tensor, k: int, renormalize: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """What vLLM's CPU router computes, also where vLLM is not installed."""
    try:
        from vllm.model_executor.layers.fused_moe.router.cpu_router import _softmax_topk
    except ImportError:
        _softmax_topk = plain_top_k
    weights, ids = _softmax_topk(logits, k, renormalize)
    return weights, ids


def plain_top_k(logits: torch.Tensor, k: int, renormalize: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Top k and softmax in torch."""
    values, ids = torch.topk(logits, k, dim=-1, sorted=False)
    if renormalize:
        weights = torch.softmax(values, dim=-1)
    else:
        weights = (values - torch.logsumexp(logits, dim=-1, keepdim=True)).exp()
    return weights.float(), ids.int()


def variants(n_rows: int, n_experts: int, k: int, renormalize: bool) -> dict[str, Callable[[], object]]:
    """Name the calls to compare, on bfloat16 logits and with the paper's settings."""
    generator = torch.Generator().manual_seed(0)
    logits = (torch.randn((n_rows, n_experts), generator=generator) * 1.5).bfloat16()
    keys = noise.row_keys(torch.tensor(5), 0, torch.arange(n_rows))
    rows = RowSettings.alike(keys, k_keep=k // 2 + 1, r=min(4 * k, n_experts))
    drawn = DrawnRows(torch.arange(n_rows), rows)
    layer: dict[str, Any] = {"k": k, "layer": 3, "renormalize": renormalize}
    out = (torch.empty((n_rows, k)), torch.empty((n_rows, k), dtype=torch.int32))
    return {
        "baseline: top k and softmax": lambda: baseline(logits, k, renormalize),
        "fast path": lambda: cpu.route(logits, rows, **layer),
        "fast path, out given": lambda: cpu.route(logits, rows, out=out, **layer),
        "baseline: torch.topk alone": lambda: torch.topk(logits, k, dim=-1, sorted=False),
        "fast path as top_k": lambda: cpu.top_k(logits, drawn, k=k, layer=3),
        REFERENCE: lambda: reference.route(logits, rows, **layer),
    }


def measure(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Time all calls in turn: microseconds of each call in each round."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for round_ in range(repeats):
        for name, call in calls.items():
            if name == REFERENCE and round_ % 10:  # a hundred times slower, and it empties the caches
                continue
            start = time.perf_counter()
            call()
            times[name].append((time.perf_counter() - start) * 1e6)
    return times


def rows_of(model: str, n_rows: int, times: dict[str, list[float]]) -> list[tuple[object, ...]]:
    """Summarise a measurement; `top_k` is compared with `torch.topk`, the rest with the whole baseline."""
    table: list[tuple[object, ...]] = []
    for name, values in times.items():
        alone = name in ("baseline: torch.topk alone", "fast path as top_k")
        base = times["baseline: torch.topk alone" if alone else "baseline: top k and softmax"]
        step = len(base) // len(values)
        ratios = [value / other for value, other in zip(values, base[::step], strict=True)]
        q1, median, q3 = statistics.quantiles(ratios, n=4)
        table.append((model, n_rows, name, min(values), statistics.median(values), median, q1, q3))
    return table


def main() -> None:
    """Measure all models and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cpu.warm_up()
    table: list[tuple[object, ...]] = []
    print(f"{'model':<11}{'rows':>5}  {'variant':<29}{'least us':>9}{'median':>9}{'ratio':>8}   quartiles")
    for model, (n_experts, k, renormalize) in MODELS.items():
        for n_rows in ROWS:
            times = measure(variants(n_rows, n_experts, k, renormalize), arguments.repeats)
            for line in rows_of(model, n_rows, times):
                table.append(line)
                print(LINE.format(*line), flush=True)
    if arguments.csv:
        with arguments.csv.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([HEADER, *table])


if __name__ == "__main__":
    main()
