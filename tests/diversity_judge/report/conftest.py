"""A browser for the tests of pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests import browser


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real Chromium; without one the test is skipped, or fails where CI must have one."""
    missing = browser.missing_parts()
    if missing and browser.is_required():
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    with browser.running(tmp_path_factory.mktemp("profile")) as driver:
        yield driver
