"""The whole experiment in its shortened form, through real vLLM, as a user would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from diversity_judge.countdown import is_solution, read_problem, read_steps, similarity
from diversity_judge.inputs.reading import read_responses
from diversity_judge.runs.loading import load_run
from examples.miniature.plan import QUICK
from examples.miniature.points import PAPERS, SECOND
from examples.miniature.run import FLAT_MODEL

pytestmark = [pytest.mark.vllm, pytest.mark.usefixtures("vllm_with_plugin")]

TABLES = (
    "claims.csv",
    "points.csv",
    "sweeps.csv",
    "routing/router_by_rank.csv",
    "routing/active_experts.csv",
    "scores/main/scores.csv",
    "scores/matrices/scores.csv",
    "scores/second/scores.csv",
    "compare/main/differences.csv",
    "compare/second/differences.csv",
    "compare/main/outcomes.csv",
    "compare/learned/outcomes.csv",
    "compare/learned/verification.csv",
    "agreement/agreement.csv",
)
SAME_TOKENS = """
import json, sys
from vllm import LLM, SamplingParams
rows = json.load(sys.stdin)
llm = LLM(sys.argv[1], dtype="float32", max_model_len=96, enforce_eager=True, enable_chunked_prefill=False)
params = [SamplingParams(temperature=0.7, top_p=0.8, top_k=20, seed=row["seed"], max_tokens=80) for row in rows]
chats = [[{"role": "user", "content": row["problem"]}] for row in rows]
outputs = llm.chat(chats, params, use_tqdm=False)
print("ANSWER" + json.dumps([output.outputs[0].text for output in outputs]))
"""


def command(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, timeout=850, check=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("miniature")
    done = command("-m", "examples.miniature.run", "--quick", "--out", folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert str(folder / "report.html") in done.stdout
    return folder


def tables(folder: Path) -> Mapping[str, str]:
    return {name: (folder / name).read_text(encoding="utf-8") for name in TABLES}


@pytest.mark.timeout(900)
def test_every_table_and_figure_is_there(finished: Path) -> None:
    assert all(tables(finished).values())
    page = (finished / "report.html").read_text(encoding="utf-8")
    for figure in ("Figure 2a, 2b", "Figure 2c", "Figure 4", "Table 2", "Figures 5 to 8", "Figure 9"):
        assert figure in page
    claims = pd.read_csv(finished / "claims.csv")
    assert {"2a", "2b", "2c", "3", "4", "table 2", "table 3", "9"} <= set(claims.figure)
    by_point = claims.groupby("point", sort=False).size()
    assert list(by_point.index) == list(pd.read_csv(finished / "points.csv").point) == [PAPERS, SECOND]
    assert by_point[SECOND] == 3


def test_grades_and_similarities_are_the_truth(finished: Path) -> None:
    groups = read_responses(finished / "main.jsonl").groups
    assert {group.strategy for group in groups} == {name for names in QUICK.strategies().values() for name in names}
    for group in groups:
        problem = read_problem(group.problem or "")
        assert all(r.correct == is_solution(problem, read_steps(r.text)) for r in group.responses)
    for member in load_run(finished / "scores" / "matrices").groups:
        similarities, steps = member.matrix.symmetric(), [read_steps(r.text) for r in member.responses]
        for i in range(QUICK.n):
            for j in range(i):
                if steps[i] and steps[j]:
                    assert similarities[i, j] == similarity(steps[i], steps[j])


def test_the_same_command_again_changes_no_table(finished: Path) -> None:
    before = tables(finished)
    (finished / "report.html").unlink()
    done = command("-m", "examples.miniature.run", "--quick", "--out", finished)
    assert done.returncode == 0, done.stderr[-3000:]
    assert tables(finished) == before


def test_token_normal_is_plain_vllm(finished: Path) -> None:
    groups = [group for group in read_responses(finished / "main.jsonl").groups if group.strategy == "token-normal"]
    rows = [
        {"problem": response.problem, "seed": response.seed, "text": response.text}
        for group in groups
        for response in group.responses
    ]
    done = subprocess.run(
        [sys.executable, "-c", SAME_TOKENS, str(FLAT_MODEL)],
        input=json.dumps(rows),
        env=os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_LOGGING_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    (answer,) = [line for line in done.stdout.splitlines() if line.startswith("ANSWER")] or pytest.fail(done.stderr)
    assert json.loads(answer.removeprefix("ANSWER")) == [row["text"] for row in rows]
