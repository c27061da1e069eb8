"""The package as a stranger gets it: a wheel in a fresh environment, away from the repository."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from readme_renderer import markdown

from diversity_judge.probing.requests import OTHER_TEMPLATES

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
    assert {f"diversity_judge/prompts/{name}.txt" for name in OTHER_TEMPLATES} <= set(names)
    assert {"diversity_judge/bands.toml", "diversity_judge/report/static/reliability.css"} <= set(names)
    assert "diversity_judge/judges/presets.toml" in names
    assert "diversity_judge/bands.toml" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"diversity_judge", "generation"}


def test_the_package_page_has_no_link_or_picture_that_leads_nowhere(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = message_from_bytes(archive.read(next(n for n in archive.namelist() if n.endswith("METADATA"))))
    page = markdown.render(str(metadata.get_payload()))
    assert page is not None
    targets = re.findall(r"(?:href|src)=\"([^\"]*)\"", page)
    assert [target for target in targets if not target.startswith(("https://", "http://", "#"))] == []
    assert "<img" not in page
    assert "<code>docs/statistics.md</code>" in page
    assert "diversity-judge docs" in page


def test_the_documentation_is_installed_and_its_links_hold_there(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    manual = tmp_path / "diversity_judge" / "manual"
    links = {
        (page, target)
        for page in (manual / "README.md", *(manual / "docs").glob("*.md"))
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    }
    assert (manual / "README.md", "docs/images/report.png") in links
    assert {(page.name, target) for page, target in links if not (page.parent / target).exists()} == set()
    listed = "import runpy; runpy.run_module('diversity_judge.documentation', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", listed], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert str(manual / "docs" / "statistics.md") in done.stdout, done.stderr


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
