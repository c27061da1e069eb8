"""What is bought: nothing twice, whatever ends it, and nothing at all in a dry run."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import diversity_judge as dj
from diversity_judge.errors import InputError
from tests.diversity_judge.reliability_runs import QUICK, probe, scored
from tests.diversity_judge.score_runs import KEY, KEY_VARIABLE
from tests.judge_faults import Faults, always
from tests.judge_process import REPOSITORY
from tests.planted_judge import PlantedJudge

END_S = 120.0


def n_stored(folder: Path) -> int:
    with sqlite3.connect(folder / "ledger.sqlite") as ledger:
        return int(ledger.execute("SELECT COUNT(*) FROM replies").fetchone()[0])


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
    assert len(prompts) == 6 + 2 * 6 + 2 * 15, "identical pairs are asked, and fifteen unrelated ones in each strategy"
