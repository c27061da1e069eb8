"""Reading a model whose routes are studied: in its own precision, with its tokenizer, and a name for what it is."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError
from generation.moe_models.layers import MoeLayer, moe_layers


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model in memory.

    Attributes:
        name: As it was asked for.
        model: The causal language model of transformers, in evaluation mode, without gradients.
        tokenizer: Its tokenizer.
        layers: Its layers with experts.
        config_sha256: Of its configuration, without what only says where it was read from.
        router_sha256: Of all routers' parameters: a model whose routers were trained has another one.
    """

    name: str
    model: Any
    tokenizer: Any
    layers: tuple[MoeLayer, ...]
    config_sha256: str
    router_sha256: str

    def layer(self, index: int) -> MoeLayer:
        """The layer with experts of this index.

        Raises:
            InputError: the model has no such layer, or it is dense.
        """
        for layer in self.layers:
            if layer.index == index:
                return layer
        known = ", ".join(str(layer.index) for layer in self.layers)
        raise InputError(f"layer {index} of {self.name} has no experts; layers with experts: {known}")


def load_model(name: str | Path, *, device: str = "cpu", dtype: str = "auto") -> LoadedModel:
    """Read a mixture-of-experts model.

    Args:
        name: A folder or a name on the hub.
        device: `cpu` or `cuda`.
        dtype: `auto` for the precision that it was saved in.

    Raises:
        InputError: it cannot be read, is dense, or has a router that is not known; or there is no such device.
    """
    try:
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise InputError(
            "routes are studied with torch and transformers: pip install 'diversity-judge[routing]'"
        ) from error

    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("there is no CUDA device here; leave --device out, or say cpu")
    config = _read(name, lambda: AutoConfig.from_pretrained(name))
    precision = dtype if dtype == "auto" else getattr(torch, dtype)
    extra = {"quantization_config": _unpacked(config)} if _unpacked(config) is not None else {}
    with _progress_on_terminals_only():
        model = _read(name, lambda: AutoModelForCausalLM.from_pretrained(name, dtype=precision, **extra))
    layers = moe_layers(model)
    tokenizer = _read(name, lambda: AutoTokenizer.from_pretrained(name))
    model = model.to(device).eval().requires_grad_(False)
    return LoadedModel(str(name), model, tokenizer, layers, config_sha256(config), router_sha256(layers))


@contextlib.contextmanager
def _progress_on_terminals_only() -> Iterator[None]:
    """A bar that is drawn over and over makes hundreds of lines of a log file."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    if shown and not sys.stderr.isatty():
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def config_sha256(config: Any) -> str:
    """SHA-256 (hexadecimal) of a configuration; where it was read from, and by which release, does not count."""
    content = {key: value for key, value in config.to_dict().items() if key not in ("_name_or_path", _RELEASE)}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def router_sha256(layers: tuple[MoeLayer, ...]) -> str:
    """SHA-256 (hexadecimal) of the routers' parameters, by name, as float32."""
    digest = hashlib.sha256()
    for layer in layers:
        for name, value in layer.router_parameters().items():
            digest.update(name.encode())
            digest.update(value.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()


_RELEASE = "transformers_version"


def _read(name: str | Path, read: Callable[[], Any]) -> Any:
    """What transformers raises where it cannot read a model is of every kind."""
    try:
        return read()
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, AttributeError, TypeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{name}: transformers cannot read this model: {first}") from error


def _unpacked(config: Any) -> Any | None:
    """GPT-OSS is published in MXFP4; its experts are unpacked to bfloat16, so that each can be computed."""
    if getattr(config, "quantization_config", None) is None:
        return None
    method = config.quantization_config.get("quant_method")
    if method != "mxfp4":
        raise InputError(f"this model is quantised ({method}); routes are studied in models that are not")
    from transformers import Mxfp4Config

    return Mxfp4Config(dequantize=True)
