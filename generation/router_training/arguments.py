"""The command line of `generation.router_update`: from words to one `UpdateOptions`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from diversity_judge.command_line import CommandParser
from generation.moe_models.placing import DEVICES, DTYPES
from generation.router_training.options import Control, Objective, StopBy, UpdateOptions

_EPILOG = """\
The learning rate, the objective and the rest are choices of this project: the paper does not give its own.
A killed run leaves nothing under --out; the same command starts again.

exit codes: 0 done; 1 the run itself failed; 2 bad usage or input; 130 interrupted.
"""


def parse_arguments(argv: Sequence[str] | None = None) -> UpdateOptions:
    """Read the command line (None: of this process).

    Raises:
        InputError: the options cannot be meant.
        SystemExit: usage errors (exit code 2) and --help.
    """
    values = vars(parser().parse_args(argv))
    values["objective"] = Objective(values["objective"])
    values["control"] = Control(values["control"])
    values["stop_by"] = StopBy(values["stop_by"])
    values["prompt_formats"] = tuple(values["prompt_formats"])
    return UpdateOptions(**values)


def parser() -> argparse.ArgumentParser:
    """The options and their help, which need nothing heavy to be imported."""
    found = CommandParser(
        prog="python -m generation.router_update",
        description="Train the router of one layer, and nothing else, on responses that are known to be right, and "
        "write a checkpoint that vLLM and transformers load as any other.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = UpdateOptions("", Path(), Path())
    found.add_argument("model", metavar="MODEL", help="a folder with a checkpoint in safetensors, or a name on the hub")
    found.add_argument("responses", type=Path, metavar="RESPONSES", help="responses.jsonl, graded")
    found.add_argument("--out", type=Path, required=True, metavar="CHECKPOINT", help="the new checkpoint's folder")
    found.add_argument("--layer", type=_layer, metavar="last|L", help="whose router (default last)")
    found.add_argument(
        "--objective",
        choices=[objective.value for objective in Objective],
        default=default.objective.value,
        help="nll: the right tokens, through the weights of the chosen experts; best-route: the best of M drawn "
        "routes; advantage: drawn routes by how much better than their mean they are (default %(default)s)",
    )
    found.add_argument(
        "--control",
        choices=[control.value for control in Control],
        default=default.control.value,
        help="train something else to compare with: norm-scale: the final norm; output-scale: a factor for each "
        "row of each expert's output, as many as the router has; other-layer: the router of the middle layer; "
        "shuffled-targets: the router, on tokens of other places (default %(default)s)",
    )
    found.add_argument("--steps", type=int, default=default.steps, metavar="N", help="at most (default %(default)s)")
    found.add_argument("--lr", type=float, default=default.lr, metavar="X", help="of Adam (default %(default)s)")
    found.add_argument(
        "--batch-size", type=int, default=default.batch_size, metavar="N", help="responses a step (default %(default)s)"
    )
    found.add_argument(
        "--alternatives",
        type=int,
        default=default.alternatives,
        metavar="M",
        help="routes drawn a token and step (default %(default)s)",
    )
    found.add_argument(
        "--tau", type=float, default=default.tau, metavar="X", help="temperature of the draws (default %(default)s)"
    )
    found.add_argument(
        "--held-out",
        type=float,
        default=default.held_out,
        metavar="SHARE",
        help="of the problems, to decide when to stop (default %(default)s)",
    )
    found.add_argument(
        "--evaluate-every",
        type=int,
        default=default.evaluate_every,
        metavar="N",
        help="steps between two looks at the held-out problems (default %(default)s)",
    )
    found.add_argument(
        "--patience",
        type=int,
        default=default.patience,
        metavar="N",
        help="looks without a new best before training ends (default %(default)s)",
    )
    found.add_argument(
        "--stop-by",
        choices=[figure.value for figure in StopBy],
        default=default.stop_by.value,
        help="the held-out figure that decides: nll of the tokens under the router's own routes, or the objective's "
        "loss (default %(default)s)",
    )
    found.add_argument("--max-tokens", type=int, metavar="N", help="a budget of response tokens over the whole file")
    found.add_argument(
        "--prompt-format",
        action="append",
        default=[],
        dest="prompt_formats",
        metavar="NAME|FILE",
        help="a wording that responses were prompted with, where it is not shipped",
    )
    found.add_argument("--any-model", action="store_true", help="learn from responses of another model, too")
    found.add_argument(
        "--skip-mismatches", action="store_true", help="leave out what is not tokenised as it was sampled"
    )
    found.add_argument(
        "--dtype",
        choices=DTYPES,
        default=default.dtype,
        metavar="DTYPE",
        help=f"precision that the model runs in: {', '.join(DTYPES)} (default %(default)s)",
    )
    found.add_argument("--device", choices=DEVICES, default=default.device, help="default %(default)s")
    found.add_argument("--seed", type=int, default=default.seed, help="default %(default)s")
    return found


def _layer(text: str) -> int | None:
    if text == "last":
        return None
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is neither `last` nor the number of a layer")
    return int(text)
