"""The command with real vLLM: against `vllm serve` on the loopback interface, and killed in the middle."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("vllm")

import psutil

from generation.sample import main
from tests.generation.conftest import SharedEngine
from tests.generation.test_vllm_engine import PROBLEMS, plan, sample_all

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
STARTING = ["--dtype", "float32", "--enforce-eager", "--max-model-len", "512"]
ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_LOGGING_LEVEL": "WARNING"}


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Look again and again; the test's own timeout is the limit."""
    while not condition():
        assert process.poll() is None, f"the process ended before its time:\n{log.read_text()[-3000:]}"
        threading.Event().wait(0.1)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def server_url(vllm_with_plugin: None, demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real `vllm serve` with this project's plugins, started once."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # What `vllm serve` runs. The CPU wheel of 0.32 lacks the metadata that its command line looks up.
    vllm = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(demo_model)]
    # A seeded request that is prefilled in parts kills vLLM 0.32 on a CPU.
    options = ["--port", str(port), "--host", "127.0.0.1", "--no-enable-chunked-prefill"]
    options += ["--max-num-seqs", "16", *STARTING]
    log_path = tmp_path_factory.mktemp("server") / "log"
    log = log_path.open("wb")
    process = subprocess.Popen(
        [*vllm, *options], env=os.environ | ENVIRONMENT, stdout=log, stderr=log, start_new_session=True
    )
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), process, log_path)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.close()


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    path = tmp_path / "problems.jsonl"
    rows = [{"problem_id": p.problem_id, "problem": p.text, "answer": p.answer} for p in PROBLEMS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_server_gives_the_same_responses_as_the_engine_in_process(
    server_url: str, demo_model: Path, problems: Path, shared_engine: SharedEngine
) -> None:
    what = plan(n=2)
    out = problems.with_name("r.jsonl")
    command = [str(problems), "--base-url", server_url, "--model", str(demo_model)]
    command += ["--seed", "1", "--n", "2", "--max-tokens", "16"]
    names = ",".join(strategy.name for strategy in what.strategies)
    assert main([*command, "--strategy", names, "--out", str(out)]) == 0
    expected = {key: generation.text for key, generation in sample_all(shared_engine, what).items()}
    got = {
        sample_key: row["response"]
        for row in rows(out)
        for sample_key in expected
        if (sample_key.problem_id, sample_key.strategy, sample_key.sample)  # type: ignore[attr-defined]
        == (row["problem_id"], row["strategy"], row["sample_id"])
    }
    assert got == expected


def test_a_server_refuses_settings_that_do_not_fit_its_model(
    server_url: str, demo_model: Path, problems: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = problems.with_name("r.jsonl")
    command = [str(problems), "--base-url", server_url, "--model", str(demo_model), "--out", str(out)]
    assert main([*command, "--strategy", "expert-sample:k_keep=9"]) == 2
    assert "from 0 to 4" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("replicas", [[], ["--cpu-replicas", "2"]])
def test_kill_9_of_a_run_in_process_frees_everything_and_a_resume_completes_it(
    vllm_with_plugin: None, demo_model: Path, problems: Path, replicas: list[str]
) -> None:
    out = problems.with_name("r.jsonl")
    command = [sys.executable, "-m", "generation.sample", str(problems), "--model", str(demo_model), *STARTING]
    command += ["--strategy", "token-normal,expert-sample", "--n", "24", "--seed", "1", "--max-tokens", "200"]
    command += ["--engine-arg", "max_num_seqs=16", "--concurrency", "8", "--out", str(out), *replicas]
    environment = os.environ | ENVIRONMENT | {"PYTHONPATH": str(ROOT)}

    log = problems.with_name("log")

    def start() -> subprocess.Popen[bytes]:
        with log.open("wb") as file:
            return subprocess.Popen(command, env=environment, stdout=file, stderr=file)

    process = start()
    wait_until(lambda: out.exists() and out.read_bytes().count(b"\n") >= 4, process, log)
    children = psutil.Process(process.pid).children(recursive=True)
    assert any("VLLM" in child.name() or "python" in child.name() for child in children)
    process.send_signal(signal.SIGKILL)
    process.wait()
    psutil.wait_procs(children, timeout=60)
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    before = out.read_bytes()
    kept = before[: before.rfind(b"\n") + 1]
    assert kept.count(b"\n") < 96
    resumed = start()
    assert resumed.wait() == 0, log.read_text()[-3000:]
    assert out.read_bytes().startswith(kept)
    keys = {(row["problem_id"], row["strategy"], row["sample_id"]) for row in rows(out)}
    assert len(keys) == len(rows(out)) == 96
