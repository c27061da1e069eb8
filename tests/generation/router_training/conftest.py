"""Tiny products are quicker in one thread, and many threads wait for each other on a busy machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="package", autouse=True)
def _one_thread() -> Iterator[None]:
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="package")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a tiny model of an architecture, made once."""
    from tests.generation.router_training.cases import write_model

    folder = tmp_path_factory.mktemp("tiny")
    return lambda name: folder / name if (folder / name).exists() else write_model(name, folder / name)
