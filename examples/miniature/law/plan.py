"""The grid: which routers solve which tasks, and how their tokens and experts are drawn.

A cell is a temperature with a setting of Expert-Sample, or with none. The cells of a router on a task are a part: they
are sampled by one start of the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from examples.miniature.problems import TARGETS
from examples.miniature.shape import SHAPE
from examples.miniature.tokens import solution_length
from generation.strategies import Strategy, load_presets, parse_strategies

ALONE = ""
"""The setting of token sampling without Expert-Sample."""
DEFAULT = "default"
"""The setting of Expert-Sample as the paper has it."""
GREEDY, TOKENS, EXPERTS = "greedy", "token-normal", "expert-sample"
"""The presets that strategies are made of."""

PEAKED, MIDDLE, FLAT = "peaked", "middle", "flat"
SHIPPED_AS_IT_IS = "miniature"
"""The model of `make miniature`: of another training than the three routers, so it belongs to no law."""


REWARDED_NUMBERS = 4
"""Numbers of the problems that the learned reward model was trained for."""


@dataclass(frozen=True)
class Task:
    """Countdown with so many numbers.

    Attributes:
        name: What it is called.
        n_numbers: Numbers of a problem; a solution has one step less.
        targets: What a problem's target may be.
    """

    name: str
    n_numbers: int
    targets: range = TARGETS

    @property
    def max_tokens(self) -> int:
        """A token more than any right solution has, with its end."""
        return solution_length(self.n_numbers) + 1

    @property
    def rewarded(self) -> bool:
        """Whether the learned reward model knows such problems; for others it would only guess."""
        return self.n_numbers == REWARDED_NUMBERS


_NEARER = range(10, 50)
"""Targets that more random paths of many numbers lead to. With all of `TARGETS` the flat model solves 29 % of the
problems of seven numbers by its most likely tokens, with these 33 %. Chosen for that, before anything was sampled."""

TASKS = {task.name: task for task in (Task("four", 4), Task("seven", 7, _NEARER), Task("eight", 8, _NEARER))}


@dataclass(frozen=True)
class Cell:
    """How tokens and experts are drawn; a temperature of 0 is greedy."""

    temperature: float
    setting: str = ALONE

    @property
    def name(self) -> str:
        """The strategy's name, as `generation.sample` takes it; it always says the temperature."""
        if self.temperature == 0:
            return GREEDY
        preset = TOKENS if self.setting == ALONE else EXPERTS
        further = "" if self.setting in (ALONE, DEFAULT) else f",{self.setting}"
        return f"{preset}:temperature={self.temperature:g}{further}"

    @classmethod
    def of(cls, name: str) -> Cell:
        """The cell of a name that a cell gave."""
        preset, _, settings = name.partition(":temperature=")
        if not settings:
            return cls(0.0)
        temperature, _, further = settings.partition(",")
        return cls(float(temperature), ALONE if preset == TOKENS else further or DEFAULT)

    @property
    def strategy(self) -> Strategy:
        """All settings of this way to sample.

        Raises:
            InputError: the setting is none of Expert-Sample.
        """
        return _strategy(self.name)


def experts_drawn(setting: str) -> int:
    """How many of a token's experts are drawn under a setting of Expert-Sample; 0 for the tokens alone.

    Raises:
        InputError: it is no setting of Expert-Sample.
    """
    settings = Cell(1.0, setting).strategy.expert_sample
    if settings is None:
        return 0
    k, n_experts = SHAPE["num_experts_per_tok"], SHAPE["num_experts"]
    return int(k - settings.resolve(k, n_experts).k_keep)


@cache
def _strategy(name: str) -> Strategy:
    return parse_strategies([name], load_presets())[0]


@dataclass(frozen=True)
class Design:
    """What is sampled of some routers on one task.

    Attributes:
        task: Its name.
        routers: Their names.
        problems: Held-out problems.
        temperatures: Of the token sampling.
        settings: Of Expert-Sample at every temperature.
        further: Settings at the lowest temperatures alone, where Expert-Sample changes most.
        n_further: How many temperatures these are.
    """

    task: str
    routers: tuple[str, ...]
    problems: int
    temperatures: tuple[float, ...]
    settings: tuple[str, ...] = (DEFAULT,)
    further: tuple[str, ...] = ()
    n_further: int = 2

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Greedy, then by temperature, each cell once."""
        found = [Cell(0.0)]
        for place, temperature in enumerate(sorted(self.temperatures)):
            further = self.further if place < self.n_further else ()
            found += [Cell(temperature, setting) for setting in (ALONE, *self.settings, *further)]
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Part:
    """The cells of one router on one task.

    Attributes:
        router: The model's name.
        task: What it solves.
        cells: How.
        problems: Held-out problems.
        n: Responses a problem and cell; greedy has one.
    """

    router: str
    task: Task
    cells: tuple[Cell, ...]
    problems: int
    n: int

    @property
    def name(self) -> str:
        """As `--only` names it."""
        return f"{self.router}/{self.task.name}"

    def n_of(self, cell: Cell) -> int:
        """Responses a problem of one cell."""
        return 1 if cell.strategy.is_greedy else self.n

    @property
    def n_responses(self) -> int:
        """All responses of the part."""
        return self.problems * sum(map(self.n_of, self.cells))


@dataclass(frozen=True)
class Size:
    """How large the grid is.

    Attributes:
        n: Responses a problem and cell.
        designs: Of each router on each task, one.
        watched: Problems, and responses of each, on which a model's two numbers are measured.
    """

    n: int
    designs: tuple[Design, ...] = ()
    watched: tuple[int, int] = (100, 4)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Task by task."""
        return tuple(
            Part(router, TASKS[design.task], design.cells, design.problems, self.n)
            for design in self.designs
            for router in design.routers
        )

    def with_temperatures(self, temperatures: Sequence[float]) -> Size:
        """The same with other temperatures on every task."""
        return self._each(lambda design: replace(design, temperatures=tuple(temperatures)))

    def with_problems(self, problems: int) -> Size:
        """The same with another number of problems on every task."""
        return self._each(lambda design: replace(design, problems=problems))

    def _each(self, change: Callable[[Design], Design]) -> Size:
        return replace(self, designs=tuple(map(change, self.designs)))


_FURTHER = ("k_keep=7", "k_keep=2", "tau=0.25", "r=64")
_TEMPERATURES = (0.35, 0.7, 1.0, 1.4, 2.0)
FULL = Size(
    32,
    (
        Design("four", (FLAT, MIDDLE, PEAKED), 1000, _TEMPERATURES, further=_FURTHER),
        Design("seven", (FLAT, PEAKED), 600, (0.2, 0.35, 0.7, 1.4), further=("k_keep=7", "k_keep=2")),
        Design("eight", (FLAT, PEAKED), 150, (0.35, 0.7, 1.4)),
    ),
)
QUICK = Size(8, (Design("four", (SHIPPED_AS_IT_IS, FLAT), 4, (0.2, 0.7), further=("k_keep=2",)),), watched=(4, 2))
"""On shipped models alone, so that nothing is trained."""
