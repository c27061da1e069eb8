"""Judges are data: what ships, what a user adds, and what the command line changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from diversity_judge.errors import InputError
from diversity_judge.judges.chat_format import chat_fingerprint
from diversity_judge.judges.presets import JudgeSpec, Prices, adjust, find_judge, load_presets
from diversity_judge.planning.prompting import PromptTemplate
from tests.diversity_judge.helpers import plan


def test_the_promised_presets_ship() -> None:
    presets = load_presets()
    elsewhere = ["deepseek-r1-siliconflow", "deepseek-r1-together"]
    asked = ["deepseek-r1", *elsewhere, "deepseek-r1-vllm", "deepseek-flash", "deepseek-v4-pro"]
    assert list(presets) == [*asked, "proxy", "countdown"]
    for spec in presets.values():
        assert spec.prices is not None or spec.name in elsewhere  # unknown, never guessed
        assert spec.is_embedded or (spec.base_url and spec.context_tokens and spec.output_limit)
    assert "0528" in presets["deepseek-r1"].model
    assert presets["deepseek-r1-vllm"].host == "http://localhost:8000/v1"


def test_a_file_of_the_user_adds_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "judges.toml"
    path.write_text('[mine]\nmodel = "m"\nbase_url = "http://h/v1"\n[proxy]\nmodel = "other"\nkind = "proxy"\n')
    assert find_judge("mine", path).host == "http://h/v1"
    assert find_judge("proxy", path).model == "other"
    assert "deepseek-r1" in load_presets(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[mine]\nmodel = 'm'", "needs the text field.*base_url"),
        ("[mine]\nmodel = 'm'\nbase_url = 'u'\ntemprature = 1", "unknown field.*temprature"),
        ("[mine]\nmodel = 'm'\nbase_url = 'u'\nprices = {input = 1.0}", "prices are input, output"),
        ("[mine]\nmodel = 'm'\nbase_url = 'http://h:1a'", "[mine].*port"),
        ("[mine]\nmodel = 'm'\nbase_url = 'http://h'\nparameters = {api_key = 'x'}", "looks like a credential"),
        ("[mine]\nmodel = 'm'\nbase_url = 'http://h'\nprices = {input = -1.0, output = 1.0}", "input must be a number"),
        ("[mine]\nmodel = 'm'\nbase_url = 'http://h'\nprices = {input = 1.0, output = nan}", "output must be a number"),
        ("[mine]\nmodel = 'm'\nbase_url = 'http://h'\nparameters = {top_p = nan}", "top_p is nan, which JSON has no"),
        ("[mine]\nmodel = 'm'\nbase_url = 'http://h'\nparameters = {a = 2026-01-01}", "JSON has no form"),
        ("[mine]\nmodel = 'm'\nkind = 'oracle'\nbase_url = 'u'", "kind is one of chat, proxy, countdown, not 'oracle'"),
        ("mine = 1", "not a table"),
        ("[mine", "cannot read"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "judges.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"judges\.toml: .*{message}"):
        load_presets(path)


def test_cost_by_hand() -> None:
    # 600 fresh tokens at 2, 400 cached at 0.5, 100 written at 10 USD a million.
    prices = Prices(input=2.0, output=10.0, cached_input=0.5)
    assert prices.cost(prompt_tokens=1000, completion_tokens=100, cached_tokens=400) == pytest.approx(2400e-6)
    assert Prices(2.0, 10.0).cost(prompt_tokens=1000, completion_tokens=0, cached_tokens=400) == pytest.approx(2000e-6)


def test_another_host_or_model_has_no_known_prices() -> None:
    spec = find_judge("deepseek-r1")
    assert adjust(spec, base_urls=["http://h/v1"]).prices is None
    assert adjust(spec, model="m").prices is None
    assert adjust(spec, parameters={"top_p": None, "seed": 1}).parameters.get("top_p") is None
    assert adjust(spec, parameters={"seed": 1}).prices == spec.prices


def test_credentials_in_an_address_are_not_part_of_the_host() -> None:
    spec = JudgeSpec("j", "m", base_url="https://me:secret@h.example:8443/v1/")
    assert spec.host == "https://h.example:8443/v1"
    assert "secret" not in spec.label


def test_everything_but_the_length_limit_changes_the_fingerprint() -> None:
    spec, template, a_plan = find_judge("deepseek-r1"), PromptTemplate.load(), plan(["a", "b"])
    before = chat_fingerprint(spec, template, a_plan)
    assert chat_fingerprint(adjust(spec, parameters={"max_tokens": 5}), template, a_plan) == before
    for other in (
        adjust(spec, model="m"),
        adjust(spec, base_urls=["http://h/v1"]),
        adjust(spec, parameters={"temperature": 0}),
    ):
        assert chat_fingerprint(other, template, a_plan) != before
