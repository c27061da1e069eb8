"""The server-wide default: `--additional-config '{"expert_sample": {...}}'` or `LLM(additional_config=...)`.

The nested object has the settings' own names (`k_keep`, `tau`, `r`, `seed`, `scope`, `fragile_from`) and `enabled`,
which is true unless said otherwise. With `"enabled": false` no request is drawn unless it asks, but the kernels are
chosen so that any request may ask.
"""

from __future__ import annotations

from typing import Any

from generation.expert_sample.settings import PREFIX, ExpertSampleSettings

ENABLED = "enabled"


def is_armed(additional_config: Any) -> bool:
    """Tell whether the server was started for Expert-Sample, on by default or not."""
    return isinstance(additional_config, dict) and PREFIX in additional_config


def read(additional_config: Any) -> ExpertSampleSettings | None:
    """Read the server-wide settings, None where requests are not drawn unless they ask.

    Raises:
        ValueError: wrong settings.
    """
    if not is_armed(additional_config):
        return None
    nested = additional_config[PREFIX]
    if not isinstance(nested, dict):
        raise ValueError(f"{PREFIX} in the additional config is {nested!r}; it must be an object of settings.")
    flat = {f"{PREFIX}_{name}": value for name, value in nested.items() if name != ENABLED}
    return ExpertSampleSettings.from_mapping({PREFIX: nested.get(ENABLED, True), **flat})
