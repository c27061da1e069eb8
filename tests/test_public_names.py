"""The names that a package gives are the same whatever was imported before, and importing it costs nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import diversity_judge as dj

ROOT = Path(__file__).parents[1]


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("verb", ["score", "compare", "agree", "reliability", "plan"])
@pytest.mark.parametrize(
    "imports",
    [
        "import diversity_judge",
        "import diversity_judge.{verb}",
        "from diversity_judge.{verb} import main",
        "from diversity_judge import {verb}; import diversity_judge.{verb}; diversity_judge.{verb}",
        "import diversity_judge, importlib; importlib.import_module('diversity_judge.{verb}').main",
        "import diversity_judge.{verb} as found; assert callable(found)",
    ],
)
def test_a_verb_is_its_function_whatever_was_imported_before(verb: str, imports: str) -> None:
    said = python(
        f"{imports.format(verb=verb)}\nimport diversity_judge as dj\n"
        f"print(type(dj.{verb}).__name__, dj.{verb}.__module__, dj.{verb}.__name__)"
    )
    assert said.split() == ["function", f"diversity_judge.{verb}", verb]


def test_every_public_name_is_there_and_listed() -> None:
    names = {"score", "compare", "agree", "plan", "load_run"}
    names |= {"Run", "ScoreResult", "Comparison", "Plan", "InputError", "Response"}
    assert names <= set(dir(dj))
    for name in names:
        assert getattr(dj, name).__name__ == name


def test_a_name_that_is_not_there_is_said() -> None:
    with pytest.raises(AttributeError, match="no attribute 'scoer'"):
        dj.scoer  # type: ignore[attr-defined]  # noqa: B018


def test_a_name_can_be_replaced_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    real, another = dj.compare, object()
    with monkeypatch.context() as patch:
        patch.setattr(dj, "compare", another)
        assert vars(dj)["compare"] is another
        assert getattr(dj, "compare") is another  # noqa: B009
    assert dj.compare is real


def test_importing_a_package_loads_nothing_but_the_names() -> None:
    loaded = python("import sys; before = set(sys.modules); import diversity_judge; print(*set(sys.modules) - before)")
    ours = {name for name in loaded.split() if name.startswith("diversity_judge")}
    assert ours == {"diversity_judge", "diversity_judge.public_names"}
    assert not {"rich", "numpy", "pandas", "matplotlib", "openai", "torch"} & set(loaded.split())
