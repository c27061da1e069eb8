"""From the names of the options to one `ScoreOptions`: of the command line and of Python alike, so that they agree.

The names are the command's, with underscores: `--pairs-per-group 32` is `pairs_per_group=32`. What is not given has the
default of the value that it becomes a part of; no default is written twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from diversity_judge.choices import (
    CLUSTERS,
    DEFAULT_JUDGE,
    HEATMAP_CHOICES,
    JUDGE_INPUTS,
    LEVELS,
    ORDERS,
    VIEWS,
    Clusters,
    HeatmapChoice,
    JudgeInput,
    Level,
    Orders,
    View,
)
from diversity_judge.command import refuse_unknown_options
from diversity_judge.engine.options import WHEN, EngineOptions, When
from diversity_judge.errors import InputError
from diversity_judge.inputs.in_memory import Given
from diversity_judge.inputs.responses import PathLike
from diversity_judge.judges.presets import JudgeSpec, adjust, find_judge
from diversity_judge.planning.groups import Showing
from diversity_judge.planning.pairs import PairDesign
from diversity_judge.scoring.options import ScoreOptions
from diversity_judge.text_safety import printable

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from diversity_judge.runs.sources import RunLike

_USUAL_REPLY = 3000
"""Tokens of a reasoning judge's reply, for the estimate only."""


class ScoreKeywords(TypedDict, total=False):
    """The options by name.

    What is compared: `format`, `strategies` and `limit` (problems) of the input, `view`, `truncate_tokens`,
    `orders`, `pairs_per_group`, `all_pairs`, `target_width`, `for_`, `draws`, `seed`, `judge_duplicates`,
    `judge_input`, `clusters`, `reference_approaches`. The judge: `judge` (a preset's name or a `JudgeSpec`),
    `judges_file`, `base_url`, `model`, `api_key_env`, `max_tokens`, `params` (request parameters), `prompt`,
    `anchors`. The estimate: `surrogate` (`"proxy"`, or another run). Cost and speed: `max_calls`, `max_cost`, `yes`,
    `ask_above`, `when`, `concurrency`, `deadline`, `max_attempts`, `retry_wait`. Outputs: `out`, `ledger`,
    `offline`, `overwrite`, `heatmaps`, `quiet`, `verbose`.
    """

    format: str
    strategies: Sequence[str] | None
    limit: int | None
    view: View
    truncate_tokens: int | None
    orders: Orders
    pairs_per_group: int | None
    all_pairs: bool
    target_width: float | None
    for_: Level
    draws: int
    seed: int
    judge_duplicates: bool
    judge_input: JudgeInput
    clusters: Clusters
    reference_approaches: bool
    judge: str | JudgeSpec | None
    judges_file: PathLike | None
    base_url: str | Sequence[str] | None
    model: str | None
    api_key_env: str | None
    max_tokens: int | None
    params: Mapping[str, Any]
    prompt: PathLike | None
    max_calls: int | None
    max_cost: float | None
    yes: bool
    ask_above: float
    when: When
    concurrency: int
    deadline: float
    max_attempts: int
    retry_wait: float
    surrogate: RunLike
    anchors: PathLike | None
    out: PathLike | None
    ledger: PathLike | None
    offline: bool
    overwrite: bool
    heatmaps: HeatmapChoice | bool | None
    quiet: bool
    verbose: bool


NAMES = (*ScoreKeywords.__annotations__, "dry_run")
"""Of all options."""

_DESIGN = {name: name for name in ("orders", "pairs_per_group", "draws", "seed")}
_SHOWING = {name: name for name in ("view", "truncate_tokens", "judge_duplicates")}
_ENGINE = {
    "concurrency": "concurrency",
    "deadline": "deadline_s",
    "max_attempts": "max_attempts",
    "retry_wait": "retry_wait_s",
    "max_calls": "max_calls",
    "max_cost": "max_cost_usd",
    "yes": "yes",
    "ask_above": "ask_above_usd",
    "when": "when",
}
_REST = {
    "prompt": "prompt",
    "out": "out",
    "ledger": "ledger",
    "format": "input_format",
    "for_": "level",
    **{
        name: name
        for name in (
            "strategies",
            "limit",
            "clusters",
            "judge_input",
            "reference_approaches",
            "all_pairs",
            "surrogate",
            "target_width",
            "anchors",
            "offline",
            "dry_run",
            "overwrite",
            "heatmaps",
            "quiet",
            "verbose",
        )
    },
}
"""Option to the field that it fills, of the value that holds it."""


def make_options(responses: Given, **given: Unpack[_AllKeywords]) -> ScoreOptions:
    """One value of options.

    Args:
        responses: What is scored: see `inputs.in_memory.Given`.
        given: The options that are not to have their defaults; None is the default too.

    Raises:
        InputError: there is no such option, or it cannot be meant.
    """
    refuse_unknown_options(given, NAMES)
    values = {name: _checked(name, value) for name, value in given.items() if value is not None}
    judge = _judge(values)
    return ScoreOptions(
        responses,
        judge,
        design=PairDesign(**_fields(values, _DESIGN)),
        showing=Showing(**_fields(values, _SHOWING)),
        engine=EngineOptions(**_fields(values, _ENGINE)),
        **_fields(values, _REST),
    )


class _AllKeywords(ScoreKeywords, total=False):
    dry_run: bool


def _fields(values: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    return {field: values[name] for name, field in fields.items() if name in values}


# --- values of the right kind ---------------------------------------------------------------------


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, Integral) and not _is_flag(value) else None


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Real) and not _is_flag(value) else None


def _flag(value: Any) -> Any:
    return value if isinstance(value, bool) else None


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else None


def _texts(value: Any) -> Any:
    is_list = isinstance(value, list | tuple) and all(isinstance(member, str) for member in value)
    return tuple(value) if is_list else None


def _urls(value: Any) -> Any:
    return (value,) if isinstance(value, str) else _texts(value) or None


def _path(value: Any) -> Any:
    return Path(value) if isinstance(value, str | Path) or hasattr(value, "__fspath__") else None


def _path_text(value: Any) -> Any:
    return str(value) if isinstance(value, str | Path) else None


def _run(value: Any) -> Any:
    if isinstance(value, str | Path) or hasattr(value, "__fspath__"):
        return value
    from diversity_judge.runs.loading import Run  # pandas, which a run that names a folder need not wait for
    from diversity_judge.runs.sources import HoldsRun

    return value if isinstance(value, Run | HoldsRun) else None


def _spec(value: Any) -> Any:
    return value if isinstance(value, str | JudgeSpec) else None


def _parameters(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping | list) else None


def _one_of(choices: Iterable[str]) -> Callable[[Any], Any]:
    known = tuple(choices)
    return lambda value: value if isinstance(value, str) and value in known else None


def _heatmaps(value: Any) -> Any:
    """True and False are the choices of those who want pictures, or none."""
    choice = {True: "problems", False: "none"}.get(value) if isinstance(value, bool) else value
    return _one_of(HEATMAP_CHOICES)(choice)


_KINDS: Mapping[str, tuple[Callable[[Any], Any], Iterable[str]]] = {
    "a whole number": (
        _whole,
        ("limit", "truncate_tokens", "pairs_per_group", "draws", "seed", "max_tokens", "max_calls", "concurrency",
         "max_attempts"),
    ),
    "a number": (_number, ("target_width", "max_cost", "ask_above", "deadline", "retry_wait")),
    "True or False": (
        _flag,
        ("judge_duplicates", "reference_approaches", "all_pairs", "offline", "dry_run", "overwrite", "yes",
         "quiet", "verbose"),
    ),
    f"one of {', '.join(HEATMAP_CHOICES)}": (_heatmaps, ("heatmaps",)),
    "a text": (_text, ("format", "model", "api_key_env")),
    "a URL, or a list of them": (_urls, ("base_url",)),
    f"one of {', '.join(LEVELS)}": (_one_of(LEVELS), ("for_",)),
    f"one of {', '.join(WHEN)}": (_one_of(WHEN), ("when",)),
    "a list of texts": (_texts, ("strategies",)),
    "a path": (_path, ("judges_file", "out", "ledger", "anchors")),
    "a template's name or path": (_path_text, ("prompt",)),
    "a preset's name or a JudgeSpec": (_spec, ("judge",)),
    "none, proxy, or another run": (_run, ("surrogate",)),
    "a mapping of request parameters": (_parameters, ("params",)),
    f"one of {', '.join(VIEWS)}": (_one_of(VIEWS), ("view",)),
    f"one of {', '.join(ORDERS)}": (_one_of(ORDERS), ("orders",)),
    f"one of {', '.join(CLUSTERS)}": (_one_of(CLUSTERS), ("clusters",)),
    f"one of {', '.join(JUDGE_INPUTS)}": (_one_of(JUDGE_INPUTS), ("judge_input",)),
}  # fmt: skip
_KIND_OF = {name: (take, wanted) for wanted, (take, names) in _KINDS.items() for name in names}


def _checked(name: str, value: Any) -> Any:
    """The value in the form that the options hold; None where it cannot be meant is refused."""
    take, wanted = _KIND_OF[name]
    taken = take(value)
    if taken is None:
        raise InputError(f"{name} is {printable(repr(value), 60)}; it must be {wanted}")
    return taken


# --- the judge ------------------------------------------------------------------------------------


def _judge(values: Mapping[str, Any]) -> JudgeSpec:
    parameters: dict[str, Any] = dict(values.get("params", {}))
    spec = _named_judge(values)
    if spec.is_embedded:
        _refuse_what_only_an_llm_takes(spec, values)
    if "max_tokens" in values:
        parameters[spec.limit_parameter] = values["max_tokens"]
    is_own = "judge" not in values and "base_url" in values
    spec = adjust(
        spec,
        base_urls=() if is_own else values.get("base_url", ()),
        model=None if is_own else values.get("model"),
        api_key_env=values.get("api_key_env"),
        parameters=parameters,
    )
    if "max_cost" in values and spec.prices is None:
        raise InputError(
            f"--max-cost needs prices, and there are none for {spec.label}: put a preset with prices into a "
            "--judges-file, or limit the run with --max-calls"
        )
    return spec


def _refuse_what_only_an_llm_takes(spec: JudgeSpec, values: Mapping[str, Any]) -> None:
    options = {
        "base_url": "--base-url",
        "model": "--model",
        "api_key_env": "--api-key-env",
        "max_tokens": "--max-tokens",
        "params": "--param",
        "prompt": "--prompt",
    }
    refused = [option for name, option in options.items() if values.get(name)]
    if refused:
        raise InputError(f"--judge {spec.name} takes no {', '.join(refused)}: it asks no LLM")


def _named_judge(values: Mapping[str, Any]) -> JudgeSpec:
    """The preset, or, with an endpoint and no preset, a judge that is all the user's own."""
    judge = values.get("judge")
    if isinstance(judge, JudgeSpec):
        return judge
    if judge is not None or "base_url" not in values:
        return find_judge(judge or DEFAULT_JUDGE, values.get("judges_file"))
    if "model" not in values:
        raise InputError("--base-url without --judge needs --model: which model is to be asked there?")
    first, *others = values["base_url"]
    return JudgeSpec(
        "custom",
        values["model"],
        base_url=first,
        replicas=tuple(others),
        typical_output_tokens=_USUAL_REPLY,
    )
