"""What a run will take, said before anything is loaded or sent."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console

from diversity_judge.display import counted
from diversity_judge.inputs.views import estimate_tokens
from generation.engines.options import shown_servers
from generation.rewarding.options import RewardOptions
from generation.rewarding.plan import RewardPlan, Scored
from generation.rewarding.steps import split_steps


def print_bill(console: Console, options: RewardOptions, plan: RewardPlan, known: Mapping[str, Scored]) -> None:
    """Print what is scored already and what a run would score; lengths are estimated from the texts."""
    missing = [job for job in plan.missing(known) if job.text.strip()]
    tokens = [estimate_tokens(job.problem) + estimate_tokens(job.text) for job in missing]
    where = f"servers {', '.join(shown_servers(options))}" if options.base_urls else "in process"
    done = sum(job.key in known for job in plan.jobs)
    empty = sum(not job.text.strip() for job in plan.jobs)
    lines = [
        f"dry run: nothing is scored; model {options.model}, {where}, recipe {plan.recipe.name}",
        f"{counted(len(plan.jobs), 'response')}; {done} are scored already; {empty} have nothing to score "
        f"(--view {options.view})",
        f"{counted(len(missing), 'text')} to score, about {sum(tokens):,} tokens (estimated from the texts)",
    ]
    if plan.recipe.has_steps and missing:
        n_steps = sum(len(split_steps(job.text, plan.recipe.steps)) for job in missing)
        lines.append(f"{n_steps:,} steps, {n_steps / len(missing):.1f} a text; a reward is their {options.aggregate}")
    if too_long := sum(n > plan.context for n in tokens):
        lines.append(f"about {too_long} texts are longer than the context of {plan.context:,} tokens and would be cut")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
