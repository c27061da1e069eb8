"""The interface of an engine that reads a text and answers with numbers: a reward model.

    pooling (the interface) -> pooling_in_process (vLLM, started by this process)
                            -> pooling_servers (any number of `vllm serve --runner pooling`)

It is asked with token ids, never with text: what a prompt is, is decided in one place and is the same for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from diversity_judge.errors import RunError
from generation.engines.base import Startable

Rows = tuple[tuple[float, ...], ...]
"""Numbers: a row a token, a row a step, or one row for the whole text."""


@dataclass(frozen=True)
class PoolingRequest:
    """One text to read.

    Attributes:
        token_ids: The prompt.
        task: vLLM's word for what is wanted: rows for tokens, or one row for the text.
        activation: Whether probabilities are wanted instead of the raw numbers.
    """

    token_ids: tuple[int, ...]
    task: Literal["token_classify", "classify"]
    activation: bool


class PoolingEngine(Startable, Protocol):
    """Something that reads texts.

    Attributes:
        max_model_len: Tokens of the longest text, once it is started; None where nobody said.
    """

    @property
    def max_model_len(self) -> int | None:
        """See the class."""

    async def rows(self, request: PoolingRequest) -> Rows:
        """Read one text.

        Raises:
            SampleFailedError: this request cannot be served.
            RunError: no request can be served any more.
        """

    async def rows_of_each(self, request: PoolingRequest) -> dict[str, Rows]:
        """Let every server (or the one engine) read a text, to see that they are what they should be.

        Raises:
            RunError: one of them does not read it; the message says which and why.
        """


def probe_failure(model: str, error: Exception) -> RunError:
    """The error of a model in this process that does not read a text as it is asked to."""
    return RunError(f"{model!r} is no such reward model: {error}")


def rows_of(data: Any) -> Rows:
    """Numbers as vLLM has them, a list or a list of lists, as rows.

    Raises:
        ValueError: they are neither.
    """
    try:
        rows = data if not data or isinstance(data[0], Sequence) else [data]
        return tuple(tuple(float(number) for number in row) for row in rows)
    except (TypeError, KeyError) as error:
        raise ValueError(f"no rows of numbers ({error})") from error
