from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")

from scipy import stats

from generation.expert_sample import noise


def test_the_hash_is_splitmix64() -> None:
    # The first outputs for seed 1234567, as other implementations of SplitMix64 list them.
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    outputs = noise.output(torch.tensor(1234567), torch.arange(4))
    assert [int(value) % 2**64 for value in outputs] == published


def test_the_logarithm_is_within_two_units_in_the_last_place() -> None:
    near_one = 1 - torch.arange(1, 5000) * 2.0**-24
    spread = torch.exp(torch.linspace(-80, 80, 200_001))
    x = torch.cat([near_one, spread, torch.tensor([2.0**-24, 1.0, 2.0**-126])])
    exact = x.double().log()
    unit = torch.nextafter(exact.float().abs(), torch.tensor(float("inf"))).double() - exact.float().abs().double()
    assert float(((noise.natural_log(x).double() - exact).abs() / unit).max()) <= 2


def test_the_noise_follows_the_gumbel_distribution() -> None:
    keys = noise.row_keys(torch.tensor(3), 0, torch.arange(4000))
    draws = noise.gumbel(keys, 5, 128)
    assert bool(torch.isfinite(draws).all())
    assert stats.kstest(draws.flatten().numpy(), stats.gumbel_r.cdf).pvalue > 1e-3


def test_neighbouring_coordinates_give_uncorrelated_noise() -> None:
    positions = torch.arange(2000)

    def draws(seed: int = 0, sample: int = 0, shift: int = 0, layer: int = 0, expert: int = 0) -> torch.Tensor:
        keys = noise.row_keys(torch.tensor(seed), sample, positions + shift)
        return noise.gumbel(keys, layer, 64)[:, expert : expert + 60].flatten()

    base = draws()
    for other in (draws(seed=1), draws(sample=1), draws(shift=1), draws(layer=1), draws(expert=1)):
        correlation = float(torch.corrcoef(torch.stack([base, other]))[0, 1])
        assert abs(correlation) < 4 / len(base) ** 0.5


def test_row_keys_differ_in_seed_sample_and_position() -> None:
    seeds, samples, positions = torch.arange(-20, 20), torch.arange(32), torch.arange(500)
    keys = noise.row_keys(seeds[:, None, None], samples[:, None], positions)
    assert keys.unique().numel() == keys.numel() == 40 * 32 * 500


def test_noise_is_a_function_of_its_coordinates_alone() -> None:
    keys = noise.row_keys(torch.tensor(9), 2, torch.arange(50))
    together = noise.gumbel(keys, 7, 128)
    alone = noise.gumbel(noise.row_keys(torch.tensor([9]), torch.tensor([2]), torch.tensor([31])), 7, 64)
    assert torch.equal(together[31:32, :64], alone)


def test_the_noise_of_this_version_never_changes() -> None:
    # Outputs name the version that made them; a change of these numbers needs a new NOISE_VERSION.
    draws = noise.gumbel(noise.row_keys(torch.tensor(2026), 1, torch.tensor([17])), 3, 4)
    assert noise.NOISE_VERSION == 1
    assert draws.view(torch.int32).tolist() == [[1072421146, 1059201632, -1081503168, 1049229011]]
