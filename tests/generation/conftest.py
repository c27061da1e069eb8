"""Fixtures of the tests that run real vLLM."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from tests.generation.engine_thread import EngineThread

if TYPE_CHECKING:
    from generation.engines import EngineInfo
    from generation.engines.in_process import InProcessEngine


@dataclass(frozen=True)
class SharedEngine:
    """A started in-process engine and the loop that it lives on."""

    engine: InProcessEngine
    info: EngineInfo
    thread: EngineThread


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, vllm_with_plugin: None) -> Callable[[str], str]:
    """Folder of a tiny model by its name, made once."""
    from tests.generation import tiny_models

    folder = tmp_path_factory.mktemp("models")
    made: dict[str, Path] = {}

    def make(name: str) -> str:
        if name not in made:
            made[name] = tiny_models.build(name, folder / name)
        return str(made[name])

    return make


@pytest.fixture(scope="session")
def demo_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model that reads and writes every text, with a chat template."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from tests.generation.byte_model import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny-moe")


@pytest.fixture(scope="session")
def shared_engine(vllm_with_plugin: None, demo_model: Path) -> Iterator[SharedEngine]:
    """The command's own engine, started once: float32, eager, Expert-Sample armed, routers watchable."""
    from generation.engines.in_process import InProcessEngine
    from generation.engines.vllm_options import VLLMOptions
    from generation.expert_use.probe import EXTENSION

    args = {
        "dtype": "float32",
        "enforce_eager": True,
        "max_model_len": 512,
        "max_num_seqs": 16,
        "worker_extension_cls": EXTENSION,
    }
    thread = EngineThread()
    engine = InProcessEngine(VLLMOptions(str(demo_model), args, expert_sample=True))
    try:
        with small_cache():
            info = thread.run(engine.start())
        yield SharedEngine(engine, info, thread)
    finally:
        thread.run(engine.close())
        thread.close()


@contextlib.contextmanager
def small_cache() -> Iterator[None]:
    """While an engine starts, and no longer: commands that other tests start find the environment of a user.

    vLLM changes it too: it preloads its OpenMP into every process that is started from then on.
    """
    with mock.patch.dict(os.environ, {"VLLM_CPU_KVCACHE_SPACE": "1"}):
        yield
