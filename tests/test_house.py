"""The direction of imports, read from the drawing in CONTRIBUTING.md: what is drawn there is what holds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("diversity_judge", "generation")


def drawn_floors(package: str) -> dict[str, int]:
    """Room to floor: the lines of the package's drawing from the ground up; rooms of one line do not see each other."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    drawing = re.search(rf"```text\n{package}, [^\n]*\n(.*?)```", text, re.DOTALL)
    assert drawing is not None, f"CONTRIBUTING.md has no drawing of {package}"
    floors = re.findall(r"^ +(\d+)  ([\w /*]+?)(?:   .*)?$", drawing[1], re.MULTILINE)
    return {room: int(floor) for floor, rooms in floors for room in rooms.split()}


def modules(package: str) -> Iterator[tuple[str, ...]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        yield path.relative_to(ROOT).with_suffix("").parts


def imports(module: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """What a module imports of the project, also inside functions and for type checkers."""
    for node in ast.walk(ast.parse((ROOT.joinpath(*module)).with_suffix(".py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            base = tuple(node.module.split("."))
            yield from (base if _is_module(base) else (*base, alias.name) for alias in node.names)


def _is_module(name: tuple[str, ...]) -> bool:
    return ROOT.joinpath(*name).with_suffix(".py").is_file()


def room_of(name: tuple[str, ...], floors: dict[str, int]) -> str:
    """The innermost room that the drawing names: a module, or a folder with all that is in it."""
    names = ["/".join(name[1:end]) for end in range(len(name), 1, -1)]
    return next((room for room in names if room in floors), "/".join(name[1:]))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_import_goes_down(package: str) -> None:
    floors = drawn_floors(package)
    breaches = []
    for module in modules(package):
        here = room_of(module, floors)
        if module[-1] in ("__init__", "__main__") and len(module) == 2:
            continue  # The package's face and its console command hand names on.
        assert here in floors, f"{'/'.join(module)}.py stands in no room of the drawing in CONTRIBUTING.md"
        for name in imports(module):
            there = room_of(name, floors)
            if name[0] != package or len(name) < 2 or there == here or there not in floors:
                continue
            if floors[there] >= floors[here]:
                breaches.append(f"{'/'.join(module)} (floor {floors[here]}) -> {there} (floor {floors[there]})")
    assert not breaches


@pytest.mark.parametrize("package", PACKAGES)
def test_the_drawing_names_only_what_there_is(package: str) -> None:
    rooms = drawn_floors(package)
    missing = [r for r in rooms if not (ROOT / package / r).is_dir() and not (ROOT / package / f"{r}.py").is_file()]
    assert not missing


@pytest.mark.parametrize("package", PACKAGES)
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    graph = {
        module: {name for name in imports(module) if name[0] == package and name != module and _is_module(name)}
        for module in modules(package)
    }
    while free := [module for module, needs in graph.items() if not needs & graph.keys()]:
        for module in free:
            del graph[module]
    assert not graph, "these modules import each other, or stand above such: " + ", ".join(map("/".join, graph))


def test_measuring_never_needs_generation() -> None:
    guilty = [m for m in modules("diversity_judge") if any(name[0] == "generation" for name in imports(m))]
    assert not guilty
