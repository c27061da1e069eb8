"""The file that is written: the responses as they were, each with its reward."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.measures.step_rewards import aggregate
from generation.response_rows import read_rows, write_rows
from generation.rewarding.options import RewardOptions
from generation.rewarding.plan import Job, RewardPlan, Scored


def write_rewarded(
    options: RewardOptions, plan: RewardPlan, scores: Mapping[str, Scored], unscored: Mapping[str, str]
) -> None:
    """Write the responses with their rewards, in the order of the input, all at once.

    Raises:
        RunError: the disk refuses.
    """
    about = {
        "model": str(options.model),
        "recipe": plan.recipe.name,
        "view": options.view,
        "aggregate": options.aggregate,
    }
    rows = [
        _rewarded(row, job, scores.get(job.key), unscored.get(job.key), about)
        for row, job in zip(plan.rows, plan.jobs, strict=True)
    ]
    write_rows(options.target, rows)


def reaggregate(source: Path, out: Path, how: str) -> tuple[int, int]:
    """Make each response's reward of its steps anew; no model is needed.

    Args:
        source: Responses that `generation.reward` has scored.
        out: Where they go; may be the source.
        how: An aggregate.

    Returns:
        Responses that have scores of steps, and responses that have none and are left as they are.

    Raises:
        InputError: no response has scores of steps, or those of one are no numbers.
        RunError: the disk refuses.
    """
    placed = read_rows(source)
    done = 0
    for where, row in placed:
        meta = row.get("meta")
        if not isinstance(meta, dict) or not (steps := meta.get("step_rewards")):
            continue
        try:
            row["reward"] = aggregate(steps, how)
        except (ValueError, TypeError) as error:
            raise InputError(f"{where}: meta.step_rewards: {error}") from error
        row["meta"] = meta | {"reward": {**(meta.get("reward") or {}), "aggregate": how}}
        done += 1
    if not done:
        raise InputError(
            f"{source}: no response has meta.step_rewards, which generation.reward --model writes: score them first"
        )
    write_rows(out, [row for _, row in placed])
    return done, len(placed) - done


def _rewarded(
    row: Mapping[str, Any], job: Job, scored: Scored | None, why_not: str | None, about: Mapping[str, Any]
) -> dict[str, Any]:
    """A response's line with its reward in place of an earlier one; null, and why, where it has none."""
    meta = {key: value for key, value in (row.get("meta") or {}).items() if key not in ("step_rewards", "reward")}
    if scored is None:
        meta["reward"] = {**about, "missing": why_not or "not_scored"}
        return {**row, "reward": None, "meta": meta}
    lost = {name: getattr(scored, name) for name in ("steps_cut", "characters_cut", "defused")}
    meta["reward"] = {**about, "context": scored.context, **{name: n for name, n in lost.items() if n}, "key": job.key}
    meta["step_rewards"] = list(scored.step_rewards)
    return {**row, "reward": aggregate(scored.step_rewards, str(about["aggregate"])), "meta": meta}
