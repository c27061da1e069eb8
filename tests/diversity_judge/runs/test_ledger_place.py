"""How a record in a run folder names its ledger, and where that is found once the folder has another name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from diversity_judge.runs.ledger_place import ENTRY, INSIDE, OUTSIDE, PLACE, place_record, recorded_place

RECORD = Path("run.json")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Paths are typed relative to this folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touched(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize(
    ("ledger", "named"),
    [
        ("run/ledger.sqlite", "ledger.sqlite"),
        ("run/../run/mine.sqlite", "mine.sqlite"),
        ("run/below/l.sqlite", "below/l.sqlite"),
    ],
)
def test_what_lies_in_the_folder_is_named_and_found_from_it(ledger: str, named: str, here: Path) -> None:
    for typed in (Path(ledger), here / ledger):
        record = place_record(typed, Path("run"))
        assert record == {ENTRY: named, PLACE: INSIDE}
        assert recorded_place(Path("other"), record, RECORD) == Path("other") / named


def test_what_lies_elsewhere_is_found_from_any_place(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touched(here / "moved" / "l.sqlite")
    record = place_record(Path("shared/l.sqlite"), Path("run"))
    assert record == {ENTRY: str(here / "shared" / "l.sqlite"), PLACE: OUTSIDE}
    monkeypatch.chdir("moved")
    assert recorded_place(Path(), record, RECORD) == here / "shared" / "l.sqlite", "never a namesake in the folder"


def test_a_folder_that_is_a_link_is_the_folder(here: Path) -> None:
    (here / "real").mkdir()
    (here / "link").symlink_to("real")
    assert place_record(Path("link/ledger.sqlite"), Path("real"))[PLACE] == INSIDE


def test_a_ledger_that_is_a_link_in_the_folder_goes_with_the_folder(here: Path) -> None:
    (here / "run").mkdir()
    (here / "run" / "ledger.sqlite").symlink_to(touched(here / "shared.sqlite"))
    assert place_record(Path("run/ledger.sqlite"), Path("run")) == {ENTRY: "ledger.sqlite", PLACE: INSIDE}


def test_a_link_that_leads_to_itself_is_named_as_it_is(here: Path) -> None:
    (here / "run").symlink_to("run")
    assert place_record(Path("run/ledger.sqlite"), Path("run"))[ENTRY] == "ledger.sqlite"


def test_no_ledger_is_named() -> None:
    assert recorded_place(Path("run"), {}, RECORD) is None
    assert recorded_place(Path("run"), {ENTRY: ""}, RECORD) is None


def older(typed: str, folder: str = "copy") -> Path | None:
    return recorded_place(Path(folder), {ENTRY: typed}, RECORD)


def test_an_older_record_means_the_copys_ledger_and_never_the_originals() -> None:
    touched(Path("run/run.json"))
    touched(Path("run/ledger.sqlite"))
    assert older("run/ledger.sqlite") == Path("copy/ledger.sqlite"), "although it is not there"
    assert older("gone/ledger.sqlite") == Path("copy/ledger.sqlite")
    shutil.copytree("run", "copy")
    assert older("run/ledger.sqlite") == Path("copy/ledger.sqlite")


def test_an_older_record_is_followed_to_a_ledger_that_is_no_runs_own() -> None:
    touched(Path("shared/ledger.sqlite"))
    assert older("shared/ledger.sqlite") == Path("shared/ledger.sqlite")
    assert older("shared/mine.sqlite") == Path("shared/mine.sqlite"), "named, though it is not there"
    touched(Path("copy/below/mine.sqlite"))
    assert older("below/mine.sqlite") == Path("copy/below/mine.sqlite")
