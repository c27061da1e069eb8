"""`python -m diversity_judge.plan responses.jsonl`: what a study costs and shows, before anything is bought.

options -> work (groups, or counts) -> variances (a pilot's, or assumed) -> choices -> the recommended one -> console
"""

from __future__ import annotations

if __name__ == "__main__":  # Before the imports: they take a second, in which Ctrl-C may come.
    from diversity_judge.command_process import run_as_process

    run_as_process("diversity_judge.plan")

import json
import sys
from collections.abc import Sequence
from typing import Any

from diversity_judge.budgeting import words
from diversity_judge.budgeting.arguments import parse_arguments
from diversity_judge.budgeting.choices import Aim, Planner, choices_of, recommended
from diversity_judge.budgeting.console import print_plan
from diversity_judge.budgeting.keywords import make_plan_options
from diversity_judge.budgeting.options import PlanOptions
from diversity_judge.budgeting.pilot import Basis, assumed, basis_of
from diversity_judge.budgeting.result import Plan
from diversity_judge.budgeting.summaries import summaries_offer
from diversity_judge.budgeting.work import CountedWork, FileWork, Work, template_tokens
from diversity_judge.command import exit_code, output_console
from diversity_judge.errors import InputError
from diversity_judge.inputs.in_memory import Given, read_inputs
from diversity_judge.inputs.selection import select
from diversity_judge.runs.sources import as_run

_PLAIN_WIDTH = 80
"""Columns of the tables where no terminal says how wide it is."""


def plan(responses: Given | None = None, **options: Any) -> Plan:
    """Plan a study: how many pairs, problems and responses it needs, what they cost and what they will show.

    Args:
        responses: What would be scored, as `score` takes it; None for a study that is no more than counts.
        options: By the names of the command's options: `target_width`, `detect` or `budget`; `for_` ("group",
            "strategy", "difference"), `pilot` (a run, or its folder), `correct_only`, `complete_only`, `surrogate_r2`,
            `comparisons`; `problems`, `n_responses`, `n_strategies`, `tokens` where there are no responses; and the
            options of `score` that say what is compared and by whom.

    Returns:
        The plan: `choices`, `recommended`, `reason`, `assumed`. Nothing is sent.

    Raises:
        InputError: the options cannot be meant, or the responses or the pilot cannot be read.
    """
    return make_plan(make_plan_options(responses, options))


def make_plan(options: PlanOptions) -> Plan:
    """What the command does, in order.

    Raises:
        InputError: the responses or the pilot cannot be read, or cannot answer what is asked.
    """
    work = _work(options)
    basis = assumed() if options.pilot is None else basis_of(as_run(options.pilot), options.part)
    level = options.level or ("difference" if len(work.strategies) > 1 else "strategy")
    _check(options, work, level)
    aim = Aim(level, options.target_width, options.detect, options.budget)
    comparisons = options.comparisons or max(1, len(work.strategies) - 1)
    r2 = basis.surrogate_r2 if options.surrogate_r2 is None else options.surrogate_r2
    planner = Planner(work, basis.variances, level, comparisons=comparisons, surrogate_r2=r2)
    choices = choices_of(planner, aim, may_draw_again=_may_draw_again(work, basis))
    best, reason = recommended(choices, planner, aim)
    chosen = None if best is None else choices[best]
    offer = None if r2 else summaries_offer(options, planner, chosen)
    study = words.Study(options, work, basis, level, comparisons, r2, planner.all_pairs)
    return Plan(
        words.assumptions(study),
        choices,
        best,
        reason,
        level,
        words.facts(study),
        words.notes(study),
        planner.all_pairs,
        words.next_steps(study, chosen),
        () if offer is None else (offer,),
    )


def _work(options: PlanOptions) -> Work:
    score = options.score
    if options.counts is not None:
        return CountedWork(options.counts, score, template_tokens(score.prompt))
    groups = read_inputs(score.source, format=score.input_format).groups
    return FileWork(select(groups, strategies=score.strategies, limit=score.limit), score, options.part)


def _may_draw_again(work: Work, basis: Basis) -> bool:
    """Whether second draws can be planned: a judge that computes says the same again, and noise must be known."""
    return not work.spec.is_embedded and basis.variances.noise >= 0


def _check(options: PlanOptions, work: Work, level: str) -> None:
    if len(work.strategies) < 2 and (level == "difference" or options.detect is not None):
        raise InputError("a difference takes two strategies, and there is one: plan --for strategy or --for group")
    if options.budget is not None and work.spec.prices is None:
        raise InputError(
            f"--budget needs prices, and there are none for {work.spec.label}: put a preset with prices into a "
            "--judges-file"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the contract."""

    def work() -> int:
        command = parse_arguments(argv)
        found = make_plan(command.options)
        if command.as_json:
            sys.stdout.write(json.dumps(found.to_json(), indent=2, allow_nan=False) + "\n")
        else:
            print_plan(output_console(quiet=False, plain_width=_PLAIN_WIDTH), found)
        return 0

    return exit_code(work, when_interrupted="stopped; nothing was sent and nothing written")
