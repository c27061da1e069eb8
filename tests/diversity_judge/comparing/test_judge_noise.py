"""The judge's noise beside the differences: right in size, from a folder of reliability, and never of another judge."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from diversity_judge.choices import Orders
from diversity_judge.compare import compare, main
from diversity_judge.comparing.files import write_tables
from diversity_judge.errors import InputError
from diversity_judge.files import Row, write_csv
from diversity_judge.inputs.responses import Response
from diversity_judge.measures.allocation import StudyDesign, noise_shares, noise_variance
from diversity_judge.measures.components import Component, Components
from diversity_judge.measures.judge_noise import group_noise
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.runs.frames import read_frame
from diversity_judge.runs.loading import load_run
from tests.diversity_judge.reliability_runs import probe as probe_run
from tests.diversity_judge.run_folders import group, make_run
from tests.diversity_judge.score_runs import run as run_score
from tests.planted_judge import PlantedJudge, write_responses

DRAW, ORDER = 0.25, 0.04
PROBLEMS, RESPONSES = 8, 6
STRATEGIES = ("T0.3", "T1.0")


def score(first: Response, second: Response) -> int:
    """Some score that depends on problem, strategy and pair, the same in both orders."""
    low, high = sorted((int(str(first.sample_id)), int(str(second.sample_id))))
    return (int(first.problem_id[1:]) * 3 + 2 * low + high + (first.strategy == STRATEGIES[0])) % 6


def run_of(folder: Path, *, orders: Orders = "one", draws: int = 1, judge: str = "a judge") -> Path:
    groups = [
        group(f"p{p}", strategy, [{"text": f"{strategy} {p} {i}"} for i in range(RESPONSES)])
        for p in range(PROBLEMS)
        for strategy in STRATEGIES
    ]
    return make_run(folder, groups, score, orders=orders, draws=draws, judge=judge)


def probe(run: Path, folder: Path | None = None, *, order: float = ORDER, findings: Sequence[Row] = ()) -> Path:
    """A folder as `reliability` leaves it."""
    folder = run / "reliability" if folder is None else folder
    folder.mkdir(parents=True)
    manifest = {"state": "finished", "run": {"path": str(run), "instrument": asdict(load_run(run).instrument)}}
    (folder / "reliability.json").write_text(json.dumps(manifest))
    write_csv(
        folder / "variance_components.csv",
        [
            {"component": "draw", "variance": DRAW},
            {"component": "order", "variance": None if math.isnan(order) else order},
        ],
    )
    empty: Row = dict.fromkeys(("probe", "metric", "strategy", "value", "ci_low", "ci_high", "verdict"))
    write_csv(folder / "reliability.csv", findings or [{**empty, "probe": "retest", "metric": "alpha"}])
    return folder


def test_noise_of_a_group_is_what_asking_again_changes() -> None:
    """20,000 groups of 6 responses whose every other cell is drawn twice: the variance is known to 1 %."""
    generator = np.random.default_rng(0)
    wanted = np.triu(np.ones((6, 6), bool), 1)
    asked = np.where(wanted, 1 + np.arange(36).reshape(6, 6) % 2, 0)
    noise = generator.normal(0, math.sqrt(DRAW), (20_000, 15)) / np.sqrt(asked[wanted])
    noise += generator.normal(0, math.sqrt(ORDER), (20_000, 15))
    found = group_noise(SimilarityMatrix(np.where(wanted, 2.0, np.nan), wanted), asked, draw=DRAW, order=ORDER)
    assert found == pytest.approx(float((noise.mean(axis=1) / 5).var()), rel=0.04)


def test_identical_texts_that_were_not_asked_have_no_noise_and_both_orders_cancel_the_order() -> None:
    wanted = ~np.eye(3, dtype=bool)
    asked = np.where(wanted, 1, 0)
    asked[0, 1] = asked[1, 0] = 0
    matrix = SimilarityMatrix(np.where(wanted, 5.0, np.nan), wanted)
    assert group_noise(matrix, asked, draw=DRAW, order=ORDER) == pytest.approx(4 * DRAW / 36 / 25)


def test_the_noise_stands_beside_the_difference_as_reliability_has_it(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run")
    probe(run)
    comparison = compare(run)
    (row,) = comparison.differences.where(metric="diversity")
    design = StudyDesign(PROBLEMS, 2, RESPONSES, 15)
    zero = Component("", 0.0, 0.0, 0.0, 0, "")
    components = Components(zero, zero, zero, zero, replace(zero, variance=ORDER), replace(zero, variance=DRAW))
    assert row.judge_noise == pytest.approx(math.sqrt(2 * noise_variance(components, design) / PROBLEMS))
    assert noise_shares(components, design)["difference"] == pytest.approx(1)
    (found,) = [one for one in comparison.comparisons if one.metric == "diversity"]
    assert row.judge_noise_share == pytest.approx((row.judge_noise / found.found.estimate.se) ** 2)
    assert any("The judge's own noise (0.50 points a judgment)" in sentence for sentence in comparison.sentences)
    assert all(math.isnan(other.judge_noise) for other in comparison.differences if other.metric != "diversity")
    assert comparison.pairs_of_strategies.where(metric="diversity")[0].judge_noise == pytest.approx(row.judge_noise)


def test_draws_and_orders_make_it_smaller(tmp_path: Path) -> None:
    once, often = run_of(tmp_path / "once"), run_of(tmp_path / "often", orders="both", draws=2)
    noises = []
    for run in (once, often):
        probe(run)
        noises.append(compare(run).differences.where(metric="diversity")[0].judge_noise)
    # One order of one draw: (0.25 + 0.04) a pair; two orders of two draws: 0.25 / 4.
    assert noises[1] / noises[0] == pytest.approx(math.sqrt((DRAW / 4) / (DRAW + ORDER)))


def test_a_folder_that_is_named_serves_every_run_of_its_instrument(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run")
    elsewhere = probe(run, tmp_path / "probed")
    assert not math.isnan(compare(run, reliability=str(elsewhere)).differences.where(metric="diversity")[0].judge_noise)
    assert math.isnan(compare(run).differences.where(metric="diversity")[0].judge_noise)


def test_the_noise_of_another_judge_is_refused_where_it_was_named_and_left_out_where_it_lies(tmp_path: Path) -> None:
    run, other = run_of(tmp_path / "run"), run_of(tmp_path / "other", judge="another judge")
    named = probe(other)
    with pytest.raises(InputError, match="about another instrument, another judge"):
        compare(run, reliability=str(named))
    named.rename(run / "reliability")
    comparison = compare(run)
    assert math.isnan(comparison.differences.where(metric="diversity")[0].judge_noise)
    assert any("the judge's noise is left out" in note and "another judge" in note for note in comparison.notes)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("no folder", "no reliability.json"),
        ("unfinished", "was stopped while it wrote"),
        ("no table", "variance_components.csv: is missing"),
        ("no column", "has no column variance"),
        ("no number", "could not convert"),
    ],
)
def test_what_is_no_folder_of_reliability_is_named(tmp_path: Path, broken: str, said: str) -> None:
    run = run_of(tmp_path / "run")
    folder = probe(run, tmp_path / "probed")
    table = folder / "variance_components.csv"
    if broken == "no folder":
        (folder / "reliability.json").unlink()
    elif broken == "unfinished":
        text = (folder / "reliability.json").read_text()
        (folder / "reliability.json").write_text(text.replace("finished", "unfinished"))
    elif broken == "no table":
        table.unlink()
    else:
        table.write_text("component,sd\ndraw,1\n" if broken == "no column" else "component,variance\ndraw,much\n")
    with pytest.raises(InputError, match=said):
        compare(run, reliability=str(folder))


def test_an_error_that_one_strategy_has_is_warned_of(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run")
    finding: Row = {"probe": "strategy", "metric": "error_low", "strategy": "T1.0", "value": 0.31, "ci_low": 0.2,
                    "ci_high": 0.42, "verdict": "outside the band"}  # fmt: skip
    probe(run, findings=[finding])
    (note,) = [note for note in compare(run).notes if "not the same for all strategies" in note]
    assert "T1.0: error_low +0.31 [+0.20, +0.42] points" in note


def test_without_the_order_the_noise_is_that_of_draws_and_says_so(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run")
    probe(run, order=float("nan"))
    comparison = compare(run)
    row = comparison.differences.where(metric="diversity")[0]
    assert row.judge_noise == pytest.approx(math.sqrt(2 * DRAW / 15 / 25 / PROBLEMS))
    assert any("has not probed the order" in note for note in comparison.notes)


def test_files_console_and_report_show_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_of(tmp_path / "run")
    folder = probe(run, tmp_path / "probed")
    command = [str(run), "--reliability", str(folder), "--out", str(tmp_path / "out"), "--no-figures"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "judge noise" in shown
    table = read_frame(tmp_path / "out" / "differences.csv").set_index("metric")
    noise = float(table["judge_noise"]["diversity"])
    assert noise == pytest.approx(math.sqrt(2 * (DRAW + ORDER) / 15 / 25 / PROBLEMS))
    assert f"judge noise {noise:.4f}" in (tmp_path / "out" / "report.html").read_text()
    write_tables(tmp_path / "again", compare(run))
    assert read_frame(tmp_path / "again" / "differences.csv")["judge_noise"].isna().all()


def test_what_reliability_has_measured_is_shown_without_being_asked_for(tmp_path: Path) -> None:
    """A judge with noise and an order bias; each strategy has 6 pairs a problem in one order."""
    responses = write_responses(tmp_path / "responses.jsonl", problems=6, n=4)
    with PlantedJudge(noise=0.5, order_bias=0.8) as server:
        assert run_score(responses, server, tmp_path / "run").code == 0
        assert probe_run(tmp_path / "run", "--pairs", "40", "--probes", "retest", "order").code == 0
    variances = read_frame(tmp_path / "run" / "reliability" / "variance_components.csv").set_index("component")
    draw, order = (float(variances["variance"][name]) for name in ("draw", "order"))
    comparison = compare(tmp_path / "run")
    row = comparison.differences.where(metric="diversity")[0]
    assert row.judge_noise == pytest.approx(math.sqrt(2 * (draw + order) / 6 / 25 / 6))
    assert 0.2 < draw < 0.6
    assert not any("left out" in note and "noise" in note for note in comparison.notes)
