"""The demo's commands; that they run with real vLLM is what the miniature's tests and `make generate-demo` show."""

from pathlib import Path

import pytest

from diversity_judge.countdown import read_problem
from generation import demo
from generation.problems import ProblemKind
from generation.sampling.options import SampleOptions
from generation.strategies import load_presets, parse_strategies


def test_the_demo_samples_scores_and_says_what_it_cannot_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands: list[list[str]] = []
    runs: list[SampleOptions] = []

    def run(command: list[str]) -> int:
        commands.append(command)
        return 0

    def sampling_run(options: SampleOptions) -> int:
        runs.append(options)
        return 0

    monkeypatch.setattr("generation.children.exit_code_of", run)
    monkeypatch.setattr("generation.demo.run_sampling", sampling_run)
    assert demo.main(["--out", str(tmp_path)]) == 0
    (sampling,) = runs
    exact, proxy, agree = commands
    assert sampling.model == demo.MODEL
    problems = sampling.load_problems()
    assert [problem.kind for problem in problems] == [ProblemKind.COUNTDOWN] * 3
    assert all(read_problem(problem.text).target == int(problem.text.split()[-1]) for problem in problems)
    assert len(parse_strategies(list(sampling.strategies), load_presets())) == 4
    assert (sampling.n, sampling.out) == (8, tmp_path / "responses.jsonl")
    for scoring, judge in ((exact, "countdown"), (proxy, "proxy")):
        assert scoring[:2] == ["diversity_judge.score", str(tmp_path / "responses.jsonl")]
        assert scoring[scoring.index("--judge") + 1] == judge
    assert agree[:3] == ["diversity_judge.agree", str(tmp_path / "proxy"), str(tmp_path / "countdown")]
    assert "nothing else" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("sampling", [0, 1])
def test_a_failing_step_ends_the_demo_with_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampling: int
) -> None:
    commands: list[list[str]] = []

    def run(command: list[str]) -> int:
        commands.append(command)
        return 3

    monkeypatch.setattr("generation.children.exit_code_of", run)
    monkeypatch.setattr("generation.demo.run_sampling", lambda options: sampling)
    assert demo.main(["--out", str(tmp_path)]) == (sampling or 3)
    assert len(commands) == 1 - sampling


def test_without_the_model_the_demo_says_where_to_run_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "MODEL", tmp_path)
    assert demo.main(["--out", str(tmp_path / "out")]) == 2
    assert "in a checkout" in " ".join(capsys.readouterr().out.split())
