"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from typing import Any

import pytest
from hypothesis import settings

from tests import llm_server

settings.register_profile("any speed", deadline=None)  # How long an example takes says how busy the machine is.
settings.load_profile("any speed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let vLLM's tests come first: they take longer than all others together."""
    items.sort(key=lambda item: item.get_closest_marker("vllm") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """For `pytest -n 2`: a file stays with one worker, and all files that start vLLM with the same one.

    Two engines at once would wait for each other's threads on the same cores.
    """
    from xdist.scheduler import LoadScopeScheduling

    @cache
    def starts_vllm(file: str) -> bool:
        return "mark.vllm" in (config.rootpath / file).read_text(encoding="utf-8")

    class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist is not type-checked here
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "vllm" if starts_vllm(file) else file

    return ByFile(config, log)


@pytest.fixture(scope="session")
def llm_base_url() -> Iterator[str]:
    """Base URL of a real small language model on loopback (model name `smollm2`), started once a session."""
    missing = llm_server.missing_parts()
    if missing:
        pytest.skip(missing)
    with llm_server.running() as base_url:
        yield base_url


@pytest.fixture(scope="session")
def vllm_with_plugin() -> None:
    """Skip where vLLM is not installed; fail where the project is not, since vLLM would not find the plugins."""
    pytest.importorskip("vllm")
    for group, name in {"vllm.general_plugins": "expert_sample", "vllm.logits_processors": "edt"}.items():
        if name not in entry_points(group=group).names:
            pytest.fail("vLLM can't find the plugins: install the project (pip install -e .) and test again.")
