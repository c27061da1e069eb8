"""How each reward model is shown a response, and what its numbers mean: data, in `rewards.toml` and files like it."""

from __future__ import annotations

import fnmatch
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from diversity_judge.errors import InputError
from diversity_judge.files import TOMLError, read_bounded, read_toml

RECIPES_FILE = Path(__file__).parents[1] / "rewards.toml"

Kind = Literal["marked", "dialogue", "whole"]

_NOT_IN_THE_DIGEST = ("name", "about", "models", "architectures", "context", "checked")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One section of `rewards.toml`, which says what each of them is.

    Attributes:
        name: Of the section.
        kind: What the model's numbers are for: each mark, each answer of a dialogue, or the whole response.
        system: The system message, or None.
        steps: What stands between two steps: `blank-line`, `line`, or the text itself.
        mark: After each step, or the answer to each.
        bad: The token that would answer a wrong step (dialogue).
        context: Tokens that the model was made for.
        about: For people.
        models: Names of models, `*` for anything.
        architectures: Of config.json.
        checked: When and where the facts were looked up.
    """

    name: str
    kind: Kind
    system: str | None = None
    steps: str = "blank-line"
    mark: str = ""
    bad: str = ""
    context: int
    about: str = ""
    models: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    checked: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 (hexadecimal) of what changes a score."""
        counts = {name: value for name, value in asdict(self).items() if name not in _NOT_IN_THE_DIGEST}
        return hashlib.sha256(json.dumps(counts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    @property
    def has_steps(self) -> bool:
        """Whether a step has a score of its own."""
        return self.kind != "whole"


def load_recipes(extra: Path | None = None) -> Mapping[str, Recipe]:
    """The shipped recipes by name, and those of a file of the user's, which may replace shipped ones.

    Raises:
        InputError: a file cannot be read, or a section says what no recipe can.
    """
    recipes = _read(RECIPES_FILE)
    return recipes if extra is None else recipes | _read(extra)


def recipe_for(model: str, name: str | None, recipes: Mapping[str, Recipe]) -> Recipe:
    """The recipe of a model: the one that is named, or that whose `models` or `architectures` fit.

    Raises:
        InputError: there is no such recipe, none fits, or several do.
    """
    if name is not None:
        if name not in recipes:
            raise InputError(f"--recipe {name!r}: there is no such recipe; known: {', '.join(sorted(recipes))}")
        return recipes[name]
    called = Path(model).name.lower()
    fitting = [r for r in recipes.values() if any(fnmatch.fnmatchcase(called, known.lower()) for known in r.models)]
    if not fitting:
        found = architectures_of(model)
        fitting = [r for r in recipes.values() if set(found) & set(r.architectures)]
    if len(fitting) == 1:
        return fitting[0]
    why = f"several recipes fit it ({', '.join(r.name for r in fitting)})" if fitting else "no recipe is for it"
    raise InputError(
        f"--model {model}: {why}; choose by --recipe ({', '.join(sorted(recipes))}), or write one: --recipes-file"
    )


def architectures_of(model: str) -> tuple[str, ...]:
    """What the config.json of a model's folder calls it; nothing where the model is no folder."""
    try:
        config = json.loads(read_bounded(Path(model) / "config.json"))
        return tuple(map(str, config.get("architectures") or ()))
    except (OSError, ValueError, AttributeError, TypeError):
        return ()


def _read(path: Path) -> dict[str, Recipe]:
    try:
        data = read_toml(read_bounded(path).decode("utf-8"))
    except (OSError, UnicodeDecodeError, TOMLError) as error:
        raise InputError(f"{path}: cannot read the recipes: {error}") from error
    return {name: _recipe(name, section, f"{path}: [{name}]") for name, section in data.items()}


def _recipe(name: str, section: Any, where: str) -> Recipe:
    if not isinstance(section, dict):
        raise InputError(f"{where}: not a section")
    known = {field.name for field in fields(Recipe)} - {"name"}
    if unknown := sorted(set(section) - known):
        raise InputError(f"{where}: unknown setting {unknown[0]!r}; known: {', '.join(sorted(known))}")
    values: dict[str, Any] = {"name": name} | section
    for lists in ("models", "architectures"):
        value = values.get(lists, ())
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
            raise InputError(f"{where}: {lists} is a list of texts")
        values[lists] = tuple(value)
    for text in ("kind", "system", "steps", "mark", "bad", "about", "checked"):
        if text in values and not isinstance(values[text], str):
            raise InputError(f"{where}: {text} is a text")
    if values.get("kind") not in get_args(Kind):
        raise InputError(f"{where}: kind is one of {', '.join(get_args(Kind))}, not {values.get('kind')!r}")
    if not values.get("steps", "blank-line"):
        raise InputError(f"{where}: steps says what stands between two steps: blank-line, line or a text")
    context = values.get("context")
    if not isinstance(context, int) or isinstance(context, bool) or context < 1:
        raise InputError(f"{where}: context is the number of tokens that the model reads, not {context!r}")
    recipe = Recipe(**values)
    if recipe.has_steps and not recipe.mark:
        raise InputError(f"{where}: kind {recipe.kind} needs a mark")
    if recipe.kind == "dialogue" and not recipe.bad:
        raise InputError(f"{where}: kind dialogue needs bad, the answer to a wrong step")
    return recipe
