"""`python -m examples.miniature.law`: when does Expert-Sample help? The grid beyond `make miniature`, and its law.

    plan -> each part (model -> sample -> measure -> the model's two numbers) -> tables of all parts -> law

Killed at any time, the same command goes on and samples nothing twice.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from diversity_judge.command import exit_code, output_console
from diversity_judge.errors import RunError
from examples.miniature.law import models
from examples.miniature.law.arguments import Options, parse
from examples.miniature.law.console import print_plan, print_summary
from examples.miniature.law.learned_choice import Learned, learned_rewards
from examples.miniature.law.part_folder import PARTS, RECORD, PartFolder, check_together, lacks_learned
from examples.miniature.law.plan import Part
from examples.miniature.law.report import write_law
from examples.miniature.law.sampling import options as sample_options
from examples.miniature.law.tables import LEARNED, put_together
from examples.miniature.processors import cores
from examples.miniature.run import ENVIRONMENT, SEED
from generation.interrupts import signals_interrupt
from generation.response_file import has_waiting
from generation.sample import run as run_sampling
from generation.sampling.options import SampleOptions

Sampler = Callable[[SampleOptions], int]
_MOST_REPLICAS = 8


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns an exit code."""
    asked = parse(argv)
    os.environ.update(ENVIRONMENT | os.environ)
    grid = Grid(asked, output_console(quiet=False, plain_width=80), run_sampling)
    with signals_interrupt():
        return exit_code(grid.everything, when_interrupted="interrupted; the same command continues")


class Grid:
    """The parts of one folder, one after the other."""

    def __init__(self, asked: Options, console: Console, sampler: Sampler, learned: Learned = learned_rewards) -> None:
        self._asked, self._console, self._sampler, self._learned = asked, console, sampler, learned
        self._replicas = min(cores(), _MOST_REPLICAS)
        self._began = time.monotonic()

    def everything(self) -> int:
        """All parts, then what is made of all of them; returns an exit code."""
        print_plan(self._console, self._asked, self._replicas)
        code = self.sample_and_measure()
        if code:
            return code
        self._watch()
        print_summary(self._console, self._asked.out, (time.monotonic() - self._began) / 60)
        write_law(self._asked.out, self._console)
        return 0

    def sample_and_measure(self) -> int:
        """The responses and outcomes of all parts that are asked for; returns an exit code.

        Raises:
            InputError: a part, or a model, is of another experiment than what the folder holds.
            RunError: a model's training failed, or responses are missing.
        """
        for part in self._asked.parts:
            folder = self._begin(part)
            code = self._sample(folder)
            if code:
                return code
            if not folder.is_measured():
                again = f" again, from its responses: its outcomes lack {LEARNED}" if folder.has_outcomes() else ""
                self._say(f"{part.name}: measuring{again}")
                folder.measure(self._learned)
        self._put_together()
        self._say_what_is_old()
        return 0

    def _watch(self) -> None:
        """What could have been known of each cell before it was sampled."""
        from examples.miniature.law import model_numbers

        for part in self._asked.parts:
            folder = self._begin(part)
            if not model_numbers.are_there(folder):
                self._say(f"{part.name}: entropy of the next token, and weight on new experts")
                model_numbers.write(folder, self._asked.size.watched)
        self._put_together()

    def _begin(self, part: Part) -> PartFolder:
        """The part's folder, with a model that is there."""
        model = models.find_or_make(part.router, self._asked.routers, self._say)
        folder = PartFolder(self._asked.out, part, model)
        folder.begin(SEED)
        return folder

    def _sample(self, folder: PartFolder) -> int:
        """What the cells of a part lack; 0, or the code of what went wrong."""
        part, cells = folder.part, folder.unfinished()
        if not cells and not has_waiting(folder.responses):
            self._say(f"{part.name}: {part.n_responses:,} responses are there")
            return 0
        self._say(f"{part.name}: {len(cells)} of {len(part.cells)} cells to sample")
        code = self._sampler(sample_options(folder, cells or part.cells, self._replicas))
        if not code and folder.unfinished():
            raise RunError(f"{folder.responses}: responses are missing though the sampling ended well")
        return code

    def _put_together(self) -> None:
        """The tables of all parts of the folder, whoever made them."""
        parts = self._all_parts()
        check_together(parts)
        put_together(self._asked.out, parts)

    def _all_parts(self) -> list[Path]:
        return sorted(path.parent for path in (self._asked.out / PARTS).glob(f"*/*/{RECORD}"))

    def _say_what_is_old(self) -> None:
        """Parts that were not asked for and cannot be in all metrics as they are."""
        for part in filter(lacks_learned, self._all_parts()):
            name = f"{part.parent.name}/{part.name}"
            self._say(f"{name}: its outcomes lack {LEARNED}; asked for, it is measured again from its responses")

    def _say(self, text: str) -> None:
        minutes = (time.monotonic() - self._began) / 60
        self._console.print(f"[{minutes:5.1f} min] {text}", style="bold cyan", markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
