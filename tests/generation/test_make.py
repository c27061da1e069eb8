"""A vLLM that is installed and broken is a fault of the environment: exit 2, its cause in one line, no file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("psutil")

from generation.engines.cpu_cache import Workload
from generation.engines.make import make_pooling_engine
from generation.engines.options import EngineOptions
from generation.engines.pooling_in_process import PoolingInProcess

ROOT = Path(__file__).resolve().parents[2]


def sampled_by(vllm: str, folder: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], Path]:
    """What the command says where `vllm` is a package of this text, and where it would have written."""
    package = folder / "broken" / "vllm"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(vllm + "\n")
    problems = folder / "p.jsonl"
    problems.write_text(json.dumps({"problem_id": "a", "problem": "2+2?"}) + "\n")
    out = folder / "out"
    command = [sys.executable, "-m", "generation.sample", str(problems), "--model", "m", "--strategy", "token-normal"]
    done = subprocess.run(
        [*command, "--out", str(out / "r.jsonl"), *options],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{package.parent}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done, out


@pytest.mark.parametrize(
    ("broken", "cause"),
    [
        ('raise ImportError("libcudart.so.12: cannot open shared object file:\\nno such file")', "libcudart.so.12"),
        ('raise RuntimeError("built for another torch")', "RuntimeError: built for another torch"),
        ("import torch_of_another_age", "No module named 'torch_of_another_age'"),
    ],
)
@pytest.mark.parametrize("replicas", [[], ["--cpu-replicas", "1"]])
def test_a_vllm_that_cannot_be_imported_is_one_line_and_exit_2(
    tmp_path: Path, broken: str, cause: str, replicas: list[str]
) -> None:
    done, out = sampled_by(broken, tmp_path, *replicas)
    assert done.returncode == 2, done.stderr
    _, error = done.stderr.splitlines()  # what is sampled, and why it is not
    assert error.startswith("error: vLLM is installed but cannot be imported (")
    assert cause in error
    assert "--base-url" in error
    assert not list(out.glob("*"))


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_that_reaches_a_replica_is_not_the_replicas_to_answer(tmp_path: Path, name: str) -> None:
    """A scheduler sends it to all processes of a command; the one that samples decides what becomes of it."""
    signalled = f"import os, signal; os.kill(os.getpid(), signal.{name}); raise ImportError('still here')"
    done, _ = sampled_by(signalled, tmp_path, "--cpu-replicas", "1")
    assert done.returncode == 2
    assert "ImportError: still here" in done.stderr


def test_what_a_user_overrides_joins_what_makes_a_reward_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generation.engines.make.find_spec", lambda name: object())
    head = {"hf_overrides": {"method": "no_post_processing", "n": 1}, "runner": "pooling"}
    options = EngineOptions(model="m", engine_args={"hf_overrides": {"n": 2, "rope": 3}, "dtype": "float32"})
    engine = make_pooling_engine(options, head, workload=Workload(1, 1))
    assert isinstance(engine, PoolingInProcess)
    assert engine._options.engine_args == {
        "hf_overrides": {"method": "no_post_processing", "n": 2, "rope": 3},
        "runner": "pooling",
        "dtype": "float32",
    }
