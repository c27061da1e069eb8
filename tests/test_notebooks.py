"""The notebooks run from top to bottom, and are committed with their outputs.

`python -m tests.test_notebooks` writes these outputs anew, after a change of what they show.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="the extra `notebooks` is not installed")
nbclient = pytest.importorskip("nbclient", reason="the extra `notebooks` is not installed")

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def kinds(notebook: Any) -> list[list[str]]:
    """Of each code cell the kinds of its outputs: tables, texts, pictures."""
    return [
        [output.output_type + "".join(sorted(output.get("data", {}))) for output in cell.outputs]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_both_notebooks_are_there() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["compare_strategies", "similarity_heatmaps"]


def executed(path: Path, folder: Path, **sources: str) -> Any:
    """The notebook run in another folder, with other sources for some of its code cells (`cell_1="..."`)."""
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        cell.outputs, cell.execution_count = [], None
    for name, source in sources.items():
        code[int(name.removeprefix("cell_"))].source = source
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return notebook


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_anywhere_and_gives_what_is_committed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    committed = nbformat.read(path, as_version=4)
    fresh = executed(path, tmp_path)
    assert kinds(fresh) == kinds(committed)
    for new, old in zip(outputs(fresh), outputs(committed), strict=True):
        assert new.get("text") == old.get("text")
        assert new.get("data", {}).get("text/plain") == old.get("data", {}).get("text/plain")
    assert list(tmp_path.iterdir()) == [], "the proxy judge leaves nothing on the disk"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_second_cell_takes_the_readers_own_file(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    rows = [
        {"problem_id": problem, "strategy": strategy, "response": f"{problem} {strategy} by {word}"}
        for problem in ("mine-1", "mine-2")
        for strategy in ("x", "y")
        for word in ("guessing", "adding", "dividing")
    ]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    second = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"][1]
    assert second.startswith("RESPONSES = ")
    scoring = second[second.index("result = dj.score(RESPONSES") :]
    notebook = executed(path, tmp_path, cell_1=f'RESPONSES = "mine.jsonl"\n{scoring}')
    assert "4 groups of 2 problems" in str(outputs(notebook)[0])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_small_and_uses_the_functions(path: Path) -> None:
    sources = "".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    assert "dj.score(" in sources
    assert "main(" not in sources
    assert path.stat().st_size < 250_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_outputs_have_pictures_and_no_machine_in_them(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert any("image/png" in output.get("data", {}) for output in outputs(notebook))
    assert not any(output.output_type == "error" for output in outputs(notebook))
    texts = "".join(str(output.get("text", "")) for output in outputs(notebook))
    assert not re.search(r"/(tmp|home|root)/", texts)


def refresh() -> None:
    """Run the notebooks and write their outputs into them."""
    for path in NOTEBOOKS:
        with tempfile.TemporaryDirectory() as folder:
            notebook = executed(path, Path(folder))
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
        notebook.metadata = nbformat.read(path, as_version=4).metadata
        nbformat.write(notebook, path)


if __name__ == "__main__":
    refresh()
