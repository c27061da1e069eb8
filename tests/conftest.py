"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points

import pytest
from hypothesis import settings

from tests import llm_server

settings.register_profile("any speed", deadline=None)  # How long an example takes says how busy the machine is.
settings.load_profile("any speed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For `pytest -n 2 --dist loadgroup`: a file stays with one worker, and so do all tests that start vLLM.

    Two engines at once would wait for each other's threads on the same cores.
    """
    for item in items:
        group = "vllm" if item.get_closest_marker("vllm") else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))


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
