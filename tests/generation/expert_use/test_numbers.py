"""Numbers of readings that are known, and what is printed and written of them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diversity_judge.measures.intervals import t_quantile
from generation.expert_sample.settings import ResolvedSettings
from generation.expert_use.numbers import RouterNumbers
from generation.expert_use.options import ProbabilitiesOptions
from generation.expert_use.profile import RoutingProfile
from generation.expert_use.result import ProbabilitiesResult
from generation.expert_use.watching import Seen

BLOCKS = (  # tokens; sums of both entropies; sums of the shares of two layers
    (10, 4.0, 8.0, 0.5, 1.5),
    (20, 10.0, 19.0, 2.0, 3.0),
    (10, 3.0, 7.0, 1.0, 1.0),
)


def readings(blocks: tuple[tuple[float, ...], ...] = BLOCKS) -> list[list[dict[str, Any]]]:
    """As three workers answer: two of a first pipeline stage, which have no logits, one of the last."""
    found: list[list[dict[str, Any]]] = []
    for number in range(len(blocks)):
        n, drawn, uncut, first, second = (sum(block[i] for block in blocks[: number + 1]) for i in range(5))
        early: dict[str, Any] = {"new_share": {0: ([first], n)}, "entropy": ([], 0)}
        late: dict[str, Any] = {"new_share": {"7": ([second], n)}, "entropy": ([drawn, uncut], n)}
        found.append([early, early, late])
    return found


def test_means_are_over_tokens_and_intervals_over_blocks() -> None:
    found = RouterNumbers.from_workers(*readings())
    assert found.n_tokens == 40
    assert found.entropy.value == pytest.approx(17 / 40)
    assert found.entropy_t1.value == pytest.approx(34 / 40)
    assert found.new_share.value == pytest.approx(9 / 80)
    # Leaving out a block: 13/30, 7/20, 14/30. The jackknife's error, on the logarithm.
    left = np.log([13 / 30, 7 / 20, 14 / 30])
    se = np.sqrt(2 / 3 * ((left - left.mean()) ** 2).sum())
    half = t_quantile(0.95, 2) * se
    assert (found.entropy.low, found.entropy.high) == pytest.approx((17 / 40 * np.exp(-half), 17 / 40 * np.exp(half)))
    assert 0 < found.new_share.low < found.new_share.value < found.new_share.high < 1


def test_what_is_not_known_says_why_and_is_no_number() -> None:
    alone = RouterNumbers.from_workers(readings()[0], no_draw="its layers score experts by sigmoid")
    assert np.isnan(alone.new_share.value)
    assert alone.new_share.reason == "its layers score experts by sigmoid"
    assert alone.entropy.value == pytest.approx(0.4)
    assert np.isnan(alone.entropy.low)
    assert "an interval needs 3" in alone.entropy.reason
    with pytest.raises(ValueError, match="the logits of no token were seen"):
        RouterNumbers.from_workers([{"new_share": {}, "entropy": ([], 0)}])


def test_greedy_has_no_entropy_by_definition() -> None:
    found = RouterNumbers.from_workers(*readings(), is_greedy=True)
    assert (found.entropy.value, found.entropy.low, found.entropy.high) == (0, 0, 0)
    assert found.entropy_t1.value == pytest.approx(34 / 40)


def result(tmp_path: Path, **options: Any) -> ProbabilitiesResult:
    profile = RoutingProfile((0, 7), np.array([[0.6, 0.3, 0.1], [0.8, 0.1, 0.1]]), 60, 2)
    draw = ResolvedSettings(1, 1.5, 3, "generation")
    asked = ProbabilitiesOptions(problems="p.jsonl", model="m", out=tmp_path / "out", **options)
    is_greedy = asked.strategy == "greedy"
    seen = Seen(profile, RouterNumbers.from_workers(*readings(), is_greedy=is_greedy), 1, draw)
    return ProbabilitiesResult.write(seen, asked)


def test_both_numbers_are_a_line_each_and_a_table(tmp_path: Path) -> None:
    found = result(tmp_path, strategy="token-normal:temperature=0.5")
    share, entropy = str(found).splitlines()[1:3]
    assert share.startswith("weight on new experts: 11.2 % (")
    assert share.endswith("), with k_keep 1, tau 1.5, r 3")
    assert entropy.startswith("next token's entropy: 0.425 nats (0.")
    assert "; 0.850 (" in entropy
    assert max(len(share), len(entropy)) <= 80
    with (tmp_path / "out" / "router_numbers.csv").open() as file:
        rows = {row["number"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["new_share", "entropy", "entropy_t1"]
    assert float(rows["new_share"]["value"]) == pytest.approx(9 / 80)
    assert [rows["new_share"][name] for name in ("k_keep", "tau", "r")] == ["1", "1.5", "3"]
    assert [rows["entropy"][name] for name in ("k_keep", "tau", "r")] == ["", "", ""]
    assert {row["strategy"] for row in rows.values()} == {"token-normal:temperature=0.5"}
    assert (rows["new_share"]["unit"], rows["entropy_t1"]["unit"]) == ("share of a layer's expert weight", "nats")


def test_greedy_and_penalties_are_said(tmp_path: Path) -> None:
    assert "entropy: 0 nats; 0.850 (" in str(result(tmp_path, strategy="greedy"))
    penalised = str(result(tmp_path, strategy="token-normal:presence_penalty=1"))
    assert "), its penalties left out; 0.850" in penalised


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("k//2+1", 1.0, "4k")),
        ({"k_keep": 3, "tau": 2.0}, (3, 2.0, "4k")),
        ({"strategy": "expert-sample:tau=1.1,r=5k"}, ("k//2+1", 1.1, "5k")),
        ({"strategy": "expert-sample:tau=1.1,r=5k", "r": "6k"}, ("k//2+1", 1.1, "6k")),
    ],
)
def test_the_draw_is_that_of_the_options_else_the_strategys_else_the_papers(
    options: dict[str, Any], expected: tuple[object, ...]
) -> None:
    asked = ProbabilitiesOptions(problems="p.jsonl", model="m", **options)
    settings = asked.draw_of(asked.read_strategy())
    assert (settings.k_keep, settings.tau, settings.r) == expected
