"""Whatever a host sends is at worst `malformed` for that pair; a paid reply that can be read is bought once."""

from __future__ import annotations

import gzip
import json
import sqlite3
import zlib
from pathlib import Path

import pytest

from diversity_judge.engine.options import EngineOptions
from diversity_judge.hosts import transport
from diversity_judge.score import main
from tests.diversity_judge.score_runs import KEY, assert_exact, assert_key_is_nowhere, run
from tests.judge_faults import Behaviour, Faults, Rule, always
from tests.judge_server import JudgeServer
from tests.judge_texts import Sample

SAMPLE = Sample(problems=("p0",), n=4)
PAIR = SAMPLE.pairs()[0]
A_REPLY = {"choices": [{"message": {"content": "[Final Score: 3]"}, "finish_reason": "stop"}]}
DEEP = "[" * 100_000 + "]" * 100_000

UNREADABLE = {
    "200,000 brackets": Behaviour(raw_body="[" * 200_000),
    "a deep extra field": Behaviour(raw_body='{"extra": ' + DEEP + ", " + json.dumps(A_REPLY)[1:]),
    "deep objects": Behaviour(raw_body='{"a":' * 100_000),
    "nothing": Behaviour(raw_body=""),
    "a word": Behaviour(raw_body="overloaded"),
    "HTML": Behaviour(raw_body="<html><body>Welcome</body></html>", content_type="text/html"),
    "null": Behaviour(raw_body="null"),
    "a number": Behaviour(raw_body="12"),
    "a text": Behaviour(raw_body='"choices"'),
    "a list": Behaviour(raw_body="[1, 2]"),
    "an empty object": Behaviour(raw_body="{}"),
    "an error with status 200": Behaviour(raw_body='{"error": {"message": "no"}}'),
    "no choice": Behaviour(raw_body='{"choices": []}'),
    "choices null": Behaviour(raw_body='{"choices": null}'),
    "choices a text": Behaviour(raw_body='{"choices": "abc"}'),
    "choices an object": Behaviour(raw_body='{"choices": {"0": {}}}'),
    "a choice null": Behaviour(raw_body='{"choices": [null]}'),
    "a choice without a message": Behaviour(raw_body='{"choices": [{}]}'),
    "a message that is a number": Behaviour(raw_body='{"choices": [{"message": 5}]}'),
    "a message that is a list": Behaviour(raw_body='{"choices": [{"message": ["a"]}]}'),
    "half of an object": Behaviour(raw_body=json.dumps(A_REPLY)[:-9]),
    "two objects": Behaviour(raw_body=json.dumps(A_REPLY) * 2),
    "zero bytes": Behaviour(raw_body="\0" * 50),
    "not UTF-8": Behaviour(raw_body=b"\xff\xfe\xfa" * 50),
    "gzip that is none": Behaviour(raw_body=json.dumps(A_REPLY), headers=("Content-Encoding: gzip",)),
    "gzip that is cut": Behaviour(
        raw_body=gzip.compress(json.dumps(A_REPLY).encode())[:30], headers=("Content-Encoding: gzip",)
    ),
    "deflate that is none": Behaviour(raw_body="x{}", headers=("Content-Encoding: deflate",)),
    "an encoding that nobody asked for": Behaviour(raw_body="{}", headers=("Content-Encoding: zstd",)),
    "encodings in a row": Behaviour(raw_body="{}", headers=("Content-Encoding: gzip, gzip, gzip",)),
    "an encoding with no name": Behaviour(raw_body="{}", headers=("Content-Encoding: \xe9",)),
}

READABLE = {
    "charset hex": Behaviour(content_type="application/json; charset=hex"),
    "charset rot13": Behaviour(content_type="application/json; charset=rot13"),
    "charset zip": Behaviour(content_type='application/json; charset="zip"'),
    "charset undefined": Behaviour(content_type="application/json; charset=undefined"),
    "charset that nobody knows": Behaviour(content_type="application/json; charset=klingon"),
    "charset empty": Behaviour(content_type="application/json; charset="),
    "charset latin-1": Behaviour(content_type="application/json; charset=iso-8859-1"),
    "no type of content": Behaviour(content_type=""),
    "usage a text": Behaviour(raw_usage="42 tokens"),
    "usage a list": Behaviour(raw_usage=[1, 2]),
    "usage a number": Behaviour(raw_usage=7),
    "usage true": Behaviour(raw_usage=True),
    "details a list": Behaviour(raw_usage={"prompt_tokens": 5, "completion_tokens": 5, "prompt_tokens_details": [1]}),
    "details a text": Behaviour(raw_usage={"prompt_tokens": 5, "completion_tokens": 5, "prompt_tokens_details": "x"}),
    "content in parts": Behaviour(in_parts=True),
    "counts that are huge": Behaviour(raw_usage={"prompt_tokens": 10**20, "completion_tokens": 10**20}),
    "counts beyond Python's integers": Behaviour(raw_usage={"prompt_tokens": int("9" * 4000)}),
    "counts that are negative": Behaviour(raw_usage={"prompt_tokens": -5, "completion_tokens": -(10**30)}),
    "counts true": Behaviour(raw_usage={"prompt_tokens": True, "completion_tokens": False}),
    "counts NaN": Behaviour(raw_usage={"prompt_tokens": float("nan"), "completion_tokens": float("inf")}),
    "counts of parts": Behaviour(raw_usage={"prompt_tokens": 1.5, "completion_tokens": "many"}),
    "counts null": Behaviour(raw_usage={"prompt_tokens": None, "completion_tokens": None}),
    "more cached than there are": Behaviour(
        raw_usage={"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 10**6}}
    ),
    "reasoning a list": Behaviour(reasoning="because", reasoning_field="reasoning_details"),
    "a finish reason without end": Behaviour(finish_reason="stop", headers=("X-Long: " + "x" * 10_000,)),
}


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    return SAMPLE.write(tmp_path / "responses.jsonl")


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_no_completion_is_malformed_for_its_pair_alone(name: str, responses: Path, tmp_path: Path) -> None:
    with JudgeServer(faults=Faults([Rule(UNREADABLE[name], pair=PAIR)])) as server:
        finished = run(responses, server, tmp_path / "run", "--max-attempts", "2")
        assert finished.code == 3, finished.output
        assert_exact(finished, SAMPLE, without=frozenset({PAIR}))
        assert list(finished.pairs.dropna(subset="missing")["missing"]) == ["malformed"]


PAID = {
    "no choice, but counted": '{"choices": [], "usage": {"prompt_tokens": 70, "completion_tokens": 30}}',
    "no list of choices": '{"usage": {"prompt_tokens": 70, "completion_tokens": 30}, "output": "[Final Score: 3]"}',
    "a message that is a number": '{"error": null, "choices": [{"message": 5}]}',
    "a choice without a message": '{"choices": [{"said": "[Final Score: 3]"}]}',
    "a field too deep to be read": '{"extra": ' + DEEP + ", " + json.dumps(A_REPLY)[1:],
}
FREE = {
    "HTML": "<html><body>Welcome</body></html>",
    "half of an object": json.dumps(A_REPLY)[:-9],
    "an error with status 200": '{"error": {"message": "no"}, "choices": null}',
    "no completion at all": '{"status": "ok"}',
}


@pytest.mark.parametrize("name", PAID)
def test_a_completion_that_cannot_be_read_may_have_been_paid_and_is_kept(
    name: str, responses: Path, tmp_path: Path
) -> None:
    faults = Faults([Rule(Behaviour(raw_body=PAID[name]), pair=PAIR)])
    with JudgeServer(faults=faults) as server:
        finished = run(responses, server, tmp_path / "run", "--max-attempts", "8")
        assert finished.code == 3, finished.output
        assert_exact(finished, SAMPLE, without=frozenset({PAIR}))
        asked = sum(call.pair == PAIR for call in server.calls)
    assert asked == EngineOptions().max_unusable == 3
    unread = finished.pairs.dropna(subset="missing")
    assert list(unread["missing"]) == ["malformed"]
    with sqlite3.connect(finished.folder / "ledger.sqlite") as ledger:
        kept = ledger.execute("SELECT reasoning, prompt_tokens FROM replies WHERE content = ''").fetchall()
    counted = 70 if "70" in PAID[name] else None
    assert kept == [(PAID[name], counted)] * 3


@pytest.mark.parametrize("name", FREE)
def test_what_was_no_completion_is_asked_for_as_often_as_a_broken_call(
    name: str, responses: Path, tmp_path: Path
) -> None:
    faults = Faults([Rule(Behaviour(raw_body=FREE[name]), pair=PAIR)])
    with JudgeServer(faults=faults) as server:
        finished = run(responses, server, tmp_path / "run", "--max-attempts", "5")
        assert list(finished.pairs.dropna(subset="missing")["missing"]) == ["malformed"]
        assert sum(call.pair == PAIR for call in server.calls) == 5
    with sqlite3.connect(finished.folder / "ledger.sqlite") as ledger:
        assert ledger.execute("SELECT COUNT(*) FROM replies").fetchone() == (SAMPLE.n_pairs - 1,)


@pytest.mark.parametrize("name", READABLE)
def test_a_reply_in_an_odd_form_is_read_and_never_bought_again(name: str, responses: Path, tmp_path: Path) -> None:
    with JudgeServer(faults=Faults(otherwise=READABLE[name])) as server:
        finished = run(responses, server, tmp_path / "run")
        assert finished.code == 0, finished.output
        assert_exact(finished, SAMPLE)
        assert len(server.calls) == SAMPLE.n_pairs
        with sqlite3.connect(finished.folder / "ledger.sqlite") as ledger:
            counts = ledger.execute("SELECT prompt_tokens, completion_tokens, cached_tokens FROM replies").fetchall()
    for prompt, completion, cached in counts:
        assert all(count is None or 0 <= count <= 10**8 for count in (prompt, completion, cached))
        assert (cached or 0) <= (prompt or 0)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "deflate without a header"])
def test_packed_replies_are_unpacked(encoding: str, responses: Path, tmp_path: Path) -> None:
    plain = json.dumps(A_REPLY).encode()
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    body = {"gzip": gzip.compress(plain), "deflate": zlib.compress(plain)}.get(
        encoding, raw.compress(plain) + raw.flush()
    )
    packed = Behaviour(raw_body=body, headers=(f"Content-Encoding: {encoding.split()[0]}",))
    with JudgeServer(faults=Faults(otherwise=packed)) as server:
        finished = run(responses, server, tmp_path / "run")
    assert finished.code == 0, finished.output
    assert set(finished.pairs["score"]) == {3}


@pytest.mark.parametrize("form", ["plain", "gzip"])
def test_a_reply_without_end_ends_at_the_limit(
    form: str, responses: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "LONGEST_REPLY", 2**20)
    faults = Faults([Rule(Behaviour(endless=form), pair=PAIR)])  # type: ignore[arg-type]
    with JudgeServer(faults=faults) as server:
        finished = run(responses, server, tmp_path / "run", "--max-attempts", "1")
    assert finished.code == 3, finished.output
    assert_exact(finished, SAMPLE, without=frozenset({PAIR}))
    with sqlite3.connect(finished.folder / "ledger.sqlite") as ledger:
        reason, message = ledger.execute("SELECT reason, message FROM failures").fetchone()
    assert reason == "malformed"
    assert "limit of 1 MiB" in message


@pytest.mark.parametrize("status", [401, 402, 404])
def test_a_status_means_the_same_under_a_body_that_cannot_be_read(status: int, responses: Path, tmp_path: Path) -> None:
    bodies = [
        Behaviour(status=status, raw_body="[" * 200_000),
        Behaviour(status=status, raw_body="x", headers=("Content-Encoding: br",)),
        Behaviour(status=status, raw_body=b"\xff\xfe", content_type="text/plain; charset=hex"),
        Behaviour(status=status, endless="gzip"),
    ]
    for number, behaviour in enumerate(bodies):
        with JudgeServer(faults=Faults(otherwise=behaviour)) as server:
            finished = run(responses, server, tmp_path / f"run{number}", concurrency=1)
        assert (finished.code, len(server.calls)) == (1, 1), finished.output
        assert f"HTTP {status}" in finished.output


def test_403_marks_one_pair_since_some_hosts_say_it_of_one_text(responses: Path, tmp_path: Path) -> None:
    with JudgeServer(faults=Faults([Rule(Behaviour(status=403, message="flagged"), pair=PAIR)])) as server:
        finished = run(responses, server, tmp_path / "run")
    assert finished.code == 3, finished.output
    assert list(finished.pairs.dropna(subset="missing")["missing"]) == ["http_403"]


def test_a_key_that_a_host_repeats_in_pieces_or_in_a_reply_is_stored_nowhere(responses: Path, tmp_path: Path) -> None:
    shown = Behaviour(content="Your key is " + KEY + ". [Final Score: {score}]")
    masked = Behaviour(status=400, message=f"Incorrect key: {KEY[:12]}*****{KEY[-9:]}")
    with JudgeServer(faults=Faults([Rule(masked, pair=PAIR)], otherwise=shown)) as server:
        finished = run(responses, server, tmp_path / "run")
    assert finished.code == 3, finished.output
    assert_key_is_nowhere(finished)
    for path in (path for path in finished.folder.rglob("*") if path.is_file()):
        assert KEY[:12].encode() not in path.read_bytes()
        assert KEY[-9:].encode() not in path.read_bytes()


def test_a_ledger_that_cannot_be_written_ends_the_run_with_what_is_on_disk(
    responses: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diversity_judge.ledger.jobs import AddReply

    write = AddReply.write
    written: list[AddReply] = []

    def full_after_two(job: AddReply, connection: sqlite3.Connection) -> None:
        if len(written) == 2:
            raise MemoryError
        written.append(job)
        write(job, connection)

    monkeypatch.setattr(AddReply, "write", full_after_two)
    with JudgeServer() as server:
        finished = run(responses, server, tmp_path / "run", concurrency=1)
    assert finished.code == 1
    assert "ledger cannot be written (MemoryError)" in finished.output.replace("\n", " ")
    assert finished.pairs["score"].notna().sum() == 2
    assert len(server.calls) == 3, "nothing is bought that cannot be kept"


def test_a_cost_never_falls_whatever_a_host_counts(responses: Path, tmp_path: Path) -> None:
    # 1,000 prompt tokens at 1 USD a million; the other counts cannot be, so nothing is known of them.
    usage = {"prompt_tokens": 1000, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 10**7}}
    presets = tmp_path / "judges.toml"
    with JudgeServer(faults=always("good", raw_usage=usage)) as server:
        presets.write_text(
            f'[mine]\nmodel = "loopback"\nbase_url = "{server.base_url}"\n'
            "prices = { input = 1.0, output = 2.0, cached_input = 0.1 }\n"
        )
        argv = [str(responses), "--judges-file", str(presets), "--judge", "mine", "--no-heatmaps", "--quiet"]
        assert main([*argv, "--out", str(tmp_path / "run")]) == 0
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    assert manifest["judgments"]["cost_usd"] == pytest.approx(SAMPLE.n_pairs * 1000e-6)
