"""Which responses are to be scored, and which are already: by what would be asked, whatever its line's number."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.inputs.views import view_of
from generation.problems import read_problems
from generation.prompt_formats import lettered
from generation.response_rows import read_rows
from generation.rewarding.options import RewardOptions
from generation.rewarding.recipes import Recipe

NUMERIC_ENGINE_ARGS = ("dtype", "quantization", "hf_overrides", "revision")
"""Engine arguments that change a score."""


@dataclass(frozen=True)
class Job:
    """One text that is to be scored, for all responses that show it.

    Attributes:
        key: A hash of everything that can change its score.
        problem: The question.
        text: What of the response is scored.
    """

    key: str
    problem: str
    text: str


@dataclass(frozen=True)
class Scored:
    """A text's scores, and what was done to it for them.

    Attributes:
        key: Of the job.
        step_rewards: One a step, or one for the whole.
        context: Tokens that the model read at most.
        steps_cut: Steps that did not fit into the model's context.
        characters_cut: Characters that did not, of a response that is scored as a whole.
        defused: Special tokens that the text spelled out and that were made ordinary text.
    """

    key: str
    step_rewards: tuple[float, ...]
    context: int = 0
    steps_cut: int = 0
    characters_cut: int = 0
    defused: int = 0


@dataclass(frozen=True)
class RewardPlan:
    """What a run is to score.

    Attributes:
        recipe: How the model is shown a response.
        context: Tokens that it reads at most.
        rows: The lines of the input.
        jobs: A job for each of them, in their order.
    """

    recipe: Recipe
    context: int
    rows: Sequence[Mapping[str, Any]]
    jobs: Sequence[Job]

    def missing(self, done: Mapping[str, Scored]) -> list[Job]:
        """What is not scored yet, each text once, those of one problem together as they come."""
        return list({job.key: job for job in self.jobs if job.key not in done}.values())


def plan_rewards(options: RewardOptions) -> RewardPlan:
    """Read the responses and say what of them is scored.

    Raises:
        InputError: a line is no response, a problem's text is nowhere, or no recipe fits the model.
    """
    recipe = options.load_recipe()
    context = int(options.engine_args.get("max_model_len") or recipe.context)
    problems = _problems(options)
    placed = read_rows(options.responses)
    instrument = [recipe.digest, str(options.model), context]
    instrument += [options.engine_args.get(name) for name in NUMERIC_ENGINE_ARGS]
    jobs = []
    for where, row in placed:
        problem = problems.get(str(row["problem_id"]), row.get("problem"))
        if not isinstance(problem, str) or not problem.strip():
            raise InputError(f"{where}: there is no text of its problem; name a file that has it: --problems FILE")
        text = view_of(row["response"], options.view) or ""
        jobs.append(Job(_key([*instrument, problem, text]), problem, text))
    return RewardPlan(recipe, context, [row for _, row in placed], jobs)


def is_rewarded(row: Mapping[str, Any]) -> bool:
    """Whether this command has said something of a response: its reward, or why it has none."""
    meta = row.get("meta")
    return isinstance(meta, Mapping) and isinstance(meta.get("reward"), Mapping)


def scored_in(rows: Iterable[Mapping[str, Any]]) -> dict[str, Scored]:
    """What lines of a rewarded file say about their scores, by key; other lines say nothing."""
    found = {}
    for row in rows:
        meta = row.get("meta")
        about = meta.get("reward") if isinstance(meta, Mapping) else None
        if isinstance(meta, Mapping) and isinstance(about, Mapping) and isinstance(about.get("key"), str):
            scored = scored_of({**about, "step_rewards": meta.get("step_rewards")})
            if scored is not None:
                found[scored.key] = scored
    return found


def scored_of(line: Mapping[str, Any]) -> Scored | None:
    """The scores in a line of the journal; None where it holds none."""
    steps = line.get("step_rewards")
    if not isinstance(steps, list) or not steps or not all(isinstance(step, (int, float)) for step in steps):
        return None
    counts = {name: int(line.get(name) or 0) for name in ("context", "steps_cut", "characters_cut", "defused")}
    return Scored(str(line["key"]), tuple(map(float, steps)), **counts)


def _problems(options: RewardOptions) -> Mapping[str, str]:
    if options.problems is None:
        return {}
    # With its options, as `sample` writes a problem into its responses.
    return {
        problem.problem_id: "\n\n".join(filter(None, (problem.text, lettered(problem.choices))))
        for problem in read_problems(options.problems)
    }


def _key(parts: Sequence[Any]) -> str:
    # Half of a surrogate pair can be in a response, but not in UTF-8.
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
