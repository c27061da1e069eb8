"""Rows to route: the routers of the models that are supported, with logits that tie often."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from generation.expert_sample import noise
from generation.expert_sample.fragility import threshold
from generation.expert_sample.rows import RowSettings


@dataclass(frozen=True)
class Router:
    """Shape of a model's router."""

    model: str
    n_experts: int
    k: int
    renormalize: bool


ROUTERS = (
    Router("Qwen3-MoE", 128, 8, True),
    Router("GPT-OSS", 32, 4, True),
    Router("Ling", 64, 6, True),
    Router("Qwen3-Next", 512, 10, True),
    Router("OLMoE", 64, 8, False),
    Router("DeepSeek-V2-Lite", 64, 6, False),
)
DTYPES = (torch.float32, torch.bfloat16, torch.float16)

ROUTER_IDS = [router.model for router in ROUTERS]
DTYPE_IDS = [str(dtype).removeprefix("torch.") for dtype in DTYPES]


def logits(router: Router, dtype: torch.dtype, n_rows: int, seed: int = 0) -> torch.Tensor:
    """Make rows of four kinds in turn: smooth, on a coarse grid, two values only, all equal."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn((n_rows, router.n_experts), generator=generator) * 1.5
    rows[1::4] = (rows[1::4] * 4).round() / 4
    rows[2::4] = torch.where(rows[2::4] > 1, 0.5, -0.0)
    rows[3::4] = rows[3::4, :1].expand(-1, router.n_experts)
    return rows.to(dtype)


def rows(
    router: Router,
    n_rows: int,
    *,
    k_keep: int | None = None,
    r: int | None = None,
    tau: float = 1.0,
    fragile_from: float = 0.0,
) -> RowSettings:
    """Give all rows the same settings (the paper's defaults), each row its own key."""
    k = router.k
    return RowSettings(
        keys=noise.row_keys(torch.tensor(1), 0, torch.arange(n_rows)),
        enabled=torch.ones(n_rows, dtype=torch.bool),
        k_keep=torch.full((n_rows,), k // 2 + 1 if k_keep is None else k_keep, dtype=torch.int32),
        r=torch.full((n_rows,), min(4 * k, router.n_experts) if r is None else r, dtype=torch.int32),
        inv_tau=torch.full((n_rows,), 1 / tau),
        fragile_from=torch.full((n_rows,), threshold(fragile_from), dtype=torch.int32),
    )


def mixed_rows(router: Router, n_rows: int, seed: int = 0) -> RowSettings:
    """Give each row its own settings, over the whole range that is allowed."""
    generator = torch.Generator().manual_seed(seed)
    return replace(
        rows(router, n_rows),
        enabled=torch.rand(n_rows, generator=generator) < 0.8,
        k_keep=torch.randint(0, router.k + 1, (n_rows,), generator=generator, dtype=torch.int32),
        r=torch.randint(router.k, router.n_experts + 1, (n_rows,), generator=generator, dtype=torch.int32),
        inv_tau=torch.exp(3 * torch.randn(n_rows, generator=generator)),
        fragile_from=mixed_thresholds(router, n_rows, generator),
    )


def mixed_thresholds(router: Router, n_rows: int, generator: torch.Generator) -> torch.Tensor:
    """Draw everywhere, or from some untaken mass on, or from the very mass of a row of equal logits, in turn."""
    thresholds = torch.randint(0, 1 << 16, (n_rows,), generator=generator, dtype=torch.int32)
    thresholds[::3] = 0
    thresholds[3::4] = threshold(1 - router.k / router.n_experts)  # a whole number where n_experts is a power of 2
    return thresholds


def awkward_logits(n_experts: int) -> torch.Tensor:
    """Rows that a healthy model never makes, (rows, n_experts) float32."""
    rows = torch.linspace(-1, 1, n_experts).repeat(7, 1)
    rows[0, 1::3] = float("nan")
    rows[1, ::2] = float("-inf")
    rows[2] = float("-inf")
    rows[3, 3] = float("inf")
    rows[4] = float("nan")
    rows[5] = torch.where(torch.arange(n_experts) % 2 == 0, 0.0, -0.0)
    rows[6] = torch.linspace(-3e38, 3e38, n_experts)
    return rows
