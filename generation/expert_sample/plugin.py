"""The entry point that vLLM calls in each of its processes (`vllm.general_plugins`).

Installing the package is all it takes: `vllm serve MODEL` and `LLM(MODEL)` then accept Expert-Sample per
request. Nothing is decided here, since it is not known yet which model will run and whether anyone will ask.
"""

from __future__ import annotations

import logging
import os

TRIED_VLLM = ("0.32",)
"""Release series that the tests have been run with. The hooks reach into vLLM, which moves."""

ALLOW_UNTRIED = "EXPERT_SAMPLE_ALLOW_UNTRIED_VLLM"
"""Environment variable that installs the plugin into another version of vLLM nevertheless."""

logger = logging.getLogger(__name__)


def register() -> None:
    """Install Expert-Sample into this process's vLLM; calling it again changes nothing.

    In an untried version of vLLM only the front end is hooked, to turn requests for Expert-Sample away.
    """
    import vllm

    reason = untried_reason(vllm.__version__, allow=os.environ.get(ALLOW_UNTRIED, "") == "1")
    if reason is not None:
        logger.warning("Expert-Sample is not available: %s.", reason)
        _refuse_everything(reason)
        return
    _install()


def untried_reason(version: str, *, allow: bool) -> str | None:
    """Say why a version of vLLM is not trusted, or None where it is."""
    series = ".".join(version.split(".")[:2])
    if series in TRIED_VLLM or allow:
        return None
    tried = ", ".join(f"{series}.x" for series in TRIED_VLLM)
    return f"vLLM {version} has not been tried (tried: {tried}); set {ALLOW_UNTRIED}=1 to use it all the same"


def _install() -> None:
    """Replace the functions of vLLM that Expert-Sample needs."""
    from generation.expert_sample.vllm import (
        frontend,
        kernel_scan,
        outputs,
        prefix_cache,
        router,
        runner_v1,
        runner_v2,
        support,
    )

    for part in (frontend, outputs, support, prefix_cache, router, runner_v1, runner_v2, kernel_scan):
        part.install()


def _refuse_everything(reason: str) -> None:
    """Hook the front end alone, where an unknown vLLM lets us."""
    try:
        from generation.expert_sample.vllm import frontend

        frontend.install(refusal=reason)
    except (ImportError, AttributeError, RuntimeError):
        logger.exception("Requests for Expert-Sample can't even be refused here: they would be ignored.")
