"""What is called innocent of a judge: bands stated beforehand, read from `bands.toml` with their reasons.

A judge's figure is never just good or bad: it lies inside a band that was stated before the judge was looked at,
outside of it, or too few answers were bought to tell. Bands are data, so that a reader can disagree with one of them
without reading code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from diversity_judge.errors import InputError
from diversity_judge.files import TOMLError, read_toml

PACKAGED = Path(__file__).with_name("bands.toml")
_FIELDS = {"low", "high", "acceptable", "reason"}


@dataclass(frozen=True)
class Band:
    """The values of a metric that are called innocent; both ends belong to them.

    Attributes:
        probe: As reliability.csv has it.
        metric: Likewise.
        low: Lower end; minus infinity where there is none.
        high: Upper end; infinity where there is none.
        reason: Why there.
        acceptable: Lowest and highest score that an answer may have, where the metric is a share of answers outside.
    """

    probe: str
    metric: str
    low: float
    high: float
    reason: str
    acceptable: tuple[float, float] | None = None

    def __str__(self) -> str:
        """`-0.2 to 0.2`, `at least 0.9`, `at most 0.8`."""
        if math.isinf(self.low):
            return f"at most {self.high:g}"
        return f"at least {self.low:g}" if math.isinf(self.high) else f"{self.low:g} to {self.high:g}"


Bands = Mapping[tuple[str, str], Band]
"""By probe and metric; a metric without one is described and not judged."""


def read_bands(path: Path = PACKAGED) -> Bands:
    """The bands of a file.

    Args:
        path: TOML of the form that the packaged file explains.

    Raises:
        InputError: the file cannot be read or is not of that form.
    """
    try:
        tables = read_toml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, TOMLError) as error:
        raise InputError(f"{path}: cannot be read as TOML: {error}") from error
    return {
        (probe, metric): _band(path, probe, metric, fields)
        for probe, metrics in tables.items()
        for metric, fields in (metrics.items() if isinstance(metrics, dict) else [("", metrics)])
    }


def _band(path: Path, probe: str, metric: str, fields: object) -> Band:
    where = f"{path}: [{probe}.{metric}]"
    if not isinstance(fields, dict) or not fields.keys() <= _FIELDS:
        raise InputError(f"{where} must hold low, high, acceptable and reason, and nothing else")
    low, high, reason = fields.get("low", -math.inf), fields.get("high", math.inf), fields.get("reason")
    if not all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in (low, high)) or not low <= high:
        raise InputError(f"{where} low and high must be numbers, low no larger than high")
    if not isinstance(reason, str) or not reason:
        raise InputError(f"{where} needs a reason")
    acceptable = fields.get("acceptable")
    if acceptable is not None and not (isinstance(acceptable, list) and len(acceptable) == 2):
        raise InputError(f"{where} acceptable must be [lowest score, highest score]")
    return Band(
        probe, metric, float(low), float(high), reason, None if acceptable is None else (acceptable[0], acceptable[1])
    )
