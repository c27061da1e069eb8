"""What an engine is made of, as a command line or a program says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.hosts.address import read_address


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """Which model is sampled, and where: by vLLM in this process, by replicas on a CPU, or by servers.

    Attributes:
        model: A name on the hub, a folder, or the name that the servers serve it by.
        engine_args: Arguments of vLLM's `EngineArgs` (dtype, max_model_len, tensor_parallel_size, ...); what is left
            out is vLLM's default.
        active_experts: Experts a token in place of the model's own number.
        cpu_replicas: For small models on a CPU: so many copies side by side, each on one core.
        chat_template: Whether the model's chat template is applied (not for base models).
        chat_template_kwargs: Options of the chat template, such as enable_thinking.
        base_urls: OpenAI-compatible servers of the model, in place of vLLM in this process.
        api_key_env: The environment variable that holds the servers' key.
        deadline: Seconds for one response of a server.
        max_attempts: How often a server is asked for one response.
    """

    model: str | Path
    engine_args: Mapping[str, Any] = field(default_factory=dict)
    active_experts: int | None = None
    cpu_replicas: int | None = None
    chat_template: bool = True
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    base_urls: Sequence[str] = field(default=(), repr=False)
    api_key_env: str | None = None
    deadline: float = 7200.0
    max_attempts: int = 6

    def __post_init__(self) -> None:
        """Check numbers and addresses, and take a single URL for a list of one.

        Raises:
            InputError: a number is below 1, or a base URL is none.
        """
        if isinstance(self.base_urls, str):
            object.__setattr__(self, "base_urls", (self.base_urls,))
        for url in self.base_urls:
            read_address(url)
        check_at_least_one(self, "active_experts", "cpu_replicas", "max_attempts")


def shown_servers(options: EngineOptions) -> list[str]:
    """The servers' addresses as they may be shown and stored."""
    return [read_address(url).shown for url in options.base_urls]


def check_at_least_one(options: object, *names: str) -> None:
    """Refuse counts below 1; None stands for no choice.

    Raises:
        InputError: the message names the option.
    """
    for name in names:
        value = getattr(options, name)
        if value is not None and value < 1:
            raise InputError(f"{name} must be at least 1, not {value}")
