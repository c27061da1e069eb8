from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversity_judge.errors import InputError
from generation.edt_settings import EDTSettings
from generation.expert_sample.settings import ExpertSampleSettings
from generation.strategies import Strategy, TokenSampling, load_presets, parse_strategies

PRESETS = load_presets()


def one(text: str) -> Strategy:
    (strategy,) = parse_strategies([text], PRESETS)
    return strategy


def test_the_presets_are_those_of_the_design() -> None:
    assert one("token-normal") == Strategy("token-normal", TokenSampling(0.7, 0.8, 20))
    assert one("token-high") == Strategy("token-high", TokenSampling(1.3, 0.98))
    assert one("edt") == Strategy("edt", TokenSampling(), edt=EDTSettings(0.7, 0.1, 0.8))
    assert one("expert-sample") == Strategy(
        "expert-sample", TokenSampling(0.7, 0.8, 20), expert_sample=ExpertSampleSettings()
    )
    assert one("expert-sample-fragile") == Strategy(
        "expert-sample-fragile", TokenSampling(0.7, 0.8, 20), expert_sample=ExpertSampleSettings(fragile_from=0.25)
    )
    assert one("greedy").is_greedy


def test_commas_separate_strategies_and_continue_settings() -> None:
    strategies = parse_strategies(
        ["token-normal,expert-sample:tau=1.1,r=5k,k_keep=k/2+2,edt", "token-high:temperature=1.5"], PRESETS
    )
    assert [s.name for s in strategies] == [
        "token-normal",
        "expert-sample:tau=1.1,r=5k,k_keep=k/2+2",
        "edt",
        "token-high:temperature=1.5",
    ]
    assert strategies[1].expert_sample == ExpertSampleSettings(k_keep="k/2+2", tau=1.1, r="5k")
    assert strategies[1].tokens == TokenSampling(0.7, 0.8, 20)
    assert strategies[3].tokens == TokenSampling(1.5, 0.98)


def test_two_variants_of_one_preset_have_different_names() -> None:
    first, second = parse_strategies(["edt:t0=1.0,edt:t0=1.2"], PRESETS)
    assert first.name != second.name
    assert (first.edt, second.edt) == (EDTSettings(t0=1.0), EDTSettings(t0=1.2))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(PRESETS)),
            st.lists(
                st.tuples(st.sampled_from(["top_p", "min_p"]), st.sampled_from(["0.5", "0.25", "1.0"])),
                max_size=2,
                unique_by=lambda setting: setting[0],
            ),
        ),
        min_size=1,
        max_size=5,
        unique_by=str,
    )
)
def test_a_name_says_all_that_is_needed_to_parse_it_again(parts: list[tuple[str, list[tuple[str, str]]]]) -> None:
    texts = [name + (":" if s else "") + ",".join(f"{k}={v}" for k, v in s) for name, s in parts]
    parsed = parse_strategies([",".join(texts)], PRESETS)
    assert [s.name for s in parsed] == texts
    assert parse_strategies([s.name for s in parsed], PRESETS) == parsed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "neither NAME"),
        ("tau=1", "no strategy stands before it"),
        ("warm", "unknown strategy 'warm'; known: edt, expert-sample, expert-sample-fragile, greedy"),
        ("expert-sample:", "neither NAME"),
        ("expert-sample:tau", "not KEY=VALUE"),
        ("expert-sample:tau=", "not KEY=VALUE"),
        ("expert-sample:tau=1,tau=2", "'tau' is set twice"),
        ("expert-sample,expert-sample", "named twice"),
        ("token-normal:tau=1", "tau is a setting of expert_sample, which is off"),
        ("token-normal:warmth=1", "unknown setting 'warmth'"),
        ("token-normal:temperature=hot", "temperature must be a number, not 'hot'"),
        ("token-normal:top_k=2.5", "top_k must be a whole number"),
        ("token-normal:top_p=1.5", "top_p cannot be 1.5"),
        ("expert-sample:tau=0", "tau is '0'"),
        ("expert-sample-fragile:fragile_from=2", "fragile_from is '2'; it must be a number from 0 to 1"),
        ("token-normal:fragile_from=0.2", "fragile_from is a setting of expert_sample, which is off"),
        ("expert-sample:k_keep=half", "k_keep is 'half'"),
        ("edt:theta=-1", "edt_theta must be >= 0"),
        ("edt:temperature=0.7", "edt chooses the temperature itself"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_strategies([text], PRESETS)


def test_extra_args_are_flat_numbers_and_text() -> None:
    assert one("token-normal").extra_args(1) == {}
    assert one("edt:t0=1.0").extra_args(1) == {"edt": 1, "edt_t0": 1.0, "edt_theta": 0.1, "edt_n": 0.8}
    settings = one("expert-sample:r=5k").extra_args(7)
    assert settings == {
        "expert_sample": 1,
        "expert_sample_k_keep": "k//2+1",
        "expert_sample_tau": 1.0,
        "expert_sample_r": "5k",
        "expert_sample_seed": 7,
        "expert_sample_scope": "generation",
    }
    assert not any(isinstance(value, bool) for value in settings.values())
    assert ExpertSampleSettings.from_mapping(settings) == ExpertSampleSettings(r="5k", seed=7)


def test_a_threshold_is_asked_of_vllm_and_stands_in_the_settings_where_it_was_given() -> None:
    fragile, plain = one("expert-sample-fragile:fragile_from=0.4"), one("expert-sample")
    assert fragile.extra_args(7) == plain.extra_args(7) | {"expert_sample_fragile_from": 0.4}
    assert fragile.settings()["expert_sample"]["fragile_from"] == 0.4
    # As in files that were written before there was such a setting, so that these can be continued.
    assert list(plain.settings()["expert_sample"]) == ["k_keep", "tau", "r", "scope"]


def test_a_file_adds_and_replaces_presets(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[warm]\nextends = "token-normal"\ntemperature = 1.0\n'
        '[warm-experts]\nextends = "warm"\nexpert_sample = true\ntau = 2.0\n[greedy]\ntemperature = 0\ntop_k = 1\n'
    )
    presets = load_presets(path)
    warm, experts, greedy = parse_strategies(["warm,warm-experts,greedy"], presets)
    assert warm.tokens == TokenSampling(1.0, 0.8, 20)
    assert experts.expert_sample == ExpertSampleSettings(tau=2.0)
    assert greedy.tokens.top_k == 1


def test_drawing_in_the_prompt_too_is_a_strategy_of_the_command_line_and_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[whole-prompt]\nextends = "expert-sample"\nscope = "all"\n')
    variant, preset = parse_strategies(["expert-sample:scope=all,whole-prompt"], load_presets(path))
    assert [variant.name, preset.name] == ["expert-sample:scope=all", "whole-prompt"]
    for strategy in (variant, preset):
        assert strategy.tokens == one("token-normal").tokens
        assert strategy.settings()["expert_sample"]["scope"] == "all"
        assert ExpertSampleSettings.from_mapping(strategy.extra_args(7)) == ExpertSampleSettings(scope="all", seed=7)
    with pytest.raises(InputError, match="scope is 'prompt'; it must be one of generation, all"):
        one("expert-sample:scope=prompt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[a]\nextends = "b"\n[b]\nextends = "a"\n', "in a circle: a -> b -> a"),
        ('[a]\nextends = "nowhere"\n', "extends 'nowhere', which does not exist"),
        ("[a.b]\nx = 1\n", "must be a plain value"),
        ("a = 1\n", "is not a section"),
        ("[a\n", "cannot read the strategies"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_presets(path)
