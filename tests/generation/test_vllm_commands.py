"""The command with real vLLM: against `vllm serve` on the loopback interface, and killed in the middle."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("vllm")

import psutil

from generation.response_file import waiting_path
from generation.sample import main
from tests.generation.conftest import SharedEngine
from tests.generation.test_vllm_engine import PROBLEMS, plan, sample_all
from tests.generation.vllm_server import ENVIRONMENT, vllm_serving, wait_until

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
STARTING = ["--dtype", "float32", "--enforce-eager", "--max-model-len", "512"]


@pytest.fixture(scope="module")
def server_url(vllm_with_plugin: None, demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real `vllm serve` with this project's plugins, started once."""
    log = tmp_path_factory.mktemp("server") / "log"
    with vllm_serving(demo_model, ["--max-num-seqs", "16", *STARTING], log) as url:
        yield url


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
def test_ctrl_c_and_kill_9_of_a_run_free_everything_and_a_resume_completes_it(
    vllm_with_plugin: None, demo_model: Path, problems: Path, replicas: list[str]
) -> None:
    out = problems.with_name("r.jsonl")
    command = [sys.executable, "-m", "generation.sample", str(problems), "--model", str(demo_model), *STARTING]
    command += ["--strategy", "token-normal,expert-sample", "--n", "64", "--seed", "1", "--max-tokens", "300"]
    command += ["--engine-arg", "max_num_seqs=32", "--out", str(out), *replicas]
    slowly, fast = [*command, "--concurrency", "2"], [*command, "--concurrency", "32"]
    log = problems.with_name("log")
    kept: dict[tuple[str, str, int], str] = {}
    # A terminal sends Ctrl-C to all processes of the command, so vLLM's worker dies of it while it is needed.
    # So does a scheduler with SIGTERM.
    together = signal.SIGTERM if replicas else signal.SIGINT
    for send, number, code in ((os.killpg, together, 130), (os.kill, signal.SIGKILL, -signal.SIGKILL)):
        process = start(slowly, log)
        n_before = len(kept)
        wait_until(lambda more=n_before: len(on_disk(out)) > more, process, log)  # type: ignore[misc]
        children = psutil.Process(process.pid).children(recursive=True)
        assert any("VLLM" in child.name() or "python" in child.name() for child in children)
        send(process.pid, number)
        assert process.wait() == code, log.read_text()[-3000:]
        assert not left_of(children)
        assert "Traceback" not in log.read_text()
        assert "force killing" not in log.read_text()
        assert on_disk(out).items() >= kept.items()
        kept = on_disk(out)
        assert 0 < len(kept) < 256
    resumed = start(fast, log)
    assert resumed.wait() == 0, log.read_text()[-3000:]
    assert on_disk(out).items() >= kept.items()
    assert len(on_disk(out)) == len(rows(out)) == 256


def on_disk(out: Path) -> dict[tuple[str, str, int], str]:
    """The responses in whole lines, graded or not."""
    lines: list[dict[str, Any]] = []
    for file in (waiting_path(out), out):
        with contextlib.suppress(FileNotFoundError):
            lines += [json.loads(line) for line in file.read_bytes().split(b"\n")[:-1]]
    return {(line["problem_id"], line["strategy"], line["sample_id"]): line["response"] for line in lines}


@pytest.mark.parametrize(("number", "replicas"), [(signal.SIGTERM, []), (signal.SIGHUP, ["--cpu-replicas", "2"])])
def test_a_signal_while_the_engine_starts_ends_all_of_it_and_leaves_nothing(
    vllm_with_plugin: None, demo_model: Path, problems: Path, number: int, replicas: list[str]
) -> None:
    """To the command alone, as `kill` and a scheduler send it: nobody else tells vLLM's processes to end."""
    command = [sys.executable, "-m", "generation.sample", str(problems), "--model", str(demo_model), *STARTING]
    command += ["--n", "2", "--seed", "1", "--max-tokens", "8", "--out", str(problems.with_name("r.jsonl")), *replicas]
    log = problems.with_name("log")
    process = start(command, log)
    ours = psutil.Process(process.pid)

    def engine_starts() -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            return any("--multiprocessing-fork" in child.cmdline() for child in ours.children())
        return False

    wait_until(engine_starts, process, log)
    children = ours.children(recursive=True)
    process.send_signal(number)
    assert process.wait() == 130, log.read_text()
    assert not left_of(children)
    assert "interrupted; the same command continues" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert {path.name for path in problems.parent.iterdir()} == {"problems.jsonl", "log"}


def test_kill_9_of_the_command_while_the_engine_starts_leaves_no_process(
    vllm_with_plugin: None, demo_model: Path, problems: Path
) -> None:
    """To the command alone, once its engine core has begun, which nobody has heard of the core's workers from."""
    command = [sys.executable, "-m", "generation.sample", str(problems), "--model", str(demo_model), *STARTING]
    command += ["--n", "2", "--seed", "1", "--max-tokens", "8", "--out", str(problems.with_name("r.jsonl"))]
    log = problems.with_name("log")
    process = start(command, log)
    ours = psutil.Process(process.pid)

    def worker_starts() -> bool:
        with contextlib.suppress(psutil.Error):
            return any(child.children() for child in ours.children())  # the engine core's
        return False

    wait_until(worker_starts, process, log)
    children = ours.children(recursive=True)
    process.kill()
    process.wait()
    assert not left_of(children)


def start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """In a session of its own, so that a signal to all of the command is none to the tests.

    Tests that run in a shell's background inherit that Ctrl-C is ignored; the command does not.
    """
    environment = os.environ | ENVIRONMENT | {"PYTHONPATH": str(ROOT)}
    with log.open("wb") as file:
        return subprocess.Popen(
            command,
            env=environment,
            stdout=file,
            stderr=file,
            start_new_session=True,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - it takes no lock
        )


def left_of(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run when they were given time to go."""
    psutil.wait_procs(processes, timeout=60)
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("replicas", [[], ["--cpu-replicas", "2"]])
def test_an_engine_that_does_not_start_is_one_line_with_its_cause_and_a_log(
    vllm_with_plugin: None, demo_model: Path, problems: Path, replicas: list[str]
) -> None:
    out = problems.with_name("r.jsonl")
    command = [sys.executable, "-m", "generation.sample", str(problems), "--model", str(demo_model), *STARTING]
    command += ["--n", "2", "--out", str(out), *replicas, "--engine-arg", f"kv_cache_memory_bytes={2**60}"]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    *_, error = done.stderr.splitlines()
    assert len(done.stderr.splitlines()) == 2, done.stderr  # what is sampled, and why it is not
    assert error.startswith(f"error: vLLM does not start with '{demo_model}': ValueError: Available memory on node")
    assert "lower --max-model-len" in error
    log = problems.with_name("r.engine.log")
    assert error.endswith(f"all that vLLM said is in {log}")
    assert "Traceback (most recent call last)" in log.read_text()
    assert not out.exists()


def test_the_cache_of_a_small_model_leaves_the_memory_to_others_and_nobody_is_killed_at_the_end(
    vllm_with_plugin: None, demo_model: Path, problems: Path
) -> None:
    """With what vLLM says turned on: 16 sequences of 128 tokens instead of 92 % of all memory."""
    out = problems.with_name("r.jsonl")
    command = [sys.executable, "-m", "generation.sample", str(problems), "--model", str(demo_model), *STARTING]
    command += ["--n", "2", "--seed", "1", "--max-tokens", "8", "--concurrency", "16", "--out", str(out)]
    keeping = "from generation.engines import engine_log; engine_log.EngineLog.end = lambda self, *, keep: None"
    program = f"import sys; {keeping}; from generation.sample import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", program, *command[3:]],
        env=os.environ | {"PYTHONPATH": str(ROOT), "VLLM_LOGGING_LEVEL": "INFO"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = problems.with_name("r.engine.log").read_text() + done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "force killing" not in said
    (size,) = re.findall(r"Explicitly set \(([\d.]+)/", said)
    assert float(size) < 0.1
