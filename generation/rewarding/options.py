"""What `generation.reward` is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diversity_judge.choices import View
from diversity_judge.errors import InputError
from diversity_judge.measures.step_rewards import AGGREGATES
from generation.engines.options import EngineOptions, check_at_least_one
from generation.rewarding.recipes import Recipe, load_recipes, recipe_for

DEFAULT_AGGREGATE = "min"
DEFAULT_VIEW: View = "final"


def default_out(responses: Path) -> Path:
    """Where the rewarded responses go: beside the others."""
    stem = responses.name.removesuffix(".jsonl").removesuffix(".rewarded")
    return responses.with_name(f"{stem}.rewarded.jsonl")


@dataclass(frozen=True, kw_only=True)
class RewardOptions(EngineOptions):
    """Which responses are scored, by which reward model, into which file.

    Attributes:
        responses: A responses.jsonl.
        out: The same responses with their rewards; None for a file beside them. A run into one that exists scores what
            it lacks.
        problems: A problems file, for responses that do not carry the text of their problem.
        recipe: How the model is shown a response, by its name; None finds it by the model's.
        recipes_file: A TOML file with recipes of your own.
        tokenizer: Whose tokenizer and chat template the model has; None for the model's own.
        aggregate: What of a response's steps is its reward: min, product, last or mean.
        view: What of a response is scored: all, its thinking, or what follows it.
        concurrency: Responses in flight at once.
    """

    responses: Path
    out: Path | None = None
    problems: Path | None = None
    recipe: str | None = None
    recipes_file: Path | None = None
    tokenizer: str | None = None
    aggregate: str = DEFAULT_AGGREGATE
    view: View = DEFAULT_VIEW
    concurrency: int = 256

    def __post_init__(self) -> None:
        """Check what can be checked without reading a file.

        Raises:
            InputError: a number is below 1, or there is no such aggregate.
        """
        super().__post_init__()
        check_at_least_one(self, "concurrency")
        object.__setattr__(self, "responses", Path(self.responses))
        object.__setattr__(self, "out", default_out(self.responses) if self.out is None else Path(self.out))
        if self.aggregate not in AGGREGATES:
            raise InputError(f"--aggregate {self.aggregate!r}: one of {', '.join(AGGREGATES)}")

    @property
    def target(self) -> Path:
        """The file that is written."""
        assert self.out is not None
        return self.out

    def load_recipe(self) -> Recipe:
        """The model's recipe.

        Raises:
            InputError: there is none, or the file of recipes is wrong.
        """
        return recipe_for(str(self.model), self.recipe, load_recipes(self.recipes_file))
