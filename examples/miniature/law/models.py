"""Where the models of the grid are: shipped, made already, or still to be made; and what tells them apart."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from diversity_judge.errors import InputError, RunError
from diversity_judge.files import read_bounded
from examples.miniature.law.plan import FLAT, MIDDLE, PEAKED, SHIPPED_AS_IT_IS
from generation import children

_MINIATURE = Path(__file__).parents[1]
SHIPPED = {SHIPPED_AS_IT_IS: _MINIATURE / "model", FLAT: _MINIATURE / "model_flat"}
_WHAT_COUNTS = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
"""The files of a checkpoint that change what it says."""
MIXED = {MIDDLE: 0.5}
"""Models that are made of the weights of the peaked and the flat one, with the flat one's share."""
_LAST_WRITTEN = "training.json"
"""With it a checkpoint is whole."""

TRAINING_MINUTES = 55
"""Of one model, with its sharpening, on one core."""

Say = Callable[[str], None]


def find(router: str, folder: Path) -> Path | None:
    """The folder of a model, one of the user's own before a shipped one; None where it is still to be made."""
    for place in (folder / router, SHIPPED.get(router)):
        if place is not None and (place / _LAST_WRITTEN).exists():
            return place
    return None


def find_or_make(router: str, folder: Path, say: Say) -> Path:
    """The folder of a model, which is made where it is not there yet. A killed training goes on.

    Raises:
        InputError: it is neither there nor one that can be made.
        RunError: a command that makes it failed; what it said is above.
    """
    found = find(router, folder)
    if found is not None:
        return found
    ends = [find_or_make(end, folder, say) for end in (PEAKED, FLAT)] if router in MIXED else []
    for command in _commands(router, folder, ends):
        say(f"$ python -m {' '.join(command)}")
        if children.exit_code_of(command):
            raise RunError(f"{command[0]} failed; what it said is above, and the same command goes on")
    return folder / router


def _commands(router: str, folder: Path, ends: Sequence[Path]) -> Sequence[Sequence[str]]:
    """What makes a model, in order: a mean of two, or a training by the recipe of all and its sharpening."""
    from examples.miniature.curves import CURVES

    whole = str(folder / router)
    if router in MIXED:
        return (("examples.miniature.mix", *map(str, ends), "--share", str(MIXED[router]), "--out", whole),)
    if router not in CURVES:
        known = ", ".join((*CURVES, *MIXED))
        raise InputError(f"there is no model {router} in {folder}, and none that could be made; there are {known}")
    unsharpened = f"{whole}-unsharpened"
    return (
        ("examples.miniature.train_further", router, "--out", unsharpened),
        ("examples.miniature.sharpen", unsharpened, "--curve", router, "--out", whole),
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
