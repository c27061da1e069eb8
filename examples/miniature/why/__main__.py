"""`python -m examples.miniature.why RUN`: why Expert-Sample gains where it does.

responses -> departures from the greedy solution -> what problems gain by them -> why.csv, figures, sentences
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from diversity_judge.command import exit_code
from diversity_judge.drawing.axes import save_figure
from diversity_judge.errors import InputError
from diversity_judge.inputs.reading import read_responses
from diversity_judge.inputs.responses import Group
from examples.miniature.why import gains
from examples.miniature.why.departures import departures
from examples.miniature.why.figures import departures_figure
from examples.miniature.why.findings import EXPERT, NORMAL, Findings, write
from examples.miniature.why.sentences import FOLDER, sentences

ABOUT = "Say why Expert-Sample gains where it does, from a finished run of the miniature."


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is explained.

    Attributes:
        run: A finished run of the miniature.
        responses: Its responses of the three strategies.
        greedy: The name of the strategy that is the model's own way.
        normal: Of token sampling.
        expert: Of the same token sampling with Expert-Sample.
    """

    run: Path
    responses: Path
    greedy: str = "greedy"
    normal: str = NORMAL
    expert: str = EXPERT


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options, console = _options(argv), Console()
    return exit_code(lambda: explain(options, console), when_interrupted="interrupted; the same command begins anew")


def explain(options: Options, console: Console) -> int:
    """Leave table, figures and sentences in the run's folder; returns 0.

    Raises:
        InputError: the responses are not there, or lack a strategy.
    """
    groups = _by_strategy(options)
    folder = options.run / FOLDER
    found = departures(groups[options.greedy], [groups[options.normal], groups[options.expert]])
    if not found.problems:
        raise InputError(f"{options.responses}: no problem has responses of all three strategies")
    findings = Findings([*gains.findings(found)])
    write(folder, findings)
    save_figure(departures_figure(findings), folder / "departures.png")
    for sentence in sentences(findings):
        console.print(sentence.replace("**", ""), highlight=False, markup=False)
    console.print(f"{folder}: why.csv and figures", highlight=False, markup=False, soft_wrap=True)
    return 0


def _by_strategy(options: Options) -> Mapping[str, Mapping[str, Group]]:
    """Strategy to problem to group."""
    found: dict[str, dict[str, Group]] = {name: {} for name in (options.greedy, options.normal, options.expert)}
    for group in read_responses(options.responses).groups:
        if group.strategy in found:
            found[group.strategy][group.problem_id] = group
    lacking = [name for name, groups in found.items() if not groups]
    if lacking:
        raise InputError(f"{options.responses}: holds no response of {', '.join(lacking)}")
    return found


def _options(argv: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m examples.miniature.why", description=ABOUT)
    parser.add_argument("run", type=Path, metavar="RUN", help="a finished run, such as results/miniature")
    parser.add_argument("--responses", type=Path, metavar="FILE", help="default RUN/main.jsonl")
    parser.add_argument("--greedy", default="greedy", metavar="NAME", help="the model's own way (default %(default)s)")
    parser.add_argument("--normal", default=NORMAL, metavar="NAME", help="token sampling (default %(default)s)")
    parser.add_argument("--expert", default=EXPERT, metavar="NAME", help="with Expert-Sample (default %(default)s)")
    args = parser.parse_args(argv)
    responses = args.responses or args.run / "main.jsonl"
    return Options(run=args.run, responses=responses, greedy=args.greedy, normal=args.normal, expert=args.expert)


if __name__ == "__main__":
    sys.exit(main())
