"""Whatever a model writes, reading it takes time in proportion to its length.

The limit is no measurement: a reader that is linear needs a second or two for all texts, one that is quadratic
needs hours for the first text that hurts it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile_texts import READERS

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 300


@pytest.mark.parametrize("reader", READERS)
def test_a_megabyte_of_anything_is_read(reader: str) -> None:
    command = [sys.executable, "-m", "tests.hostile_texts", reader]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired as expired:
        read = (expired.stdout or b"").decode().splitlines()
        pytest.fail(f"{reader}: still reading {read[-1] if read else 'nothing'!r} after {LIMIT} s")
    assert done.stdout.decode().splitlines()[-1:] == ["all read"], done.stderr.decode()[-2000:]
