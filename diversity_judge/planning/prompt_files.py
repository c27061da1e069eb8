"""Where the prompt templates are, and the header that each of them carries.

Templates are data, not code: a researcher must be able to read, copy and change one without touching Python.
In a checkout they stand in `prompts/` at the top; the wheel carries them inside this package.
A file begins with a short TOML header between two `---` lines; the rest is the template itself.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.files import TOMLError, read_toml

_HEADER = re.compile(r"\A---\n(?P<header>.*?)^---\n(?P<body>.*)\Z", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class PromptFile:
    """A template file: its name and version from the header, and its body."""

    name: str
    version: str
    body: str
    path: Path
    header: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of the body (hexadecimal): the header's wording cannot change a reply."""
        return hashlib.sha256(self.body.encode()).hexdigest()


def prompts_dir() -> Path:
    """The folder of the shipped templates, in a checkout or in an installed wheel.

    Raises:
        InputError: neither place holds it (a broken installation).
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "prompts", package.parent / "prompts"):
        if folder.is_dir():
            return folder
    raise InputError(f"no prompt templates beside {package}: the installation is incomplete, install it again")


def load_prompt_file(name_or_path: str) -> PromptFile:
    """Read a template by the name of a shipped one, or by the path of a file.

    Raises:
        InputError: there is no such template, or its header cannot be read.
    """
    path = Path(name_or_path)
    if not path.is_file():
        path = prompts_dir() / f"{name_or_path}.txt"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in prompts_dir().glob("*.txt")))
        raise InputError(
            f"no prompt template {name_or_path!r}: name a file that exists, or one of the shipped ones ({known})"
        )
    return _parse(path)


def _parse(path: Path) -> PromptFile:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read the prompt template: {error}") from error
    match = _HEADER.match(text.replace("\r\n", "\n"))
    if match is None:
        raise InputError(f"{path}:1: a template begins with a header between two '---' lines")
    try:
        header = read_toml(match["header"])
    except TOMLError as error:
        raise InputError(f"{path}:1: the header is not valid TOML: {error}") from error
    missing = [key for key in ("name", "version") if not isinstance(header.get(key), str)]
    if missing:
        raise InputError(f"{path}:1: the header needs the text field(s) {', '.join(missing)}")
    return PromptFile(header["name"], header["version"], match["body"].strip("\n"), path, header)
