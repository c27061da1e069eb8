import json
from pathlib import Path

import pytest

from diversity_judge.errors import InputError
from generation.rewarding.recipes import load_recipes, recipe_for
from generation.rewarding.steps import Defuser, split_steps


@pytest.mark.parametrize(
    ("model", "recipe"),
    [
        ("Qwen/Qwen2.5-Math-PRM-7B", "qwen25-math-prm"),
        ("/models/qwen2.5-math-prm-72b", "qwen25-math-prm"),
        ("RLHFlow/Llama3.1-8B-PRM-Deepseek-Data", "rlhflow-prm"),
        ("Skywork/Skywork-Reward-V2-Qwen3-0.6B", "skywork-reward-v2"),
    ],
)
def test_a_models_recipe_is_found_by_its_name(model: str, recipe: str) -> None:
    assert recipe_for(model, None, load_recipes()).name == recipe


def test_a_folders_recipe_is_found_by_its_architecture(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["Qwen2ForProcessRewardModel"]}))
    assert recipe_for(str(tmp_path), None, load_recipes()).name == "qwen25-math-prm"


def test_a_model_without_a_recipe_is_refused_with_the_choices() -> None:
    with pytest.raises(InputError, match=r"no recipe is for it.*--recipe \(qwen25-math-prm"):
        recipe_for("some/model", None, load_recipes())
    with pytest.raises(InputError, match="there is no such recipe"):
        recipe_for("some/model", "mine", load_recipes())


def test_a_file_of_ones_own_adds_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[mine]\nkind = "marked"\nsteps = "line"\nmark = "<m>"\ncontext = 128\nmodels = ["my-*"]\n')
    recipes = load_recipes(path)
    assert recipe_for("my-model", None, recipes).mark == "<m>"
    assert set(recipes) > {"mine", "qwen25-math-prm"}


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ('kind = "marked"\ncontext = 9', "needs a mark"),
        ('kind = "dialogue"\nmark = "+"\ncontext = 9', "needs bad"),
        ('kind = "other"\ncontext = 9', "kind is one of marked, dialogue, whole, not 'other'"),
        ("context = 9", "kind is one of"),
        ('kind = "whole"', "context is the number of tokens"),
        ('kind = "whole"\ncontext = 0', "context is the number of tokens"),
        ('kind = "whole"\ncontext = 9\nsteps = ""', "steps says what stands between"),
        ('kind = "whole"\ncontext = 9\nsystm = "x"', "unknown setting 'systm'"),
        ('kind = "whole"\ncontext = 9\nmodels = "x"', "models is a list"),
        ('kind = "whole"\ncontext = 9\nmark = 1', "mark is a text"),
    ],
)
def test_a_recipe_that_is_none_says_what_is_wrong(section: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"[mine]\n{section}\n")
    with pytest.raises(InputError, match=message):
        load_recipes(path)


def test_only_what_changes_a_score_is_in_the_digest(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    base = '[a]\nkind = "whole"\ncontext = 9\n[b]\nkind = "whole"\ncontext = 9\nabout = "x"\n'
    path.write_text(base + '[c]\nkind = "whole"\ncontext = 9\nsystem = "x"\n')
    recipes = load_recipes(path)
    assert recipes["a"].digest == recipes["b"].digest != recipes["c"].digest


def test_steps_by_lines() -> None:
    assert split_steps(" a\n\n b \r\nc\n", "line") == ("a", "b", "c")
    assert split_steps("a\nb", "blank-line") == ("a\nb",)
    assert split_steps("a; b ;c;", ";") == ("a", "b", "c")


def test_a_megabyte_of_blanks_is_split_at_once() -> None:
    for text in (" " * 1_000_000, "\n " * 500_000, "\n" * 1_000_000, "a \n" * 300_000):
        for between in ("line", "blank-line"):
            assert "" not in split_steps(text, between)


def test_the_longest_special_token_is_taken_first() -> None:
    assert Defuser(["<a>", "<a><b>"])("x<a><b><a>") == ("x< a><b>< a>", 2)
    assert Defuser([])("<a>") == ("<a>", 0)
