"""The pictures of the page: each has an address of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.miniature.pictures import Picture


def test_pictures_of_one_file_name_are_copied_apart(tmp_path: Path) -> None:
    found = []
    for name in ("figures", "compare"):
        file = tmp_path / name / "verification.png"
        file.parent.mkdir()
        file.write_bytes(name.encode())
        found.append(Picture(f"Table 2, {name}", file, "about", "table.csv"))
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    addresses = [picture.copied_beside(page) for picture in found]
    assert addresses == ["images/miniature_table_2_figures.png", "images/miniature_table_2_compare.png"]
    assert [(page.parent / address).read_bytes() for address in addresses] == [b"figures", b"compare"]


def test_a_picture_can_stand_in_its_page(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"abc")
    assert Picture("a", file, "b", "c").data_address == "data:image/png;base64,YWJj"


@pytest.mark.parametrize("title", ["Figure 2a, 2b", "The frontier, task four"])
def test_an_address_needs_no_escaping(tmp_path: Path, title: str) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"abc")
    assert set(Picture(title, file, "b", "c").copied_beside(tmp_path / "page.md")) <= set(
        "abcdefghijklmnopqrstuvwxyz0123456789_/."
    )
