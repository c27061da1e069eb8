"""From two tables to the law's: cells are paired on problems, the planted law is found, and every file is whole."""

import io
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from diversity_judge.errors import InputError
from diversity_judge.measures.paired import mean_difference
from examples.miniature.law.effects import effects_of
from examples.miniature.law.forms import LAW
from examples.miniature.law.grid import grids_of, with_numbers
from examples.miniature.law.report import write_law

TEMPERATURES = {0.1: 0.02, 0.4: 0.15, 0.7: 0.4, 1.0: 0.7}
"""With their entropies."""
WEIGHTS = {"peaked": 0.04, "flat": 0.1}
SETTINGS = {"": 0.0, "default": 1.0, "k_keep=2": 1.6}


def tables(n_problems: int = 40) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Outcomes and numbers of two tasks, with the law .1 (w/.1) exp(-4 H) in the diversity, and greedy answers."""
    generator = np.random.default_rng(0)
    outcomes, numbers = [], []
    for task in ("four", "eight"):
        level = generator.normal(0, 0.05, n_problems)
        for router, weight in WEIGHTS.items():
            for temperature, entropy in TEMPERATURES.items():
                for setting, factor in SETTINGS.items():
                    key = {"router": router, "task": task, "temperature": temperature, "top_p": 0.8, "setting": setting}
                    share = weight * factor
                    gain = 0.1 * (share / 0.1) * np.exp(-4 * entropy)
                    numbers.append(
                        key | {"entropy": entropy, "entropy_se": 0.0, "new_share": share, "new_share_se": 0.0}
                    )
                    learned = generator.integers(0, 2, n_problems).astype(float)
                    means = 0.3 + 0.5 * temperature + gain + level
                    right = generator.binomial(32, 0.6 - 0.2 * temperature, n_problems) * (
                        np.arange(n_problems) % 3 > 0
                    )
                    outcomes += [
                        key
                        | {
                            "strategy": "made up",
                            "problem_id": f"{task}{problem}",
                            "n": 32,
                            "n_right": int(right[problem]),
                        }
                        | {"diversity": means[problem] + generator.normal(0, 0.01), "best_of_n": float(problem % 2)}
                        | {"best_of_n_learned": learned[problem] if task == "four" else np.nan}
                        for problem in range(n_problems)
                    ]
    greedy = {"router": "flat", "task": "four", "temperature": 0.0, "top_p": 1.0, "setting": "", "strategy": "greedy"}
    best = {"best_of_n": 1.0, "best_of_n_learned": 1.0}
    outcomes.append(greedy | {"problem_id": "four0", "n": 1, "n_right": 1, "diversity": np.nan} | best)
    return pd.DataFrame(outcomes), pd.DataFrame(numbers)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("law")
    outcomes, numbers = tables()
    outcomes.to_csv(folder / "outcomes.csv", index=False)
    numbers.to_csv(folder / "numbers.csv", index=False)
    console = Console(file=io.StringIO(), width=80)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_law(folder, console, draws=60)
    assert isinstance(console.file, io.StringIO)
    return folder, console.file.getvalue()


def test_the_table_for_practice_is_by_the_form_that_best_predicts_a_router_left_out(written: tuple[Path, str]) -> None:
    rivals, practice = (pd.read_csv(written[0] / name) for name in ("rivals.csv", "practice.csv"))
    # The diversity of the tokens alone is not known before it is paid for, and a router's own curve is of no other one.
    rivals = rivals[(rivals.left_out == "router") & ~rivals.form.str.contains("headroom|router")]
    for metric, rows in practice.groupby("metric"):
        mine = rivals[(rivals.metric == metric) & rivals.r2.notna()]
        # Without anything to explain there is no best one, and the hypothesis stands.
        assert set(rows.form) == {mine.sort_values("r2").form.iloc[-1] if len(mine) else LAW.name}


def test_the_table_for_practice_expects_what_was_planted(written: tuple[Path, str]) -> None:
    table = pd.read_csv(written[0] / "practice.csv")
    table = table[(table.metric == "diversity") & table.is_measured]
    assert (table.entropy.min(), table.entropy.max()) == (0.02, 0.4)  # between .02 and .7
    assert (table.new_share.min(), table.new_share.max()) == (0.05, 0.15)  # between .04 and .16
    planted = table.new_share * np.exp(-4 * table.entropy)
    assert table.gain.to_numpy() == pytest.approx(planted.to_numpy(), abs=0.01)
    assert ((table.ci_low <= table.gain) & (table.gain <= table.ci_high)).all()


def test_what_is_said_is_kept(written: tuple[Path, str]) -> None:
    kept = (written[0] / "said.txt").read_text(encoding="utf-8").splitlines()
    assert kept
    assert [line.split() for line in kept if line.split()[0] in written[1]]
    assert " ".join(" ".join(kept).split()) in " ".join(written[1].split())


def test_the_planted_law_is_written(written: tuple[Path, str]) -> None:
    law = pd.read_csv(written[0] / "law.csv")
    mine = law[(law["metric"] == "diversity") & (law["form"] == "weight and entropy") & (law["task"] == "all")]
    found = mine.set_index("parameter")["value"]
    assert found["a"] == pytest.approx(0.1, rel=0.1)
    assert found["b"] == pytest.approx(1, abs=0.1)
    assert found["half_entropy"] == pytest.approx(np.log(2) / 4, rel=0.15)
    assert found["weight for 0.03 at 0"] == pytest.approx(0.03, rel=0.2)
    assert (mine["ci_low"] <= mine["value"]).all()
    assert (mine["value"] <= mine["ci_high"]).all()


def test_every_table_has_a_row_for_everything(written: tuple[Path, str]) -> None:
    folder, _ = written
    effects, rivals = pd.read_csv(folder / "effects.csv"), pd.read_csv(folder / "rivals.csv")
    frontier = pd.read_csv(folder / "frontier.csv")
    assert len(effects) == 2 * 2 * 4 * 2
    assert len(frontier) == 4 * len(effects)
    assert set(rivals["left_out"]) == {"router", "temperature", "task"}
    best = rivals[(rivals["metric"] == "diversity") & (rivals["task"] == "all")].sort_values("r2").groupby("left_out")
    assert best.last()["form"].to_dict()["temperature"] == "weight and entropy"


def test_what_is_added_is_the_mean_paired_difference(written: tuple[Path, str]) -> None:
    outcomes, _ = tables()
    row = pd.read_csv(written[0] / "effects.csv").query(
        "router == 'flat' and task == 'eight' and temperature == 0.4 and setting == 'default'"
    )
    cells = outcomes.query("router == 'flat' and task == 'eight' and temperature == 0.4").pivot(
        index="problem_id", columns="setting", values="diversity"
    )
    assert row["diversity_gain"].item() == pytest.approx((cells["default"] - cells[""]).mean())
    assert row["diversity_tokens"].item() == pytest.approx(cells[""].mean())


def test_a_metric_of_some_tasks_is_left_out_of_the_others(written: tuple[Path, str]) -> None:
    outcomes, _ = tables()
    effects = pd.read_csv(written[0] / "effects.csv")
    columns = [name for name in effects.columns if name.startswith("best_of_n_learned_")]
    assert len(columns) == 5
    assert effects.loc[effects["task"] == "eight", columns].isna().all(axis=None)
    known = effects[effects["task"] == "four"]
    for _, row in known.iterrows():
        cells = outcomes[
            (outcomes["task"] == "four")
            & (outcomes["router"] == row["router"])
            & (outcomes["temperature"] == row["temperature"])
        ].pivot(index="problem_id", columns="setting", values="best_of_n_learned")
        differences = cells[row["setting"]] - cells[""]
        assert row["best_of_n_learned_gain"] == pytest.approx(differences.mean())
        assert row["best_of_n_learned_tokens"] == pytest.approx(cells[""].mean())
        assert row["best_of_n_learned_ci_low"] < row["best_of_n_learned_gain"] < row["best_of_n_learned_ci_high"]
    # Holm counts what was compared alone: the smallest p of K is multiplied by K, at most to 1.
    assert known["best_of_n_learned_p_holm"].min() == pytest.approx(min(1.0, len(known) * smallest_p(outcomes)))


def smallest_p(outcomes: pd.DataFrame) -> float:
    """Of the learned Best-of-N of the task four, by the project's paired test."""
    four = outcomes[(outcomes["task"] == "four") & (outcomes["temperature"] > 0)]
    found = []
    for _, cell in four.groupby(["router", "temperature"]):
        table = cell.pivot(index="problem_id", columns="setting", values="best_of_n_learned")
        found += [mean_difference((table[name] - table[""]).to_numpy())[1].p for name in ("default", "k_keep=2")]
    return min(found)


def test_figures_are_drawn_and_lines_fit_the_terminal(written: tuple[Path, str]) -> None:
    folder, printed = written
    names = {path.name for path in (folder / "figures").iterdir()}
    assert names == {"gain_entropy.png", "gain_surface.png", "frontier_four.png", "frontier_eight.png"}
    assert max(map(len, printed.splitlines())) <= 80
    assert "At equal diversity" in printed


def test_a_problem_without_a_diversity_is_left_out_of_both() -> None:
    outcomes, numbers = tables(8)
    whole = effects_of(grids_of(outcomes, numbers), draws=5)
    outcomes.loc[(outcomes["problem_id"] == "four0") & (outcomes["setting"] == "default"), "diversity"] = np.nan
    part = effects_of(grids_of(outcomes, numbers), draws=5)
    assert [cell.setting for cell, n in zip(part.cells, part.n_problems, strict=True) if n == 7] == ["default"] * 8
    assert (whole.n_problems == 8).all()
    assert not np.isnan(part.data["diversity"].gain).any()


def test_pass_at_n_is_of_the_smallest_group() -> None:
    outcomes, numbers = tables(8)
    outcomes.loc[(outcomes["setting"] == "default") & (outcomes["temperature"] > 0), "n"] = 64
    (grid, _) = grids_of(outcomes, numbers)
    assert grid.n == 32
    # Half of 64 responses: a group with c right has a right one among 32 with 1 - C(64 - c, 32) / C(64, 32).
    place = next(i for i, cell in enumerate(grid.cells) if cell.setting == "default")
    assert 0.99 < grid.values["pass_at_n"][grid.problems.index("four1"), place] < 1


@pytest.mark.parametrize(
    ("spoiled", "words"),
    [
        (lambda o, n: (pd.concat([o, o.iloc[:1]]), n), "a problem stands twice in router 'peaked'"),
        (lambda o, n: (o[o["setting"] == ""], n), "no cell has Expert-Sample"),
    ],
)
def test_tables_that_do_not_fit_are_refused(spoiled: object, words: str, tmp_path: Path) -> None:
    assert callable(spoiled)
    outcomes, numbers = spoiled(*tables(8))
    outcomes.to_csv(tmp_path / "outcomes.csv", index=False)
    numbers.to_csv(tmp_path / "numbers.csv", index=False)
    with pytest.raises(InputError, match=words):
        write_law(tmp_path, Console(file=io.StringIO()))


def test_a_cell_without_its_numbers_is_no_cell_of_a_law() -> None:
    outcomes, numbers = tables(8)
    without = numbers[numbers["setting"] != "default"]
    with pytest.raises(ValueError, match="the entropy and the new share of router"):
        grids_of(outcomes, without)
    placed, n_left_out = with_numbers(outcomes, without)
    assert n_left_out == 2 * 2 * 4
    assert {cell.setting for grid in grids_of(placed, without) for cell in grid.cells} == {"", "k_keep=2"}
