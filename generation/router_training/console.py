"""What a person reads of an update: how the held-out problems fare, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console

from diversity_judge.display import counted
from diversity_judge.measures.intervals import Estimate
from generation.router_training.card import what_was_trained
from generation.router_training.result import UpdateResult
from generation.router_training.training import Look
from generation.router_training.update import Reporter


class ConsoleReporter(Reporter):
    """Prints as it goes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def on_read(self, sentences: Iterable[str]) -> None:
        """See `Reporter`."""
        for sentence in sentences:
            _say(self._console, sentence)

    def on_look(self, look: Look) -> None:
        """See `Reporter`."""
        own = "" if look.loss is None else f", loss {look.loss:.4f}"
        _say(self._console, f"step {look.step}: held-out nll {look.nll:.4f}{own}")


def print_result(console: Console, result: UpdateResult) -> None:
    """What was trained, what it did, and where it is."""
    learned, best = result.training, result.best
    _say(
        console,
        f"trained: {what_was_trained(result)} ({counted(result.n_parameters, 'number')}), on "
        f"{counted(learned.responses, 'right response')} to {counted(learned.problems, 'problem')} "
        f"({counted(learned.tokens, 'token')}), in {result.seconds:.0f} s",
    )
    _say(
        console,
        f"held-out nll a token: {_shown(result.held_out.before)} before, {_shown(result.held_out.after)} after, change "
        f"{_shown(result.held_out.change)}, over {counted(result.stopping.problems, 'problem')}",
    )
    if best.step == 0:
        _say(console, "no step made the held-out problems likelier: the new checkpoint equals the old one")
    else:
        _say(
            console,
            f"kept: step {best.step} of {result.looks[-1].step}; norm of the change {result.changed:.3g} "
            f"(of the tensors {result.size:.3g})",
        )
    _say(console, str(result.options.out))


def _shown(estimate: Estimate) -> str:
    return (
        f"{estimate.value:.4f}"
        if estimate.reason
        else f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"
    )


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
