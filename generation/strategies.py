"""How responses are sampled: named presets as data, and variants of them on the command line.

Grammar of `--strategy` (commas separate both strategies and settings):

    TOKENS   = TOKEN {"," TOKEN}
    TOKEN    = NAME [":" SETTING]      begins a strategy
             | SETTING                 (has "=" and no ":" before it) continues the strategy before it
    SETTING  = KEY "=" VALUE

So `token-normal,expert-sample:tau=1.1,r=5k` is two strategies, the second with two settings. A variant's
name is its text, `expert-sample:tau=1.1,r=5k`: it says all that differs from the preset, and two variants
of one preset never share a name.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.files import TOMLError, read_bounded, read_toml
from generation.edt_settings import EDTSettings
from generation.expert_sample.settings import ExpertSampleSettings

PRESETS_FILE = Path(__file__).with_name("strategies.toml")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class TokenSampling:
    """How the next token is drawn.

    Attributes:
        temperature: 0 is greedy.
        top_p: Nucleus; 1 is off.
        top_k: 0 is off.
        min_p: 0 is off.
        repetition_penalty: 1 is off.
        presence_penalty: 0 is off.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ValueError: a value is outside its range.
        """
        checks = {
            "temperature": self.temperature >= 0,
            "top_p": 0 < self.top_p <= 1,
            "top_k": self.top_k >= 0,
            "min_p": 0 <= self.min_p <= 1,
            "repetition_penalty": self.repetition_penalty > 0,
            "presence_penalty": -2 <= self.presence_penalty <= 2,
        }
        for name, fine in checks.items():
            if not fine:
                raise ValueError(f"{name} cannot be {getattr(self, name)}")


@dataclass(frozen=True)
class Strategy:
    """A named way of sampling; two strategies of one name are the same in every setting.

    Attributes:
        name: A preset's name or a variant's text.
        tokens: Token sampling.
        edt: Settings of the entropy-based dynamic temperature, or None.
        expert_sample: Settings of Expert-Sample routing, or None.
    """

    name: str
    tokens: TokenSampling
    edt: EDTSettings | None = None
    expert_sample: ExpertSampleSettings | None = None

    def __post_init__(self) -> None:
        """Check what the parts require of each other.

        Raises:
            ValueError: EDT with a temperature of the strategy's own, or a fixed seed of the routing noise.
        """
        if self.edt is not None and self.tokens.temperature != 1.0:
            raise ValueError("edt chooses the temperature itself: leave temperature at 1 and set t0")
        if self.expert_sample is not None and self.expert_sample.seed is not None:
            raise ValueError("the routing noise's seed differs from sample to sample: use --seed")

    @property
    def is_greedy(self) -> bool:
        """Whether all samples of a problem are the same."""
        return self.tokens.temperature == 0 and self.expert_sample is None

    def extra_args(self, routing_seed: int) -> dict[str, int | float | str]:
        """The flat keys for vLLM's `extra_args` or `vllm_xargs`; empty for plain token sampling."""
        result: dict[str, int | float | str] = {}
        if self.edt is not None:
            result |= {"edt": 1} | {f"edt_{key}": value for key, value in dataclasses.asdict(self.edt).items()}
        if self.expert_sample is not None:
            seeded = dataclasses.replace(self.expert_sample, seed=routing_seed)
            # The HTTP field takes numbers and text but no booleans.
            result |= {key: int(v) if isinstance(v, bool) else v for key, v in seeded.to_mapping().items()}
        return result

    def settings(self) -> dict[str, Any]:
        """All settings as plain data, for the manifest and the responses' `meta`."""
        result: dict[str, Any] = dataclasses.asdict(self.tokens)
        if self.edt is not None:
            result["edt"] = dataclasses.asdict(self.edt)
        if self.expert_sample is not None:
            settings = dataclasses.asdict(self.expert_sample)
            # Unset ones are left out: a setting that is new must not make earlier files another strategy's.
            result["expert_sample"] = {key: value for key, value in settings.items() if value is not None}
        return result


def load_presets(extra: Path | None = None) -> Mapping[str, Mapping[str, Any]]:
    """The shipped presets, and those of a file of the user's (which may replace shipped ones).

    Raises:
        InputError: the file cannot be read or a section is malformed.
    """
    presets = _read_toml(PRESETS_FILE)
    if extra is not None:
        presets |= _read_toml(extra)
    return {name: _flatten(name, presets) for name in presets}


def parse_strategies(texts: Sequence[str], presets: Mapping[str, Mapping[str, Any]]) -> tuple[Strategy, ...]:
    """Read the values of `--strategy` (the option may be repeated).

    Raises:
        InputError: bad grammar, an unknown name or setting, a value out of range, or a strategy named twice.
    """
    result: list[Strategy] = []
    for text in texts:
        for name, settings in _split(text):
            if name not in presets:
                raise InputError(f"unknown strategy {name!r}; known: {', '.join(sorted(presets))}")
            full = ",".join(f"{key}={value}" for key, value in settings)
            strategy = _build(f"{name}:{full}" if full else name, dict(presets[name]), settings)
            if any(strategy.name == other.name for other in result):
                raise InputError(f"strategy {strategy.name!r} is named twice")
            result.append(strategy)
    if not result:
        raise InputError(f"no strategy; known: {', '.join(sorted(presets))}")
    return tuple(result)


def _split(text: str) -> list[tuple[str, list[tuple[str, str]]]]:
    result: list[tuple[str, list[tuple[str, str]]]] = []
    for token in (part.strip() for part in text.split(",")):
        name, colon, setting = token.partition(":")
        if "=" in name:
            if not result:
                raise InputError(f"--strategy {text!r}: {token!r} is a setting, but no strategy stands before it")
            setting = token
        else:
            if not _NAME.fullmatch(name) or (colon and not setting):
                raise InputError(f"--strategy {text!r}: {token!r} is neither NAME, NAME:KEY=VALUE nor KEY=VALUE")
            result.append((name, []))
            if not colon:
                continue
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not (key and equals and value):
            raise InputError(f"--strategy {text!r}: {setting!r} is not KEY=VALUE")
        if any(key == other for other, _ in result[-1][1]):
            raise InputError(f"--strategy {text!r}: {key!r} is set twice")
        result[-1][1].append((key, value))
    return result


_TOKEN_KEYS = {field.name: float for field in dataclasses.fields(TokenSampling)} | {"top_k": int}
_EXPERT_KEYS = tuple(field.name for field in dataclasses.fields(ExpertSampleSettings) if field.name != "seed")
_EDT_KEYS = {"t0": "t0", "theta": "theta", "n": "n", "edt_t0": "t0", "edt_theta": "theta", "edt_n": "n"}


def _build(name: str, preset: dict[str, Any], settings: Sequence[tuple[str, str]]) -> Strategy:
    """Make a strategy of a preset and the command line's settings on top of it."""
    where = f"strategy {name!r}"
    preset.pop("about", None)
    values = preset | dict(settings)
    switches = {switch: _switch(values.pop(switch, False), where) for switch in ("expert_sample", "edt")}
    parts: dict[str, dict[str, Any]] = {"tokens": {}, "expert_sample": {}, "edt": {}}
    for key, value in values.items():
        part, field, read = _place(key, where)
        parts[part][field] = _number(value, read, f"{where}: {key}")
    for switch, on in switches.items():
        if parts[switch] and not on:
            raise InputError(f"{where}: {next(iter(parts[switch]))} is a setting of {switch}, which is off")
    try:
        return Strategy(
            name,
            TokenSampling(**parts["tokens"]),
            EDTSettings(**parts["edt"]) if switches["edt"] else None,
            ExpertSampleSettings(**parts["expert_sample"]) if switches["expert_sample"] else None,
        )
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error


def _place(key: str, where: str) -> tuple[str, str, type]:
    bare = key.removeprefix("expert_sample_")
    if key in _TOKEN_KEYS:
        return "tokens", key, _TOKEN_KEYS[key]
    if key in _EDT_KEYS:
        return "edt", _EDT_KEYS[key], float
    if bare in _EXPERT_KEYS:
        return "expert_sample", bare, str  # the settings class reads numbers and expressions itself
    known = sorted({*_TOKEN_KEYS, *_EXPERT_KEYS, "t0", "theta", "n"})
    raise InputError(f"{where}: unknown setting {key!r}; known: {', '.join(known)}")


def _number(value: Any, read: type, where: str) -> Any:
    if read is str:
        return value
    try:
        return read(value)
    except (TypeError, ValueError):
        raise InputError(f"{where} must be {'a whole number' if read is int else 'a number'}, not {value!r}") from None


def _switch(value: Any, where: str) -> bool:
    if str(value).lower() in ("true", "1"):
        return True
    if str(value).lower() in ("false", "0"):
        return False
    raise InputError(f"{where}: a switch is true or false, not {value!r}")


def _read_toml(path: Path) -> dict[str, dict[str, Any]]:
    try:
        data = read_toml(read_bounded(path).decode("utf-8"))
    except (OSError, UnicodeDecodeError, TOMLError) as error:
        raise InputError(f"{path}: cannot read the strategies: {error}") from error
    for name, section in data.items():
        if not isinstance(section, dict) or not _NAME.fullmatch(name):
            raise InputError(f"{path}: {name!r} is not a section with a strategy's name")
        for key, value in section.items():
            if isinstance(value, (dict, list)):
                raise InputError(f"{path}: [{name}] {key} must be a plain value, not {json.dumps(value)}")
    return data


def _flatten(name: str, presets: Mapping[str, Mapping[str, Any]], seen: tuple[str, ...] = ()) -> dict[str, Any]:
    """A section with what it takes over from others."""
    if name in seen:
        raise InputError(f"strategies extend each other in a circle: {' -> '.join((*seen, name))}")
    if name not in presets:
        raise InputError(f"strategy {seen[-1]!r} extends {name!r}, which does not exist")
    own = dict(presets[name])
    base = own.pop("extends", None)
    return own if base is None else _flatten(str(base), presets, (*seen, name)) | own
