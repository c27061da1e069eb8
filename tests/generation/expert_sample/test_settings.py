from __future__ import annotations

import subprocess
import sys

import pytest

from generation.expert_sample.expressions import evaluate_whole
from generation.expert_sample.settings import ExpertSampleSettings, ResolvedSettings


@pytest.mark.parametrize(
    ("text", "k", "value"),
    [
        ("k//2+1", 8, 5),
        ("k/2+2", 8, 6),
        ("k/2", 7, 3),
        ("5k", 8, 40),
        ("3(k-1)", 4, 9),
        ("(k+1)(k-1)", 4, 15),
        ("0.3k*10", 7, 21),
        ("-k+2*K", 6, 6),
        ("-k/4", 6, -2),
        ("k-2-1", 8, 5),
        ("k/2/2", 8, 2),
        (" 4 * k ", 8, 32),
    ],
)
def test_expressions_follow_arithmetic_and_round_down(text: str, k: int, value: int) -> None:
    assert evaluate_whole(text, k) == value


@pytest.mark.parametrize(
    "text", ["", "k+", "k**2", "2 3", "k)", "(k", "__import__('os')", "k if k else 1", "1e3", "n", "k" * 41]
)
def test_text_that_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^k_keep is "):
        ExpertSampleSettings(k_keep=text)


def test_a_division_by_zero_is_an_error_of_the_setting() -> None:
    with pytest.raises(ValueError, match="divides by zero at k=8"):
        ExpertSampleSettings(r="k/(k-8)").resolve(8, 128)


def test_defaults_are_the_papers() -> None:
    assert ExpertSampleSettings().resolve(8, 128) == ResolvedSettings(5, 1.0, 32, "generation")
    assert ExpertSampleSettings().resolve(4, 32) == ResolvedSettings(3, 1.0, 16, "generation")


def test_r_is_clipped_to_the_number_of_experts() -> None:
    assert ExpertSampleSettings(r="100k").resolve(8, 64).r == 64
    assert ExpertSampleSettings().resolve(8, 20).r == 20


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"k_keep": 9}, r"k_keep is 9; with k=8 it must be from 0 to 8\."),
        ({"k_keep": "k+1"}, r"k_keep is 'k\+1' = 9; .* from 0 to 8"),
        ({"k_keep": -1}, "from 0 to 8"),
        (
            {"r": 7},
            r"r is 7; for this model \(k=8 of 128 experts\) it must be at least 8 \(from 128 on: all\)",
        ),
        ({"r": "k-1"}, r"r is 'k-1' = 7"),
    ],
)
def test_settings_outside_a_models_range_name_the_range(setting: dict[str, int | str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ExpertSampleSettings(**setting).resolve(8, 128)  # type: ignore[arg-type]


def test_the_ends_of_the_ranges_are_allowed() -> None:
    for k_keep, r in ((0, 8), (8, 128)):
        assert ExpertSampleSettings(k_keep=k_keep, r=r).resolve(8, 128) == ResolvedSettings(
            k_keep, 1.0, r, "generation"
        )


@pytest.mark.parametrize(
    ("setting", "k", "n_experts", "message"),
    [
        ({}, 2, 8, r"k_keep is 'k//2\+1' = 2; for this model \(k=2 of 8 experts\) that leaves no .* from 0 to 1,"),
        ({}, 1, 16, r"k_keep is 'k//2\+1' = 1; for this model \(k=1 of 16 experts\) that leaves no .* k_keep 0,"),
        ({"k_keep": "k/2+4"}, 8, 128, r"k_keep is 'k/2\+4' = 8; .* from 0 to 7,"),
        ({"r": "k+0"}, 8, 128, r"r is 'k\+0' = 8; .* from 9 on,"),
        ({}, 8, 8, r"this model \(k=8 of 8 experts\) uses all of its experts"),
        ({"k_keep": 0, "r": 64}, 8, 8, r"uses all of its experts"),
    ],
)
def test_settings_that_come_to_drawing_nothing_are_refused(
    setting: dict[str, int | str], k: int, n_experts: int, message: str
) -> None:
    # Sampled all the same, the responses would be the model's own under the name of Expert-Sample.
    with pytest.raises(ValueError, match=message):
        ExpertSampleSettings(**setting).resolve(k, n_experts)  # type: ignore[arg-type]


@pytest.mark.parametrize("setting", [{"k_keep": "k"}, {"k_keep": " K "}, {"k_keep": 2}, {"r": "k"}, {"r": 2}])
def test_the_models_own_routing_can_be_asked_for_in_so_many_words(setting: dict[str, int | str]) -> None:
    resolved = ExpertSampleSettings(**({"k_keep": 1} | setting)).resolve(2, 8)  # type: ignore[arg-type]
    assert resolved.k_keep == 2 or resolved.r == 2


@pytest.mark.parametrize(("k", "k_keep"), [(1, 0), (2, 1), (2, 0), (2, "k-1")])
def test_a_model_of_one_or_two_active_experts_takes_a_smaller_head(k: int, k_keep: int | str) -> None:
    resolved = ExpertSampleSettings(k_keep=k_keep).resolve(k, 8)
    assert resolved.k_keep < k < resolved.r


def test_the_head_alone_needs_no_tail() -> None:
    assert [ExpertSampleSettings().kept(k) for k in (1, 2, 3, 4, 8)] == [1, 2, 2, 3, 5]
    with pytest.raises(ValueError, match=r"k_keep is 9; with k=8 it must be from 0 to 8"):
        ExpertSampleSettings(k_keep=9).kept(8)


@pytest.mark.parametrize("tau", [0, -1, float("nan"), float("inf"), 1e31, "warm", None, True])
def test_tau_must_be_a_positive_finite_number(tau: object) -> None:
    with pytest.raises(ValueError, match=r"tau is .*; it must be a number from 1e-30 to"):
        ExpertSampleSettings(tau=tau)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), "much", True, [0.5]])
def test_the_threshold_of_fragile_tokens_is_a_share(value: object) -> None:
    with pytest.raises(ValueError, match=r"fragile_from is .*; it must be a number from 0 to 1\."):
        ExpertSampleSettings(fragile_from=value)  # type: ignore[arg-type]


def test_a_threshold_that_no_token_reaches_is_refused_unless_it_says_so() -> None:
    # Of 64 equally likely experts the best 8 leave 7/8.
    with pytest.raises(ValueError, match=r"fragile_from is 0\.9; .*\(k=8 of 64 experts\) .* at most 0\.875"):
        ExpertSampleSettings(fragile_from=0.9).resolve(8, 64)
    thresholds = [ExpertSampleSettings(fragile_from=value).resolve(8, 64).fragile_from for value in (0.875, 1)]
    assert thresholds == [0.875, 1.0]
    assert ExpertSampleSettings().resolve(8, 64).fragile_from == 0.0


@pytest.mark.parametrize("value", [1.5, True, None, [4]])
def test_counts_must_be_whole(value: object) -> None:
    with pytest.raises(ValueError, match="whole number or an expression in k"):
        ExpertSampleSettings(r=value)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [2**63, -(2**63) - 1, 0.5, "x", True])
def test_seeds_must_fit_in_64_bits(seed: object) -> None:
    with pytest.raises(ValueError, match=r"seed is .* at most 64 bits"):
        ExpertSampleSettings(seed=seed)  # type: ignore[arg-type]


def test_flat_values_round_trip() -> None:
    for settings in (
        ExpertSampleSettings(),
        ExpertSampleSettings(k_keep="k/2+2", tau=1.1, r="5k", seed=-7, scope="all"),
        ExpertSampleSettings(k_keep=0, r=12, seed=2**63 - 1),
        ExpertSampleSettings(fragile_from=0.25),
        ExpertSampleSettings(fragile_from=0),
    ):
        assert ExpertSampleSettings.from_mapping(settings.to_mapping()) == settings


def test_flat_values_may_be_text_or_floats_as_json_and_command_lines_bring_them() -> None:
    flat = {
        "expert_sample": "1",
        "expert_sample_k_keep": "6",
        "expert_sample_tau": "1e-1",
        "expert_sample_r": 40.0,
        "expert_sample_seed": "11",
        "top_p": 0.8,
    }
    expected = ExpertSampleSettings(k_keep=6, tau=0.1, r=40, seed=11)
    assert ExpertSampleSettings.from_mapping(flat) == expected


@pytest.mark.parametrize("off", [False, 0, "0", "false", 0.0])
def test_the_switch_turns_a_default_off(off: object) -> None:
    assert ExpertSampleSettings.from_mapping({"expert_sample": off}, default=ExpertSampleSettings()) is None


def test_without_the_switch_the_default_decides_and_single_settings_override_it() -> None:
    default = ExpertSampleSettings(tau=2.0, r="5k")
    assert ExpertSampleSettings.from_mapping({}) is None
    assert ExpertSampleSettings.from_mapping({}, default=default) == default
    changed = ExpertSampleSettings.from_mapping({"expert_sample_tau": 3}, default=default)
    assert changed == ExpertSampleSettings(tau=3.0, r="5k")


def test_settings_without_the_switch_are_not_dropped_in_silence() -> None:
    with pytest.raises(ValueError, match="expert_sample_tau is given but Expert-Sample is off"):
        ExpertSampleSettings.from_mapping({"expert_sample_tau": 1.5})


@pytest.mark.parametrize("name", ["expert_sample_temperature", "expert_sampler", "expert_samplek_keep"])
def test_unknown_names_with_the_prefix_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is not a setting of Expert-Sample"):
        ExpertSampleSettings.from_mapping({"expert_sample": True, name: 1})


def test_settings_need_no_torch() -> None:
    code = "import sys, generation.expert_sample.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
