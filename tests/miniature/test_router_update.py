"""The study of a router-only update: its problems, its commands, and how checkpoints become strategies."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest

from diversity_judge.inputs.responses import Response, write_responses
from examples.miniature import router_update
from examples.miniature.problems import held_out, is_held_out
from examples.miniature.router_update import Study, main, together, training_problems


def test_training_problems_are_other_ones_than_those_held_out() -> None:
    some = list(islice(training_problems(0), 200))
    assert len({problem.identity for problem in some}) == 200
    assert not any(is_held_out(problem) for problem in some)
    assert not {problem.identity for problem in some} & {problem.identity for problem in islice(held_out(0), 200)}
    assert [problem.text for problem in some] == [problem.text for problem in islice(training_problems(0), 200)]


def test_each_checkpoint_and_way_of_sampling_is_a_strategy(tmp_path: Path) -> None:
    for name in ("before", "nll"):
        rows = [
            Response("b", f"{name} b", "token-normal", 0),
            Response("a", f"{name} a1", "expert-sample", 1),
            Response("a", f"{name} a0", "expert-sample", 0),
        ]
        write_responses(tmp_path / f"{name}.jsonl", rows)
    found = [(r.strategy, r.problem_id, r.text) for r in together(["before", "nll"], lambda n: tmp_path / f"{n}.jsonl")]
    assert found == [
        ("before, expert-sample", "a", "before a0"),
        ("before, expert-sample", "a", "before a1"),
        ("before", "b", "before b"),
        ("nll, expert-sample", "a", "nll a0"),
        ("nll, expert-sample", "a", "nll a1"),
        ("nll", "b", "nll b"),
    ]


def test_the_commands_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of sampling for each checkpoint, with the same seed; what is there is not trained again."""
    ran: list[list[str]] = []

    def note(self: Study, module: str, *arguments: object) -> None:
        words = [module, *map(str, arguments)]
        ran.append(words)
        out = Path(words[words.index("--out") + 1])
        if module == "generation.sample":
            write_responses(out, [Response("a", "1 + 1 = 2", strategy, 0) for strategy in words[5].split(",")])
        if module == "generation.router_update":
            out.mkdir(parents=True)

    monkeypatch.setattr(Study, "_run", note)
    command = ["--out", str(tmp_path), "--model", "m", "--problems", "2", "--updates", "nll,norm-scale"]
    assert main(command) == 0
    modules = [words[0] for words in ran]
    update = ["generation.router_update", "generation.sample"]
    assert modules == [*["generation.sample"] * 2, *update * 2, "diversity_judge.score", "diversity_judge.compare"]
    samples = [words for words in ran if words[0] == "generation.sample"]
    assert [words[5] for words in samples] == ["token-normal", *["token-normal,expert-sample"] * 3]
    assert {words[words.index("--seed") + 1] for words in samples} == {"0"}
    assert [words[3] for words in samples[2:]] == [str(tmp_path / "checkpoints" / n) for n in ("nll", "norm-scale")]
    problems = [json.loads(line) for line in (tmp_path / "held_out_problems.jsonl").read_text().splitlines()]
    assert [problem["problem_id"] for problem in problems] == ["c0000", "c0001"]
    ran.clear()
    assert main(command) == 0
    assert "generation.router_update" not in {words[0] for words in ran}


def test_options_of_the_updates_are_ones_that_the_command_has() -> None:
    pytest.importorskip("torch")
    from generation.router_training.arguments import parse_arguments

    for words in router_update.UPDATES.values():
        parse_arguments(["m", "r", "--out", "o", *router_update._LIKE_EACH_OTHER, *words])


def test_an_unknown_update_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--updates", "nll,magic"])
    assert "no update is called magic" in capsys.readouterr().err
