"""From some pairs to all of them: no pair is bought twice, and what was bought as all pairs stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.diversity_judge.score_runs import assert_exact, run
from tests.judge_server import JudgeServer
from tests.judge_texts import Sample

SAMPLE = Sample(problems=("p0", "p1"), n=9)
ALL = 4 * 36


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    return SAMPLE.write(tmp_path / "responses.jsonl")


def test_going_from_some_pairs_to_all_buys_only_the_rest(responses: Path, tmp_path: Path) -> None:
    with JudgeServer() as server:
        for options, calls in (
            (("--pairs-per-group", "9"), 36),
            (("--pairs-per-group", "20"), 80),
            ((), ALL),
            ((), ALL),
        ):
            finished = run(responses, server, tmp_path / "run", *options)
            assert finished.code == 0
            assert len(server.calls) == calls
    pairs = finished.pairs
    unordered = {(p, s, *sorted((i, j))) for p, s, i, j in pairs[["problem_id", "strategy", "first", "second"]].values}
    assert len(unordered) == len(pairs) == ALL
    assert set(pairs.groupby(["problem_id", "strategy"])["first"].value_counts()) == {4}  # of 8 pairs each


def test_all_pairs_that_were_bought_first_are_found_after_a_thinned_run_too(responses: Path, tmp_path: Path) -> None:
    with JudgeServer() as server:
        assert_exact(run(responses, server, tmp_path / "run"), SAMPLE)  # in the orientation of the file
        run(responses, server, tmp_path / "run", "--pairs-per-group", "9")
        calls = len(server.calls)
        assert_exact(run(responses, server, tmp_path / "run"), SAMPLE)
        assert len(server.calls) == calls


def test_an_offline_run_finds_them_too(responses: Path, tmp_path: Path) -> None:
    with JudgeServer() as server:
        run(responses, server, tmp_path / "run", "--pairs-per-group", "9")
        bought = run(responses, server, tmp_path / "run")
    again = run(responses, server.base_url, tmp_path / "run", "--offline")
    assert again.code == 0
    assert again.pairs["score"].tolist() == bought.pairs["score"].tolist()
