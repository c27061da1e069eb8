import csv
import json
from pathlib import Path

import numpy as np
import pytest

from diversity_judge.inputs.responses import Group, Response
from diversity_judge.measures.intervals import strategy_estimate
from generation import routing
from generation.expert_use.active_experts import active_experts_points, write_active_experts
from generation.expert_use.profile import BINS, RoutingProfile
from generation.expert_use.profile_files import rank_intervals, write_profile
from generation.sampling.options import SampleOptions
from generation.sampling.run import SamplingResult


def group(problem: str, strategy: str, *correct: bool) -> Group:
    responses = [Response(problem, "x", strategy, i, correct=c) for i, c in enumerate(correct)]
    return Group(problem, strategy, tuple(responses))


def test_workers_answers_are_joined_by_layer() -> None:
    """Two tensor-parallel ranks of one pipeline stage, one of another, with sums over 4 tokens."""
    first = {"layers": {0: ([3.0, 1.0], 4)}, "active_experts": 1}
    second = {"layers": {1: ([2.0, 2.0], 4)}, "active_experts": 1}
    profile = RoutingProfile.from_workers([first, first, second])
    assert profile.layers == (0, 1)
    assert profile.by_layer.tolist() == [[0.75, 0.25], [0.5, 0.5]]
    assert profile.mean.tolist() == [0.625, 0.375]
    assert profile.n_tokens == 4


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({}, "no router was asked"),
        ({0: ([], 0)}, "no router was asked"),
        ({0: ([1.0], 1), 1: ([0.5, 0.5], 1)}, "differ in their number of experts"),
    ],
)
def test_what_cannot_be_studied_says_why(layers: dict[int, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RoutingProfile.from_workers([{"layers": layers, "active_experts": 1}])


def test_blocks_of_problems_give_an_interval(tmp_path: Path) -> None:
    """Sums go on from reading to reading: blocks of 2, 4 and 2 tokens, two layers."""

    def reading(first: list[float], second: list[float], n_tokens: int) -> list[dict[str, object]]:
        return [{"layers": {0: (first, n_tokens), 1: (second, n_tokens)}, "active_experts": 1}]

    readings = [
        reading([1.6, 0.4], [1.2, 0.8], 2),
        reading([4.4, 1.6], [4.0, 2.0], 6),
        reading([5.8, 2.2], [5.4, 2.6], 8),
    ]
    profile = RoutingProfile.from_workers(*readings)
    assert profile.by_block == pytest.approx(np.array([[0.7, 0.3], [0.7, 0.3], [0.7, 0.3]]))
    assert profile.mean == pytest.approx([0.7, 0.3])
    varied = RoutingProfile((0,), np.array([[0.7, 0.3]]), 8, 1, np.array([[0.6, 0.4], [0.7, 0.3], [0.8, 0.2]]))
    low, high = rank_intervals(varied)
    expected = strategy_estimate([0.6, 0.7, 0.8])
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high))
    write_profile(varied, tmp_path, k_keep=1, model="m")
    with (tmp_path / "router_by_rank.csv").open() as file:
        first = next(csv.DictReader(file))
    assert (float(first["ci_low"]), float(first["ci_high"])) == pytest.approx((expected.low, expected.high))
    assert len((tmp_path / "router_by_block.csv").read_text().splitlines()) == 1 + 3 * 2


def test_the_profile_is_written_as_tables_and_a_figure(tmp_path: Path) -> None:
    by_layer = np.array([[0.5, 0.3, 0.1, 0.1], [0.7, 0.1, 0.1, 0.1]])
    paths = write_profile(RoutingProfile((0, 2), by_layer, 10, 2), tmp_path, k_keep=1, model="m")
    with (tmp_path / "router_by_rank.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [float(row["mean_probability"]) for row in table] == pytest.approx([0.6, 0.2, 0.1, 0.1])
    assert [float(row["cumulative_probability"]) for row in table] == pytest.approx([0.6, 0.8, 0.9, 1.0])
    assert (float(table[0]["lowest_layer"]), float(table[0]["highest_layer"])) == (0.5, 0.7)
    assert len((tmp_path / "router_by_layer.csv").read_text().splitlines()) == 1 + 2 * 4
    assert paths[2].read_bytes().startswith(b"\x89PNG")


def test_each_threshold_says_how_many_tokens_it_would_draw(tmp_path: Path) -> None:
    """Ten tokens a layer: in the first all leave 0.25, in the second half leave nothing and half 0.9."""
    bins = np.zeros((2, BINS), dtype=int)
    bins[0, BINS // 4] = 10
    bins[1, [0, 9 * BINS // 10]] = 5
    answer = {
        "layers": {0: ([7.0, 3.0], 10), 3: ([8.0, 2.0], 10)},
        "active_experts": 1,
        "untaken": {0: bins[0].tolist(), 3: bins[1].tolist()},
    }
    write_profile(RoutingProfile.from_workers([answer]), tmp_path, k_keep=1, model="m")
    with (tmp_path / "router_untaken.csv").open() as file:
        shares = {(row["layer"], row["fragile_from"]): float(row["share_drawn"]) for row in csv.DictReader(file)}
    assert [shares["0", at] for at in ("0.0", "0.25", "0.255")] == [1, 1, 0]
    assert [shares["3", at] for at in ("0.0", "0.005", "0.9", "0.905")] == [1, 0.5, 0.5, 0]
    assert [shares["", at] for at in ("0.0", "0.25", "0.255", "0.95")] == [1, 0.75, 0.25, 0]


def test_the_untaken_mass_of_a_batch_is_counted_by_bin() -> None:
    torch = pytest.importorskip("torch")
    from generation.expert_use.sums import RankSums

    sums = RankSums(active=2)
    sums.add(torch.log(torch.tensor([[0.4, 0.3, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25]])))
    sums.add(torch.log(torch.tensor([[0.9, 0.06, 0.03, 0.01]])))
    at = {number / BINS: count for number, count in enumerate(sums.read_untaken()) if count}
    assert list(at) == pytest.approx([0.04, 0.3, 0.5], abs=1.01 / BINS)
    assert list(at.values()) == [1, 1, 1]


def test_greedy_accuracy_and_pass_at_n(tmp_path: Path) -> None:
    groups = [
        group("a", "greedy", True),
        group("b", "greedy", False),
        group("a", "token-normal", True, True, False, False),
        group("b", "token-normal", False, False, False, True),
    ]
    points = {(p.metric, p.k): p for p in active_experts_points(4, groups, strategy="token-normal")}
    assert points["greedy_accuracy", 1].value == 0.5
    # pass@2 of 2 right among 4 is 1 - C(2,2)/C(4,2) = 5/6, of 1 right 1 - C(3,2)/C(4,2) = 1/2.
    assert points["pass_at_k", 2].value == pytest.approx((5 / 6 + 1 / 2) / 2)
    assert points["pass_at_k", 4].value == 1.0
    assert {p.n_problems for p in points.values()} == {2}
    paths = write_active_experts(list(points.values()), tmp_path, model="m")
    assert paths[0].read_text().splitlines()[0].startswith("active_experts,metric,k,value,ci_low,ci_high")


PROBLEM = {"problem_id": "a", "problem": "Which?", "choices": ["3", "4"], "answer": "B"}


def test_the_study_samples_once_a_number_and_passes_options_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[SampleOptions] = []

    def sampling(options: SampleOptions, reporter: object) -> SamplingResult:
        runs.append(options)
        rows = [
            {"problem_id": "a", "strategy": s, "sample_id": i, "response": "x", "correct": options.active_experts == 4}
            for s, n in (("greedy", 1), ("token-normal", 2))
            for i in range(n)
        ]
        options.out.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return SamplingResult(options.out, 0, 3)

    monkeypatch.setattr("generation.routing.sample", sampling)
    command = ["active-experts", "p.jsonl", "--model", "m", "--active-experts", "2,4", "--n", "2"]
    command += ["--max-tokens", "7", "--chat-template-kwargs", '{"enable_thinking": false}']
    assert routing.main([*command, "--out", str(tmp_path), "--dtype", "float32"]) == 0
    assert [(run.active_experts, run.out.name) for run in runs] == [(2, "active_2.jsonl"), (4, "active_4.jsonl")]
    assert all(
        (run.n, run.seed, run.max_tokens, run.strategies) == (2, 0, 7, ("greedy", "token-normal")) for run in runs
    )
    assert all(run.engine_args == {"dtype": "float32"} for run in runs)
    assert all(run.chat_template_kwargs == {"enable_thinking": False} for run in runs)
    with (tmp_path / "active_experts.csv").open() as file:
        table = [(row["active_experts"], row["metric"], row["k"], float(row["value"])) for row in csv.DictReader(file)]
    assert ("2", "greedy_accuracy", "1", 0.0) in table
    assert ("4", "pass_at_k", "2", 1.0) in table


def test_the_study_on_servers_is_refused_with_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the number of experts is the server's business, which is said before anything is sent."""
    (tmp_path / "p.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    command = ["active-experts", str(tmp_path / "p.jsonl"), "--model", "m", "--active-experts", "2"]
    assert routing.main([*command, "--base-url", "http://127.0.0.1:9/v1", "--out", str(tmp_path / "out")]) == 2
    assert "--active-experts is for vLLM in this process" in " ".join(capsys.readouterr().err.split())


def test_a_failing_run_ends_the_study_with_its_code(tmp_path: Path) -> None:
    command = ["active-experts", "nowhere.jsonl", "--model", "m", "--active-experts", "2"]
    assert routing.main([*command, "--out", str(tmp_path)]) == 2


def test_replicas_cannot_be_watched_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert routing.main(["probabilities", "aime25", "--model", "m", "--cpu-replicas", "2"]) == 2
    assert "the routers are watched in one engine" in " ".join(capsys.readouterr().err.split())


def test_a_head_that_no_model_can_have_is_refused_before_an_engine_is_started(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert routing.main(["probabilities", "aime25", "--model", "m", "--k-keep", "half"]) == 2
    assert "--k-keep: k_keep is 'half'" in " ".join(capsys.readouterr().err.split())
    assert routing.main(["probabilities", "aime25", "--model", "m", "--tau", "0"]) == 2
    assert "--tau: tau is 0.0" in " ".join(capsys.readouterr().err.split())
