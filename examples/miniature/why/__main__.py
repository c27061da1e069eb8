"""`python -m examples.miniature.why RUN`: why Expert-Sample gains where it does.

responses -> departures, gains -> routes at right tokens -> all layers at every decision -> why.csv, figures, sentences
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from diversity_judge.command import exit_code
from diversity_judge.countdown import read_problem
from diversity_judge.drawing.axes import save_figure
from diversity_judge.errors import InputError
from diversity_judge.inputs.reading import read_responses
from diversity_judge.inputs.responses import Group
from examples.miniature.why import checks, drawn_routes, flips, gains
from examples.miniature.why.decisions import decisions
from examples.miniature.why.departures import departures
from examples.miniature.why.figures import decisions_figure, departures_figure
from examples.miniature.why.findings import EXPERT, NORMAL, Finding, Findings, write
from examples.miniature.why.sentences import FOLDER, sentences
from generation.interrupts import signals_interrupt
from generation.strategies import load_presets, parse_strategies

ABOUT = "Say why Expert-Sample gains where it does, from a finished run of the miniature."
_SEED = 0
Groups = Mapping[str, Mapping[str, Group]]
"""Strategy to problem to its responses."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is explained.

    Attributes:
        run: A finished run of the miniature.
        responses: Its responses of the three strategies.
        model: That wrote them; None for the one that they name, and where they name none only departures are told.
        problems: Of which all decisions are computed.
        draws: Of routes, a decision and a token.
        tokens: Of right solutions whose routes are compared at the last layer.
        greedy: The name of the strategy that is the model's own way.
        normal: Of token sampling.
        expert: Of the same token sampling with Expert-Sample.
    """

    run: Path
    responses: Path
    model: Path | None = None
    problems: int = 200
    draws: int = 16
    tokens: int = 10_000
    greedy: str = "greedy"
    normal: str = NORMAL
    expert: str = EXPERT


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    console = Console()
    with signals_interrupt():
        return exit_code(
            lambda: explain(_options(argv), console), when_interrupted="interrupted; the same command begins anew"
        )


def explain(options: Options, console: Console) -> int:
    """Leave table, figures and sentences in the run's folder; returns 0.

    Raises:
        InputError: the responses are not there, or lack a strategy; or the model cannot be read.
    """
    groups = _by_strategy(options)
    findings = Findings([*_findings(options, groups, console)])
    folder = options.run / FOLDER
    write(folder, findings)
    save_figure(departures_figure(findings), folder / "departures.png")
    if findings.has("decisions"):
        save_figure(decisions_figure(findings), folder / "decisions.png")
    for sentence in sentences(findings):
        console.print(sentence.replace("**", ""), highlight=False, markup=False)
    console.print(f"{folder}: why.csv and figures", highlight=False, markup=False, soft_wrap=True)
    return 0


def _findings(options: Options, groups: Groups, console: Console) -> Iterator[Finding]:
    normal, expert = groups[options.normal], groups[options.expert]
    found = departures(groups[options.greedy], [normal, expert])
    if not found.problems:
        raise InputError(f"{options.responses}: no problem has responses of all three strategies")
    yield from gains.findings(found)
    model = options.model or _model_of(normal)
    if model is None:
        return
    folder = options.run / FOLDER / drawn_routes.FOLDER
    if found.n_right[:, 0, drawn_routes.MEASURED].any():
        drawn_routes.write_routes(
            folder, model, normal, max_tokens=options.tokens, draws=options.draws, console=console
        )
        yield from drawn_routes.findings(folder, found)
    yield from _of_decisions(options, groups, model, found.problems[: options.problems])


def _of_decisions(options: Options, groups: Groups, model: Path, problems: Sequence[str]) -> Iterator[Finding]:
    """All layers at once, at every decision of the model's own way."""
    from examples.miniature.why.forwards import drawn_logits, standard_logits
    from generation.moe_models.loading import load_model

    ways = [groups[options.greedy][name].responses[0] for name in problems]
    along = decisions((way.problem_id, read_problem(way.problem or ""), way.text) for way in ways)
    (strategy,) = parse_strategies([options.expert], load_presets())
    if strategy.expert_sample is None:
        raise InputError(f"--expert {options.expert} draws no experts")
    loaded = load_model(model, dtype="float32")
    standard = standard_logits(loaded, along)
    drawn = drawn_logits(loaded, along, strategy.expert_sample, draws=options.draws, seed=_SEED)
    arms = flips.arms(along.problems, along.live, standard, drawn, strategy.tokens)
    yield from flips.findings(arms)
    sampled = {NORMAL: groups[options.normal], EXPERT: groups[options.expert]}
    yield from checks.findings(arms, {way.problem_id: way.text for way in ways}, sampled)


def _by_strategy(options: Options) -> Groups:
    found: dict[str, dict[str, Group]] = {name: {} for name in (options.greedy, options.normal, options.expert)}
    for group in read_responses(options.responses).groups:
        if group.strategy in found:
            found[group.strategy][group.problem_id] = group
    lacking = [name for name, groups in found.items() if not groups]
    if lacking:
        raise InputError(f"{options.responses}: holds no response of {', '.join(lacking)}")
    return found


def _model_of(groups: Mapping[str, Group]) -> Path | None:
    name = next(iter(groups.values())).responses[0].model
    return None if name is None else Path(name)


def _options(argv: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m examples.miniature.why", description=ABOUT)
    parser.add_argument("run", type=Path, metavar="RUN", help="a finished run, such as results/miniature")
    parser.add_argument("--responses", type=Path, metavar="FILE", help="default RUN/main.jsonl")
    parser.add_argument("--model", type=Path, metavar="DIR", help="that wrote them (default: the one that they name)")
    parser.add_argument("--problems", type=int, default=200, metavar="N", help="whose decisions are computed "
                        "under drawn routes of all layers (default %(default)s)")  # fmt: skip
    parser.add_argument("--draws", type=int, default=16, metavar="M", help="of routes (default %(default)s)")
    parser.add_argument("--tokens", type=int, default=10_000, metavar="N", help="of right solutions whose routes are "
                        "compared at the last layer (default %(default)s)")  # fmt: skip
    parser.add_argument("--greedy", default="greedy", metavar="NAME", help="the model's own way (default %(default)s)")
    parser.add_argument("--normal", default=NORMAL, metavar="NAME", help="token sampling (default %(default)s)")
    parser.add_argument("--expert", default=EXPERT, metavar="NAME", help="with Expert-Sample (default %(default)s)")
    values = vars(parser.parse_args(argv))
    return Options(**values | {"responses": values["responses"] or values["run"] / "main.jsonl"})


if __name__ == "__main__":
    sys.exit(main())
