"""The surrogates of a run on the disk: what, beside the scores, its estimates are made from; and how that is said."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from diversity_judge.measures.diversity import DIFFERENCE
from diversity_judge.measures.surrogate import Surrogate
from diversity_judge.runs.layout import SCORES, SURROGATE
from diversity_judge.text_safety import printable
from diversity_judge.wording import number

if TYPE_CHECKING:
    import pandas as pd

_COEFFICIENTS = "lambda"
"""The array of the coefficients, in the order of the others; no group is called so, for its name holds two of `_`."""


def write_surrogates(surrogates: Mapping[str, Surrogate], path: Path) -> None:
    """Write one (n, n) array a group, and their coefficients.

    Args:
        surrogates: By the name of the group's plan.
        path: Where to.

    Raises:
        OSError: the disk does not take it.
    """
    arrays = {name: surrogate.values for name, surrogate in surrogates.items()}
    arrays[_COEFFICIENTS] = np.array([surrogate.coefficient for surrogate in surrogates.values()])
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def read_surrogates(folder: Path, scores: pd.DataFrame) -> dict[tuple[str, str], Surrogate]:
    """(problem id, strategy) to surrogate, of the groups that have one.

    Args:
        folder: Of the run.
        scores: Its scores.csv.

    Raises:
        InputError: the file is not there, or is broken.
    """
    from diversity_judge.runs.table_files import broken, part_of  # pandas, which a run that only judges need not import

    path = part_of(folder, SURROGATE)
    if "group" not in scores:
        raise broken(folder / SCORES, "has no column group")
    of_name = dict(zip(scores["group"], zip(scores["problem_id"], scores["strategy"], strict=True), strict=True))
    try:
        with np.load(path, allow_pickle=False) as arrays:
            names = [name for name in arrays.files if name != _COEFFICIENTS]
            values = zip(names, arrays[_COEFFICIENTS].tolist(), strict=True)
            return {of_name[name]: Surrogate(arrays[name], float(coefficient)) for name, coefficient in values}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, TypeError) as error:
        raise broken(path, f"cannot read the surrogate: {printable(str(error))}") from error


def estimator_sentence(manifest: Mapping[str, Any]) -> str:
    """How a run's diversities were estimated, in a few words; empty where it is the mean of the scored pairs.

    Args:
        manifest: What run.json holds.
    """
    record = manifest.get("estimator", {})
    if record.get("name") != DIFFERENCE:
        return ""
    label = record.get("surrogate", {}).get("label", "a surrogate")
    if not record.get("groups_with_difference"):
        return f"mean of the scored pairs: the surrogate ({label}) has nothing to add"
    fit = f"lambda {number(record['lambda'], 2)}, R2 {number(record['r2'], 2)}"
    return f"difference to a surrogate, {label} ({fit}), in {record['groups_with_difference']:,} groups"
