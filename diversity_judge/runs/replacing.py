"""A folder of outputs that is replaced as a whole, and that says so while it is not.

The folder's manifest lists the files that were written beside it. Whoever writes into the folder again removes what
the earlier one left, by that list: nothing old stands beside what is new, and a stranger's files stay. Until all is
written the manifest says that the folder is unfinished, so that a kill cannot leave half of two runs that looks whole.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Set
from pathlib import Path, PurePosixPath
from typing import Any

from diversity_judge.errors import InputError, RunError
from diversity_judge.files import remove_leftovers, write_json
from diversity_judge.runs.layout import FINISHED, MANIFEST, STATE, UNFINISHED, read_manifest

FILES = "files"
"""Entry of a manifest: what was written beside it, by path below the folder."""

_WRITTEN = (".csv", ".npz", ".gz", ".png", ".svg", ".html", ".md", ".tex")
"""Endings of what is written beside a manifest."""


@contextlib.contextmanager
def replacing(
    folder: Path,
    record: Mapping[str, Any],
    *,
    sure: Collection[str],
    possible: Collection[str] = (),
    manifest: str = MANIFEST,
) -> Iterator[None]:
    """Write a folder's outputs inside this; an exception, and a kill, leave the folder unfinished.

    Args:
        folder: Where the outputs go; made if it is not there.
        record: What the manifest is to hold.
        sure: Files that will be written, by path below the folder; an earlier one stays until it is replaced.
        possible: Files that may be written; earlier ones are removed first.
        manifest: The manifest's name.

    Raises:
        RunError: outputs of another command stand there under the same names; or the disk does not take the manifest,
            or does not let go of what is old.
    """
    ours = {*sure, *possible}
    _refuse_what_is_anothers(folder, ours, manifest)
    earlier = _listed(folder, manifest, otherwise=ours)
    _write(folder / manifest, {STATE: UNFINISHED, **record, FILES: sorted(ours | earlier)})
    _clear(folder, earlier.difference(sure), leftovers_of=ours | earlier)
    yield
    written = sorted(name for name in ours if (folder / name).is_file())
    _write(folder / manifest, {STATE: FINISHED, **record, FILES: written})


def _refuse_what_is_anothers(folder: Path, ours: Set[str], manifest: str) -> None:
    """A comparison written into the folder of a run would replace the run's heat maps, which have the same names."""
    for path in sorted(folder.glob("*.json")):
        common = ours & _listed(folder, path.name, otherwise=set()) if path.name != manifest else set()
        if common:
            raise RunError(
                f"{folder}: holds outputs that belong to {path.name}, {min(common)} among them, which would be "
                "replaced; name another folder with --out"
            )


def _write(path: Path, record: Mapping[str, Any]) -> None:
    try:
        write_json(path, record)
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot write it: {error}") from error


def _clear(folder: Path, names: Set[str], *, leftovers_of: Set[str]) -> None:
    """Remove files, the folders that are then empty, and what killed processes left of others."""
    try:
        for name in leftovers_of:
            remove_leftovers(folder / name)
        for name in names:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot remove what an earlier run left there: {error}") from error
    for parent in {(folder / name).parent for name in names} - {folder}:
        with contextlib.suppress(OSError):  # It is gone, or others' files stand there.
            parent.rmdir()


def _listed(folder: Path, manifest: str, *, otherwise: set[str]) -> set[str]:
    """What an earlier manifest lists below the folder; `otherwise` where it lists nothing, as older ones do."""
    try:
        record = read_manifest(folder, manifest)
    except InputError:
        return otherwise
    if record is None:
        return set()
    names = record.get(FILES)
    return {name for name in names if _may_be_ours(name)} if isinstance(names, list) else otherwise


def _may_be_ours(name: Any) -> bool:
    """Whether it is a table, picture or page below the folder: a list that someone changed costs no paid reply."""
    if not isinstance(name, str) or "\0" in name:
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and path.suffix in _WRITTEN
