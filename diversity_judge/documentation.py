"""`diversity-judge docs`: where the documentation lies that came with the package.

README.md, its pictures and the documents that it links to are installed too, as a package page can show neither.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from diversity_judge.command import exit_code
from diversity_judge.errors import RunError


def documentation_folder() -> Path:
    """The folder of README.md and `docs/`: inside the package, or the checkout that the package is run from.

    Raises:
        RunError: neither holds them.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "manual", package.parent):
        if (folder / "README.md").is_file() and (folder / "docs").is_dir():
            return folder
    raise RunError(f"no documentation in {package}: the installation is incomplete, install it again")


def main(argv: Sequence[str] | None = None) -> int:
    """Print where the documentation is, file by file; returns the exit code."""

    def work() -> int:
        folder = documentation_folder()
        console = Console(soft_wrap=True)
        for path in (folder / "README.md", *sorted((folder / "docs").glob("*.md"))):
            console.print(Text(str(path)))
        return 0

    return exit_code(work, when_interrupted="stopped")


if __name__ == "__main__":
    sys.exit(main())
