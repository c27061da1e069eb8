"""What drawn routes flip, held against hotter tokens: by hand, and where the one is known to be the other."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from examples.miniature.why.checks import kept
from examples.miniature.why.fates import Kind
from examples.miniature.why.findings import EXPERT, HOTTER, NORMAL, Findings, margin_classes
from examples.miniature.why.flips import Arms, arms, findings, left_for, sampled
from generation.strategies import TokenSampling

Floats = NDArray[np.float64]
N, V = 240, 6
PROBLEMS = np.repeat([f"p{i:02}" for i in range(40)], 6)
AGAINST = f"{EXPERT} - {HOTTER}"
PLAIN = TokenSampling(temperature=0.5)


def logits(seed: int) -> tuple[Floats, NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    return 2 * rng.normal(size=(N, V)), rng.random((N, V)) < 0.4


def told(found: Arms) -> Findings:
    return Findings([*findings(found)])


def test_what_is_left_is_judged_by_what_both_tokens_decide() -> None:
    live = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0]], np.bool_)
    probabilities = np.array([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.7, 0.2, 0.1]])
    found = arms(np.array(["a", "b", "c"]), live, np.log(probabilities), np.log([probabilities] * 2), TokenSampling())
    left = left_for(found, NORMAL)
    assert left[Kind.WORSE] == pytest.approx([0.3, 0, 0])
    assert left[Kind.SIDEWAYS] == pytest.approx([0.2, 0, 0])
    assert left[Kind.BETTER] == pytest.approx([0, 0.3, 0])
    assert left[Kind.LOST] == pytest.approx([0, 0.1, 0])
    assert left[Kind.GONE] == pytest.approx([0, 0, 0.3])


def test_a_solution_is_kept_where_none_of_its_decisions_leaves() -> None:
    rows = np.log([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.7, 0.2, 0.1]])
    live = np.ones((3, 3), np.bool_)
    found = arms(np.array(["b", "a", "b"]), live, rows, np.stack([rows, rows]), TokenSampling())
    assert kept(found, EXPERT, ["a", "b"]) == pytest.approx([0.6, 0.5 * 0.7])


def test_routes_that_do_what_heat_does_are_hotter_tokens() -> None:
    standard, live = logits(0)
    found = arms(PROBLEMS, live, standard, np.stack([standard / 3] * 4), PLAIN)
    assert found.temperature == pytest.approx(1.5, rel=1e-4)
    numbers = told(found)
    for what in ("overlap of decisions", "overlap of tokens"):
        assert numbers("decisions", what, HOTTER, EXPERT).value == pytest.approx(1, abs=1e-4)
    for kind in (Kind.BETTER, Kind.WORSE, Kind.SIDEWAYS):
        assert numbers("decisions", "left", kind.value, AGAINST).value == pytest.approx(0, abs=1e-4)
    assert not found.flipped.any()


def test_routes_that_favour_live_tokens_are_better_than_heat() -> None:
    standard, live = logits(1)
    rng = np.random.default_rng(2)
    drawn = standard + 1.5 * live + 0.5 * rng.normal(size=(16, N, V))
    numbers = told(arms(PROBLEMS, live, standard, drawn, PLAIN))
    assert numbers("decisions", "left", "better", AGAINST).low > 0
    assert numbers("decisions", "left", "worse", AGAINST).high < 0


def test_blind_routes_are_no_better_than_heat_as_often_as_the_interval_says() -> None:
    covered = []
    for seed in range(60):
        standard, live = logits(100 + seed)
        rng = np.random.default_rng(seed)
        numbers = told(arms(PROBLEMS, live, standard, standard + rng.normal(size=(8, N, V)), PLAIN))
        found = [numbers("decisions", "left", kind, AGAINST) for kind in ("better", "worse")]
        covered.append([one.low <= 0 <= one.high for one in found])
    assert (np.mean(covered, axis=0) > 0.85).all()


def test_routes_that_shake_a_few_decisions_of_their_own_flip_others_than_heat_does() -> None:
    standard, live = logits(3)
    rng = np.random.default_rng(4)
    shaken = rng.random(N) < 0.2
    drawn = standard + 4 * shaken[:, None] * rng.normal(size=(32, N, V))
    numbers = told(arms(PROBLEMS, live, standard, drawn, TokenSampling(temperature=0.1)))
    own, other = (numbers("decisions", "overlap of tokens", name, EXPERT) for name in (HOTTER, "other draws"))
    assert own.high < other.low
    like, most = (numbers("decisions", "rank correlation", name, EXPERT) for name in (HOTTER, "other draws"))
    assert like.high < 0.5 < most.low


def test_close_decisions_flip_most_where_all_are_shaken_alike() -> None:
    standard, live = logits(5)
    drawn = standard + 0.7 * np.random.default_rng(6).normal(size=(16, N, V))
    numbers = told(arms(PROBLEMS, live, standard, drawn, PLAIN))
    rates = [numbers("decisions", "flipped", name, EXPERT).value for name, _ in margin_classes()]
    assert rates[0] > rates[2] > rates[4]
    shares = [numbers("decisions", "share of decisions", name, "all").value for name, _ in margin_classes()]
    assert sum(shares) == pytest.approx(1)


def test_tokens_are_drawn_within_top_p_and_top_k() -> None:
    found = sampled(np.log([[0.6, 0.3, 0.06, 0.04]]), TokenSampling(top_p=0.8))
    assert found[0] == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert sampled(np.log([[0.6, 0.3, 0.1]]), TokenSampling(top_k=1))[0] == pytest.approx([1, 0, 0])
