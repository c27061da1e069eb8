"""Registration: where vLLM finds the plugin, how often it may run, and what an untried vLLM gets."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points
from types import SimpleNamespace
from typing import Any

import pytest

from generation.expert_sample import plugin
from generation.expert_sample.vllm import patching


@pytest.mark.parametrize("version", ["0.32.0", "0.32.1", "0.32.0+cpu"])
def test_tried_versions_are_trusted(version: str) -> None:
    assert plugin.untried_reason(version, allow=False) is None


@pytest.mark.parametrize("version", ["0.31.2", "0.33.0", "1.0.0", "dev"])
def test_an_untried_version_is_named_with_the_way_to_use_it(version: str) -> None:
    reason = plugin.untried_reason(version, allow=False)
    assert reason is not None
    assert version in reason
    assert plugin.ALLOW_UNTRIED in reason
    assert plugin.untried_reason(version, allow=True) is None


def test_a_function_is_replaced_once() -> None:
    owner = SimpleNamespace(__name__="owner", function=lambda: 1)

    def add_one(original: Any) -> Any:
        return lambda: original() + 1

    patching.replace(owner, "function", add_one)
    patching.replace(owner, "function", add_one)
    assert owner.function() == 2


def test_a_function_that_moved_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"vLLM has no owner\.function any more"):
        patching.replace(SimpleNamespace(__name__="owner"), "function", lambda original: original)


def test_vllm_finds_the_plugin(vllm_with_plugin: None) -> None:
    (found,) = (entry for entry in entry_points(group="vllm.general_plugins") if entry.name == "expert_sample")
    assert found.load() is plugin.register


@pytest.fixture
def refused() -> Iterator[None]:
    """An engine's front end as an untried vLLM gets it, and as it was before."""
    pytest.importorskip("vllm")
    from generation.expert_sample.vllm import frontend

    before = frontend._REFUSAL
    plugin._refuse_everything("vLLM 9 has not been tried")
    yield
    frontend._REFUSAL = before


def test_in_an_untried_vllm_requests_are_refused_and_others_pass(refused: None) -> None:
    from vllm import SamplingParams

    from generation.expert_sample.vllm.frontend import Admission, RefusedRequestError

    admission = Admission({})
    assert not admission.concerns(SamplingParams())
    asked = SamplingParams(extra_args={"expert_sample": 1})
    assert admission.concerns(asked)
    settings = admission.settings(asked)
    assert settings is not None
    with pytest.raises(RefusedRequestError, match="vLLM 9 has not been tried"):
        admission.admit(asked, settings)
