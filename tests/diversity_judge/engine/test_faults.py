"""Whatever a host does, the run ends with the exact matrix, or says which pairs are missing and why."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.diversity_judge.score_runs import (
    KEY,
    assert_each_bought_once,
    assert_exact,
    assert_key_is_nowhere,
    run,
)
from tests.judge_faults import BEHAVIOURS, Faults, Rule, always, first_attempts, storm
from tests.judge_server import JudgeServer
from tests.judge_texts import Sample

SAMPLE = Sample(problems=("p0",), n=5)
PAIR = SAMPLE.pairs()[0]

COMES_BACK = (
    "408", "409", "429", "500", "502-html", "503",
    "drop-before-headers", "drop-inside-headers", "drop-inside-body",
    "empty-content", "blank-content", "null-content", "no-choices", "malformed-json",
    "reasoning-only", "reasoning-only-openrouter", "think-unclosed",
    "insufficient-system-resource", "unparsable", "out-of-range",
)  # fmt: skip
"""What a host does once and not again."""

IS_AN_ANSWER = (
    "think-tags", "think-close-only", "reasoning-differs", "reasoning-differs-openrouter", "two-scores",
    "unknown-finish-reason", "null-finish-reason", "missing-usage", "deepseek-usage",
    "terminal-escapes", "lone-surrogate", "blank-lines", "slow-first-byte",
)  # fmt: skip
"""Replies that look odd and hold a valid score: asking again would waste money."""

IS_FINAL = {
    "truncated": "truncated",
    "truncated-after-score": "truncated",
    "truncated-empty": "truncated",
    "content-filter": "content_filter",
    "400": "http_400",
    "422": "http_422",
}
"""Replies that would be the same again, and the reason that the tables must give."""


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    return SAMPLE.write(tmp_path / "responses.jsonl")


@pytest.mark.parametrize("name", COMES_BACK)
def test_a_passing_fault_is_asked_again_until_the_matrix_is_exact(name: str, responses: Path, tmp_path: Path) -> None:
    with JudgeServer(faults=first_attempts(name)) as server:
        finished = run(responses, server, tmp_path / "run")
        assert finished.code == 0, finished.output
        assert_exact(finished, SAMPLE)
        assert_each_bought_once(server, SAMPLE)
        assert len(server.calls) == 2 * SAMPLE.n_pairs


def test_calls_that_brought_nothing_are_not_shown_as_answers(responses: Path, tmp_path: Path) -> None:
    with JudgeServer(faults=first_attempts("503")) as server:
        finished = run(responses, server, tmp_path / "run")
    n = SAMPLE.n_pairs
    assert f"{2 * n} calls ({n} without a reply)" in " ".join(finished.output.split())


@pytest.mark.parametrize("name", IS_AN_ANSWER)
def test_an_odd_reply_with_a_valid_score_is_not_asked_again(name: str, responses: Path, tmp_path: Path) -> None:
    quick = {"first_byte_after": 0.05} if name == "slow-first-byte" else {}
    with JudgeServer(faults=always(name, **quick)) as server:
        finished = run(responses, server, tmp_path / "run")
        assert finished.code == 0, finished.output
        assert_exact(finished, SAMPLE)
        assert len(server.calls) == SAMPLE.n_pairs


@pytest.mark.parametrize("name", IS_FINAL)
def test_a_final_failure_is_one_missing_pair_with_its_reason(name: str, responses: Path, tmp_path: Path) -> None:
    with JudgeServer(faults=Faults([Rule(BEHAVIOURS[name], pair=PAIR)])) as server:
        finished = run(responses, server, tmp_path / "run")
        assert finished.code == 3, finished.output
        assert_exact(finished, SAMPLE, without=frozenset({PAIR}))
        missing = finished.pairs.dropna(subset="missing")
        assert list(missing["missing"]) == [IS_FINAL[name]]
        assert server.record.asked[PAIR] == 1
        assert IS_FINAL[name] in finished.output


def test_truncation_says_which_limit_to_raise_and_raising_it_asks_again(responses: Path, tmp_path: Path) -> None:
    with JudgeServer(faults=Faults([Rule(BEHAVIOURS["truncated"], pair=PAIR)])) as server:
        cut = run(responses, server, tmp_path / "run", "--max-tokens", "100")
        assert "--max-tokens" in cut.output
        server.faults = Faults()
        server.forget()
        same = run(responses, server, tmp_path / "run", "--max-tokens", "100")
        assert (same.code, len(server.calls)) == (3, 0), "it would be cut, and paid for, again"
        raised = run(responses, server, tmp_path / "run", "--max-tokens", "200")
        assert raised.code == 0, raised.output
        assert server.record.asked == {PAIR: 1}
        assert_exact(raised, SAMPLE)


@pytest.mark.parametrize(
    ("name", "advice"), [("401", "key"), ("402", "balance"), ("404", "does not serve the model 'loopback'")]
)
def test_what_no_call_can_overcome_stops_the_run_at_once_with_what_to_do(
    name: str, advice: str, responses: Path, tmp_path: Path
) -> None:
    with JudgeServer(faults=always(name)) as server:
        finished = run(responses, server, tmp_path / "run", concurrency=3)
        assert finished.code == 1
        assert advice in finished.output
        assert len(server.calls) <= 3, "nothing but what was in flight"


def test_a_quiet_run_that_fails_says_why_in_one_line(responses: Path, tmp_path: Path) -> None:
    with JudgeServer(faults=always("401")) as server:
        finished = run(responses, server, tmp_path / "run", "--quiet")
    assert finished.code == 1
    (said,) = finished.output.splitlines()
    assert said.startswith("error: ")
    assert "the key" in said


def test_an_empty_balance_in_the_middle_keeps_what_was_bought(responses: Path, tmp_path: Path) -> None:
    with JudgeServer(faults=Faults([Rule(BEHAVIOURS["402"], calls=range(8, 10_000))])) as server:
        stopped = run(responses, server, tmp_path / "run", concurrency=2)
        assert stopped.code == 1
        server.faults = Faults()
        resumed = run(responses, server, tmp_path / "run")
        assert resumed.code == 0, resumed.output
        assert_exact(resumed, SAMPLE)
        assert_each_bought_once(server, SAMPLE)
        assert resumed.manifest["this_run"]["reused"] == 8


@pytest.mark.parametrize("name", ["400", "422"])
def test_refusals_of_all_first_calls_stop_the_run(name: str, responses: Path, tmp_path: Path) -> None:
    with JudgeServer(faults=always(name)) as server:
        finished = run(responses, server, tmp_path / "run", concurrency=2)
        assert finished.code == 1
        assert BEHAVIOURS[name].message in finished.output
        assert len(server.calls) < SAMPLE.n_pairs


def test_a_fault_that_stays_ends_in_a_missing_pair_and_a_resume_asks_only_for_it(
    responses: Path, tmp_path: Path
) -> None:
    with JudgeServer(faults=Faults([Rule(BEHAVIOURS["500"], pair=PAIR)])) as server:
        finished = run(responses, server, tmp_path / "run", "--max-attempts", "3")
        assert finished.code == 3
        assert server.record.asked[PAIR] == 3
        assert list(finished.pairs.dropna(subset="missing")["missing"]) == ["http_500"]
        server.faults = Faults()
        server.forget()
        resumed = run(responses, server, tmp_path / "run")
        assert resumed.code == 0, resumed.output
        assert server.record.asked == {PAIR: 1}
        assert_exact(resumed, SAMPLE)


def test_replies_without_a_score_are_bought_a_few_times_only(responses: Path, tmp_path: Path) -> None:
    with JudgeServer(faults=Faults([Rule(BEHAVIOURS["unparsable"], pair=PAIR)])) as server:
        finished = run(responses, server, tmp_path / "run")
        assert finished.code == 3
        assert server.record.asked[PAIR] == 3
        with sqlite3.connect(finished.folder / "ledger.sqlite") as ledger:
            (kept,) = ledger.execute("SELECT COUNT(*) FROM replies WHERE content LIKE '%a four.'").fetchone()
        assert kept == 3, "every paid reply is kept raw"


@pytest.mark.parametrize("form", ["429-retry-after", "429-retry-after-date", "503-retry-after"])
def test_retry_after_is_waited_for(form: str, responses: Path, tmp_path: Path) -> None:
    # The date has whole seconds only: asking for two seconds means more than one.
    faults = Faults([Rule(replace(BEHAVIOURS[form], retry_after=2), pair=PAIR, attempts=1)])
    with JudgeServer(faults=faults) as server:
        finished = run(responses, server, tmp_path / "run")
        assert finished.code == 0, finished.output
        first, second = (call.arrived for call in server.calls if call.pair == PAIR)
        assert second - first >= (1 if "date" in form else 2)


def test_a_retry_that_waits_holds_no_slot(responses: Path, tmp_path: Path) -> None:
    faults = Faults([Rule(replace(BEHAVIOURS["500"], retry_after=1), calls=range(1), attempts=1)])
    with JudgeServer(faults=faults) as server:
        finished = run(responses, server, tmp_path / "run", concurrency=1)
        assert finished.code == 0, finished.output
        assert [call.attempt for call in server.calls] == [0] * SAMPLE.n_pairs + [1]


@pytest.mark.parametrize("name", ["hang", "blank-lines"])
def test_the_deadline_of_a_call_holds_against_silence_and_keep_alive_lines(
    name: str, responses: Path, tmp_path: Path
) -> None:
    changes = {"blank_lines_for": 600.0} if name == "blank-lines" else {}
    faults = Faults([Rule(replace(BEHAVIOURS[name], **changes), pair=PAIR, attempts=1)])  # type: ignore[arg-type]
    with JudgeServer(faults=faults) as server:
        finished = run(responses, server, tmp_path / "run", "--deadline", "0.5")
        assert finished.code == 0, finished.output
        assert_exact(finished, SAMPLE)
        assert server.record.asked[PAIR] == 2


def test_a_deadline_that_always_passes_is_a_missing_pair_named_timeout(responses: Path, tmp_path: Path) -> None:
    with JudgeServer(faults=Faults([Rule(BEHAVIOURS["hang"], pair=PAIR)])) as server:
        finished = run(responses, server, tmp_path / "run", "--deadline", "0.2", "--max-attempts", "2")
        assert finished.code == 3
        assert list(finished.pairs.dropna(subset="missing")["missing"]) == ["timeout"]


def test_concurrency_is_a_limit_and_halves_when_the_host_is_overloaded(tmp_path: Path) -> None:
    sample = Sample(problems=("p0",), strategies=("s",), n=12)
    responses = sample.write(tmp_path / "many.jsonl")
    overloaded = Faults([Rule(BEHAVIOURS["429"], calls=range(16))])
    with JudgeServer(faults=overloaded, latency=0.1) as server:
        finished = run(responses, server, tmp_path / "run", concurrency=16)
        assert finished.code == 0, finished.output
        assert_exact(finished, sample)
        assert max(call.in_flight for call in server.calls) == 16
        assert max(call.in_flight for call in server.calls[16:24]) <= 8
        assert max(call.in_flight for call in server.calls[24:]) > 8, "and comes back up"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_storm_of_faults_ends_in_the_exact_matrix(seed: int, tmp_path: Path) -> None:
    sample = Sample(problems=("p0", "p1"), n=8)
    responses = sample.write(tmp_path / "responses.jsonl")
    with JudgeServer(faults=storm(COMES_BACK, probability=0.7, seed=seed)) as server:
        finished = run(responses, server, tmp_path / "run", "--orders", "both")
        assert finished.code == 0, finished.output
        assert_exact(finished, sample, both_orders=True)
        assert_each_bought_once(server, sample, both_orders=True)
        assert len(server.calls) > 1.3 * 2 * sample.n_pairs, "the storm did blow"


def test_every_reply_and_its_account_are_in_the_ledger(responses: Path, tmp_path: Path) -> None:
    faults = Faults([Rule(BEHAVIOURS["unparsable"], attempts=1)], otherwise=BEHAVIOURS["reasoning-differs"])
    with JudgeServer(faults=faults) as server:
        finished = run(responses, server, tmp_path / "run")
        assert finished.code == 0, finished.output
        with sqlite3.connect(finished.folder / "ledger.sqlite") as ledger:
            rows = ledger.execute(
                "SELECT content, reasoning, finish_reason, prompt_tokens, cached_tokens, model, "
                "system_fingerprint, attempt FROM replies"
            ).fetchall()
        assert Counter(row[7] for row in rows) == {1: SAMPLE.n_pairs, 2: SAMPLE.n_pairs}
        scored = [row for row in rows if row[7] == 2]
        assert all("[Final Score: " in content and "At first sight" in why for content, why, *_ in scored)
        assert {row[2] for row in rows} == {"stop"}
        assert {(row[5], row[6]) for row in rows} == {("loopback", "fp_loopback")}
        assert sum(row[3] for row in rows) == sum(call.prompt_tokens for call in server.calls)
        assert sum(row[4] for row in rows) == sum(call.cached_tokens for call in server.calls)
        share = finished.manifest["this_run"]["prefix_cache_hit_share"]
        assert share == pytest.approx(sum(row[4] for row in rows) / sum(row[3] for row in rows))


def test_calls_that_share_their_first_text_go_out_together(responses: Path, tmp_path: Path) -> None:
    with JudgeServer() as server:
        run(responses, server, tmp_path / "run", concurrency=1)
        firsts = [call.pair[0] for call in server.calls]
    begins = [first for index, first in enumerate(firsts) if index == 0 or firsts[index - 1] != first]
    assert len(begins) == len(set(begins))


def test_the_budget_of_calls_ends_the_run_with_a_valid_part_and_a_resume_buys_the_rest(
    responses: Path, tmp_path: Path
) -> None:
    with JudgeServer() as server:
        part = run(responses, server, tmp_path / "run", "--max-calls", "7")
        assert (part.code, len(server.calls)) == (3, 7)
        assert part.pairs["score"].notna().sum() == 7
        rest = run(responses, server, tmp_path / "run")
        assert rest.code == 0, rest.output
        assert_exact(rest, SAMPLE)
        assert_each_bought_once(server, SAMPLE)


def test_offline_rebuilds_the_same_tables_without_a_call(responses: Path, tmp_path: Path) -> None:
    with JudgeServer(faults=Faults([Rule(BEHAVIOURS["400"], pair=PAIR)])) as server:
        online = run(responses, server, tmp_path / "run")
        tables = {path.name: path.read_bytes() for path in online.folder.glob("*.csv")}
        server.forget()
        offline = run(responses, server, tmp_path / "run", "--offline")
        assert offline.code == 3
        assert server.calls == []
        assert {path.name: path.read_bytes() for path in online.folder.glob("*.csv")} == tables


@pytest.mark.parametrize("name", ["good", "401", "400-shows-key", "500", "drop-before-headers"])
def test_the_key_is_in_no_file_and_no_output(name: str, responses: Path, tmp_path: Path) -> None:
    rules = [Rule(BEHAVIOURS[name], pair=PAIR)]
    with JudgeServer(faults=Faults(rules)) as server:
        finished = run(responses, server, tmp_path / "run", "--max-attempts", "2")
        assert server.calls[0].headers["authorization"] == f"Bearer {KEY}"
        assert_key_is_nowhere(finished)


def test_credentials_in_the_address_are_not_stored(responses: Path, tmp_path: Path) -> None:
    with JudgeServer(faults=Faults([Rule(BEHAVIOURS["500"], pair=PAIR)])) as server:
        address = server.base_url.replace("//", f"//user:{KEY}@")
        finished = run(responses, address, tmp_path / "run", "--max-attempts", "2")
        assert finished.code == 3, finished.output
        assert_key_is_nowhere(finished)
