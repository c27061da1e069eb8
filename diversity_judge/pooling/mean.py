"""The mean of a panel's scores as a run of its own: the same tables, matrices and manifest as a judge's run has."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from diversity_judge import __version__
from diversity_judge.engine.tally import Tally
from diversity_judge.measures.diversity import MEAN_OF_SCORED_PAIRS, estimate
from diversity_judge.measures.matrix import build_matrix
from diversity_judge.planning.groups import Showing, plan_groups
from diversity_judge.planning.judgment import Judgment
from diversity_judge.planning.pairs import Pair, PairDesign, orient
from diversity_judge.pooling.members import PanelGroup
from diversity_judge.runs.instrument import Instrument
from diversity_judge.runs.layout import PANEL
from diversity_judge.runs.loading import Run
from diversity_judge.scoring.group_results import GroupResult, strategy_results
from diversity_judge.scoring.result import ScoreResult

INCOMPLETE = "panel_incomplete"
"""Why a pair has no score: not all judges of the panel have one."""


def mean_result(runs: Sequence[Run], groups: Sequence[PanelGroup], *, fewer_judges: bool) -> ScoreResult:
    """The mean as a result of `score`.

    Args:
        runs: Of the judges.
        groups: Their scores.
        fewer_judges: Take the mean of those who have a score, instead of leaving a pair out that one judge lacks.
    """
    plans = plan_groups([group.group for group in groups], PairDesign(), Showing())
    results = []
    for plan, group in zip(plans, groups, strict=True):
        judgments = _judgments(group, fewer_judges=fewer_judges)
        matrix = build_matrix(plan.group.n_responses, judgments)
        results.append(GroupResult(plan, judgments, matrix, estimate(matrix), matrix.vendi().value))
    instrument = panel_instrument(runs)
    manifest = _manifest(runs, instrument, results, fewer_judges=fewer_judges)
    return ScoreResult(
        results,
        strategy_results(results),
        manifest["judge"]["label"],
        manifest["prompt"]["label"],
        has_prices=False,
        tally=Tally(),
        is_embedded=True,
        manifest=manifest,
        judge_input=instrument.judge_input,
    )


def _judgments(group: PanelGroup, *, fewer_judges: bool) -> list[Judgment]:
    n = group.group.n_responses
    n_known = (~np.isnan(group.scores)).sum(axis=1)
    enough = n_known >= (1 if fewer_judges else group.scores.shape[1])
    found = []
    for (one, other), scores, has_score, unasked in zip(
        group.pairs.tolist(), group.scores, enough.tolist(), group.is_unasked.tolist(), strict=True
    ):
        score = float(np.nanmean(scores)) if has_score else None
        # A key that no ledger has: the replies are in the ledgers of the judges.
        key = None if unasked else f"{PANEL}/{one}/{other}"
        found.append(Judgment(Pair(*orient(one, other, n)), key, score, None if has_score else INCOMPLETE))
    return sorted(found, key=lambda judgment: judgment.pair)


def panel_instrument(runs: Sequence[Run]) -> Instrument:
    """With what the mean was measured: a panel of these instruments."""
    members = [run.instrument for run in runs]
    first = members[0]
    prompts = list(dict.fromkeys(member.prompt for member in members))
    digests = {member.prompt_sha256 for member in members}
    return Instrument(
        PANEL,
        " + ".join(member.model or member.judge for member in members),
        " + ".join(dict.fromkeys(str(member.host) for member in members)),
        {
            f"judge {number}": ", ".join(f"{word} {value}" for word, value in member.shown().items())
            for number, member in enumerate(members, start=1)
        },
        " + ".join(prompts),
        digests.pop() if len(digests) == 1 else None,
        first.view,
        first.truncate_tokens,
        first.orders,
        any(bool(member.judge_duplicates) for member in members),
        " + ".join(dict.fromkeys(member.judge_input for member in members)),
        " + ".join(dict.fromkeys(member.summary_prompt for member in members if member.summary_prompt)) or None,
    )


def _manifest(
    runs: Sequence[Run], instrument: Instrument, results: Sequence[GroupResult], *, fewer_judges: bool
) -> dict[str, Any]:
    judgments = [judgment for result in results for judgment in result.judgments]
    label = f"mean of {len(runs)} judges: " + "; ".join(run.judge for run in runs)
    return {
        "instrument": asdict(instrument),
        "tool": {"diversity_judge": __version__, "python": platform.python_version()},
        "inputs": [{"path": str(run.path)} for run in runs],
        "judge": {
            "label": label,
            "preset": PANEL,
            "kind": PANEL,
            "model": instrument.model,
            "host": instrument.host,
            "parameters": dict(instrument.parameters or {}),
        },
        "members": [
            {"path": str(run.path), "label": run.judge, "prompt": run.prompt, "instrument": asdict(run.instrument)}
            for run in runs
        ],
        "fewer_judges": fewer_judges,
        "prompt": {"label": instrument.prompt, "sha256": instrument.prompt_sha256},
        "design": {"orders": instrument.orders, "pairs_per_group": _thinned(runs), "draws": 1, "seed": 0},
        "showing": {"view": instrument.view, "truncate_tokens": instrument.truncate_tokens},
        "estimator": {"name": MEAN_OF_SCORED_PAIRS},
        "ledger": "",
        "judgments": {
            "groups": len(results),
            "responses": sum(result.plan.group.n_responses for result in results),
            "wanted": len(judgments),
            "scored": sum(judgment.score is not None for judgment in judgments),
            "duplicates": sum(judgment.is_duplicate for judgment in judgments),
            "repeats": 0,
            **{name: _spent(runs, name) for name in ("replies", "prompt_tokens", "completion_tokens", "cost_usd")},
        },
    }


def _spent(runs: Sequence[Run], name: str) -> float:
    """What the judges were paid for, in all."""
    counts: list[float] = [(run.manifest.get("judgments") or {}).get(name) or 0 for run in runs]
    return sum(counts)


def _thinned(runs: Sequence[Run]) -> int | None:
    """The fewest pairs a group that one of the designs wanted; None where all wanted all."""
    wanted = [(run.manifest.get("design") or {}).get("pairs_per_group") for run in runs]
    numbers = [number for number in wanted if isinstance(number, int)]
    return min(numbers) if numbers else None
