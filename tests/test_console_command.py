"""`diversity-judge COMMAND`: one command for all, and what it says where it cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from diversity_judge import __version__

ROOT = Path(__file__).parents[1]


JUDGING = ("plan", "score", "compare", "agree", "labels", "reliability", "batch", "panel")


def console_command(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run it as the installed script does; `before` is Python that is run first."""
    code = f"import sys\n{before}\nfrom diversity_judge.__main__ import main\nsys.exit(main())"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_version() -> None:
    done = console_command("--version")
    assert (done.returncode, done.stdout) == (0, f"{__version__}\n")


def test_an_unknown_command_is_refused_with_the_one_that_was_meant() -> None:
    done = console_command("scoer", "responses.jsonl")
    assert done.returncode == 2
    assert "there is no command 'scoer'; did you mean 'score'?" in done.stderr
    assert "usage: diversity-judge" in done.stderr


def test_docs_names_the_documents_of_the_checkout() -> None:
    done = console_command("docs")
    assert done.returncode == 0, done.stderr
    listed = [Path(line) for line in done.stdout.splitlines()]
    assert ROOT / "README.md" in listed
    assert ROOT / "docs" / "statistics.md" in listed
    assert all(path.is_file() for path in listed)


def test_no_command_shows_the_usage() -> None:
    done = console_command()
    assert done.returncode == 2
    assert done.stderr.startswith("usage: diversity-judge")


@pytest.mark.parametrize("name", [*JUDGING, "generate", "grade", "routing"])
def test_every_command_is_listed_and_has_help(name: str) -> None:
    assert f"\n  {name} " in console_command("--help").stdout
    done = console_command(name, "--help")
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout


HEAVY = frozenset(
    {"aiohttp", "asyncio", "jinja2", "matplotlib", "numpy", "openai", "pandas", "rich", "scipy", "sklearn", "sqlite3"}
    | {"ssl", "tenacity", "torch"}
)


@pytest.mark.parametrize("start", [*([f"diversity_judge.{name}"] for name in JUDGING), ["diversity_judge", "score"]])
def test_who_asks_for_help_does_not_wait_for_what_only_the_work_needs(start: list[str]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", *start, "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert done.returncode == 0
    assert done.stdout.startswith("usage: python -m diversity_judge.")
    assert "argparse" in imported
    assert not HEAVY & imported


def test_score_starts_without_what_only_its_end_needs() -> None:
    code = "import sys, diversity_judge.score; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    late = {"aiohttp", "matplotlib", "openai", "pandas", "scipy.optimize", "scipy.sparse", "scipy.stats", "sklearn"}
    assert not late & set(done.stdout.split())


@pytest.mark.parametrize(("package", "extra"), [("vllm", "vllm"), ("math_verify", "generation")])
def test_a_command_whose_extra_is_missing_says_how_to_install_it(tmp_path: Path, package: str, extra: str) -> None:
    problems = tmp_path / "problems.jsonl"
    problems.write_text('{"problem_id": "p", "problem": "1 + 1?", "answer": "2"}\n')
    options = ["--model", "none", "--n", "1", "--out", str(tmp_path / "responses.jsonl")]
    hide = f"sys.modules[{package!r}] = None"  # As Python marks a package that is not there.
    done = console_command("generate", str(problems), *options, before=hide)
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert f"pip install 'diversity-judge[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
