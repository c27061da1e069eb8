"""The table of counterfactual routes as it is read: one row a response, token and layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from diversity_judge.errors import InputError
from diversity_judge.measures.route_utility import TokenUtilities
from diversity_judge.text_safety import printable

if TYPE_CHECKING:
    import pandas as pd

TOKENS = "tokens.parquet"
UTILITIES = {
    "standard": "standard_logprob",
    "median": "median_logprob",
    "best": "best_logprob",
    "mean": "mean_logprob",
    "rank": "rank",
    "second_median": "second_median_logprob",
    "placebo": "placebo_logprob",
    "placebo_rank": "placebo_rank",
    "chosen": "chosen_logprob",
    "router_mass": "router_mass",
    "mass_correlation": "mass_correlation",
    "entropy": "entropy",
}
"""Name in `TokenUtilities` to the column."""
PLACE = ("problem_id", "strategy", "response", "correct", "position", "token_id", "token", "layer")
DRAW = ("scheme", "tau", "n_alternatives")
ROUTES = ("standard_route", "best_route")


@dataclass(frozen=True, eq=False)
class Part:
    """The tokens of one layer under one scheme of drawing routes.

    Attributes:
        layer: Index of the layer.
        scheme: How alternatives were drawn.
        tau: Their temperature; NaN where the scheme has none.
        n_alternatives: Routes drawn a token.
        rows: The part of the table.
        utilities: Its numbers, in the order of `rows`.
    """

    layer: int
    scheme: str
    tau: float
    n_alternatives: int
    rows: pd.DataFrame
    utilities: TokenUtilities


def read_tokens(folder: Path) -> pd.DataFrame:
    """The table of a folder, without the utilities of every single alternative.

    Raises:
        InputError: it is not there, is damaged, or lacks a column.
    """
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise InputError("reading tokens.parquet needs pyarrow: pip install 'diversity-judge[parquet]'") from error
    path = folder / TOKENS
    wanted = [*PLACE, *DRAW, *UTILITIES.values(), *ROUTES]
    try:
        file = parquet.ParquetFile(path)
        lacking = [column for column in wanted if column not in file.schema_arrow.names]
        if lacking:
            raise InputError(f"{path}: has no column {', '.join(lacking)}; generation.counterfactual writes it anew")
        table: pd.DataFrame = file.read(columns=wanted).to_pandas()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot read it: {printable(str(error), 200)}") from error
    if not len(table):
        raise InputError(f"{path}: holds no token")
    numbers = table[[*UTILITIES.values()]].drop(columns=["chosen_logprob", "mass_correlation"])
    unknown = numbers.columns[numbers.isna().any()]
    if len(unknown):
        raise InputError(f"{path}: the column {unknown[0]} lacks values; generation.counterfactual writes it anew")
    return table


def parts(table: pd.DataFrame) -> Iterator[Part]:
    """The table by layer and scheme, the deepest layer last."""
    for key, rows in table.groupby(["layer", *DRAW], sort=True, dropna=False):
        layer, scheme, tau, n_alternatives = cast("tuple[int, str, float, int]", key)
        yield Part(int(layer), str(scheme), float(tau), int(n_alternatives), rows, _utilities(rows))


def _utilities(rows: pd.DataFrame) -> TokenUtilities:
    import pandas as pd

    codes: NDArray[np.intp] = pd.factorize(rows["problem_id"])[0]
    columns = {name: rows[column].to_numpy(np.float64, na_value=np.nan) for name, column in UTILITIES.items()}
    return TokenUtilities(problems=codes, **columns)
