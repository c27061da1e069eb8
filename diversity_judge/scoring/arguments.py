"""The command line of `score`: from words to one `ScoreOptions`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from diversity_judge import __version__
from diversity_judge.engine.options import PREFIX_LEAD_S, EngineOptions
from diversity_judge.errors import InputError
from diversity_judge.inputs.formats import FORMATS
from diversity_judge.inputs.views import VIEWS
from diversity_judge.judges.presets import DEFAULT_JUDGE, JudgeSpec, adjust, find_judge
from diversity_judge.planning.groups import Showing
from diversity_judge.planning.pairs import MOST_PAIRS, PairDesign
from diversity_judge.planning.prompting import DEFAULT_PROMPT
from diversity_judge.scoring.options import ScoreOptions

_EPILOG = """\
exit codes: 0 all wanted pairs scored; 1 the run failed; 2 bad usage or input, nothing was sent;
3 ended with pairs missing; 130 interrupted. To resume, run the same command again.
"""


_USUAL_KEY = "OPENAI_API_KEY"
_USUAL_REPLY = 3000
"""Tokens of a reasoning judge's reply, for the estimate only."""


def parse_arguments(argv: Sequence[str] | None = None) -> ScoreOptions:
    """Read the command line (None: of this process).

    Raises:
        InputError: the options cannot be meant.
        SystemExit: usage errors (exit code 2) and --help.
    """
    values = _parser().parse_args(argv)
    judge = _judge(values)
    return ScoreOptions(
        inputs=values.responses,
        judge=judge,
        prompt=DEFAULT_PROMPT if values.prompt is None else values.prompt,
        design=PairDesign(values.orders, values.pairs_per_group, values.draws, values.seed),
        showing=Showing(values.view, values.truncate_tokens, values.judge_duplicates),
        engine=_engine(values, judge),
        out=values.out,
        ledger=values.ledger,
        input_format=values.format,
        offline=values.offline,
        dry_run=values.dry_run,
        overwrite=values.overwrite,
        all_pairs=values.all_pairs,
        heatmaps=values.heatmaps,
        quiet=values.quiet,
    )


def _engine(values: argparse.Namespace, judge: JudgeSpec) -> EngineOptions:
    options = EngineOptions(
        concurrency=values.concurrency,
        deadline_s=values.deadline,
        max_attempts=values.max_attempts,
        retry_wait_s=values.retry_wait,
        max_calls=values.max_calls,
        max_cost_usd=values.max_cost,
        prefix_lead_s=PREFIX_LEAD_S,
    )
    # No cache to warm, and the same texts get the same reply however often they are shown.
    return replace(options, prefix_lead_s=0.0, max_unusable=1) if judge.is_embedded else options


def _judge(values: argparse.Namespace) -> JudgeSpec:
    parameters: dict[str, Any] = dict(values.param)
    spec = _named_judge(values)
    if spec.is_embedded:
        _refuse_what_only_an_llm_takes(spec, values)
    if values.max_tokens is not None:
        parameters[spec.limit_parameter] = values.max_tokens
    spec = adjust(
        spec,
        base_url=values.base_url if values.judge else None,
        model=values.model if values.judge or not values.base_url else None,
        api_key_env=values.api_key_env,
        parameters=parameters,
    )
    if values.max_cost is not None and spec.prices is None:
        raise InputError(
            f"--max-cost needs prices, and there are none for {spec.label}: put a preset with prices into a "
            "--judges-file, or limit the run with --max-calls"
        )
    return spec


def _refuse_what_only_an_llm_takes(spec: JudgeSpec, values: argparse.Namespace) -> None:
    given = {
        "--base-url": values.base_url,
        "--model": values.model,
        "--api-key-env": values.api_key_env,
        "--max-tokens": values.max_tokens,
        "--param": values.param,
        "--prompt": values.prompt,
    }
    refused = [option for option, value in given.items() if value]
    if refused:
        raise InputError(f"--judge {spec.name} takes no {', '.join(refused)}: it asks no LLM")


def _named_judge(values: argparse.Namespace) -> JudgeSpec:
    """The preset, or, with an endpoint and no preset, a judge that is all the user's own."""
    if values.judge is not None or values.base_url is None:
        return find_judge(values.judge or DEFAULT_JUDGE, values.judges_file)
    if values.model is None:
        raise InputError("--base-url without --judge needs --model: which model is to be asked there?")
    return JudgeSpec(
        "custom", values.model, base_url=values.base_url, api_key_env=_USUAL_KEY, typical_output_tokens=_USUAL_REPLY
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m diversity_judge.score",
        description="Process diversity: an LLM judge scores the similarity of the reasoning of each pair of responses.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("responses", nargs="+", type=Path, help="files of responses (JSON lines, see the README)")
    parser.add_argument("--version", action="version", version=__version__)
    _add_input(parser.add_argument_group("what is compared"))
    _add_judge(parser.add_argument_group("the judge"))
    _add_budget(parser.add_argument_group("cost and speed"))
    _add_output(parser.add_argument_group("outputs"))
    return parser


def _add_input(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--format", default="auto", choices=("auto", *FORMATS), help="of the input (default: detected)")
    group.add_argument(
        "--view", default="full", choices=VIEWS, help="what the judge sees of a response (default: full)"
    )
    group.add_argument("--truncate-tokens", type=int, metavar="N", help="keep head and tail of texts longer than this")
    group.add_argument(
        "--orders",
        default="one",
        choices=("one", "both"),
        help="judge each pair once, or in both orders (default: one)",
    )
    group.add_argument("--pairs-per-group", type=int, metavar="M", help="a balanced choice of M pairs (default: all)")
    group.add_argument(
        "--all-pairs", action="store_true", help=f"judge all pairs of a group also where they are over {MOST_PAIRS:,}"
    )
    group.add_argument("--draws", type=int, default=1, metavar="K", help="repeated judgments of each pair (default: 1)")
    group.add_argument("--seed", type=int, default=0, help="of the choice of pairs (default: 0)")
    group.add_argument(
        "--judge-duplicates", action="store_true", help="ask about identical texts too (else: 5, no call)"
    )


def _add_judge(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--judge", metavar="PRESET", help=f"default: {DEFAULT_JUDGE}")
    group.add_argument("--judges-file", type=Path, metavar="TOML", help="presets of your own")
    group.add_argument("--base-url", metavar="URL", help="another OpenAI-compatible endpoint")
    group.add_argument("--model", help="another model")
    group.add_argument("--api-key-env", metavar="NAME", help="environment variable that holds the key")
    group.add_argument("--max-tokens", type=int, metavar="N", help="limit of a reply, reasoning included")
    group.add_argument(
        "--param",
        action="append",
        default=[],
        type=_parameter,
        metavar="NAME=JSON",
        help="a request parameter (repeatable)",
    )
    group.add_argument("--prompt", metavar="NAME|FILE", help=f"default: {DEFAULT_PROMPT}")


def _add_budget(group: argparse._ArgumentGroup) -> None:
    defaults = EngineOptions()
    group.add_argument("--dry-run", action="store_true", help="show pairs, calls, tokens and cost; send nothing")
    group.add_argument("--max-calls", type=int, metavar="N", help="stop cleanly after N calls")
    group.add_argument("--max-cost", type=float, metavar="USD", help="stop cleanly at this cost")
    group.add_argument(
        "--concurrency", type=int, default=defaults.concurrency, metavar="N", help="default: %(default)s"
    )
    group.add_argument(
        "--deadline",
        type=float,
        default=defaults.deadline_s,
        metavar="S",
        help="total time of a call (default: %(default)g s)",
    )
    group.add_argument(
        "--max-attempts", type=int, default=defaults.max_attempts, metavar="N", help="default: %(default)s"
    )
    group.add_argument(
        "--retry-wait",
        type=float,
        default=defaults.retry_wait_s,
        metavar="S",
        help="first wait before asking again (default: %(default)g s)",
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--out", type=Path, metavar="DIR", help="run folder (default: results/<input stem>)")
    group.add_argument(
        "--ledger",
        type=Path,
        metavar="FILE",
        help="a ledger to share between runs (default: in the run folder)",
    )
    group.add_argument("--offline", action="store_true", help="rebuild every output from the ledger, without a call")
    group.add_argument(
        "--overwrite", action="store_true", help="replace the tables of a run with another judge or prompt"
    )
    group.add_argument("--no-heatmaps", dest="heatmaps", action="store_false", help="draw no pictures")
    group.add_argument("--quiet", action="store_true", help="print errors only")


def _parameter(text: str) -> tuple[str, Any]:
    """`name=value`; the value is JSON, or text where it is none. `name=null` takes a preset's parameter away."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=JSON")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
