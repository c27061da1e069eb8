"""Is the tail drawn exactly as Gumbel-top-k says? Inclusion frequencies against the exact probabilities.

    python benchmarks/expert_sample_tail.py [--draws 1000000]

For each model's settings one row of logits is routed many times with other keys, each setting in a layer of
its own. The exact probability that an expert of the pool is among the drawn ones is an integral over its
arrival time in the equivalent race of exponentials. If the draw is right, z is standard normal: the mean of z
squared is near 1 and the greatest of some dozens of |z| stays under 4.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from generation.expert_sample import cpu, noise
from generation.expert_sample.rows import RowSettings
from tests.generation.expert_sample.plackett_luce import inclusion_probabilities

SETTINGS = {
    "Qwen3-MoE": (128, 8, 1.0),
    "GPT-OSS": (32, 4, 1.0),
    "Ling": (64, 6, 1.0),
    "Qwen3-Next": (512, 10, 1.0),
    "Qwen3-MoE, tau 2": (128, 8, 2.0),
    "Qwen3-MoE, tau 0.5": (128, 8, 0.5),
}


def frequencies(row: torch.Tensor, *, k: int, k_keep: int, r: int, tau: float, layer: int, n_draws: int) -> np.ndarray:
    """Route a row with `n_draws` keys: how often each expert was chosen, (E,) float64."""
    draws = torch.arange(n_draws)
    rows = RowSettings.alike(noise.row_keys(draws // 4096, draws % 32, draws // 32), k_keep=k_keep, r=r, tau=tau)
    _, ids = cpu.route(row.expand(n_draws, -1), rows, k=k, renormalize=True, layer=layer)
    return np.asarray(torch.bincount(ids.flatten(), minlength=row.numel()).numpy() / n_draws)


def main() -> None:
    """Print one line a setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1_000_000)
    n_draws = parser.parse_args().draws
    print(f"{n_draws} draws each")
    print("setting              pool drawn   head  outside  mean z^2  max |z|")
    for layer, (name, (n_experts, k, tau)) in enumerate(SETTINGS.items()):
        k_keep, r = k // 2 + 1, min(4 * k, n_experts)
        logits = torch.randn(n_experts, generator=torch.Generator().manual_seed(4)) * 1.5
        row = logits.sort(descending=True).values.bfloat16()
        shares = frequencies(row[None], k=k, k_keep=k_keep, r=r, tau=tau, layer=layer, n_draws=n_draws)
        pool = row[k_keep:r].double().numpy()
        exact = inclusion_probabilities(np.exp((pool - pool.max()) / tau), k - k_keep, grid=200_001)
        z = (shares[k_keep:r] - exact) / np.sqrt(exact * (1 - exact) / n_draws)
        head, outside = shares[:k_keep].min(), shares[r:].sum()
        print(
            f"{name:<20}{r - k_keep:>5}{k - k_keep:>6}{head:>7.3f}{outside:>9.1f}"
            f"{np.mean(z**2):>10.2f}{np.abs(z).max():>9.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
