"""The tables: what is written is what is read, also where it is empty."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from diversity_judge.errors import InputError
from examples.miniature.law.tables import (
    NUMBERS,
    OUTCOMES,
    NumbersRow,
    OutcomeRow,
    put_together,
    read_numbers,
    read_outcomes,
    write_rows,
)

ALONE = OutcomeRow("flat", "four", "token-normal:temperature=0.1", 0.1, 0.8, "", "c0000", 32, 7, None, 1 / 3, None)
DRAWN = OutcomeRow("flat", "four", "expert-sample:temperature=0.1", 0.1, 0.8, "default", "c0000", 32, 7, 0.1, 0.0, 0.7)
NUMBER = NumbersRow("flat", "four", 0.1, 0.8, "", 0.123456789012345, 0.01, 0.0, 0.0)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_rows(tmp_path / OUTCOMES, [ALONE, DRAWN])
    found = read_outcomes(tmp_path)
    assert list(found.columns) == list(OutcomeRow.__dataclass_fields__)
    assert list(found.setting) == ["", "default"]
    assert pd.isna(found.diversity[0])
    assert pd.isna(found.best_of_n_learned[0])
    assert OutcomeRow(*found.iloc[1].tolist()) == DRAWN
    assert found.best_of_n[0] == ALONE.best_of_n


def test_the_parts_stand_below_each_other_to_the_last_digit(tmp_path: Path) -> None:
    other = replace(DRAWN, router="peaked", diversity=0.1 + 0.2)
    for name, row in (("one", ALONE), ("two", other)):
        (tmp_path / name).mkdir()
        write_rows(tmp_path / name / OUTCOMES, [row])
        write_rows(tmp_path / name / NUMBERS, [NUMBER])
    put_together(tmp_path, [tmp_path / "one", tmp_path / "two"])
    found = read_outcomes(tmp_path)
    assert list(found.router) == ["flat", "peaked"]
    assert found.diversity[1] == other.diversity
    assert list(read_numbers(tmp_path).entropy) == [NUMBER.entropy] * 2


def test_a_table_of_before_the_learned_choice_has_none(tmp_path: Path) -> None:
    write_rows(tmp_path / OUTCOMES, [ALONE, DRAWN])
    new = read_outcomes(tmp_path)
    new.drop(columns="best_of_n_learned").to_csv(tmp_path / OUTCOMES, index=False)
    old = read_outcomes(tmp_path)
    assert list(old.columns) == list(new.columns)
    assert old.best_of_n_learned.isna().all()


def test_a_folder_without_tables_says_what_makes_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run python -m"):
        read_outcomes(tmp_path)
