"""The package as a stranger gets it: a wheel in a fresh environment, away from the repository."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_code_prompts_and_presets_and_no_more(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "diversity_judge/prompts/process_similarity.txt" in names
    assert "diversity_judge/judges/presets.toml" in names
    assert "diversity_judge/bands.toml" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"diversity_judge", "generation"}


def test_the_wheel_works_outside_of_the_repository(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "--no-compile", str(wheel)], check=True, capture_output=True
    )
    rows = [{"problem_id": "p", "response": text} for text in ("add 2 and 3", "multiply 2 by 3", "guess")]
    (tmp_path / "responses.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [str(tmp_path / "venv" / "bin" / "diversity-judge"), "score", "responses.jsonl", "--judge", "proxy"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / "responses" / "heatmaps" / "p.png").is_file()
    (tmp_path / "elsewhere").mkdir()
    script = f"import diversity_judge as dj; print(dj.score({rows!r}, judge='proxy'))"
    shown = subprocess.run(
        [python, "-c", script], cwd=tmp_path / "elsewhere", check=True, capture_output=True, text=True
    ).stdout
    assert "1 group of 1 problem, 3 of 3 pairs scored" in shown
    assert list((tmp_path / "elsewhere").iterdir()) == []
    installed = subprocess.run([python, "-m", "pip", "list"], check=True, capture_output=True, text=True).stdout
    assert "torch" not in installed
    assert "vllm" not in installed


def test_importing_the_package_loads_nothing_heavy() -> None:
    script = "import sys, diversity_judge; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    for heavy in ("torch", "vllm", "openai", "pandas", "matplotlib", "sklearn"):
        assert heavy not in loaded.split()
