"""Which pairs are drawn: equal shares, the same chance for every pair of a group, never a missing score."""

from __future__ import annotations

import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import Response
from diversity_judge.probing.drawing import draw_pairs
from diversity_judge.runs.loading import Run, load_run
from tests.diversity_judge.run_folders import group, make_run


def skewed(first: Response, second: Response) -> int | None:
    """Mostly 4, sometimes 0, now and then none."""
    lot = zlib.crc32(f"{first.text}|{second.text}".encode()) % 10
    return None if lot == 9 else 0 if lot == 8 else 4


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    groups = [
        group(f"p{p}", s, [{"text": f"{p} {s} {i}"} for i in range(6)]) for p in range(5) for s in ("cold", "hot")
    ]
    return load_run(make_run(tmp_path_factory.mktemp("run"), groups, skewed))


def test_strategies_and_problems_get_equal_shares(run: Run) -> None:
    drawn = draw_pairs(run, 44)
    assert len(drawn) == len({(one.group, one.pair) for one in drawn}) == 44
    assert set(Counter(one.strategy for one in drawn).values()) == {22}
    counts = Counter((one.problem_id, one.strategy) for one in drawn).values()
    assert max(counts) - min(counts) <= 1


def test_every_scored_pair_has_the_same_chance_whatever_its_score(run: Run) -> None:
    """Rare scores drawn more often would make a noisy judge's next draws look better than its first."""
    seeds = range(300)
    counts = Counter((one.group, one.pair) for seed in seeds for one in draw_pairs(run, 20, seed))
    members = [member for member in run.groups if member.judgments]
    for place, member in enumerate(members):
        scored = [judgment for judgment in member.judgments if judgment.score is not None]
        chance = sum(count for (group, _), count in counts.items() if group == place) / len(scored) / len(seeds)
        found = np.array([counts[place, judgment.pair] for judgment in scored]) / len(seeds)
        assert np.abs(found - chance).max() < 4.5 * np.sqrt(chance * (1 - chance) / len(seeds))


def test_the_scores_are_drawn_in_the_proportions_of_the_run(run: Run) -> None:
    scores = [j.score for member in run.groups for j in member.judgments if j.score is not None]
    share = np.mean(np.equal(scores, 0))
    found = [np.mean([one.score == 0 for one in draw_pairs(run, 50, seed)]) for seed in range(40)]
    assert abs(np.mean(found) - share) < 0.02
    assert np.std(found) < 0.7 * np.sqrt(share * (1 - share) / 50), "strata by score make the share steadier"


def test_missing_scores_are_never_drawn_and_all_others_can_be(run: Run) -> None:
    drawn = draw_pairs(run, 10_000)
    known = {(j.pair, j.score) for member in run.groups for j in member.judgments if j.score is not None}
    assert {(one.pair, one.score) for one in drawn} == known
    assert len(drawn) == sum(j.score is not None for member in run.groups for j in member.judgments)


def test_the_same_seed_draws_the_same_and_another_one_others(run: Run) -> None:
    assert draw_pairs(run, 20, 3) == draw_pairs(run, 20, 3) != draw_pairs(run, 20, 4)


def test_a_pair_in_both_orders_is_drawn_in_one(tmp_path: Path) -> None:
    groups = [group(f"p{p}", "s", [{"text": f"{p} {i}"} for i in range(4)]) for p in range(3)]
    both = load_run(make_run(tmp_path / "run", groups, lambda first, second: 3, orders="both"))
    drawn = draw_pairs(both, 1000)
    assert len(drawn) == len({(one.group, frozenset(one.pair[:2])) for one in drawn}) == 18
    assert 0 < sum(one.pair.first < one.pair.second for one in drawn) < 18


def test_a_run_whose_scores_are_of_one_problem_is_refused(tmp_path: Path) -> None:
    groups = [group(f"p{p}", "s", [{"text": f"{p} {i}"} for i in range(4)]) for p in range(2)]
    alone = load_run(make_run(tmp_path / "run", groups, lambda first, _: 3 if first.problem_id == "p0" else None))
    with pytest.raises(InputError, match="all scored pairs are of one problem"):
        draw_pairs(alone, 4)
