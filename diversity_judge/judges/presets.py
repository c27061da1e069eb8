"""Judge presets: read from TOML, extended by a user's file, adjusted by the command line.

A preset is data, because hosts, model names and prices change faster than releases of this package.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.files import TOMLError, read_bounded, read_toml
from diversity_judge.hosts.address import read_address
from diversity_judge.hosts.secrets import credential_in
from diversity_judge.judges.cheap_hours import CheapHours
from diversity_judge.text_safety import printable

LIMIT_PARAMETERS = ("max_tokens", "max_completion_tokens")
"""Parameters that only cut a reply short: a complete reply is the same under any higher limit."""

CHAT, PROXY, COUNTDOWN = "chat", "proxy", "countdown"
EMBEDDED = (PROXY, COUNTDOWN)
"""Kinds of judges that are part of this package: they compute, so nothing is sent and no prompt is filled."""
KINDS = (CHAT, *EMBEDDED)

_TOKENS_PER_PRICE = 1_000_000

BATCH_API, NO_BATCH_API = "openai", "none"


@dataclass(frozen=True)
class Prices:
    """USD a million tokens. Cached input costs as much as other input where the host names no price for it."""

    input: float
    output: float
    cached_input: float | None = None

    def __post_init__(self) -> None:
        """Refuse what is no price: a run's cost never falls.

        Raises:
            ValueError: a price is negative, not finite or no number.
        """
        for name in ("input", "output", "cached_input"):
            price = getattr(self, name)
            if price is None and name == "cached_input":
                continue
            is_number = isinstance(price, (int, float)) and not isinstance(price, bool)
            if not (is_number and math.isfinite(price) and price >= 0):
                raise ValueError(f"{name} must be a number of USD from 0, not {price!r}")

    def cost(self, *, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
        """USD for one call; `cached_tokens` are those of `prompt_tokens` that a prefix cache served."""
        cached_price = self.input if self.cached_input is None else self.cached_input
        fresh = max(0, prompt_tokens - cached_tokens)
        total = fresh * self.input + cached_tokens * cached_price + completion_tokens * self.output
        return total / _TOKENS_PER_PRICE


@dataclass(frozen=True)
class BatchTerms:
    """What a host's batch API takes.

    Attributes:
        lines: Calls of a file at most.
        megabytes: Of a file at most, in units of 10^6 bytes.
        price_share: Of a live call's price.
        window: The time that the host is given, in the words of its API.
        api: `openai` where the SDK's calls for files and batches serve it, `none` where files are handed over by hand.
    """

    lines: int = 50_000
    megabytes: float = 200
    price_share: float = 1.0
    window: str = "24h"
    api: str = BATCH_API

    def __post_init__(self) -> None:
        """Refuse what can be no terms.

        Raises:
            ValueError: a limit is not positive, the share is none, or there is no such API.
        """
        for name in ("lines", "megabytes"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 1:
                raise ValueError(f"batch {name} must be a number from 1, not {value!r}")
        share = self.price_share
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            raise ValueError(f"batch price_share must be a number from 0 to 1, not {share!r}")
        if self.api not in (BATCH_API, NO_BATCH_API):
            raise ValueError(f"batch api is {BATCH_API!r} or {NO_BATCH_API!r}, not {self.api!r}")

    @property
    def is_called(self) -> bool:
        """Whether `batch submit` can hand the files over."""
        return self.api == BATCH_API


@dataclass(frozen=True)
class JudgeSpec:
    """Everything that says which judge is asked, and how.

    `replicas` are further base URLs that serve the same model with the same settings. They share the work and nothing
    else: `base_url` alone names the endpoint, in keys, tables and manifests. So a replica can be added or dropped
    without anything being bought again, and it is the first URL that has to stay the first.
    """

    name: str
    model: str
    kind: str = CHAT
    base_url: str = field(default="", repr=False)
    replicas: tuple[str, ...] = field(default=(), repr=False)
    api_key_env: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    context_tokens: int | None = None
    typical_output_tokens: int = 0
    prices: Prices | None = None
    prices_as_of: str | None = None
    off_peak: CheapHours | None = None
    batch: BatchTerms | None = None
    description: str = ""

    def __post_init__(self) -> None:
        """Refuse what could not be called, or not be shown: label, tables and manifest name host and parameters.

        Raises:
            InputError: the base URL is none, or a parameter holds a credential or what cannot be sent.
        """
        if not (isinstance(self.replicas, list | tuple) and all(isinstance(url, str) for url in self.replicas)):
            raise InputError("replicas are a list of base URLs")
        object.__setattr__(self, "replicas", tuple(self.replicas))
        urls = [url for url in (self.base_url, *self.replicas) if url]
        shown = [read_address(url).shown for url in urls]
        if len(set(shown)) < len(shown):
            raise InputError(f"a base URL is given twice ({max(shown, key=shown.count)}): name each replica once")
        for name, value in self.parameters.items():
            if not _is_json(name, value):
                raise InputError(
                    f"the parameter {printable(str(name), 60)} is {printable(repr(value), 60)}, which JSON has no form "
                    "for, so no request can carry it: give a number, a text, a list or a table"
                )
        credential = credential_in(self.parameters)
        if credential is not None:
            raise InputError(
                f"the parameter {printable(credential, 60)} looks like a credential, and parameters stand in every "
                "table: put the key into an environment variable and name that with --api-key-env"
            )

    @property
    def is_embedded(self) -> bool:
        """Whether the score is computed here: no key, no network, no prompt, and the same score every time."""
        return self.kind in EMBEDDED

    @property
    def is_proxy(self) -> bool:
        """Whether the scores stand in for an LLM's and must say that they are none."""
        return self.kind == PROXY

    @property
    def judges_duplicates(self) -> bool:
        """Whether identical texts are judged too: the exact judge may find in them nothing that can be compared."""
        return self.kind == COUNTDOWN

    @property
    def host(self) -> str:
        """The endpoint as it may be stored and shown: without anything that could be a credential."""
        return read_address(self.base_url).shown if self.base_url else "embedded"

    @property
    def label(self) -> str:
        """How the judge is named in tables. The proxy judge always says that it is none."""
        if self.is_proxy:
            return f"proxy judge, not an LLM ({self.model})"
        if self.kind == COUNTDOWN:
            return "exact judge of countdown solutions"
        shown = ", ".join(f"{key}={value}" for key, value in sorted(self.parameters.items()) if key != "extra_body")
        return f"{self.model} at {self.host}" + (f" ({shown})" if shown else "")

    @property
    def output_limit(self) -> int | None:
        """The most tokens that a reply may have, where the parameters say so."""
        for name in LIMIT_PARAMETERS:
            if isinstance(self.parameters.get(name), int):
                return int(self.parameters[name])
        return None

    @property
    def limit_parameter(self) -> str:
        """The name of the parameter that limits a reply."""
        return next((name for name in LIMIT_PARAMETERS if name in self.parameters), LIMIT_PARAMETERS[0])


def _is_json(*values: Any) -> bool:
    try:
        return bool(json.dumps(values, ensure_ascii=False, allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError):
        return False


def load_presets(judges_file: str | Path | None = None) -> dict[str, JudgeSpec]:
    """The shipped presets, and those of a user's file on top of them.

    Raises:
        InputError: a file cannot be read or a preset is not of the form that `presets.toml` explains.
    """
    presets = _read_presets(Path(__file__).with_name("presets.toml"))
    if judges_file is not None:
        presets |= _read_presets(Path(judges_file))
    return presets


def find_judge(name: str, judges_file: str | Path | None = None) -> JudgeSpec:
    """The preset of this name.

    Raises:
        InputError: there is none; the message lists those that exist.
    """
    presets = load_presets(judges_file)
    if name not in presets:
        raise InputError(f"no judge preset {name!r}: choose one of {', '.join(presets)}, or add it to a --judges-file")
    return presets[name]


def adjust(
    spec: JudgeSpec,
    *,
    base_urls: Sequence[str] = (),
    model: str | None = None,
    api_key_env: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> JudgeSpec:
    """The preset with the command line's changes. Another host or model has other prices, so these go."""
    if base_urls or model is not None:
        spec = replace(spec, prices=None, prices_as_of=None, off_peak=None)
    if base_urls:
        first, *others = base_urls
        spec = replace(spec, base_url=first, replicas=tuple(others), api_key_env=None, batch=None)
    if model is not None:
        spec = replace(spec, model=model)
    if api_key_env is not None:
        spec = replace(spec, api_key_env=api_key_env)
    if parameters:
        merged = {**spec.parameters, **parameters}
        spec = replace(spec, parameters={key: value for key, value in merged.items() if value is not None})
    return spec


def _read_presets(path: Path) -> dict[str, JudgeSpec]:
    try:
        tables = read_toml(read_bounded(path).decode("utf-8"))
    except (OSError, UnicodeDecodeError, TOMLError) as error:
        raise InputError(f"{path}: cannot read the judge presets: {error}") from error
    return {name: _preset(path, name, table) for name, table in tables.items()}


def _preset(path: Path, name: str, table: Any) -> JudgeSpec:
    known = JudgeSpec.__dataclass_fields__.keys() - {"name"}
    if not isinstance(table, dict):
        raise InputError(f"{path}: [{name}] is not a table")
    unknown = table.keys() - known
    if unknown:
        raise InputError(
            f"{path}: [{name}] has the unknown field(s) {', '.join(sorted(unknown))}; known: {sorted(known)}"
        )
    kind = table.get("kind", CHAT)
    if kind not in KINDS:
        raise InputError(f"{path}: [{name}] kind is one of {', '.join(KINDS)}, not {kind!r}")
    needed = ("model",) if kind in EMBEDDED else ("model", "base_url")
    missing = [key for key in needed if not isinstance(table.get(key), str)]
    if missing:
        raise InputError(f"{path}: [{name}] needs the text field(s) {', '.join(missing)}")
    prices, hours, terms = table.get("prices"), table.get("off_peak"), table.get("batch")
    try:
        values = {
            **table,
            "prices": Prices(**prices) if prices is not None else None,
            "off_peak": CheapHours(**hours) if hours is not None else None,
            "batch": BatchTerms(**terms) if terms is not None else None,
        }
        return JudgeSpec(name=name, **values)
    except InputError as error:
        raise InputError(f"{path}: [{name}] {error}") from error
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{path}: [{name}] prices are input, output and optionally cached_input; batch is lines, megabytes, "
            f"price_share, window, api; off_peak is price_share, peak_utc, cheap_weekends, as_of: {error}"
        ) from error
