"""A loopback server that speaks vLLM's `POST /pooling`: its scores are a function of the tokens before each mark."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.generation.fake_server import FakeServer, Reply


@dataclass
class FakePoolingServer(FakeServer):
    """A process reward model as Qwen2.5-Math-PRM is one.

    Attributes:
        mark: The id of its mark.
        is_pooling: Whether it has a `/pooling` at all.
        width: Numbers in a row.
    """

    mark: int = 3
    is_pooling: bool = True
    width: int = 2

    @property
    def texts(self) -> list[tuple[int, ...]]:
        """The token ids that it was asked for, in order, the probes among them."""
        return [tuple(body["input"]) for body in self.bodies]

    def answer(self, path: str, body: dict[str, Any]) -> Reply:
        """Rows (bad, good), one a mark."""
        if path != "/pooling" or not self.is_pooling:
            return 404, {"error": {"message": "Not Found"}}, {}
        self.bodies.append(body)
        fault = self.faults(body, len(self.bodies))
        if fault is not None:
            return fault
        rows = [[1 - good, good][: self.width] for good in good_at_marks(body["input"], self.mark)]
        return 200, {"data": [{"index": 0, "object": "pooling", "data": rows}], "model": "tiny", "usage": {}}, {}


def good_at_marks(token_ids: Sequence[int], mark: int) -> list[float]:
    """P(good) at each mark: as good as random, and always the same."""
    places = [place for place, token in enumerate(token_ids) if token == mark]
    digests = (hashlib.sha256(repr(list(token_ids[:place])).encode()).digest() for place in places)
    return [int.from_bytes(digest[:4], "big") / 2**32 for digest in digests]
