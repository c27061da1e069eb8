"""What a user may ask of Expert-Sample, checked before anything is sampled.

The useful settings depend on the model: the paper states them in k, the number of active experts. So they are
kept as the user gave them, numbers or expressions in k such as `k//2+1` or `4k`, and become numbers only
once a model is known (`ExpertSampleSettings.resolve`). Wrong settings must fail in the front end with a
sentence, not in a worker in the middle of a batch, and the command line checks them without torch: this
module imports neither.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from generation.expert_sample.expressions import check, evaluate_whole

Scope: TypeAlias = Literal["generation", "all"]
SCOPES: tuple[Scope, ...] = ("generation", "all")

PREFIX = "expert_sample"
"""The name that switches Expert-Sample on in a flat mapping, and the prefix of its settings' names."""

# 1/tau has to be a normal float32, since the kernels multiply by it.
MIN_TAU, MAX_TAU = 1e-30, 1e30
MIN_SEED, MAX_SEED = -(2**63), 2**63 - 1

_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")


@dataclass(frozen=True)
class ResolvedSettings:
    """Settings as numbers for one model.

    Attributes:
        k_keep: number of experts that are always kept, 0..k.
        tau: temperature of the draw among the tail's router logits.
        r: rank (1-based) of the last expert that can be drawn, k..number of experts.
        scope: `generation` draws from the pass that yields the first new token on, `all` also in the prompt.
        fragile_from: least untaken mass of a token that is drawn in a layer, 0..1; 0 draws all.
    """

    k_keep: int
    tau: float
    r: int
    scope: Scope
    fragile_from: float = 0.0


@dataclass(frozen=True)
class ExpertSampleSettings:
    """Settings as a user gives them; the defaults are the paper's (arXiv 2602.02443, appendix B).

    Attributes:
        k_keep: number of experts that are always kept: a whole number or an expression in k.
        tau: temperature of the draw among the tail's router logits, a positive number.
        r: how many of the best-ranked experts take part: a whole number or an expression in k.
        seed: seed of the routing noise, 64 bits; None follows the request's own seed.
        scope: `generation` draws from the pass that yields the first new token on, `all` also in the prompt.
        fragile_from: draw only where the router leaves at least this share of its softmax, 0..1, outside the top k;
            None (and 0) draws everywhere, as the paper does.

    Raises:
        ValueError: a setting that no model could accept.
    """

    k_keep: int | str = "k//2+1"
    tau: float = 1.0
    r: int | str = "4k"
    seed: int | None = None
    scope: Scope = "generation"
    fragile_from: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "k_keep", _whole_or_expression("k_keep", self.k_keep))
        object.__setattr__(self, "r", _whole_or_expression("r", self.r))
        object.__setattr__(self, "tau", _number("tau", self.tau, MIN_TAU, MAX_TAU))
        object.__setattr__(self, "seed", _seed(self.seed))
        if self.scope not in SCOPES:
            raise ValueError(f"scope is {self.scope!r}; it must be one of {', '.join(SCOPES)}.")
        if self.fragile_from is not None:
            object.__setattr__(self, "fragile_from", _number("fragile_from", self.fragile_from, 0, 1))

    def resolve(self, k: int, n_experts: int) -> ResolvedSettings:
        """Turn the settings into numbers for a model.

        Args:
            k: number of active experts a token, at least 1.
            n_experts: number of routed experts a layer, at least k.

        Returns:
            The settings as numbers, with `r` clipped to `n_experts`.

        Raises:
            ValueError: a setting outside the range that this model allows (the message names the range), or settings
                that leave nothing to draw without saying so.
        """
        if not 1 <= k <= n_experts:
            raise ValueError(f"A model needs 1 <= k <= number of experts, not k={k} of {n_experts} experts.")
        k_keep, r = self.kept(k), evaluate_whole(self.r, k)
        model = f"this model (k={k} of {n_experts} experts)"
        if r < k:
            raise ValueError(
                f"r is {_shown(self.r, r)}; for {model} it must be at least {k} (from {n_experts} on: all)."
            )
        if not (_is_k(self.k_keep, k) or _is_k(self.r, k)):
            self._check_draw(k_keep, min(r, n_experts), k, n_experts, model)
            self._check_fragile(1 - k / n_experts, model)
        return ResolvedSettings(k_keep, self.tau, min(r, n_experts), self.scope, self.fragile_from or 0.0)

    def kept(self, k: int) -> int:
        """Say how many experts are always kept, also where that leaves nothing to draw.

        Raises:
            ValueError: a number outside 0..k.
        """
        k_keep = evaluate_whole(self.k_keep, k)
        if not 0 <= k_keep <= k:
            raise ValueError(f"k_keep is {_shown(self.k_keep, k_keep)}; with k={k} it must be from 0 to {k}.")
        return k_keep

    def _check_draw(self, k_keep: int, r: int, k: int, n_experts: int, model: str) -> None:
        """Refuse to draw nothing: the responses would be the model's own under the name of Expert-Sample.

        With one or two active experts the default head `k//2+1` is all of them.
        """
        if k == n_experts:
            raise ValueError(f"Expert-Sample has nothing to draw: {model} uses all of its experts for every token.")
        if k_keep == k:
            fitting = "k_keep 0" if k == 1 else f"k_keep from 0 to {k - 1}"
            raise ValueError(
                f"k_keep is {_shown(self.k_keep, k)}; for {model} that leaves no expert to draw: "
                f"give {fitting}, or k for the model's own routing."
            )
        if r == k:
            raise ValueError(
                f"r is {_shown(self.r, r)}; for {model} that leaves no expert to draw: "
                f"give r from {k + 1} on, or k for the model's own routing."
            )

    def _check_fragile(self, most: float, model: str) -> None:
        """Refuse a threshold that no token reaches, unless it says so by being 1."""
        if self.fragile_from is not None and most < self.fragile_from < 1:
            raise ValueError(
                f"fragile_from is {self.fragile_from:g}; for {model} the top k leave at most {most:.4g} untaken, so "
                f"that no expert would be drawn: give less, or 1 for the model's own routing."
            )

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, object], *, default: ExpertSampleSettings | None = None
    ) -> ExpertSampleSettings | None:
        """Read the settings of one request from flat values (vLLM's `extra_args` or `vllm_xargs`).

        Args:
            mapping: may hold `expert_sample` (a bool, 0 or 1) and `expert_sample_` + `k_keep`, `tau`, `r`,
                `seed` or `scope`. Names without the prefix are other people's and are not looked at.
            default: the server-wide settings, used where the mapping does not say otherwise.

        Returns:
            The settings, or None where Expert-Sample is off for this request.

        Raises:
            ValueError: an unknown `expert_sample_` name, a wrong value, or settings without the switch.
        """
        values = {str(name): value for name, value in mapping.items() if str(name).startswith(PREFIX)}
        switch = values.pop(PREFIX, None)
        changes = _changes(values)
        if switch is None and default is None and changes:
            raise ValueError(f"{PREFIX}_{next(iter(changes))} is given but Expert-Sample is off; add {PREFIX}=true.")
        settings = dataclasses.replace(default or cls(), **changes)
        on = default is not None if switch is None else _switch(switch)
        return settings if on else None

    def to_mapping(self) -> dict[str, bool | int | float | str]:
        """Write the settings as flat values that `from_mapping` reads back."""
        flat: dict[str, bool | int | float | str] = {PREFIX: True}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None:
                flat[f"{PREFIX}_{field.name}"] = value
        return flat


def _changes(values: Mapping[str, object]) -> dict[str, Any]:
    """Strip the prefix from the names, refusing those that are no setting."""
    known = [field.name for field in dataclasses.fields(ExpertSampleSettings)]
    changes = {}
    for name, value in values.items():
        setting = name.removeprefix(f"{PREFIX}_")
        if setting == name or setting not in known:
            allowed = ", ".join(f"{PREFIX}_{field}" for field in known)
            raise ValueError(f"{name} is not a setting of Expert-Sample; there are {PREFIX}, {allowed}.")
        changes[setting] = value
    return changes


def _switch(value: object) -> bool:
    """Read the on/off value, which arrives as a bool, a number or text."""
    text = str(value).strip().lower().removesuffix(".0")
    if text not in _TRUE + _FALSE:
        raise ValueError(f"{PREFIX} is {value!r}; it must be true or false (or 1 or 0).")
    return text in _TRUE


def _whole_or_expression(name: str, value: object) -> int | str:
    """Check a whole number or an expression in k; text that is a plain number becomes that number."""
    if isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}; it must be a whole number or an expression in k.")
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        if not value.is_integer():
            raise ValueError(f"{name} is {value!r}; it must be a whole number or an expression in k.")
        return int(value)
    if not isinstance(value, str):
        raise ValueError(f"{name} is {value!r}; it must be a whole number or an expression in k.")
    text = value.strip()
    if text.lstrip("+-").isdecimal():
        return int(text)
    try:
        check(text)
    except ValueError as error:
        raise ValueError(f"{name} is {value!r}: {error}") from None
    return text


def _number(name: str, value: object, least: float, most: float) -> float:
    """Check a number, which may arrive as text."""
    problem = f"{name} is {value!r}; it must be a number from {least:g} to {most:g}."
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(problem)
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(problem) from None
    if not (math.isfinite(number) and least <= number <= most):
        raise ValueError(problem)
    return number


def _seed(value: object) -> int | None:
    """Check the seed, which must fit in 64 signed bits."""
    if value is None:
        return None
    problem = f"seed is {value!r}; it must be a whole number of at most 64 bits (signed)."
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(problem)
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(problem)
    try:
        seed = int(value)
    except ValueError:
        raise ValueError(problem) from None
    if not MIN_SEED <= seed <= MAX_SEED:
        raise ValueError(problem)
    return seed


def _is_k(given: int | str, k: int) -> bool:
    """Tell whether a setting says k in so many words, and does not merely come to it."""
    return given == k if isinstance(given, int) else given.lower() == "k"


def _shown(given: int | str, value: int) -> str:
    """Show a setting as given, with its value where it is an expression."""
    return str(value) if isinstance(given, int) else f"{given!r} = {value}"
