"""At which point a claim was made, read from what the steps leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from diversity_judge.comparing.tables import OutcomeRow, ProcessRow, Table
from diversity_judge.files import write_csv
from examples.miniature.comparing import Compared
from examples.miniature.points import NUMBERS, PAPER_DIVERSITY, read_point


def compared(diversity: float) -> Compared:
    rows = (
        ProcessRow("token-normal", "vendi", 3.0, 2.0, 4.0, 9),
        ProcessRow("token-normal", "diversity", diversity, diversity - 0.01, diversity + 0.01, 9),
        ProcessRow("expert-sample", "diversity", 0.9, 0.8, 1.0, 9),
    )
    return Compared(("token-normal", "expert-sample"), (), Table(ProcessRow, rows), Table(OutcomeRow, ()))


@pytest.mark.parametrize(
    ("diversity", "is_near"), [(PAPER_DIVERSITY, True), (0.25, True), (0.32, False), (0.75, False)]
)
def test_a_point_has_the_numbers_of_its_model_and_of_its_tokens(
    tmp_path: Path, diversity: float, is_near: bool
) -> None:
    numbers = (("new_share", 0.1), ("entropy", 0.07), ("entropy_t1", 0.5))
    write_csv(
        tmp_path / NUMBERS,
        [
            {"number": n, "value": v, "ci_low": v / 2, "ci_high": 2 * v, "unit": "u", "strategy": "s"}
            for n, v in numbers
        ],
    )
    point = read_point("here", compared(diversity), tmp_path)
    assert point.diversity == (diversity, diversity - 0.01, diversity + 0.01)
    assert point.entropy == (0.07, 0.035, 0.14)
    assert point.new_share.said() == "0.100 (0.050 to 0.200)"
    assert point.is_near_the_paper is is_near
    assert point.row()["new_share_ci_high"] == 0.2


def test_the_papers_diversity_is_its_published_matrix() -> None:
    assert pytest.approx(1 - 1992 / 2480, abs=5e-4) == PAPER_DIVERSITY
