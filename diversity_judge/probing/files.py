"""What `reliability` leaves in its folder: tables, figures, the page and a manifest that says when they are whole."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from diversity_judge import __version__
from diversity_judge.errors import RunError
from diversity_judge.files import finite_or_none, write_csv
from diversity_judge.probing.counts import retest_flips
from diversity_judge.probing.options import ReliabilityOptions
from diversity_judge.probing.result import Reliability
from diversity_judge.probing.tables import (
    allocation_rows,
    component_rows,
    control_rows,
    finding_rows,
    flip_rows,
    pair_rows,
)
from diversity_judge.runs.replacing import replacing

MANIFEST = "reliability.json"
FINDINGS = "reliability.csv"
CONTROLS = "controls.csv"
DRAWN = "drawn_pairs.csv"
FLIPS = "flips.csv"
COMPONENTS = "variance_components.csv"
ALLOCATION = "allocation.csv"
REPORT = "reliability.html"
_SURE = (FINDINGS, DRAWN, COMPONENTS, ALLOCATION)


@contextlib.contextmanager
def writing(folder: Path, found: Reliability, *, more: Collection[str] = ()) -> Iterator[None]:
    """Write the tables, in the place of what was there; what else belongs to the folder is written inside this.

    Args:
        folder: Where to; made if it is not there.
        found: What the probes found.
        more: Names of what is written besides.

    Raises:
        RunError: the disk does not take the files.
    """
    with replacing(folder, found.manifest, sure=_SURE, possible=(CONTROLS, FLIPS, *more), manifest=MANIFEST):
        tables = {
            FINDINGS: finding_rows(found.findings),
            DRAWN: pair_rows(found.drawn, found.answers),
            COMPONENTS: component_rows(found.precision),
            ALLOCATION: allocation_rows(found.precision),
            CONTROLS: control_rows(found.answers, found.drawn),
            FLIPS: flip_rows(retest_flips(found)),
        }
        try:
            for name, rows in tables.items():
                if (known := list(rows)) or name in _SURE:
                    write_csv(folder / name, known)
        except OSError as error:
            raise RunError(f"{folder}: cannot write the tables: {error}") from error
        yield


def manifest(found: Reliability, options: ReliabilityOptions) -> dict[str, Any]:
    """What reliability.json holds: JSON by nature, so a mapping."""
    tally = found.tally
    return {
        "tool": {"diversity_judge": __version__, "python": platform.python_version()},
        "run": {"path": str(found.source.run.path), "instrument": asdict(found.source.run.instrument)},
        "pairs": len(found.drawn),
        "draws": options.draws,
        "seed": options.seed,
        "probes": list(options.probes),
        "templates": {
            found_answers.request.template.file.name: found_answers.request.template.digest
            for found_answers in found.answers
            if found_answers.request.template is not None
        },
        "precision": {
            "design": asdict(found.precision.design),
            "noise_shares": {name: finite_or_none(share) for name, share in found.precision.noise_shares.items()},
            "icc_of_a_group": finite_or_none(found.precision.icc),
            "detectable_difference": finite_or_none(found.precision.detectable),
        },
        "ending": {"state": tally.ending.value, "message": tally.message},
        "missing": dict(found.missing),
        "notes": list(found.notes),
        "this_run": {
            "reused": tally.reused,
            "calls": tally.calls,
            "replies": tally.replies,
            "prompt_tokens": tally.prompt_tokens,
            "completion_tokens": tally.completion_tokens,
            "cost_usd": tally.cost_usd,
        },
    }
