"""`generation.sample(SampleOptions(...))`: the function of the command's name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import generation
from diversity_judge.errors import InputError
from generation.problems import Problem
from generation.response_file import SampleKey
from generation.sampling.options import SampleOptions
from tests.generation.fake_server import FakeServer, Reply, serving

ROOT = Path(__file__).resolve().parents[2]
PROBLEMS = (Problem("a", "2+2?"), Problem("b", "2+3?"))


def options(tmp_path: Path, server: FakeServer, **changes: Any) -> SampleOptions:
    given: dict[str, Any] = {"problems": PROBLEMS, "n": 3, "seed": 1, "out": tmp_path / "r.jsonl"}
    return SampleOptions(model="tiny", base_urls=server.url, **(given | changes))


def test_it_says_what_was_sampled_and_where(tmp_path: Path) -> None:
    with serving(FakeServer()) as server:
        first = generation.sample(options(tmp_path, server, strategies="token-normal,greedy"))
        again = generation.sample(options(tmp_path, server, strategies=["token-normal", "greedy"]))
    assert (first.path, first.seed, first.wanted, first.written, first.missing) == (tmp_path / "r.jsonl", 1, 8, 8, ())
    rows = [json.loads(line) for line in first.path.read_text().splitlines()]
    assert first.n_tokens == sum(row["n_tokens"] for row in rows)
    assert (again.wanted, again.written, again.missing) == (8, 0, ())


def test_what_failed_is_named_as_missing(tmp_path: Path) -> None:
    def faults(body: dict[str, Any], number: int) -> Reply | None:
        return (400, {"error": {"message": "too long"}}, {}) if number == 2 else None

    with serving(FakeServer(faults=faults)) as server:
        result = generation.sample(options(tmp_path, server))
        rows = [json.loads(line) for line in result.path.read_text().splitlines()]
        (missing,) = result.missing
        assert (result.written, dict(result.failures)) == (5, {"HTTP 400: too long": 1})
        assert missing not in {SampleKey(row["problem_id"], row["strategy"], row["sample_id"]) for row in rows}
        assert "1 of 6 responses are missing" in str(result)
        assert generation.sample(options(tmp_path, server)).missing == ()


def test_an_error_is_an_exception(tmp_path: Path) -> None:
    with serving(FakeServer()) as server:
        with pytest.raises(InputError, match="unknown"):
            generation.sample(options(tmp_path, server, strategies="unknown"))
        with pytest.raises(InputError, match="neither a file nor a benchmark"):
            generation.sample(options(tmp_path, server, problems="nowhere.jsonl"))
        assert server.bodies == []


@pytest.mark.parametrize("name", ["n", "max_tokens", "concurrency", "limit", "active_experts", "cpu_replicas"])
def test_counts_below_one_are_refused_by_name(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} must be at least 1, not 0"):
        SampleOptions(problems=PROBLEMS, model="m", **{name: 0})  # type: ignore[arg-type]


def test_options_read_as_the_call_that_makes_them() -> None:
    short = SampleOptions(problems="p.jsonl", model="m", strategies="edt", out="r.jsonl", cpu_replicas=2)  # type: ignore[arg-type]
    assert eval(repr(short), {"SampleOptions": SampleOptions, "PosixPath": Path}) == short
    assert repr(SampleOptions(problems="p", model="m")) == "SampleOptions(model='m', problems='p')"


def python(code: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "imports",
    [
        "import generation",
        "import generation.sample",
        "import generation; import generation.sample",
        "from generation import sample; import generation.sample",
        "import generation; generation.sample; from importlib import import_module; import_module('generation.sample')",
        "from generation.sample import main",
        "import runpy, sys; sys.argv = ['sample', '--help']\n"
        "try: runpy.run_module('generation.sample', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "import generation",
    ],
)
def test_its_name_is_the_function_whatever_was_imported_before(imports: str) -> None:
    shown = "print('IS', generation.sample.__module__, callable(generation.sample))"
    said = python(f"{imports}\nimport generation\n{shown}")
    assert "IS generation.sampling.run True" in said


def test_importing_the_package_costs_nothing() -> None:
    loaded = python(
        "import sys; before = set(sys.modules); import generation; print(*set(sys.modules) - before)"
    ).split()
    ours = {name for name in loaded if name.partition(".")[0] in ("generation", "diversity_judge")}
    assert ours == {"generation", "diversity_judge", "diversity_judge.public_names"}
    assert not {"rich", "numpy", "openai", "torch", "vllm"} & set(loaded)
