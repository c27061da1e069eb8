"""Tables of parts, and their join: what needs all responses, the route chosen by other continuations, is added here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.split_choice import chosen_values
from generation.routing_study.token_rows import COLUMNS

_CHOSEN = "chosen_logprob"
_EVIDENCE = ["layer", "context", "alternative_logprobs"]


def schema() -> Any:
    """Of `tokens.parquet`, as pyarrow has it."""
    import pyarrow as pa

    kinds = {
        "string": pa.string(),
        "bool": pa.bool_(),
        "int32": pa.int32(),
        "int64": pa.int64(),
        "float32": pa.float32(),
        "float64": pa.float64(),
        "list<int32>": pa.list_(pa.int32()),
        "list<float32>": pa.list_(pa.float32()),
    }
    return pa.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])


def table_of(columns: Sequence[Mapping[str, Any]]) -> Any:
    """One table of several pieces; NaN becomes null, and columns that are not there are null."""
    import pyarrow as pa

    pieces = []
    for piece in columns:
        n_rows = len(piece["position"])
        arrays = []
        for field in schema():
            values = piece.get(field.name)
            if values is None:
                arrays.append(pa.nulls(n_rows, field.type))
            else:
                arrays.append(pa.array(values, from_pandas=True).cast(field.type))
        pieces.append(pa.table(arrays, schema=schema()))
    return pa.concat_tables(pieces)


def chosen_logprobs(paths: Sequence[Path]) -> NDArray[np.float64]:
    """`chosen_logprob` of the rows of all parts: of the route that other continuations of the context would choose.

    Most contexts of long responses occur once; the utilities of these are not gathered.
    """
    import pyarrow.parquet as pq

    evidence = [pq.read_table(path, columns=_EVIDENCE) for path in paths]
    layers = np.concatenate([table["layer"].to_numpy() for table in evidence])
    contexts = np.concatenate([table["context"].to_numpy() for table in evidence])
    result = np.full(len(layers), np.nan)
    for layer in np.unique(layers):
        rows = np.flatnonzero(layers == layer)
        _, codes, sizes = np.unique(contexts[rows], return_inverse=True, return_counts=True)
        several = rows[sizes[codes] > 1]
        if len(several):
            result[several] = chosen_values(contexts[several], _gathered(evidence, several))
    return result


def joined(paths: Sequence[Path], chosen: NDArray[np.float64]) -> Iterator[Any]:
    """The tables of all parts in turn, with `chosen_logprob`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    start = 0
    for path in paths:
        table = pq.read_table(path)
        values = pa.array(chosen[start : start + table.num_rows], from_pandas=True).cast(pa.float32())
        start += table.num_rows
        yield table.set_column(table.schema.get_field_index(_CHOSEN), _CHOSEN, values)


def _gathered(evidence: Sequence[Any], rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Utilities (N, M) of some rows of all parts."""
    found, start = [], 0
    for table in evidence:
        own = rows[(rows >= start) & (rows < start + table.num_rows)] - start
        if len(own):
            values = table["alternative_logprobs"].combine_chunks().flatten().to_numpy()
            found.append(values.reshape(table.num_rows, -1)[own])
        start += table.num_rows
    return np.asarray(np.concatenate(found), np.float64)
