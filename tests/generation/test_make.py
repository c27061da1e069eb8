"""A vLLM that is installed and broken is a fault of the environment: exit 2, its cause in one line, no file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("psutil")

ROOT = Path(__file__).resolve().parents[2]


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
    package = tmp_path / "broken" / "vllm"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(broken + "\n")
    problems = tmp_path / "p.jsonl"
    problems.write_text(json.dumps({"problem_id": "a", "problem": "2+2?"}) + "\n")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "generation.sample", str(problems), "--model", "m", "--strategy", "token-normal"]
    done = subprocess.run(
        [*command, "--out", str(out / "r.jsonl"), *replicas],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{package.parent}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    _, error = done.stderr.splitlines()  # what is sampled, and why it is not
    assert error.startswith("error: vLLM is installed but cannot be imported (")
    assert cause in error
    assert "--base-url" in error
    assert not list(out.glob("*"))
