"""The share of weight on new experts, held against the enumeration of all sets that can be drawn."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from generation.expert_sample.settings import ExpertSampleSettings  # noqa: E402
from generation.routing_study.new_experts import draw_keys, share_on_new_experts  # noqa: E402
from tests.generation.routing_study.oracles import new_share_by_enumeration  # noqa: E402

LOGITS = torch.tensor([1.0, 2.0, 0.4, 0.1, -0.3, 1.5, -1.0, 0.0])
DRAWS = 20_000


@pytest.mark.parametrize(("k_keep", "tau", "r"), [("k//2+1", 1.0, "2k"), (1, 1.0, 7), (0, 3.0, 6), (2, 0.5, "8k")])
def test_many_draws_give_the_share_of_all_sets_weighted_by_their_chance(
    k_keep: int | str, tau: float, r: int | str
) -> None:
    settings = ExpertSampleSettings(k_keep=k_keep, tau=tau, r=r).resolve(4, 8)
    keys = draw_keys(1, range(1), DRAWS, LOGITS.device)
    shares = share_on_new_experts(LOGITS.expand(DRAWS, -1), keys, settings, k=4, layer=3)
    truth = new_share_by_enumeration(LOGITS.numpy(), k=4, k_keep=settings.k_keep, r=settings.r, tau=tau)
    error = float(shares.std()) / np.sqrt(DRAWS)
    assert error > 0
    assert float(shares.mean()) == pytest.approx(truth, abs=4 * error)


def test_a_kept_head_of_all_experts_and_a_confident_token_have_nothing_new() -> None:
    keys = draw_keys(0, range(50), 1, LOGITS.device)
    logits = LOGITS.expand(50, -1)
    all_kept = ExpertSampleSettings(k_keep="k").resolve(4, 8)
    assert share_on_new_experts(logits, keys, all_kept, k=4, layer=0).sum() == 0
    confident = ExpertSampleSettings(k_keep=0, fragile_from=0.4).resolve(4, 8)  # the best 4 of 8 leave .146
    assert share_on_new_experts(logits, keys, confident, k=4, layer=0).sum() == 0
    fragile = ExpertSampleSettings(k_keep=0, fragile_from=0.1).resolve(4, 8)
    assert share_on_new_experts(logits, keys, fragile, k=4, layer=0).sum() > 0


def test_each_token_and_draw_has_a_key_of_its_own_whatever_came_together() -> None:
    device = LOGITS.device
    together = draw_keys(5, range(4), 3, device)
    assert len(set(together.tolist())) == 12
    apart = torch.cat([draw_keys(5, range(start, stop), 3, device) for start, stop in ((0, 1), (1, 4))])
    assert torch.equal(together, apart)
    assert not set(draw_keys(6, range(4), 3, device).tolist()) & set(together.tolist())
