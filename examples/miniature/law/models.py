"""Where the models of the grid are: shipped, trained already, or still to be trained; and what tells them apart."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from diversity_judge.errors import InputError, RunError
from diversity_judge.files import read_bounded
from examples.miniature.law.plan import FLAT, SHIPPED_AS_IT_IS

_MINIATURE = Path(__file__).parents[1]
SHIPPED = {SHIPPED_AS_IT_IS: _MINIATURE / "model", FLAT: _MINIATURE / "model_flat"}
_WHAT_COUNTS = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
"""The files of a checkpoint that change what it says."""

TRAINING_MINUTES = 60
"""Of one model, on two cores."""

Say = Callable[[str], None]


def find(router: str, folder: Path) -> Path | None:
    """The folder of a model, one of the user's own before a shipped one; None where it is still to be trained."""
    for place in (folder / router, SHIPPED.get(router)):
        if place is not None and (place / "config.json").exists():
            return place
    return None


def find_or_train(router: str, folder: Path, say: Say) -> Path:
    """The folder of a model, which is trained where it is not there yet.

    Raises:
        InputError: it is neither there nor one that can be trained.
        RunError: its training failed.
    """
    found = find(router, folder)
    if found is not None:
        return found
    train(router, folder, say)
    return folder / router


def train(router: str, folder: Path, say: Say) -> None:
    """Train a router by the recipe of all of them, then sharpen the model. A killed training goes on.

    Raises:
        InputError: there is no such recipe.
        RunError: a command failed; what it said is above.
    """
    from examples.miniature.curves import CURVES

    if router not in CURVES:
        raise InputError(
            f"there is no model {router} in {folder}, and no curve of that name to train it towards; "
            f"there are {', '.join(CURVES)}"
        )
    for command in training_commands(router, folder):
        say(f"$ python -m {' '.join(command)}")
        if subprocess.run([sys.executable, "-m", *command], check=False).returncode:  # noqa: S603
            raise RunError(f"{command[0]} failed; what it said is above, and the same command goes on")


def training_commands(router: str, folder: Path) -> Sequence[Sequence[str]]:
    """The commands that make a model, in order."""
    trained = folder / "unsharpened" / router
    return (
        ("examples.miniature.train_further", router, "--out", str(trained), "--state", f"{trained}.pt"),
        ("examples.miniature.sharpen", router, "--model", str(trained), "--out", str(folder / router)),
    )


def sha256(model: Path) -> str:
    """SHA-256 (hexadecimal) of what a checkpoint says and computes.

    Raises:
        InputError: it has no weights.
    """
    digest = hashlib.sha256()
    for name in _WHAT_COUNTS:
        path = model / name
        try:
            content = read_bounded(path)
        except OSError as error:
            raise InputError(f"{model} is no whole checkpoint: {error}") from error
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
