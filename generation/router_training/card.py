"""What a new checkpoint says of itself: a card for people and one for programs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from diversity_judge.display import counted
from diversity_judge.files import finite_or_none
from diversity_judge.measures.intervals import Estimate
from generation.router_training.options import Control, Objective
from generation.router_training.result import Amount, UpdateResult

RECORD = "router_update.json"
_PACKAGES = ("diversity-judge", "torch", "transformers")

_OBJECTIVES = {
    Objective.NLL: "the likelihood of the right tokens, through the weights of the chosen experts",
    Objective.BEST_ROUTE: "the probability (Plackett and Luce's of a set) of the best of {m} routes drawn a token",
    Objective.ADVANTAGE: "the probability of {m} routes drawn a token, each weighted by its utility minus their mean",
}
_TRAINED = {
    Control.NONE: "the router of layer {layer}",
    Control.SHUFFLED_TARGETS: "the router of layer {layer}, as a control on tokens of other places",
    Control.OTHER_LAYER: "as a control, the router of layer {layer} in place of the wanted one",
    Control.NORM_SCALE: "as a control, the final norm's weight and no router",
    Control.OUTPUT_SCALE: "as a control, a factor for each row of each expert's output of layer {layer} and no router",
}


def card_files(result: UpdateResult) -> dict[str, str]:
    """The two cards' texts by the names of their files."""
    record = json.dumps(record_of(result), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return {"README.md": card(result), RECORD: record}


def what_was_trained(result: UpdateResult) -> str:
    """In a few words."""
    return _TRAINED[result.options.control].format(layer=result.layer)


def card(result: UpdateResult) -> str:
    """The card for people, in Markdown."""
    options, held_out = result.options, result.held_out
    objective = _OBJECTIVES[options.objective].format(m=options.alternatives)
    tensors = "\n".join(f"- `{name}`" for name in result.tensors[:8])
    more = f"\n- and {len(result.tensors) - 8} more, listed in `{RECORD}`" if len(result.tensors) > 8 else ""
    return f"""\
# {options.model}, one layer trained further

Made by `python -m generation.router_update`. Trained was {what_was_trained(result)}; all other tensors are those of
the checkpoint that it comes from, to the bit. It loads as that one does.

| | |
|---|---|
| comes from | `{options.model}` |
| made likely | {objective} |
| numbers trained | {result.n_parameters:,} |
| norm of the change | {result.changed:.4g} (of the tensors before: {result.size:.4g}) |
| trained on | {_amount(result.training)} |
| stopped by | {_amount(result.stopping)}, of other problems |
| held-out nll, before | {_with_interval(held_out.before)} nats a token |
| held-out nll, after | {_with_interval(held_out.after)} |
| change | {_with_interval(held_out.change)} |
| steps | {result.best.step} kept of {result.looks[-1].step} |
| Adam | learning rate {options.lr:g}, {options.batch_size} responses a step |
| seed | {options.seed} |

Intervals are 95 %, over held-out problems. Objective, learning rate and the rest are choices of `router_update`, not
those of the paper (arXiv 2605.07260), which are not public. A lower nll is no better pass@k: sample and compare.

Tensors that differ:

{tensors}{more}
"""


def record_of(result: UpdateResult) -> dict[str, Any]:
    """The card for programs."""
    options = {
        name: str(value) if name in ("responses", "out") else value
        for name, value in dataclasses.asdict(result.options).items()
    }
    return {
        "format": 1,
        "trained": what_was_trained(result),
        "options": options,
        "layer": result.layer,
        "tensors": list(result.tensors),
        "parameters": result.n_parameters,
        "change_norm": result.changed,
        "norm_before": result.size,
        "training": dataclasses.asdict(result.training),
        "held_out": dataclasses.asdict(result.stopping),
        "held_out_nll": {
            "before": _record(result.held_out.before),
            "after": _record(result.held_out.after),
            "change": _record(result.held_out.change),
        },
        "kept_step": result.best.step,
        "looks": [dataclasses.asdict(look) for look in result.looks],
        "seconds": round(result.seconds, 2),
        "versions": _versions(),
    }


def _versions() -> Mapping[str, str]:
    return {name: version(name) for name in _PACKAGES}


def _amount(amount: Amount) -> str:
    return (
        f"{counted(amount.responses, 'right response')} to {counted(amount.problems, 'problem')}, "
        f"{counted(amount.tokens, 'token')}"
    )


def _with_interval(estimate: Estimate) -> str:
    if estimate.reason:
        return f"{estimate.value:.4f} (no interval: {estimate.reason})"
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"


def _record(estimate: Estimate) -> dict[str, Any]:
    return {
        "value": finite_or_none(estimate.value),
        "low": finite_or_none(estimate.low),
        "high": finite_or_none(estimate.high),
        "n": estimate.n,
        "method": estimate.method,
        "reason": estimate.reason,
    }
