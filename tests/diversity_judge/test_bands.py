"""The bands are data: complete, in order, each with its reason; a file that is none is refused with the place."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from diversity_judge.bands import PACKAGED, read_bands
from diversity_judge.errors import InputError

PROBES = {
    "instrument", "retest", "order", "control-identical", "control-reformatted", "control-answer", "control-unrelated",
    "control-padding", "control-cut", "control-injection", "template", "nuisance", "strategy",
}  # fmt: skip


def test_every_probe_has_a_band_and_every_band_a_reason() -> None:
    bands = read_bands()
    assert {band.probe for band in bands.values()} == PROBES
    assert all(len(band.reason) > 20 for band in bands.values())
    assert not any(math.isinf(band.low) and math.isinf(band.high) for band in bands.values())


def test_acceptable_scores_stand_beside_the_shares_outside_of_them() -> None:
    bands = read_bands()
    shares = (bands[f"control-{name}", "share_outside"].acceptable for name in ("identical", "answer", "unrelated"))
    assert [*shares, bands["retest", "alpha"].acceptable] == [(5, 5), (4, 5), (0, 1), None]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[retest.alpha]\nlow = 0.5\n", "[retest.alpha] needs a reason"),
        ("[retest.alpha]\nlow = 0.5\nhigh = 0.4\nreason = 'x'\n", "[retest.alpha] low and high must be numbers"),
        ("[retest.alpha]\nlow = '0.5'\nreason = 'x'\n", "[retest.alpha] low and high must be numbers"),
        ("[retest.alpha]\nlowest = 0.5\nreason = 'x'\n", "[retest.alpha] must hold low, high"),
        ("[order.x]\nacceptable = 3\nreason = 'x'\n", "[order.x] acceptable must be"),
        ("retest = 3\n", "[retest.] must hold"),
        ("[[[", "cannot be read as TOML"),
    ],
)
def test_what_is_no_file_of_bands_is_refused_with_the_place(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "bands.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"bands\.toml") as refused:
        read_bands(path)
    assert named in str(refused.value)


def test_bands_are_said_in_words() -> None:
    bands = read_bands(PACKAGED)
    assert str(bands["retest", "sd_within_pair"]) == "at most 0.8"
    assert str(bands["retest", "within_one"]) == "at least 0.9"
    assert str(bands["order", "mean_difference"]) == "-0.2 to 0.2"
