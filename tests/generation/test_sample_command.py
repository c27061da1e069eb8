"""The command from outside: a program that talks to a loopback server, is killed, and resumes."""

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from generation.grading import grader as grading
from generation.response_file import finished_samples, waiting_path
from generation.sample import main
from tests.generation.fake_server import FakeServer, Reply, serving

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    path = tmp_path / "problems.jsonl"
    rows = [
        {"problem_id": "a", "problem": "2+2?", "meta": {"source": "school"}},
        {"problem_id": "b", "problem": "Which?", "choices": ["3", "4"], "answer": "B"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def arguments(problems: Path, server: FakeServer, *more: str) -> list[str]:
    out = str(problems.with_name("responses.jsonl"))
    return [str(problems), "--base-url", server.url, "--model", "tiny", "--out", out, "--n", "3", *more]


def rows(problems: Path) -> list[dict[str, Any]]:
    path = problems.with_name("responses.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_contract_of_a_line(problems: Path) -> None:
    with serving(FakeServer()) as server:
        assert main(arguments(problems, server, "--strategy", "expert-sample", "--seed", "1")) == 0
    by_key = {(row["problem_id"], row["sample_id"]): row for row in rows(problems)}
    assert set(by_key) == {(problem, number) for problem in "ab" for number in range(3)}
    row = by_key["a", 0]
    request = next(body for body in server.samples if body["seed"] == row["seed"])
    meta = row.pop("meta")
    response = row.pop("response")
    assert response.startswith("steps ")
    assert row == {
        "problem_id": "a",
        "strategy": "expert-sample",
        "sample_id": 0,
        "problem": "2+2?",
        "answer": response[-2],
        "correct": None,
        "model": "tiny",
        "seed": request["seed"],
        "finish_reason": "stop",
        "n_tokens": len(response),
    }
    assert meta.pop("prompt")["name"] == "generate_math_boxed"
    assert meta.pop("settings")["expert_sample"]["tau"] == 1.0
    assert meta == {
        "kind": "math",
        "grading": "no reference answer",
        "routing_seed": request["vllm_xargs"]["expert_sample_seed"],
        "engine": {f"server {server.url}": "0.32.0"},
        "problem": {"source": "school"},
    }
    assert by_key["b", 0]["meta"]["reference"] == "B"
    assert by_key["b", 0]["problem"] == "Which?\n\nA) 3\nB) 4"


def test_a_model_of_two_active_experts_is_sampled_only_with_a_head_that_leaves_a_choice(
    problems: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(FakeServer(experts=(2, 8))) as server:
        assert main(arguments(problems, server, "--strategy", "token-normal,expert-sample")) == 2
        sentence = " ".join(capsys.readouterr().err.split())
        assert "strategy 'expert-sample' is refused" in sentence
        assert "k_keep is 'k//2+1' = 2" in sentence
        assert "give k_keep from 0 to 1, or k for the model's own routing." in sentence
        assert server.samples == []
        for path in problems.parent.glob("responses.*"):
            path.unlink()
        assert main(arguments(problems, server, "--strategy", "token-normal,expert-sample:k_keep=1")) == 0
    assert {row["strategy"] for row in rows(problems)} == {"token-normal", "expert-sample:k_keep=1"}


def test_the_same_seed_repeats_the_run_and_a_resume_changes_nothing(problems: Path) -> None:
    with serving(FakeServer()) as server:
        command = arguments(problems, server, "--strategy", "token-normal,edt", "--seed", "5")
        assert main(command) == 0
        first = sorted(map(json.dumps, rows(problems)))
        sent = len(server.samples)
        assert main(command) == 0
        assert len(server.samples) == sent == 12
        for path in problems.parent.glob("responses.*"):
            path.unlink()
        assert main(command) == 0
    assert sorted(map(json.dumps, rows(problems))) == first


def test_a_run_without_a_seed_records_one_and_its_resume_uses_it(problems: Path) -> None:
    with serving(FakeServer()) as server:
        assert main(arguments(problems, server)) == 0
        assert main(arguments(problems, server, "--n", "5")) == 0
    manifest = json.loads(problems.with_name("responses.manifest.json").read_text())
    assert isinstance(manifest["settings"]["seed"], int)
    assert len(rows(problems)) == 10
    assert len({row["seed"] for row in rows(problems)}) == 10


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--seed", "2"), "seed was 1 and is now 2"),
        (("--max-tokens", "9"), "max_tokens was None and is now 9"),
        (("--no-chat-template",), "chat_template was True and is now False"),
        (("--prompt-format", "generate_plain"), "the prompt format for"),
    ],
)
def test_a_resume_with_other_settings_is_refused_and_sends_nothing(
    problems: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], message: str
) -> None:
    with serving(FakeServer()) as server:
        assert main(arguments(problems, server, "--seed", "1")) == 0
        sent = len(server.bodies)
        assert main(arguments(problems, server, "--seed", "1", *more)) == 2
        assert len(server.bodies) == sent
    assert message in capsys.readouterr().err


def test_an_edited_problem_is_refused(problems: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(FakeServer()) as server:
        assert main(arguments(problems, server)) == 0
        problems.write_text(problems.read_text().replace("2+2?", "2+3?"))
        assert main(arguments(problems, server)) == 2
    assert "the problem 'a' is not the same" in capsys.readouterr().err


def test_a_dry_run_counts_requests_and_tokens_and_sends_nothing(
    problems: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(FakeServer()) as server:
        command = arguments(problems, server, "--strategy", "token-normal,greedy", "--max-tokens", "100")
        assert main([*command, "--dry-run"]) == 0
        assert server.bodies == []
    text = capsys.readouterr().out
    assert "at most 800" in text  # 2 problems x (3 + 1 greedy) x 100
    assert not problems.with_name("responses.jsonl").exists()


def test_exit_code_2_for_bad_input_before_anything_is_sent(problems: Path) -> None:
    with serving(FakeServer()) as server:
        assert main(arguments(problems, server, "--strategy", "unknown")) == 2
        assert main(["nowhere.jsonl", "--base-url", server.url, "--model", "tiny"]) == 2
        assert main(arguments(problems, server, "--tensor-parallel-size", "2")) == 2
        assert server.bodies == []


def test_exit_code_1_where_the_server_lacks_the_plugin(problems: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(FakeServer(plugin=False)) as server:
        assert main(arguments(problems, server, "--strategy", "token-normal,expert-sample")) == 1
        assert "the Expert-Sample plugin is not active there" in capsys.readouterr().err
        assert server.samples == []
        assert list(problems.parent.iterdir()) == [problems]
        # The corrected command is another one: nothing of the failed start may stand in its way.
        assert main(arguments(problems, server, "--strategy", "token-high", "--max-tokens", "9", "--seed", "7")) == 0


def test_exit_code_3_where_samples_are_missing_and_0_when_they_came(problems: Path) -> None:
    def faults(body: dict[str, Any], number: int) -> Reply | None:
        return (400, {"error": {"message": "too long"}}, {}) if number == 2 else None

    with serving(FakeServer(faults=faults)) as server:
        assert main(arguments(problems, server)) == 3
        assert len(rows(problems)) == 5
        assert main(arguments(problems, server)) == 0
        assert len(rows(problems)) == 6


def start(command: list[str]) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    program = [sys.executable, "-m", "generation.sample", *command]
    return subprocess.Popen(program, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE)


class KillAfter:
    """A fault that is none: kills the client when its n-th request is being answered."""

    def __init__(self, number: int, signal_number: int) -> None:
        self.number = number
        self.signal = signal_number
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self, body: dict[str, Any], number: int) -> Reply | None:
        if self.process is not None and number == self.number:
            self.process.send_signal(self.signal)
            self.process = None
        return None


def test_kill_9_at_random_moments_loses_nothing_and_repeats_no_line(problems: Path) -> None:
    generator = random.Random(7)
    concurrency = 3
    with serving(FakeServer()) as server:
        options = ("--strategy", "token-normal,token-high", "--n", "20", "--seed", "3")
        command = arguments(problems, server, *options, "--concurrency", str(concurrency))
        kills = 0
        for _ in range(4):
            written = problems.with_name("responses.jsonl")
            before = written.read_bytes() if written.exists() else b""
            server.faults = killer = KillAfter(len(server.bodies) + generator.randrange(2, 18), signal.SIGKILL)
            killer.process = process = start(command)
            process.communicate()
            kills += process.returncode == -signal.SIGKILL
            whole_before = before[: before.rfind(b"\n") + 1]
            assert written.read_bytes().startswith(whole_before)
        server.faults = lambda body, number: None
        process = start(command)
        process.communicate()
        assert process.returncode == 0
        assert kills >= 2
        keys = [(row["problem_id"], row["strategy"], row["sample_id"]) for row in rows(problems)]
        assert len(keys) == len(set(keys)) == 80
        # A killed run repeats at most what was in flight or not yet synced.
        assert len(server.samples) <= 80 + kills * 2 * concurrency
        clean = problems.with_name("clean.jsonl")
        assert main([*command, "--out", str(clean)]) == 0
    assert sorted(clean.read_text().splitlines()) == sorted(map(_line, rows(problems)))


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_exits_130_and_the_same_command_continues(problems: Path, number: int) -> None:
    with serving(FakeServer(seconds=0.02)) as server:
        command = arguments(problems, server, "--n", "40", "--seed", "3", "--concurrency", "2")
        server.faults = killer = KillAfter(20, number)
        killer.process = process = start(command)
        _, errors = process.communicate()
        assert process.returncode == 130
        assert b"the same command continues" in errors
        kept = len(finished_samples(problems.with_name("responses.jsonl")))
        assert 10 <= kept < 80
        assert main(command) == 0
    assert len(rows(problems)) == 80


def test_edt_with_speculative_decoding_is_refused(
    problems: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("generation.engines.vllm_options.require_plugins", lambda strategies: None)
    command = [str(problems), "--model", "m", "--out", str(problems.with_name("r.jsonl")), "--strategy", "edt"]
    assert main([*command, "--engine-arg", 'speculative_config={"method": "ngram"}']) == 2
    assert "edt cannot be combined" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        (["--tensor-parallel-size", "2"], "no --tensor-parallel-size beside it"),
        (["--base-url", "http://127.0.0.1:9/v1"], "--cpu-replicas is for vLLM in this process"),
    ],
)
def test_replicas_are_refused_beside_what_contradicts_them(
    problems: Path, capsys: pytest.CaptureFixture[str], beside: list[str], said: str
) -> None:
    command = [str(problems), "--model", "m", "--out", str(problems.with_name("r.jsonl")), "--cpu-replicas", "2"]
    assert main([*command, *beside]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("replicas", [[], ["--cpu-replicas", "2"]])
def test_without_vllm_nothing_was_sent(
    problems: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], replicas: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    folder = problems.with_name("out")
    command = [str(problems), "--model", "m", "--strategy", "token-normal", "--out", str(folder / "r.jsonl"), *replicas]
    assert main(command) == 2
    assert "pip install 'diversity-judge[vllm]'" in capsys.readouterr().err
    assert not folder.exists()


def test_a_project_that_is_not_installed_is_noticed_before_the_engine_starts(
    problems: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: type("None", (), {"names": set()})())
    command = [str(problems), "--model", "m", "--out", str(problems.with_name("r.jsonl"))]
    assert main([*command, "--strategy", "token-normal,expert-sample"]) == 2
    assert "strategy 'expert-sample' needs this project's vLLM plugin" in capsys.readouterr().err


ENDLESS = "10^{10^{10^{10}}}"


class KillWhileGrading:
    """Answers the first request with what cannot be graded, and kills the client when that is on its disk."""

    def __init__(self, out: Path) -> None:
        self.waiting = waiting_path(out)
        self.seed: int | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self, body: dict[str, Any], number: int) -> Reply | None:
        if self.seed is None:
            self.seed = body["seed"]
        if self.process is not None and self.waiting.exists() and ENDLESS in self.waiting.read_text():
            self.process.kill()
            self.process = None
        if body["seed"] != self.seed:
            return None
        message = {"role": "assistant", "content": rf"\boxed{{{ENDLESS}}}"}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return 200, {"id": "1", "object": "chat.completion", "created": 0, "model": "tiny", "choices": [choice]}, {}


def test_kill_9_while_a_response_without_end_is_graded(
    problems: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("math_verify")
    problems.write_text(json.dumps({"problem_id": "a", "problem": "2+2?", "answer": "4"}) + "\n")
    out = problems.with_name("responses.jsonl")
    killer = KillWhileGrading(out)
    with serving(FakeServer(faults=killer, seconds=0.01)) as server:
        command = arguments(problems, server, "--n", "60", "--seed", "3", "--concurrency", "1")
        killer.process = process = start(command)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert ENDLESS not in out.read_text()
        whole = [line for file in (out, waiting_path(out)) for line in file.read_bytes().split(b"\n")[:-1]]
        kept = {json.loads(line)["seed"] for line in whole}
        assert 1 <= len(kept) < 60
        monkeypatch.setattr(grading, "GRADE_SECONDS", 9.0)
        assert main(command) == 0
        asked = Counter(body["seed"] for body in server.samples)
        assert killer.seed in kept
        assert {asked[seed] for seed in kept} == {1}
    by_number = {row["sample_id"]: row for row in rows(problems)}
    assert len(rows(problems)) == len(by_number) == 60
    endless = next(row for row in by_number.values() if row["seed"] == killer.seed)
    assert (endless["answer"], endless["correct"]) == (ENDLESS, None)
    assert "took more than" in endless["meta"]["grading"]
    others = [row for row in by_number.values() if row is not endless]
    assert all(row["correct"] is (row["answer"] == "4") for row in others)
    assert not waiting_path(out).exists()
    assert f"1 response is not graded: {endless['meta']['grading']}" in capsys.readouterr().err


def test_what_waits_for_its_grade_needs_no_engine(problems: Path) -> None:
    with serving(FakeServer()) as server:
        command = arguments(problems, server, "--seed", "1")
        assert main(command) == 0
    whole = rows(problems)
    out = problems.with_name("responses.jsonl")
    ungraded = [row | {"answer": None, "correct": None} for row in whole]
    waiting_path(out).write_text("".join(_line(row) + "\n" for row in ungraded[:2]))
    out.write_text("".join(_line(row) + "\n" for row in whole[2:]))
    assert main(command) == 0  # the server is gone
    assert {row["answer"] for row in rows(problems)} == {row["answer"] for row in whole}
    assert sorted(map(_line, rows(problems))) == sorted(map(_line, whole))
    assert not waiting_path(out).exists()
