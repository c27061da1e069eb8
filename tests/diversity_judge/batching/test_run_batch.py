"""The exported file through vLLM's own batch runner, on a real engine on the CPU, and back into the ledger."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from diversity_judge.runs.layout import LEDGER
from tests.diversity_judge.batching.test_batch import batch, calls_of
from tests.diversity_judge.score_runs import run

pytestmark = [pytest.mark.vllm, pytest.mark.usefixtures("vllm_with_plugin"), pytest.mark.timeout(600)]

MODEL = Path(__file__).resolve().parents[3] / "examples" / "miniature" / "model"
NOWHERE = "http://127.0.0.1:9/v1"
ROUTES = ("3 + 4 = 7 ; 7 * 5 = 35", "5 * 4 = 20 ; 20 + 15 = 35", "9 - 2 = 7 ; 5 * 7 = 35", "30 + 5 = 35")


def test_a_file_goes_out_through_vllm_run_batch_and_its_replies_come_back(tmp_path: Path) -> None:
    """The miniature solves countdown problems and is no judge: what counts is that each reply finds its place."""
    prompt, responses, out = tmp_path / "short.txt", tmp_path / "r.jsonl", tmp_path / "out"
    prompt.write_text('---\nname = "short"\nversion = "1"\n---\n{text1} : {text2}\n')
    rows = [{"problem_id": "p", "response": text} for text in ROUTES]
    responses.write_text("".join(json.dumps(row) + "\n" for row in rows))
    judge = ("--base-url", NOWHERE, "--model", str(MODEL), "--prompt", str(prompt), "--max-tokens", "8")
    assert batch("export", responses, *judge, "--out", out)[0] == 0

    results = tmp_path / "results.jsonl"
    runner = [sys.executable, "-m", "vllm.entrypoints.openai.run_batch", "--model", str(MODEL), "--dtype", "float32"]
    engine = ["--max-model-len", "128", "--enforce-eager", "--no-enable-chunked-prefill"]
    calls = ["-i", str(out / "batch" / "requests-001.jsonl"), "-o", str(results)]
    sized = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_LOGGING_LEVEL": "WARNING"}
    done = subprocess.run(
        [*runner, *engine, *calls], env=os.environ | sized, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]

    code, said = batch("ingest", results, "--out", out)
    assert (code, "6 new replies" in said) == (0, True), said
    read = run(responses, NOWHERE, out, *judge[4:], "--offline", model=str(MODEL))
    assert read.manifest["judgments"]["replies"] == len(calls_of(out)) == 6
    assert set(read.manifest["judgments"]["missing"]) <= {"unparsable", "truncated"}
    assert (out / LEDGER).is_file()
