"""Noise of draws that are already made, held against forward sampling."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from generation.route_report.hindsight import gumbel, noise_of  # noqa: E402

LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0])


def test_the_drawn_token_is_drawn_again_and_no_other() -> None:
    generator = torch.Generator().manual_seed(0)
    for drawn in range(4):
        for _ in range(50):
            assert (LOGITS + noise_of(LOGITS, drawn, generator)).argmax() == drawn


def test_it_is_the_noise_of_those_forward_draws_that_gave_the_token() -> None:
    """What other logits would have drawn, given token 1: by hindsight, and by keeping the draws that gave token 1."""
    generator = torch.Generator().manual_seed(1)
    other = torch.tensor([0.0, 0.5, 1.5, 0.0])
    forward = gumbel(400_000, generator).view(-1, 4)
    kept = forward[(LOGITS + forward).argmax(-1) == 1]
    truth = torch.bincount((other + kept).argmax(-1), minlength=4) / len(kept)
    drawn = torch.stack([(other + noise_of(LOGITS, 1, generator)).argmax() for _ in range(4000)])
    shares = torch.bincount(drawn, minlength=4) / len(drawn)
    assert shares.tolist() == pytest.approx(truth.tolist(), abs=0.03)


def test_a_token_that_gains_on_every_other_stays_drawn() -> None:
    generator = torch.Generator().manual_seed(2)
    better = LOGITS + torch.tensor([0.0, 0.7, 0.0, -0.3])
    assert all((better + noise_of(LOGITS, 1, generator)).argmax() == 1 for _ in range(200))


def test_a_token_that_could_not_be_drawn_is_refused_and_may_be_drawn_elsewhere() -> None:
    generator = torch.Generator().manual_seed(3)
    cut = LOGITS.clone()
    cut[3] = -torch.inf
    with pytest.raises(ValueError, match="cannot be drawn"):
        noise_of(cut, 3, generator)
    elsewhere = torch.tensor([0.0, 0.0, 0.0, 9.0])
    assert any((elsewhere + noise_of(cut, 0, generator)).argmax() == 3 for _ in range(50))
