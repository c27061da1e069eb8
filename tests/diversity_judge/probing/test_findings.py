"""The command against judges whose faults are known, and against judges that compute."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import diversity_judge as dj
from diversity_judge.probing.names import PROBES
from tests.diversity_judge.reliability_runs import probe, scored
from tests.planted_judge import PlantedJudge, write_responses


def test_planted_noise_and_order_bias_are_found_with_the_right_size(tmp_path: Path) -> None:
    """Rounding adds 1/12 to the variance of a noise of half a point (Sheppard); truths of 2 and 3 are never clipped."""
    responses = write_responses(tmp_path / "responses.jsonl", problems=12, n=4)
    with PlantedJudge(noise=0.5, order_bias=0.8) as server:
        folder = scored(responses, server, tmp_path / "run")
        server.forget()
        found = probe(folder, "--probes", "retest", "order")
        assert len(server.calls) == 300, "two further draws of each pair and one turned round"
    assert found.code == 0, found.output
    sd, bias = found.of("retest", "sd_within_pair"), found.of("order", "mean_difference")
    assert sd["ci_low"] < math.sqrt(0.5**2 + 1 / 12) < sd["ci_high"]
    assert sd["ci_high"] - sd["ci_low"] < 0.25
    assert bias["ci_low"] < 0.8 < bias["ci_high"]
    assert bias["verdict"] == "outside the band"
    assert "score with --orders both" in " ".join(found.output.split())


def test_a_judge_without_faults_is_not_accused_and_one_that_obeys_is(responses: Path, tmp_path: Path) -> None:
    with PlantedJudge() as server:
        folder = scored(responses, server, tmp_path / "run")
        honest = probe(folder, "--pairs", "40")
    assert honest.code == 0, honest.output
    assert set(honest.findings["probe"]) == set(PROBES)
    assert "outside the band" not in set(honest.findings["verdict"])
    assert "No figure lies outside its band" in honest.output
    table = honest.output[honest.output.index("probe  ") : honest.output.index("•")]
    assert max(map(len, table.splitlines())) <= 80
    with PlantedJudge(obeys=True) as server:
        folder = scored(responses, server, tmp_path / "obeying")
        obeying = probe(folder, "--pairs", "40", "--probes", "control-injection")
    assert obeying.of("control-injection", "obeyed")["value"] == 1
    assert obeying.of("control-injection", "obeyed")["verdict"] == "outside the band"


def test_a_judge_that_reads_nothing_is_called_what_it_is(responses: Path, tmp_path: Path) -> None:
    with PlantedJudge(is_blind=True) as server:
        folder = scored(responses, server, tmp_path / "run")
        found = probe(folder, "--pairs", "40", "--probes", "control")
    assert found.of("control-identical", "mean")["value"] == 3
    assert found.of("control-unrelated", "auc")["value"] == 0.5
    assert {found.of(p, "mean")["verdict"] for p in ("control-identical", "control-unrelated")} == {"outside the band"}
    assert "do not use its scores" in " ".join(found.output.split())


def test_the_proxy_is_probed_without_a_key_and_has_no_noise(responses: Path, tmp_path: Path) -> None:
    dj.score(responses, judge="proxy", out=tmp_path / "run", heatmaps="none")
    found = probe(tmp_path / "run", "--pairs", "40")
    assert found.code == 0, found.output
    assert found.of("retest", "sd_within_pair")["value"] == 0
    assert found.of("order", "mean_difference")["value"] == 0
    assert found.of("control-identical", "mean")["value"] == 5
    assert found.of("template", "not asked")["detail"].startswith("this judge reads no prompt")


def test_the_exact_judge_sees_the_same_as_the_same_and_no_order(tmp_path: Path) -> None:
    rows = [
        {"problem_id": f"p{p}", "strategy": strategy, "response": text}
        for p in range(4)
        for strategy, texts in {
            "one": ("{a} + 2 = {b} left 3 {b} ; 3 * {b} = {c}", "2 + {a} = {b} left 3 {b} ; {b} * 3 = {c}"),
            "two": ("3 * {a} = {d} left 2 {d} ; 2 + {d} = {e}", "{a} - 2 = {f} left 3 {f} ; 3 + {f} = {g}"),
        }.items()
        for text in (
            pattern.format(a=a, b=a + 2, c=3 * (a + 2), d=3 * a, e=3 * a + 2, f=a - 2, g=a + 1)
            for a in (10 + 20 * p, 11 + 20 * p)
            for pattern in texts
        )
    ]
    dj.score(pd.DataFrame(rows), judge="countdown", out=tmp_path / "run", heatmaps="none")
    found = dj.reliability(tmp_path / "run", pairs=40)
    assert not isinstance(found, dj.Bill)
    assert found.of("retest", "sd_within_pair").value == 0
    assert found.of("order", "differ_by_2").value == 0
    assert [found.of(f"control-{name}", "mean").value for name in ("identical", "reformatted", "answer")] == [5, 5, 5]
    assert found.of("control-unrelated", "mean").value < 1.5
    assert found.of("control-padding", "mean_shift").value == found.of("control-injection", "mean_shift").value == 0


def test_labels_of_people_show_that_the_judge_errs_on_one_strategy(responses: Path, tmp_path: Path) -> None:
    """People say what the judge says, and one point less of `hot`: it errs there by 1, and by 0 on `cold`."""
    with PlantedJudge() as server:
        folder = scored(responses, server, tmp_path / "run")
    pairs = pd.read_csv(folder / "pairs.csv", dtype={"first": str, "second": str})
    labels = pairs[["problem_id", "strategy", "first", "second"]].assign(
        score=pairs["score"] - (pairs["strategy"] == "hot"), annotator="ann"
    )
    path = tmp_path / "labels.csv"
    labels.to_csv(path, index=False)
    found = probe(folder, "--pairs", "4", "--probes", "strategy", "--labels", str(path))
    assert found.code == 0, found.output
    assert found.of("strategy", "error_labels", "hot")["value"] == 1
    assert found.of("strategy", "error_labels", "hot")["verdict"] == "outside the band"
    assert "errs differently on hot: +1.00" in " ".join(found.output.split())
    path.write_text(path.read_text(encoding="utf-8").replace("p0,cold", "p9,cold", 1), encoding="utf-8")
    refused = probe(folder, "--pairs", "4", "--labels", str(path))
    assert refused.code == 2
    assert "labels.csv:2:" in refused.output
    labels.assign(score=1).rename(columns={"score": "similar"}).to_csv(path, index=False)
    assert "labels of 0 and 1" in probe(folder, "--pairs", "4", "--labels", str(path)).output


def test_another_version_behind_the_same_name_is_seen(responses: Path, tmp_path: Path) -> None:
    """The first groups are asked again later: in the order of the groups it would look like two changes."""
    with PlantedJudge() as server:
        folder = scored(responses, server, tmp_path / "run")
    with sqlite3.connect(folder / "ledger.sqlite") as ledger:
        ledger.execute("UPDATE replies SET system_fingerprint = 'fp_new' WHERE id > 50")
    found = probe(folder, "--probes", "instrument")
    assert found.of("instrument", "fingerprints")["value"] == 2
    assert found.of("instrument", "fingerprints")["verdict"] == "outside the band"
    assert "changed 1 times" in found.of("instrument", "fingerprints")["detail"]


@pytest.mark.parametrize("options", [{"view": "final"}, {"truncate_tokens": 20}, {"draws": 2}, {"pairs_per_group": 3}])
def test_a_run_is_probed_as_it_was_shown_and_thinned(options: dict[str, Any], tmp_path: Path) -> None:
    rows = [
        {"problem_id": f"p{p}", "response": f"<think>so {p} {i}</think> {'word ' * 20} {p} {i} is {i + p}"}
        for p in range(3)
        for i in range(4)
    ]
    dj.score(pd.DataFrame(rows), judge="proxy", out=tmp_path / "run", heatmaps="none", **options)
    found = dj.reliability(tmp_path / "run", pairs=6, probes=["retest", "control-identical"])
    assert isinstance(found, dj.Reliability)
    assert found.exit_code == 0
    assert found.of("control-identical", "mean").value == 5
    shown = {plan.shown[0].text for answers in found.answers for plan in answers.request.plans}
    assert not any("<think>" in text for text in shown) or options.get("view") != "final"
