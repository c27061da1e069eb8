"""What the tests of probing share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.planted_judge import write_responses


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    """Eight groups of ten pairs."""
    return write_responses(tmp_path / "responses.jsonl", problems=4, n=5)
