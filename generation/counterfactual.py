"""`python -m generation.counterfactual MODEL responses.jsonl --out DIR`: were the experts well chosen?

model -> responses as tokens -> routes of every token compared -> tokens.parquet -> tables, figures and a page
"""

from __future__ import annotations

if __name__ == "__main__":  # Before the imports: they take a second, in which Ctrl-C may come.
    from diversity_judge.command_process import run_as_process

    run_as_process("generation.counterfactual")

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from diversity_judge import __version__
from diversity_judge.command import exit_code
from generation.interrupts import signals_interrupt
from generation.routing_study.arguments import parse_arguments
from generation.routing_study.console import replays_progress, say, say_what_is_read, tokens_progress
from generation.routing_study.options import CounterfactualOptions
from generation.routing_study.trajectories import Trajectories, read_trajectories

OURS = {
    "alternatives, temperature, scheme": "the paper does not say how many routes are drawn, or how",
    "utility": "log-probability of the realized token, one token's route changed at a time",
    "second set and placebo": "ours: classes of tokens that share nothing with the routes compared",
}
"""What is our choice, and not the paper's (arXiv 2605.07260)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the contract."""
    with signals_interrupt():
        console = Console(stderr=True)
        return exit_code(
            lambda: _run(parse_arguments(argv), console),
            when_interrupted="interrupted; the same command goes on from the parts that are finished",
        )


def _run(options: CounterfactualOptions, console: Console) -> int:
    counterfactual(options, console)
    return 0


def counterfactual(options: CounterfactualOptions, console: Console | None = None) -> Path:
    """Compare the routes of responses' tokens with others of equal cost.

    Args:
        options: Which model, responses and routes.
        console: Where progress is said; None for nowhere.

    Returns:
        The folder: `tokens.parquet` and what is made of it.

    Raises:
        InputError: the model, the responses or an option is wrong, or the folder holds another analysis.
        RunError: the disk refuses. Parts that are finished are kept.
    """
    from generation.moe_models.loading import load_model
    from generation.route_report.analysis import write_analysis
    from generation.route_report.console import print_summary
    from generation.route_report.replay_table import print_replays
    from generation.route_report.replaying import problem_texts, write_replays
    from generation.routing_study.analysing import Analysis, analyse
    from generation.routing_study.parts import PartFolder

    console, read_from = console or Console(quiet=True), options.trajectories.responses
    loaded = load_model(options.model, device=options.device, dtype=options.dtype)
    trajectories = read_trajectories(options.trajectories, loaded.tokenizer, model=str(options.model))
    analysis = Analysis(loaded, options)
    say_what_is_read(console, trajectories)
    folder = PartFolder(options.out, instrument(options, trajectories, loaded))
    with folder.opened():
        if not folder.finished():
            about = {"version": __version__, "model": str(options.model), "ours": OURS, **counts(trajectories)}
            with tokens_progress(console, trajectories.n_tokens) as on_tokens:
                analyse(analysis, trajectories, folder, about, on_tokens)
        found = write_analysis(options.out, boundaries=options.boundaries, problems=problem_texts(read_from))
        print_summary(console, found.found)
        if options.replay:
            with replays_progress(console, options.replay * len(analysis.layers)) as on_token:
                replays = write_replays(
                    options.out, loaded, trajectories.items, read_from, n=options.replay,
                    boundaries=options.boundaries, seed=options.seed, report=on_token,
                )  # fmt: skip
            print_replays(console, replays)
    say(console, f"{folder.tokens}: {trajectories.n_tokens:,} tokens x {len(analysis.layers)} layers")
    return options.out


def instrument(options: CounterfactualOptions, trajectories: Trajectories, loaded: Any) -> dict[str, Any]:
    """What the rows depend on: two folders can be compared where it is the same."""
    read = options.trajectories
    return {
        "config_sha256": loaded.config_sha256,
        "router_sha256": loaded.router_sha256,
        "dtype": str(loaded.model.dtype).removeprefix("torch."),
        "responses_sha256": trajectories.sha256,
        "n_tokens": trajectories.n_tokens,
        "layer": options.layer,
        "scheme": options.scheme,
        "alternatives": options.alternatives,
        "tau": options.tau,
        "k_keep": options.k_keep,
        "r": options.r,
        "seed": options.seed,
        "correct_only": read.correct_only,
        "max_tokens": read.max_tokens,
        "any_model": read.any_model,
        "skip_mismatches": read.skip_mismatches,
        "chat_template": read.chat_template,
        "chat_template_kwargs": None if read.chat_template_kwargs is None else dict(read.chat_template_kwargs),
    }


def counts(trajectories: Trajectories) -> dict[str, int]:
    """What was read and what was left out, for `run.json`."""
    names = ("n_responses", "n_not_right", "n_mismatched", "n_over_budget", "n_cut", "n_tokens_cut")
    return {name: getattr(trajectories, name) for name in names}
