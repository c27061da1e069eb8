"""The public names of a package: imported when they are first used, and the same whatever was imported before.

A command and its function have one name, and the import system binds the submodule over the package's attribute as
soon as anybody imports it: `dj.score` would be a function or a module, by chance. Here the public names are properties
of the package's type (a module's `__class__` may be set to a subclass of `ModuleType`, see "Customizing module
attribute access" in Python's data model), and their setter leaves that binding out. The submodule itself stays where it
belongs, in `sys.modules`: `from package.verb import main` and `python -m package.verb` work as everywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any


def publish(package: str, homes: Mapping[str, str]) -> None:
    """Give a package its public names.

    Args:
        package: Its `__name__`.
        homes: Name to the module that defines it.
    """
    names: dict[str, Any] = {name: _PublicName(name, home) for name, home in homes.items()}
    names["__dir__"] = lambda module: sorted({*vars(module), *homes})
    sys.modules[package].__class__ = type("Package", (ModuleType,), names)


class _PublicName:
    """One name: a property of the package's type."""

    def __init__(self, name: str, home: str) -> None:
        self.name = name
        self.home = home

    def __get__(self, module: ModuleType | None, kind: type) -> Any:
        """What the name means, or what somebody put in its place."""
        if module is None:
            return self
        return vars(module)[self.name] if self.name in vars(module) else getattr(import_module(self.home), self.name)

    def __set__(self, module: ModuleType, value: Any) -> None:
        """Put something in its place, as a test does; the import system's own binding of the submodule is left out."""
        if value is not sys.modules.get(f"{module.__name__}.{self.name}"):
            vars(module)[self.name] = value

    def __delete__(self, module: ModuleType) -> None:
        """Take away what was put in its place."""
        vars(module).pop(self.name, None)
