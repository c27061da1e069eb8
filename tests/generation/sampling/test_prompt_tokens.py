"""The prompts' tokens in the bill are those that the engine would read, chat template and all."""

from __future__ import annotations

from pathlib import Path

import pytest

from generation.engines.options import EngineOptions
from generation.problems import Problem
from generation.prompt_formats import formats_for
from generation.sampling.prompt_tokens import TEMPLATE_TOKENS, prompt_tokens
from generation.sampling.sampler import SamplingPlan
from generation.strategies import load_presets, parse_strategies

SHORT, LONG = "12 2 11 6 target 52", "Wieviel ist 3 + 4? " * 30


@pytest.fixture
def plan(tmp_path: Path) -> SamplingPlan:
    problems = (Problem("short", SHORT), Problem("long", LONG))
    wording = tmp_path / "with_system.txt"
    wording.write_text('---\nname = "s"\nversion = "1"\nsystem = "Be brief."\n---\n{problem}')
    formats = formats_for(problems, [str(wording)])
    return SamplingPlan(problems, parse_strategies(["token-normal"], load_presets()), 1, 0, 8, formats)


def n_bytes(text: str) -> int:
    return len(text.encode())


def test_a_local_model_counts_with_its_own_tokenizer_and_template(demo_model: Path, plan: SamplingPlan) -> None:
    """A byte is a token of this model; its template adds role and end to each message, and the answer's role."""
    found = prompt_tokens(EngineOptions(model=demo_model), plan)
    around = 2 * 2 + 1
    assert found.by_problem == {
        "short": n_bytes("Be brief.") + n_bytes(SHORT) + around,
        "long": n_bytes("Be brief.") + n_bytes(LONG) + around,
    }
    assert found.counted == "by the model's own tokenizer and chat template"


def test_plain_text_has_no_template(demo_model: Path, plan: SamplingPlan) -> None:
    found = prompt_tokens(EngineOptions(model=demo_model, chat_template=False), plan)
    assert found.by_problem == {"short": n_bytes(SHORT), "long": n_bytes(LONG)}
    assert found.counted == "by the model's own tokenizer"


def test_a_model_elsewhere_is_estimated_and_the_template_is_said(plan: SamplingPlan) -> None:
    templated = prompt_tokens(EngineOptions(model="nobody/has-this-model"), plan)
    plain = prompt_tokens(EngineOptions(model="nobody/has-this-model", chat_template=False), plan)
    assert f"and {TEMPLATE_TOKENS} a message for the chat template" in templated.counted
    assert plain.counted == "estimated from the text"
    for name in ("short", "long"):
        assert templated.by_problem[name] >= plain.by_problem[name] + 2 * TEMPLATE_TOKENS


def test_a_folder_without_a_tokenizer_is_estimated(tmp_path: Path, plan: SamplingPlan) -> None:
    assert prompt_tokens(EngineOptions(model=tmp_path), plan).counted.startswith("estimated")
