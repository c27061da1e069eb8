"""The command from outside, on loopback servers that serve a reward model, or do not."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

from generation.reward import main
from generation.rewarding.journal import journal_path
from tests.generation.fake_pooling_server import FakePoolingServer, good_at_marks
from tests.generation.fake_server import FakeServer, Reply, serving
from tests.generation.test_sample_command import KillAfter
from tests.generation.tiny_tokenizers import ids_of, write_marked_tokenizer

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prm")
    write_marked_tokenizer(folder)
    return folder


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def response(number: int, text: str, **more: Any) -> dict[str, Any]:
    return {"problem_id": "p", "problem": "2+2?", "strategy": "s", "sample_id": number, "response": text, **more}


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    rows = [response(number, f"Try {number}.\n\nSo {number}.", correct=number % 2 == 0) for number in range(40)]
    return write(tmp_path / "responses.jsonl", rows)


def arguments(responses: Path, server: FakeServer, model: Path, *more: str) -> list[str]:
    options = ["--base-url", server.url, "--model", "tiny", "--tokenizer", str(model)]
    out = str(responses.with_name("out.jsonl"))
    return [str(responses), *options, "--recipe", "qwen25-math-prm", "--out", out, *more]


def expected(model: Path, *steps: str) -> list[float]:
    answer = "".join(f"{step}<extra_0>" for step in steps)
    text = (
        "<|im_start|>system\nPlease reason step by step, and put your final answer within \\boxed{}.<|im_end|>\n"
        f"<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>\n"
    )
    return good_at_marks(ids_of(model, text), 3)


def test_each_response_gets_its_reward_and_keeps_the_rest(responses: Path, model: Path) -> None:
    with serving(FakePoolingServer()) as server:
        assert main(arguments(responses, server, model)) == 0
    written = read(responses.with_name("out.jsonl"))
    for before, after in zip(read(responses), written, strict=True):
        number = before["sample_id"]
        steps = expected(model, f"Try {number}.", f"So {number}.")
        assert after["meta"]["step_rewards"] == pytest.approx(steps)
        assert after["reward"] == pytest.approx(min(steps))
        about = after["meta"]["reward"]
        assert (about["model"], about["recipe"], about["view"], about["aggregate"]) == (
            ("tiny", "qwen25-math-prm", "final", "min")
        )
        assert {name: after[name] for name in before} == before
    assert not journal_path(responses.with_name("out.jsonl")).exists()


def test_nothing_is_scored_twice(responses: Path, model: Path) -> None:
    with serving(FakePoolingServer()) as server:
        assert main(arguments(responses, server, model)) == 0
        asked = len(server.bodies)
        assert asked == 1 + 40
        assert main(arguments(responses, server, model)) == 0
        assert len(server.bodies) == asked
        # Another aggregate needs no model either, and of a longer file only what is new is scored.
        write(responses, [*read(responses), response(40, "New."), response(41, "New.")])
        assert main(arguments(responses, server, model, "--aggregate", "last")) == 0
        assert len(server.bodies) == asked + 2  # a probe, and one text that two responses share
        rows = read(responses.with_name("out.jsonl"))
        assert all(row["reward"] == row["meta"]["step_rewards"][-1] for row in rows)
        # These responses have no thinking, so that another view shows the same.
        assert main(arguments(responses, server, model, "--view", "full")) == 0
        assert len(server.bodies) == asked + 2


def test_what_follows_the_thinking_is_scored_and_an_open_thought_is_not(
    tmp_path: Path, model: Path, capsys: Any
) -> None:
    rows = [response(0, "<think>\n\nHm.\n\n</think>\n\nA.\n\nB."), response(1, "<think>never closed"), response(2, "")]
    responses = write(tmp_path / "responses.jsonl", rows)
    with serving(FakePoolingServer()) as server:
        assert main(arguments(responses, server, model)) == 0
    first, second, third = read(tmp_path / "out.jsonl")
    assert first["meta"]["step_rewards"] == pytest.approx(expected(model, "A.", "B."))
    for row in (second, third):
        assert row["reward"] is None
        assert row["meta"]["reward"]["missing"] == "nothing_to_score"
        assert "step_rewards" not in row["meta"]
    assert "2 responses have no reward: nothing to score in them (--view final)" in capsys.readouterr().err


def test_what_is_cut_and_what_is_spelled_out_is_counted_and_said(tmp_path: Path, model: Path, capsys: Any) -> None:
    long = "\n\n".join(f"Step {number}." for number in range(100))
    rows = [response(0, long), response(1, "x" * 100_000), response(2, "See <extra_0>."), response(3, "Short.")]
    responses = write(tmp_path / "responses.jsonl", rows)
    with serving(FakePoolingServer()) as server:
        server.contexts = {"tiny": 512}
        assert main(arguments(responses, server, model)) == 0
    said = capsys.readouterr().err
    rows = read(tmp_path / "out.jsonl")
    kept = len(rows[0]["meta"]["step_rewards"])
    assert rows[0]["meta"]["reward"]["steps_cut"] == 100 - kept > 0
    assert rows[1]["meta"]["reward"]["missing"] == "too_long"
    assert rows[2]["meta"]["reward"]["defused"] == 1
    assert f"what did not fit was left out ({100 - kept} steps at its end)" in said
    assert "1 response has no reward: not even the first step fits into the context of 512 tokens" in said
    assert "1 response spells out special tokens" in said


def test_a_run_that_ends_in_the_middle_continues(responses: Path, model: Path, capsys: Any) -> None:
    def no_more_money(body: dict[str, Any], number: int) -> Reply | None:
        return (402, {"error": {"message": "pay"}}, {}) if number > 20 else None

    out = responses.with_name("out.jsonl")
    with serving(FakePoolingServer()) as server:
        server.faults = no_more_money
        assert main(arguments(responses, server, model, "--concurrency", "4")) == 1
        assert not out.exists()
        kept = journal_path(out).read_bytes()
        assert 1 < kept.count(b"\n") < 20
        journal_path(out).write_bytes(kept + b'{"key": "torn')
        scored = len(server.bodies)
        server.faults = lambda body, number: None
        assert main(arguments(responses, server, model, "--concurrency", "4")) == 0
        assert len(server.bodies) - scored == 1 + 40 - kept.count(b"\n")
    assert all(row["reward"] is not None for row in read(out))


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_scores_at_most_what_was_in_flight_again(signal_number: int, responses: Path, model: Path) -> None:
    concurrency = 3
    with serving(FakePoolingServer()) as server:
        command = arguments(responses, server, model, "--concurrency", str(concurrency))
        server.faults = killer = KillAfter(random.Random(5).randrange(8, 30), signal_number)
        killer.process = process = subprocess.Popen(
            [sys.executable, "-m", "generation.reward", *command], cwd=ROOT, stderr=subprocess.DEVNULL
        )
        process.communicate()
        assert process.returncode == (130 if signal_number == signal.SIGTERM else -signal_number)
        assert not responses.with_name("out.jsonl").exists()
        server.faults = lambda body, number: None
        assert main(command) == 0
        times = Counter[tuple[int, ...]](server.texts)
        assert len(times) == 41
        again = sum(n - 1 for n in times.values()) - 1  # the probe, once a run
        assert again <= 2 * concurrency
    assert all(row["reward"] is not None for row in read(responses.with_name("out.jsonl")))


def test_a_text_that_a_server_refuses_has_no_reward_and_is_tried_again(
    responses: Path, model: Path, capsys: Any
) -> None:
    def refuse_some(body: dict[str, Any], number: int) -> Reply | None:
        return (400, {"error": {"message": "not this one"}}, {}) if number in (5, 9) else None

    with serving(FakePoolingServer()) as server:
        server.faults = refuse_some
        assert main(arguments(responses, server, model)) == 3
        rows = read(responses.with_name("out.jsonl"))
        missing = [row for row in rows if row["reward"] is None]
        assert len(missing) == 2
        assert all("not this one" in row["meta"]["reward"]["missing"] for row in missing)
        assert "2 responses have no reward yet; the same again tries them again" in capsys.readouterr().err
        asked = len(server.bodies)
        assert main(arguments(responses, server, model)) == 0
        assert len(server.bodies) == asked + 1 + 2


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (FakeServer(), "does not read a text"),
        (FakePoolingServer(is_pooling=False), "does not read a text"),
        (FakePoolingServer(width=1), "needs 3 of 2"),
        (FakePoolingServer(mark=100_000), "0 rows of"),
        (FakePoolingServer(models=("other",)), "serves other, not 'tiny'"),
    ],
)
def test_a_server_of_another_model_is_refused_with_the_reason(
    server: FakeServer, said: str, responses: Path, model: Path, capsys: Any
) -> None:
    with serving(server), serving(FakePoolingServer()) as good:
        assert main([*arguments(responses, good, model), "--base-url", server.url]) == 1
        error = capsys.readouterr().err
        assert said in error.replace("\n", " ")
        assert len(good.bodies) <= 1
    assert not responses.with_name("out.jsonl").exists()


def test_work_is_spread_over_servers(responses: Path, model: Path) -> None:
    first, second = FakePoolingServer(seconds=0.0), FakePoolingServer()
    with serving(first), serving(second):
        assert main([*arguments(responses, first, model), "--base-url", second.url]) == 0
        assert len(first.bodies) + len(second.bodies) == 42
        assert min(len(first.bodies), len(second.bodies)) > 5


def test_the_input_can_be_replaced_and_rewards_from_elsewhere_are_said(
    tmp_path: Path, model: Path, capsys: Any
) -> None:
    responses = write(tmp_path / "responses.jsonl", [response(0, "A.", reward=3.5), response(1, "B.")])
    with serving(FakePoolingServer()) as server:
        assert main([*arguments(responses, server, model), "--out", str(responses)]) == 0
    assert read(responses)[0]["reward"] == pytest.approx(expected(model, "A.")[0])
    assert "1 response had a reward from elsewhere, which is replaced" in capsys.readouterr().err


def test_a_file_that_another_command_wrote_is_not_replaced(responses: Path, model: Path, capsys: Any) -> None:
    out = write(responses.with_name("out.jsonl"), [response(0, "Of somebody else.")])
    before = out.read_bytes()
    with serving(FakePoolingServer()) as server:
        assert main(arguments(responses, server, model)) == 2
        assert not server.bodies
    assert out.read_bytes() == before
    assert "this command did not write it" in capsys.readouterr().err.replace("\n", " ")


def test_a_dry_run_sends_nothing(responses: Path, model: Path, capsys: Any) -> None:
    with serving(FakePoolingServer()) as server:
        assert main([*arguments(responses, server, model), "--dry-run"]) == 0
        assert not server.bodies
    said = capsys.readouterr().out
    assert "40 responses; 0 are scored already; 0 have nothing to score" in said
    assert "80 steps, 2.0 a text" in said
    assert sorted(path.name for path in responses.parent.iterdir()) == ["responses.jsonl"]


def test_rewards_are_made_anew_of_steps_without_a_model(tmp_path: Path, capsys: Any) -> None:
    meta = {"step_rewards": [0.5, 0.2, 0.9], "reward": {"model": "m", "aggregate": "min"}, "kind": "math"}
    rows = [response(0, "x", reward=0.2, meta=meta), response(1, "y", reward=7.0)]
    path = write(tmp_path / "r.rewarded.jsonl", rows)
    for how, value in (("product", 0.09), ("last", 0.9), ("mean", 1.6 / 3), ("min", 0.2)):
        assert main([str(path), "--reaggregate", "--aggregate", how]) == 0
        first, second = read(path)
        assert first["reward"] == pytest.approx(value)
        assert first["meta"] == {**meta, "reward": {"model": "m", "aggregate": how}}
        assert second == rows[1]
    assert "1 response has no scores of steps and is as it was" in capsys.readouterr().err
    assert main([str(write(tmp_path / "none.jsonl", rows[1:])), "--reaggregate"]) == 2


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"problem_id": "p", "response": "x"}, "there is no text of its problem"),
        ({"problem_id": "p"}, "problem_id and response are required"),
    ],
)
def test_a_response_that_cannot_be_scored_is_named_before_anything_is_sent(
    row: dict[str, Any], said: str, tmp_path: Path, model: Path, capsys: Any
) -> None:
    responses = write(tmp_path / "responses.jsonl", [response(0, "A."), row])
    with serving(FakePoolingServer()) as server:
        assert main(arguments(responses, server, model)) == 2
        assert not server.bodies
    error = capsys.readouterr().err.replace("\n", " ")
    assert "responses.jsonl:2" in error
    assert said in error


def test_problems_can_come_from_their_own_file(tmp_path: Path, model: Path) -> None:
    responses = write(tmp_path / "responses.jsonl", [{"problem_id": "p", "response": "A.\n\nB."}])
    problems = write(tmp_path / "problems.jsonl", [{"problem_id": "p", "problem": "2+2?"}])
    with serving(FakePoolingServer()) as server:
        assert main(arguments(responses, server, model, "--problems", str(problems))) == 0
    assert read(tmp_path / "out.jsonl")[0]["meta"]["step_rewards"] == pytest.approx(expected(model, "A.", "B."))


def test_the_command_line_asks_for_a_model(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path / "responses.jsonl")])
    assert ended.value.code == 2
