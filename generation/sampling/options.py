"""What `generation.sample` is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError
from generation.benchmarks import BENCHMARKS, load_benchmark
from generation.engines.options import EngineOptions, check_at_least_one
from generation.problems import Problem, read_problems


@dataclass(frozen=True, kw_only=True)
class ProblemOptions:
    """What responses are sampled for, and how it is asked.

    Attributes:
        problems: A `.jsonl` or `.csv` file, the name of a benchmark, or problems.
        data_dir: Read benchmarks from `data_dir/<owner>/<dataset>` in place of the hub.
        limit: Only the first so many problems.
        prompt_formats: Other wordings of the question, by name or file, each for its kind of problem.
    """

    problems: str | Path | Sequence[Problem]
    data_dir: Path | None = None
    limit: int | None = None
    prompt_formats: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            InputError: a number is below 1.
        """
        check_at_least_one(self, "limit")

    def load_problems(self) -> tuple[Problem, ...]:
        """The problems that the options name.

        Raises:
            InputError: there is neither such a file nor such a benchmark, or its content is wrong.
        """
        if not isinstance(self.problems, (str, Path)):
            return tuple(self.problems)[: self.limit]
        if self.problems in BENCHMARKS:
            problems = load_benchmark(str(self.problems), data_dir=self.data_dir)
        elif not Path(self.problems).exists():
            raise InputError(
                f"{self.problems}: neither a file nor a benchmark (benchmarks: {', '.join(sorted(BENCHMARKS))})"
            )
        else:
            problems = read_problems(Path(self.problems))
        return problems[: self.limit]


@dataclass(frozen=True, kw_only=True, repr=False)
class SampleOptions(ProblemOptions, EngineOptions):
    """Which responses are sampled, from which model, into which file.

    Attributes:
        strategies: Names of presets and variants of them, as on the command line: one text with commas, or several.
        strategies_file: A TOML file with presets of your own.
        n: Responses a problem and strategy; a greedy strategy takes one.
        seed: Makes the run repeat; None takes that of the run that is resumed, or a fresh one.
        max_tokens: The longest response; None for the model's context.
        out: The responses file; a run into one that exists samples what it lacks.
        concurrency: Requests in flight at once.
        repeatable: Start requests in fixed rounds of `concurrency`, so that a rerun repeats to the bit on the same
            machine (vLLM in this process, one data-parallel rank; slower where lengths differ).
    """

    strategies: str | Sequence[str] = ("token-normal",)
    strategies_file: Path | None = None
    n: int = 32
    seed: int | None = None
    max_tokens: int | None = None
    out: Path = Path("responses.jsonl")
    concurrency: int = 256
    repeatable: bool = False

    def __post_init__(self) -> None:
        """Check what can be checked without reading a file, and take one text of strategies for a list of one.

        Raises:
            InputError: a number is below 1, or `repeatable` stands beside what cannot repeat.
        """
        ProblemOptions.__post_init__(self)
        EngineOptions.__post_init__(self)
        check_at_least_one(self, "n", "max_tokens", "concurrency")
        object.__setattr__(self, "out", Path(self.out))
        if isinstance(self.strategies, str):
            object.__setattr__(self, "strategies", (self.strategies,))
        if self.repeatable and (self.base_urls or (self.engine_args.get("data_parallel_size") or 1) > 1):
            raise InputError("--repeatable needs one engine in this process: no --base-url and no --data-parallel-size")

    def __repr__(self) -> str:
        """The call that makes these options, without what is left at its default."""
        chosen = [
            f"{field.name}={value!r}"
            for field in fields(self)
            if (value := getattr(self, field.name)) != _default(field)
        ]
        return f"SampleOptions({', '.join(chosen)})"


def _default(field: Field[Any]) -> object:
    return field.default_factory() if field.default_factory is not MISSING else field.default
