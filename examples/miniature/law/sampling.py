"""How a part is sampled: one start of vLLM for all the cells that lack something."""

from __future__ import annotations

from collections.abc import Sequence

from examples.miniature.law.part_folder import PartFolder
from examples.miniature.law.plan import Cell, Part
from examples.miniature.run import SEED
from generation.sampling.options import SampleOptions

_ENGINE = {
    "dtype": "float32",
    "max_model_len": 96,
    "enforce_eager": True,
    "max_num_seqs": 1024,
    "use_tqdm_on_load": False,
}
"""The same for all tasks: a problem of eight numbers with the longest right solution has 87 tokens."""
_ROUND = 1024
_START_SECONDS = 45.0
_TOKENS_A_SECOND = 6000.0
"""Of one core, where nothing else runs."""


def options(folder: PartFolder, cells: Sequence[Cell], replicas: int) -> SampleOptions:
    """What `generation.sample` is asked for."""
    return SampleOptions(
        problems=folder.problems,
        model=folder.model,
        strategies=[cell.name for cell in cells],
        n=folder.part.n,
        seed=SEED,
        limit=folder.part.problems,
        cpu_replicas=replicas,
        engine_args=_ENGINE,
        repeatable=True,
        concurrency=_ROUND,
        max_tokens=folder.part.task.max_tokens,
        out=folder.responses,
    )


def seconds(part: Part, replicas: int) -> float:
    """About how long a part takes where nothing of it is there, without the training of its model."""
    tokens = part.n_responses * (part.task.max_tokens - 1)
    return _START_SECONDS + tokens / (_TOKENS_A_SECOND * replicas)
