"""From a table of planted truth to tables, verdicts, console, figures and page."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy.special import ndtr

from diversity_judge.errors import InputError
from diversity_judge.files import csv_text
from diversity_judge.measures.route_utility import DEFINITIONS, NAIVE, SECOND_SET
from generation.route_report.analysis import RouteAnalysis, analyse, write_analysis
from generation.route_report.console import print_summary
from generation.route_report.summary import CLASS_NAMES
from generation.route_report.summary import rows as rows_of
from generation.route_report.tokens import TOKENS, UTILITIES
from generation.route_report.verdicts import FAILS, HOLDS
from tests.generation.route_report.planted_table import write_planted
from tests.planted_routes import SPREAD, no_lead


def summary_of(analysis: RouteAnalysis) -> list[dict[str, str]]:
    """The rows of `summary.csv` as text."""
    return list(csv.DictReader(csv_text(rows_of(analysis.found)).splitlines()))


def only(rows: list[dict[str, str]], **wanted: str) -> dict[str, str]:
    (row,) = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return row


def test_the_summary_has_every_layer_definition_and_class_with_the_planted_truth(tmp_path: Path) -> None:
    """Layer 1 leads by 0.8 everywhere: it beats a drawn route with Phi(0.8 / (0.7 sqrt 2)) = 0.790."""
    write_planted(tmp_path, leads=[no_lead, lambda d: 0.8 + 0 * d], n_problems=40, tokens_each=50)
    rows = summary_of(analyse(tmp_path))
    assert len(rows) == 2 * len(DEFINITIONS) * (len(CLASS_NAMES) + 1)
    truth = float(ndtr(0.8 / (SPREAD * math.sqrt(2))))
    for layer, expected in (("0", 0.5), ("1", truth)):
        row = only(rows, layer=layer, definition=SECOND_SET, **{"class": "all"})
        assert float(row["rank"]) == pytest.approx(expected, abs=0.02)
        assert float(row["rank_ci_low"]) < expected < float(row["rank_ci_high"])
        assert (row["n_tokens"], row["n_problems"], row["n_alternatives"]) == ("2000", "40", "8")
        assert float(row["null_best_beats"]) == pytest.approx(8 / 9)
    counts = [int(only(rows, layer="1", definition=NAIVE, **{"class": name})["n_tokens"]) for name in CLASS_NAMES]
    assert sum(counts) == 2000


def test_where_nothing_is_there_the_verdicts_find_nothing(tmp_path: Path) -> None:
    said = analyse(write_planted(tmp_path, n_problems=60, tokens_each=60)).verdicts
    by_claim = {one.claim: one.verdict for one in said}
    assert by_claim["fragile tokens: the router is uninformative"] == HOLDS
    assert by_claim["confident tokens: the router is aligned with utility"] != HOLDS
    assert not any("other continuations" in one.claim for one in said)


def test_a_router_that_knows_something_in_fragile_tokens_is_not_called_uninformative(tmp_path: Path) -> None:
    write_planted(tmp_path, leads=[lambda d: 0.8 + 0 * d], n_problems=40, tokens_each=40)
    said = {one.claim: one.verdict for one in analyse(tmp_path).verdicts}
    assert said["fragile tokens: the router is uninformative"] == FAILS
    assert said["confident tokens: the router is aligned with utility"] == HOLDS


def test_a_route_chosen_on_other_continuations_counts_only_where_there_are_some(tmp_path: Path) -> None:
    """Half of the tokens have one, worth 0.25 nats more than the standard route."""
    table = pd.read_parquet(write_planted(tmp_path) / TOKENS)
    even = table.index % 2 == 0
    table["chosen_logprob"] = np.where(even, table["standard_logprob"] + 0.25, np.nan)
    table.to_parquet(tmp_path / TOKENS, index=False)
    found = analyse(tmp_path)
    row = only(summary_of(found), definition=SECOND_SET, **{"class": "all"})
    assert row["n_chosen_tokens"] == str(int(even.sum()))
    assert float(row["chosen_gain"]) == pytest.approx(0.25, abs=1e-5)
    assert any("other continuations" in one.claim for one in found.verdicts)


def test_the_console_fits_80_columns_and_says_what_the_placebo_found(tmp_path: Path) -> None:
    write_planted(tmp_path)
    console = Console(width=80, record=True, file=(tmp_path / "console").open("w"))
    print_summary(console, analyse(tmp_path).found)
    said = console.export_text()
    assert max(map(len, said.splitlines())) <= 80
    assert "fragile: 0 < p <= 0.5; between: 0.5 < p <= 0.9; confident: 0.9 < p <= 1" in said
    assert "0.889 where the router knows nothing" in " ".join(said.split())
    assert "No two responses of a problem share a context" in " ".join(said.split())


def test_a_placebo_that_is_none_is_said_aloud(tmp_path: Path) -> None:
    table = pd.read_parquet(write_planted(tmp_path) / TOKENS)
    table["placebo_rank"] = np.clip(table["placebo_rank"] - 0.2, 0, 1)
    table.to_parquet(tmp_path / TOKENS, index=False)
    console = Console(width=80, record=True, file=(tmp_path / "console").open("w"))
    print_summary(console, analyse(tmp_path).found)
    assert "should beat 0.5 in every class, and does not: fragile" in " ".join(console.export_text().split())


def test_the_page_shows_texts_as_data_and_its_script_alone_may_run(tmp_path: Path) -> None:
    write_planted(tmp_path, text="</script><b>&", n_problems=4)
    write_analysis(tmp_path, problems={"p0": "<i>what?"})
    html = (tmp_path / "counterfactual.html").read_text(encoding="utf-8")
    assert "</script><b>" not in html
    assert "<i>what?" not in html
    assert "default-src &#39;none&#39;; script-src" in html
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", html)
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    shown = json.loads(data)
    assert len(shown["responses"]) == 8
    assert shown["responses"][0]["text"] == "<i>what?"
    assert shown["responses"][0]["tokens"][0] == "</script><b>&"
    assert len(shown["views"][0]["responses"][0]) == 15


def test_a_profile_over_depth_is_drawn_where_there_is_more_than_one_layer(tmp_path: Path) -> None:
    write_analysis(write_planted(tmp_path, leads=[no_lead, no_lead]))
    assert (tmp_path / "depth.png").is_file()
    assert len((tmp_path / "summary.csv").read_text().splitlines()) == 1 + 2 * 2 * 4
    write_analysis(write_planted(tmp_path))
    assert not (tmp_path / "depth.png").exists()
    assert json.loads((tmp_path / "analysis.json").read_text())["files"] == sorted(
        ["counterfactual.html", "counterfactual.png", "curve.csv", "summary.csv"]
    )


def test_an_empty_class_has_no_figure_and_no_verdict(tmp_path: Path) -> None:
    """No token of a median above 0.9999999."""
    write_planted(tmp_path, n_problems=5)
    found = analyse(tmp_path, boundaries=(0.5, 0.9999999))
    row = only(summary_of(found), definition=SECOND_SET, **{"class": "confident"})
    assert (row["n_tokens"], row["rank"], row["rank_ci_low"]) == ("0", "", "")
    assert not any(one.claim.startswith("confident") for one in found.verdicts)


@pytest.mark.parametrize("boundaries", [(0.9, 0.5), (0.5,), (0.0, 0.5), (0.5, 1.0), (0.2, 0.5, 0.9)])
def test_boundaries_are_two_probabilities_that_rise(tmp_path: Path, boundaries: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="two probabilities that rise"):
        analyse(write_planted(tmp_path, n_problems=3), boundaries=boundaries)


def test_a_table_that_is_not_there_or_not_whole_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tokens\.parquet: cannot read it"):
        analyse(tmp_path)
    table = pd.read_parquet(write_planted(tmp_path, n_problems=3) / TOKENS)
    table.drop(columns=UTILITIES["rank"]).to_parquet(tmp_path / TOKENS, index=False)
    with pytest.raises(InputError, match="has no column rank"):
        analyse(tmp_path)
    table.iloc[:0].to_parquet(tmp_path / TOKENS, index=False)
    with pytest.raises(InputError, match="holds no token"):
        analyse(tmp_path)
    table.assign(best_logprob=np.nan).to_parquet(tmp_path / TOKENS, index=False)
    with pytest.raises(InputError, match="best_logprob lacks values"):
        analyse(tmp_path)
    (tmp_path / TOKENS).write_bytes(b"no parquet")
    with pytest.raises(InputError, match="cannot read it"):
        analyse(tmp_path)
