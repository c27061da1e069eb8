"""The key of a label sheet: which pair each item is, and with which chance it was chosen. People who label see none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diversity_judge import __version__
from diversity_judge.errors import InputError, RunError
from diversity_judge.files import read_json, write_json
from diversity_judge.labelling.sheet import Item, Sheet
from diversity_judge.runs.labels import KINDS, text_digest
from diversity_judge.text_safety import printable

_FORMAT = "diversity_judge label key 1"
_TEXTS = ("kind", "problem_id", "strategy", "first", "second", "first_sha256", "second_sha256")


@dataclass(frozen=True)
class KeyItem:
    """One item of a key: the columns of its labels.

    Attributes:
        columns: `kind`, the pair's ids, positions and texts' digests, and the chances with which it was chosen.
    """

    columns: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """`pair`, or which control."""
        return str(self.columns["kind"])


@dataclass(frozen=True)
class Key:
    """The key of a sheet.

    Attributes:
        path: Where it lies.
        sheet: The sheet's name.
        run: The run folder, as it was named.
        items: Item's name to what it is, in the order of the sheet.
    """

    path: Path
    sheet: str
    run: str
    items: Mapping[str, KeyItem]


def write_key(sheet: Sheet, path: Path) -> None:
    """Write the key of a sheet; that of another sheet is never replaced, since its labels would be lost with it.

    Raises:
        InputError: the key of another sheet lies there.
        RunError: the disk does not take it.
    """
    if path.exists() and read_key(path).sheet != sheet.name:
        raise InputError(
            f"{path}: here lies the key of another sheet, without which its labels are lost; name another file "
            "with --out"
        )
    record = {
        "format": _FORMAT,
        "tool": {"diversity_judge": __version__},
        "sheet": sheet.name,
        "run": str(sheet.run.path),
        "seed": sheet.seed,
        "items": {item.name: _columns(item) for item in sheet.items},
    }
    try:
        write_json(path, record)
    except OSError as error:
        raise RunError(f"{path}: cannot write the key: {error}") from error


def read_key(path: Path) -> Key:
    """Read a key.

    Raises:
        InputError: it is not there, or is no key.
    """
    shown = printable(str(path))
    try:
        record = read_json(path)
    except FileNotFoundError:
        raise InputError(f"{shown}: there is no key here; labels make wrote it beside its sheet") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{shown}: cannot read the key: {printable(str(error), 200)}") from error
    if not isinstance(record, dict) or record.get("format") != _FORMAT:
        raise InputError(f"{shown}: is no key of a label sheet; labels make wrote it beside its sheet")
    items = record.get("items")
    if (
        not isinstance(record.get("sheet"), str)
        or not isinstance(items, dict)
        or not all(map(_is_item, items.values()))
    ):
        raise InputError(f"{shown}: parts of the key are missing or broken; take the file as labels make wrote it")
    return Key(path, record["sheet"], str(record.get("run", "")), {name: KeyItem(item) for name, item in items.items()})


def _is_item(item: Any) -> bool:
    return isinstance(item, dict) and item.get("kind") in KINDS and all(isinstance(item.get(n), str) for n in _TEXTS)


def _columns(item: Item) -> dict[str, Any]:
    chosen = item.chosen
    first, second = (place.group.responses[place.position] for place in (chosen.first, chosen.second))
    return {
        "kind": chosen.kind,
        "problem_id": first.problem_id,
        "strategy": first.strategy,
        "first": str(first.sample_id),
        "second": str(second.sample_id),
        "first_position": chosen.first.position,
        "second_position": chosen.second.position,
        "first_sha256": text_digest(first.text),
        "second_sha256": text_digest(second.text),
        "on_the_left": "second" if item.is_turned else "first",
        "probability": chosen.probability,
        "group_probability": chosen.group_probability,
        "n_pairs": chosen.n_pairs,
        "n_asked": chosen.n_asked,
    }
