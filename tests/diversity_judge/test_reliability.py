"""The command against judges whose faults are known, against judges that compute, and on runs that it must refuse."""

from __future__ import annotations

import html
import json
import math
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import diversity_judge as dj
from diversity_judge.errors import InputError
from diversity_judge.probing.names import PROBES
from tests.diversity_judge.reliability_runs import QUICK, probe
from tests.diversity_judge.score_runs import KEY, KEY_VARIABLE, run
from tests.judge_faults import Faults, always
from tests.judge_process import REPOSITORY
from tests.planted_judge import PlantedJudge, write_responses

END_S = 120.0


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    """Eight groups of ten pairs."""
    return write_responses(tmp_path / "responses.jsonl", problems=4, n=5)


def scored(responses: Path, server: PlantedJudge, folder: Path, *options: str) -> Path:
    finished = run(responses, server, folder, *options)
    assert finished.code == 0, finished.output
    return folder


def n_stored(folder: Path) -> int:
    with sqlite3.connect(folder / "ledger.sqlite") as ledger:
        return int(ledger.execute("SELECT COUNT(*) FROM replies").fetchone()[0])


# --- what is found --------------------------------------------------------------------------------


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


# --- what is bought -------------------------------------------------------------------------------


def test_nothing_is_bought_twice_and_more_pairs_and_draws_go_on_from_what_is_there(
    responses: Path, tmp_path: Path
) -> None:
    with PlantedJudge(noise=0.5) as server:
        folder = scored(responses, server, tmp_path / "run")
        first = probe(folder, "--pairs", "20", "--probes", "retest,order", "control-identical")
        calls = first.manifest["this_run"]["calls"]
        again = probe(folder, "--pairs", "20", "--probes", "retest", "order", "control-identical")
        assert (first.code, again.code, again.manifest["this_run"]["calls"]) == (0, 0, 0)
        pd.testing.assert_frame_equal(first.findings, again.findings)
        more = probe(folder, "--pairs", "20", "--draws", "5", "--probes", "retest")
        assert more.manifest["this_run"]["calls"] == 40, "two further draws of twenty pairs"
        assert calls == 20 * 2 + 20 + 20


def test_a_run_in_both_orders_needs_no_call_for_the_order(responses: Path, tmp_path: Path) -> None:
    with PlantedJudge(order_bias=1.0) as server:
        folder = scored(responses, server, tmp_path / "run", "--orders", "both")
        server.forget()
        found = probe(folder, "--probes", "order")
        assert (found.code, len(server.calls)) == (0, 0)
    assert found.of("order", "mean_difference")["verdict"] == "outside the band"


def test_killed_in_the_middle_it_resumes_and_repeats_no_more_than_was_in_flight(
    responses: Path, tmp_path: Path
) -> None:
    with PlantedJudge(latency=0.02) as server:
        folder = scored(responses, server, tmp_path / "run")
        before, stored = sum(server.record.bought.values()), n_stored(folder)
        argv = [str(folder), *QUICK, "--pairs", "20", "--concurrency", "8"]
        process = subprocess.Popen(
            [sys.executable, "-m", "diversity_judge.reliability", *argv],
            cwd=REPOSITORY,
            env={**os.environ, KEY_VARIABLE: KEY},
            stdout=subprocess.DEVNULL,
        )
        try:
            server.wait_until(lambda record: sum(record.bought.values()) >= before + 60, END_S)
            process.send_signal(signal.SIGKILL)
            process.wait(END_S)
        finally:
            process.kill()
        server.wait_until(lambda record: record.in_flight == 0, END_S)
        lost = sum(server.record.bought.values()) - before - (n_stored(folder) - stored)
        assert 0 <= lost <= 8
        assert not (folder / "reliability").exists(), "nothing looks like a result"
        finished = probe(folder, "--pairs", "20")
        assert finished.code == 0, finished.output
        wanted = finished.manifest["this_run"]["reused"] + finished.manifest["this_run"]["calls"]
        in_run = 20
        assert sum(server.record.bought.values()) - before == wanted - in_run + lost


def test_ctrl_c_ends_it_in_order_and_the_same_command_goes_on(responses: Path, tmp_path: Path) -> None:
    with PlantedJudge(latency=0.1) as server:
        folder = scored(responses, server, tmp_path / "run")
        before = len(server.calls)
        process = subprocess.Popen(
            [sys.executable, "-m", "diversity_judge.reliability", str(folder), *QUICK, "--pairs", "20"],
            cwd=REPOSITORY,
            env={**os.environ, KEY_VARIABLE: KEY},
            stdout=subprocess.DEVNULL,
        )
        try:
            server.wait_until(lambda record: len(record.calls) >= before + 20, END_S)
            process.send_signal(signal.SIGINT)
            assert process.wait(END_S) == 130
        finally:
            process.kill()
        manifest = json.loads((folder / "reliability" / "reliability.json").read_text(encoding="utf-8"))
        assert (manifest["state"], manifest["ending"]["state"]) == ("finished", "interrupted")
        assert manifest["this_run"]["replies"] == len(server.calls) - before
        assert probe(folder, "--pairs", "20").code == 0
        assert max(server.prompts.values()) == 3, "three draws of a pair, and nothing else twice"


def test_a_budget_ends_it_in_order_and_a_higher_one_goes_on(responses: Path, tmp_path: Path) -> None:
    with PlantedJudge() as server:
        folder = scored(responses, server, tmp_path / "run")
        server.forget()
        stopped = probe(folder, "--pairs", "20", "--max-calls", "50")
        assert (stopped.code, len(server.calls)) == (3, 50)
        assert stopped.manifest["ending"]["state"] == "budget"
        assert "--max-calls 50 is reached" in stopped.output
        assert stopped.of("retest", "sd_within_pair")["value"] == 0, "the most telling probes are bought first"
        finished = probe(folder, "--pairs", "20")
        assert finished.code == 0, finished.output
        assert len(server.calls) == 50 + finished.manifest["this_run"]["calls"]


def test_replies_that_were_cut_are_asked_again_with_a_higher_limit(responses: Path, tmp_path: Path) -> None:
    with PlantedJudge() as server:
        folder = scored(responses, server, tmp_path / "run", "--max-tokens", "50")
        server.faults = always("truncated")
        cut = probe(folder, "--pairs", "4", "--probes", "order", "--max-attempts", "1")
        assert (cut.code, cut.manifest["missing"]) == (3, {"truncated": 4})
        server.faults = Faults()
        again = probe(folder, "--pairs", "4", "--probes", "order")
        assert (again.code, again.manifest["this_run"]["calls"]) == (3, 0), "they would be cut, and paid for, again"
        higher = probe(folder, "--pairs", "4", "--probes", "order", "--max-tokens", "500")
        assert (higher.code, higher.manifest["this_run"]["calls"]) == (0, 4)


def test_a_dry_run_sends_nothing_needs_no_key_and_counts_each_probe(
    responses: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PlantedJudge() as server:
        folder = scored(responses, server, tmp_path / "run")
        server.forget()
        monkeypatch.delenv(KEY_VARIABLE, raising=False)
        bill = dj.reliability(folder, pairs=20, probes=["retest", "order", "template"], dry_run=True)
        assert isinstance(bill, dj.Bill)
        assert (bill.calls, bill.reused) == (20 * 2 + 20 + 2 * 20, 20)
        assert not server.calls
        with pytest.raises(InputError, match=KEY_VARIABLE):
            dj.reliability(folder, pairs=20)
        assert not server.calls
    assert not (folder / "reliability").exists()


def test_refused_keys_and_dead_hosts_end_with_the_codes_of_the_contract(responses: Path, tmp_path: Path) -> None:
    with PlantedJudge(api_key=KEY) as server:
        folder = scored(responses, server, tmp_path / "run")
        server.api_key = "another"
        refused = probe(folder, "--pairs", "4")
    assert refused.code == 1
    assert refused.manifest["ending"]["state"] == "failed"


def test_the_judge_is_shown_the_templates_words_and_pairs_across_problems(responses: Path, tmp_path: Path) -> None:
    with PlantedJudge() as server:
        folder = scored(responses, server, tmp_path / "run")
        server.prompts.clear()
        probe(folder, "--pairs", "6", "--probes", "control-identical", "control-unrelated", "template")
        prompts = list(server.prompts)
    assert sum(prompt.startswith("Below are two solutions") for prompt in prompts) == 6
    assert sum(prompt.startswith("Someone has answered one problem twice") for prompt in prompts) == 6
    assert len(prompts) == 6 + 2 * 6 + 2 * 12, "identical pairs are asked, and twelve unrelated ones in each strategy"


# --- what is refused ------------------------------------------------------------------------------


def _without_ledger(folder: Path) -> None:
    (folder / "ledger.sqlite").unlink()
    _change(folder, ledger=str(folder / "ledger.sqlite"))


def _unfinished(folder: Path) -> None:
    _change(folder, state="unfinished")


def _another_model(folder: Path) -> None:
    manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    _change(folder, judge=manifest["judge"] | {"model": "other"})


def _another_text(folder: Path) -> None:
    manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    _change(folder, prompt=manifest["prompt"] | {"text": manifest["prompt"]["text"] + "!"})


def _another_key(folder: Path) -> None:
    pairs = pd.read_csv(folder / "pairs.csv", dtype=str, keep_default_na=False)
    pairs.loc[3, "key"] = "0" * 64
    pairs.to_csv(folder / "pairs.csv", index=False)


def _no_score(folder: Path) -> None:
    pairs = pd.read_csv(folder / "pairs.csv", dtype=str, keep_default_na=False)
    pairs.assign(score="", missing="timeout").to_csv(folder / "pairs.csv", index=False)


def _one_problem(folder: Path) -> None:
    pairs = pd.read_csv(folder / "pairs.csv", dtype=str, keep_default_na=False)
    pairs.loc[pairs["problem_id"] != "p0", ["score", "missing"]] = ["", "timeout"]
    pairs.to_csv(folder / "pairs.csv", index=False)


def _change(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    (folder / "run.json").write_text(json.dumps(manifest | changes), encoding="utf-8")


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    responses = write_responses(folder / "responses.jsonl", problems=2, strategies=("s",), n=4)
    with PlantedJudge() as server:
        return scored(responses, server, folder / "run")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_without_ledger, r"ledger\.sqlite is not there.*--ledger"),
        (_unfinished, "stopped while it wrote"),
        (_another_model, r"run\.json: this would be another model: loopback in the run, other now"),
        (_another_text, r"run\.json: the prompt's text is not the one that its hash"),
        (_another_key, r"pairs\.csv: the keys of p0 / s are not those of this judge"),
        (_no_score, "no pair has a score that the judge gave"),
        (_one_problem, "all scored pairs are of one problem"),
    ],
)
def test_a_run_that_cannot_be_probed_is_refused_in_a_sentence(
    damage: Callable[[Path], None], said: str, small_run: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(small_run, folder)
    damage(folder)
    with pytest.raises(InputError, match=said):
        dj.reliability(folder, pairs=4, dry_run=True)
    assert probe(folder).code == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--probes", "retst"), "there is no probe 'retst'; did you mean 'retest'?"),
        (("--probes", ","), "--probes names no probe"),
        (("--pairs", "1"), "--pairs must be at least 2, not 1"),
        (("--draws", "1"), "--draws must be at least 2, not 1: one draw cannot differ from itself"),
        (("--max-cost", "3"), "--max-cost needs prices"),
        (("--base-url", "http://127.0.0.1:1/other"), "another host"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: tuple[str, ...], said: str, small_run: Path) -> None:
    found = probe(small_run, *options)
    assert found.code == 2
    assert said in " ".join(found.output.split())


def test_responses_that_were_never_judged_are_refused(responses: Path) -> None:
    with pytest.raises(InputError, match="responses without a judge"):
        dj.reliability(responses)


# --- what is left in the folder -------------------------------------------------------------------


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
