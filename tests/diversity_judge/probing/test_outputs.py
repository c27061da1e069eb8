"""What is left in the folder: tables, figures and a page that are whole."""

from __future__ import annotations

import html
from pathlib import Path

import pandas as pd
import pytest

import diversity_judge as dj
from diversity_judge.probing.names import PROBES
from tests.diversity_judge.reliability_runs import probe, scored
from tests.planted_judge import PlantedJudge


def test_tables_figures_and_page_are_whole_and_nothing_old_stays(responses: Path, tmp_path: Path) -> None:
    with PlantedJudge(noise=0.5) as server:
        folder = scored(responses, server, tmp_path / "run")
        found = probe(folder, "--pairs", "20", quick=("--retry-wait", "0.001"))
        assert found.code == 0, found.output
    listed = found.manifest["files"]
    assert found.manifest["state"] == "finished"
    assert sorted(listed) == sorted(
        str(path.relative_to(found.folder)) for path in found.folder.rglob("*.*") if path.name != "reliability.json"
    )
    assert {"reliability.csv", "controls.csv", "variance_components.csv", "allocation.csv", "reliability.html"} <= set(
        listed
    )
    components = pd.read_csv(found.folder / "variance_components.csv").set_index("component")
    draw = components.loc["draw"]
    assert draw["ci_low"] < 0.5**2 + 1 / 12 < draw["ci_high"]
    controls = pd.read_csv(found.folder / "controls.csv")
    assert set(controls["control"]) == {name for name in PROBES if name.startswith("control-")}
    assert controls["score"].notna().all()
    flips = pd.read_csv(found.folder / "flips.csv").set_index(["score", "score_again"])["n"]
    drawn = pd.read_csv(found.folder / "drawn_pairs.csv")
    draws = [drawn[name] for name in ("draw_0", "draw_1", "draw_2")]
    pairs_of_draws = [(one, later) for place, one in enumerate(draws) for later in draws[place + 1 :]]
    for score, again in flips.index:
        assert flips[score, again] == sum(((one == score) & (later == again)).sum() for one, later in pairs_of_draws)
    fewer = probe(folder, "--pairs", "20", "--probes", "retest", "--no-report", "--no-figures")
    assert not (fewer.folder / "reliability.html").exists(), "nothing old stands beside what is new"
    assert not (fewer.folder / "controls.csv").exists()


def test_the_page_needs_nothing_from_outside_and_shows_hostile_names_as_text(tmp_path: Path) -> None:
    rows = [
        {"problem_id": f"p{p}", "strategy": strategy, "response": f"R {p} {strategy} {'word ' * i} so {i}"}
        for p in range(3)
        for strategy in ("<script>alert(1)</script>", "$x$")
        for i in range(4)
    ]
    dj.score(pd.DataFrame(rows), judge="proxy", out=tmp_path / "run", heatmaps="none")
    found = dj.reliability(tmp_path / "run", pairs=12, out=tmp_path / "out")
    assert isinstance(found, dj.Reliability)
    written = (tmp_path / "out" / "reliability.html").read_text(encoding="utf-8")
    page = html.unescape(written)
    assert "<script" not in written
    assert "<script>alert(1)</script>" in page
    assert "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count('class="probe"') == len({finding.probe for finding in found.findings})
    assert "proxy judge, not an LLM" in page


@pytest.mark.llm_server
def test_a_real_small_model_is_probed_and_called_what_it_is(llm_base_url: str, tmp_path: Path) -> None:
    """A grammar makes 135 million parameters write a score; which one they write has little to do with the texts."""
    rows = [{"problem_id": f"p{p}", "response": f"{p} + {k} = {p + k}"} for p in range(3) for k in (2, 5)]
    template = tmp_path / "short.txt"
    header = '---\nname = "short"\nversion = "1"\n---\n'
    template.write_text(f"{header}First: {{text1}}\nSecond: {{text2}}\nHow alike, 0 to 5?\n", encoding="utf-8")
    grammar = {"grammar": 'root ::= "[Final Score: " [0-5] "]"', "temperature": 1.0}
    scored_by_it = dj.score(
        pd.DataFrame(rows), base_url=llm_base_url, model="smollm2", prompt=template, max_tokens=24, params=grammar,
        concurrency=1, out=tmp_path / "run", heatmaps="none",
    )  # fmt: skip
    assert scored_by_it.exit_code == 0
    found = probe(tmp_path / "run", "--pairs", "3", "--concurrency", "1", "--probes", "control-identical")
    assert found.code == 0, found.output
    assert found.of("control-identical", "share_outside")["verdict"] != "inside the band"
    assert found.of("control-identical", "mean")["value"] < 5
