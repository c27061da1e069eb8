"""The loopback judge does what its faults say; everything else that is tested against it rests on that."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import numpy as np
import openai
import pytest

from tests.judge_faults import BEHAVIOURS, Faults, Rule, always, first_attempts, parse_rule, storm
from tests.judge_process import REPOSITORY, JudgeProcess
from tests.judge_server import JudgeServer
from tests.judge_texts import Sample, orientations, score_of

SAMPLE = Sample(problems=("p",), strategies=("s",), n=4)
PAIR = ("p.s.0", "p.s.1")


def ask(server: JudgeServer, first: int = 0, second: int = 1, *, key: str = "k") -> http.client.HTTPResponse:
    """One judgment over a fresh connection, body not yet read."""
    prompt = f"Compare.\n<a>{SAMPLE.text('p', 's', first)}</a>\n<b>{SAMPLE.text('p', 's', second)}</b>"
    body = {"model": "loopback", "messages": [{"role": "user", "content": prompt}]}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    return connection.getresponse()


def reply(server: JudgeServer, first: int = 0, second: int = 1) -> dict[str, Any]:
    """The reply's JSON."""
    body: dict[str, Any] = json.load(ask(server, first, second))
    return body


def test_the_answer_is_the_known_score_of_the_pair_in_its_order() -> None:
    with JudgeServer() as server:
        scores = {
            (i, j): reply(server, i, j)["choices"][0]["message"]["content"]
            for i, j in orientations(4, both_orders=True)
        }
    for (i, j), content in scores.items():
        assert content.endswith(f"[Final Score: {score_of(f'p.s.{i}', f'p.s.{j}')}]")


def test_scores_depend_on_the_order_and_use_the_whole_scale() -> None:
    sample = Sample(n=12)
    scores = {pair: score_of(*pair) for pair in sample.pairs(both_orders=True)}
    assert set(scores.values()) == set(range(6))
    assert any(scores[a, b] != scores[b, a] for a, b in scores)


def test_a_table_overrides_the_score() -> None:
    other = (score_of(*PAIR) + 2) % 6
    with JudgeServer(scores={PAIR: other}) as server:
        assert f"[Final Score: {other}]" in reply(server)["choices"][0]["message"]["content"]


def test_texts_without_a_key_are_found_by_their_wording() -> None:
    texts = {"x": "  the whole is the sum\n", "y": "by induction on n", "z": "never shown"}
    with JudgeServer(texts=texts) as server:
        assert server.texts.pair_in("A: by induction on n. B: the whole is the sum") == ("y", "x")
        assert server.texts.pair_in("A: by induction on n. B: by induction on n.") == ("y", "y")
        assert server.texts.pair_in("A: by induction on n.") is None


@pytest.mark.parametrize("n", [2, 3, 4, 7, 8, 32])
def test_one_order_asks_each_unordered_pair_once_and_balances_the_first_place(n: int) -> None:
    asked = orientations(n)
    assert len({frozenset(pair) for pair in asked}) == len(asked) == n * (n - 1) // 2
    firsts = np.bincount([i for i, _ in asked], minlength=n)
    assert firsts.max() - firsts.min() <= 1


@pytest.mark.parametrize(
    "name", [name for name, how in BEHAVIOURS.items() if how.status != 200 and how.raw_body is None]
)
def test_error_statuses_carry_an_error_body(name: str) -> None:
    with JudgeServer(faults=always(name)) as server:
        response = ask(server)
        assert response.status == BEHAVIOURS[name].status
        assert json.load(response)["error"]["message"] == BEHAVIOURS[name].message.replace("{key}", "k")
        assert server.record.bought == {}


def test_retry_after_comes_in_both_forms() -> None:
    with JudgeServer(faults=always("429-retry-after", retry_after=3)) as server:
        assert ask(server).getheader("Retry-After") == "3"
    with JudgeServer(faults=always("429-retry-after-date", retry_after=100)) as server:
        header = ask(server).getheader("Retry-After")
        assert header is not None
        assert 98 <= parsedate_to_datetime(header).timestamp() - time.time() <= 101
    with JudgeServer(faults=always("429")) as server:
        assert ask(server).getheader("Retry-After") is None


def test_connections_are_dropped_where_asked() -> None:
    with (
        JudgeServer(faults=always("drop-before-headers")) as server,
        pytest.raises(http.client.RemoteDisconnected),
    ):
        ask(server)
    with JudgeServer(faults=always("drop-inside-body")) as server:
        response = ask(server)
        with pytest.raises(http.client.IncompleteRead):
            response.read()
    with JudgeServer(faults=always("drop-inside-headers")) as server:
        client = openai.OpenAI(base_url=server.base_url, api_key="k", max_retries=0)
        with client, pytest.raises(openai.APIConnectionError):
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])


def test_blank_lines_come_before_the_body_and_reset_a_read_timeout() -> None:
    faults = always("blank-lines", blank_lines_for=0.5, blank_line_every=0.02)
    with JudgeServer(faults=faults) as server:
        response = ask(server)
        lines = response.read()
        assert lines.startswith(b"\n\n\n")
        assert json.loads(lines)["choices"][0]["finish_reason"] == "stop"
        client = openai.OpenAI(base_url=server.base_url, api_key="k", max_retries=0, timeout=0.3)
        with client:
            answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "R#a# R#b#"}])
        assert answer.choices[0].message.content is not None


def test_a_hanging_call_never_gets_a_byte() -> None:
    with JudgeServer(faults=always("hang")) as server:
        client = openai.OpenAI(base_url=server.base_url, api_key="k", max_retries=0, timeout=0.2)
        with client, pytest.raises(openai.APITimeoutError):
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])


@pytest.mark.parametrize(
    "name",
    [name for name, how in BEHAVIOURS.items() if how.status == 200 and how.raw_body is None and not how.cut],
)
def test_contents_reasoning_and_finish_reasons_are_sent_as_named(name: str) -> None:
    how = BEHAVIOURS[name]
    if how.hang:
        return
    faults = always(
        name, first_byte_after=min(how.first_byte_after, 0.01), blank_lines_for=min(how.blank_lines_for, 0.01)
    )
    with JudgeServer(faults=faults) as server:
        body = reply(server)
        score = score_of(*PAIR)
        other = (score + 1) % 6
        message = body["choices"][0]["message"]
        expected = None if how.content is None else how.content.format(score=score, other=other)
        assert message["content"] == expected
        assert message.get(how.reasoning_field) == (how.reasoning and how.reasoning.format(other=other))
        assert body["choices"][0]["finish_reason"] == how.finish_reason
        assert server.record.bought == ({PAIR: 1} if how.is_bought else {})


def test_bodies_that_are_not_json() -> None:
    with JudgeServer(faults=always("malformed-json")) as server, pytest.raises(json.JSONDecodeError):
        reply(server)


def test_usage_in_each_providers_form_with_a_prefix_cache() -> None:
    with JudgeServer() as server:
        cold, warm = reply(server, 0, 1)["usage"], reply(server, 0, 2)["usage"]
        assert cold["prompt_tokens_details"]["cached_tokens"] == 0
        assert 0 < warm["prompt_tokens_details"]["cached_tokens"] < warm["prompt_tokens"]
        server.faults = always("deepseek-usage")
        hit = reply(server, 0, 3)["usage"]
        assert hit["prompt_cache_hit_tokens"] + hit["prompt_cache_miss_tokens"] == hit["prompt_tokens"]
        assert hit["prompt_cache_hit_tokens"] > 0
        server.faults = always("missing-usage")
        assert "usage" not in reply(server)


def test_only_the_right_key_is_let_in() -> None:
    with JudgeServer(api_key="right") as server:
        assert ask(server, key="wrong").status == 401
        assert ask(server, key="right").status == 200
        assert len(server.calls) == 1
        assert server.calls[0].headers["authorization"] == "Bearer right"
        assert server.calls[0].body is not None
        assert server.calls[0].body["model"] == "loopback"


def test_the_record_counts_what_was_bought_twice_and_at_once() -> None:
    with JudgeServer(latency=0.2) as server, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda second: reply(server, 0, second), [1, 2, 3, 1, 2, 1]))
        assert server.record.bought == {("p.s.0", "p.s.1"): 3, ("p.s.0", "p.s.2"): 2, ("p.s.0", "p.s.3"): 1}
        assert 2 <= server.record.max_in_flight <= 6
        deadline = time.monotonic() + 10  # a client has its reply before the server has noted that it is sent
        while server.record.in_flight and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.record.in_flight == 0


def test_rules_take_calls_pairs_and_attempts() -> None:
    by_call = Faults([Rule(BEHAVIOURS["500"], calls=range(2, 4))])
    taken = [by_call.choose(call=i, pair=PAIR, attempt=0).status for i in range(5)]
    assert taken == [200, 200, 500, 500, 200]
    by_pair = Faults([Rule(BEHAVIOURS["500"], pair=PAIR)])
    assert by_pair.choose(call=0, pair=PAIR, attempt=9).status == 500
    assert by_pair.choose(call=0, pair=PAIR[::-1], attempt=9).status == 200
    tries = first_attempts("503", 2)
    assert [tries.choose(call=0, pair=PAIR, attempt=a).status for a in range(4)] == [503, 503, 200, 200]


def test_random_faults_take_their_share_whatever_the_order_of_calls() -> None:
    faults = storm(["500", "429"], probability=0.4, seed=3)
    pairs = [(f"a{i}", f"b{i}") for i in range(2000)]
    forward = [faults.choose(call=c, pair=p, attempt=0).status for c, p in enumerate(pairs)]
    backward = [faults.choose(call=c, pair=p, attempt=0).status for c, p in enumerate(reversed(pairs))]
    assert forward == backward[::-1]
    assert 0.3 < np.mean([status != 200 for status in forward]) < 0.42  # 1 - 0.8 ** 2 = 0.36
    assert {200, 429, 500} == set(forward)


def test_rules_are_read_from_the_command_line() -> None:
    rule = parse_rule("503:calls=2-5:attempts=1:p=0.5:seed=7")
    assert rule == Rule(BEHAVIOURS["503"], calls=range(2, 6), attempts=1, probability=0.5, seed=7)
    assert parse_rule("hang:pair=a,b") == Rule(BEHAVIOURS["hang"], pair=("a", "b"))
    with pytest.raises(ValueError, match="unknown fault 'nonsense'"):
        parse_rule("nonsense")
    with pytest.raises(ValueError, match="unknown condition 'often'"):
        parse_rule("503:often")


def test_as_a_process_it_serves_and_reports() -> None:
    with JudgeProcess("--fault", "500:calls=0-0") as process:
        client = openai.OpenAI(base_url=process.base_url, api_key="k", max_retries=1)
        with client:
            answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "R#a# R#b#"}])
        assert re.search(rf"\[Final Score: {score_of('a', 'b')}\]", answer.choices[0].message.content or "")
        stats = process.stats()
    assert (stats["calls"], stats["bought"], stats["bought_twice"]) == (2, 1, 0)


def test_as_a_process_it_ends_when_its_parent_is_gone() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.judge_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    )
    assert process.stdout is not None
    assert int(process.stdout.readline()) > 0
    process.communicate(timeout=10)  # closes its standard input, as the kernel does when a parent dies
    assert process.returncode == 0
