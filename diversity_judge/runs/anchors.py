"""A file of anchors: a small fixed set of pairs, what a judge gave them, and how noisy that judge is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from diversity_judge import __version__
from diversity_judge.errors import InputError, RunError
from diversity_judge.files import read_json, write_json
from diversity_judge.planning.anchors import Anchor
from diversity_judge.rubric import MAX_SCORE
from diversity_judge.runs.instrument import Instrument
from diversity_judge.text_safety import printable

_FORMAT = "diversity_judge anchors 1"
_WRITE = "python -m diversity_judge.reliability RUN --write-anchors FILE writes such a file"


@dataclass(frozen=True)
class AnchorSet:
    """A set of anchors.

    Attributes:
        path: Where it lies.
        anchors: The pairs.
        instrument: With what their scores were measured; None where the file does not say.
        noise_sd: Standard deviation of a draw within its pair, in points; None where it is not known.
        noise_degrees: Degrees of freedom of it; 0 where it is not known.
    """

    path: Path
    anchors: tuple[Anchor, ...]
    instrument: Instrument | None = None
    noise_sd: float | None = None
    noise_degrees: int = 0


def write_anchors(found: AnchorSet) -> None:
    """Write a set of anchors.

    Raises:
        RunError: the disk does not take it.
    """
    record = {
        "format": _FORMAT,
        "tool": {"diversity_judge": __version__},
        "instrument": None if found.instrument is None else asdict(found.instrument),
        "noise": None if found.noise_sd is None else {"sd": found.noise_sd, "degrees": found.noise_degrees},
        "anchors": [asdict(anchor) for anchor in found.anchors],
    }
    try:
        write_json(found.path, record)
    except OSError as error:
        raise RunError(f"{found.path}: cannot write the anchors: {error}") from error


def read_anchors(path: Path) -> AnchorSet:
    """Read a set of anchors.

    Raises:
        InputError: it is not there, or is none; the message says what is wrong.
    """
    shown = printable(str(path))
    try:
        record = read_json(path)
    except FileNotFoundError:
        raise InputError(f"{shown}: no such file; {_WRITE}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{shown}: cannot read the anchors: {printable(str(error), 200)}") from error
    if not isinstance(record, dict) or record.get("format") != _FORMAT or not isinstance(record.get("anchors"), list):
        raise InputError(f"{shown}: is no file of anchors; {_WRITE}")
    anchors = tuple(_anchor(shown, number, item) for number, item in enumerate(record["anchors"], start=1))
    if not anchors or len({anchor.name for anchor in anchors}) < len(anchors):
        raise InputError(f"{shown}: holds {'no anchor' if not anchors else 'two anchors of one name'}; {_WRITE}")
    instrument, noise = record.get("instrument"), record.get("noise")
    sd, degrees = _noise(shown, noise)
    if instrument is not None and not isinstance(instrument, dict):
        raise InputError(f"{shown}: its instrument is no object; {_WRITE}")
    known = None if instrument is None else Instrument.from_manifest({"instrument": instrument}, path)
    return AnchorSet(path, anchors, known, sd, degrees)


def _anchor(shown: str, number: int, item: Any) -> Anchor:
    where = f"{shown}: anchor {number}"
    if not isinstance(item, dict):
        raise InputError(f"{where} is no object; {_WRITE}")
    texts = [item.get(name) for name in ("name", "first", "second")]
    problem, score = item.get("problem"), item.get("score")
    if not all(isinstance(text, str) for text in texts) or not isinstance(problem, str | None):
        raise InputError(f"{where} needs the texts name, first and second, and may have a problem's; {_WRITE}")
    is_number = isinstance(score, int | float) and not isinstance(score, bool)
    if score is not None and not (is_number and 0 <= score <= MAX_SCORE):
        raise InputError(f"{where}: its score is {printable(repr(score), 40)}; it lies from 0 to {MAX_SCORE}")
    return Anchor(str(texts[0]), str(texts[1]), str(texts[2]), problem, score)


def _noise(shown: str, noise: Any) -> tuple[float | None, int]:
    if noise is None:
        return None, 0
    sd, degrees = (noise.get("sd"), noise.get("degrees")) if isinstance(noise, dict) else (None, None)
    if not (isinstance(sd, int | float) and isinstance(degrees, int) and sd >= 0 and degrees > 0):
        raise InputError(f"{shown}: its noise needs sd (points, from 0) and degrees (a whole number from 1); {_WRITE}")
    return float(sd), degrees


def chosen_evenly(anchors: Sequence[Anchor], n: int) -> tuple[Anchor, ...]:
    """So many of them, spread evenly over the scores."""
    ranked = sorted(anchors, key=lambda anchor: -1.0 if anchor.score is None else anchor.score)
    if len(ranked) <= n:
        return tuple(ranked)
    return tuple(ranked[(2 * k + 1) * len(ranked) // (2 * n)] for k in range(n))
