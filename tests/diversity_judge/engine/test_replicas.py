"""Several addresses of one judge: they share the work, one may die, and none of it changes what is bought."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from diversity_judge.errors import InputError
from diversity_judge.hosts.calls import TransientError
from diversity_judge.hosts.replicas import Replicas
from diversity_judge.judges.presets import JudgeSpec
from diversity_judge.score import main
from tests.diversity_judge.score_runs import Finished, assert_exact
from tests.judge_faults import BEHAVIOURS, Faults, Rule
from tests.judge_server import JudgeServer
from tests.judge_texts import Sample

SAMPLE = Sample(problems=("p0", "p1"), n=8)


@pytest.fixture
def servers() -> Iterator[list[JudgeServer]]:
    with ExitStack() as opened:
        yield [opened.enter_context(JudgeServer(latency=0.01)) for _ in range(3)]


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    return SAMPLE.write(tmp_path / "responses.jsonl")


def score(responses: Path, folder: Path, servers: list[JudgeServer], capsys: pytest.CaptureFixture[str]) -> Finished:
    argv = [str(responses), "--model", "loopback", "--out", str(folder), "--no-heatmaps", "--concurrency", "8"]
    for server in servers:
        argv += ["--base-url", server.base_url]
    code = main([*argv, "--retry-wait", "0.001"])
    return Finished(code, capsys.readouterr().out, folder)


def bought(servers: list[JudgeServer]) -> Counter[tuple[str, str]]:
    return sum((server.record.bought for server in servers), Counter())


def test_replicas_share_the_work_and_buy_each_judgment_once(
    responses: Path, tmp_path: Path, servers: list[JudgeServer], capsys: pytest.CaptureFixture[str]
) -> None:
    finished = score(responses, tmp_path / "run", servers, capsys)
    assert finished.code == 0, finished.output
    assert_exact(finished, SAMPLE)
    assert set(bought(servers).values()) == {1}
    assert all(server.calls for server in servers)
    assert finished.manifest["judge"]["host"] == servers[0].base_url
    assert finished.manifest["judge"]["replicas"] == [server.base_url for server in servers[1:]]
    seen_at: dict[str, set[int]] = defaultdict(set)
    for number, server in enumerate(servers):
        for call in server.calls:
            seen_at[call.pair[0]].add(number)
    assert all(len(places) == 1 for places in seen_at.values()), "what begins alike stays together"


def test_one_that_dies_is_left_alone_and_the_others_finish(
    responses: Path, tmp_path: Path, servers: list[JudgeServer], capsys: pytest.CaptureFixture[str]
) -> None:
    servers[0].faults = Faults([Rule(BEHAVIOURS["drop-before-headers"], calls=range(3, 10_000))])
    finished = score(responses, tmp_path / "run", servers, capsys)
    assert finished.code == 0, finished.output
    assert_exact(finished, SAMPLE)
    assert set(bought(servers).values()) == {1}
    assert len(servers[0].calls) < 3 + 8 + 8, "what was in flight when it died, and a few tries"


def test_replicas_come_and_go_and_nothing_is_bought_again(
    responses: Path, tmp_path: Path, servers: list[JudgeServer], capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(responses, tmp_path / "run", servers[:1], capsys).code == 0
    n = len(servers[0].calls)
    for these in (servers, servers[:2], servers[:1]):
        assert score(responses, tmp_path / "run", these, capsys).code == 0
    assert sum(len(server.calls) for server in servers) == n == SAMPLE.n_pairs


def test_a_replica_that_is_given_twice_is_refused() -> None:
    with pytest.raises(InputError, match="given twice"):
        JudgeSpec("mine", "m", base_url="http://127.0.0.1:1/v1", replicas=("http://127.0.0.1:1/v1/",))


class Host:
    """A client in memory: it answers when it is let, or fails."""

    def __init__(self) -> None:
        self.calls = 0
        self.fails = False
        self.gate = asyncio.Event()

    async def post(self, path: str, body: Any) -> str:
        self.calls += 1
        if self.fails:
            raise TransientError("http_503", "busy", retry_after_s=0.0)
        await self.gate.wait()
        return "reply"


def begin(replicas: Replicas, beginning: Hashable) -> asyncio.Task[str]:
    return asyncio.create_task(replicas.post("/x", {}, beginning=beginning))


def test_a_beginning_moves_only_where_its_replica_is_much_busier() -> None:
    async def go() -> tuple[list[int], list[int]]:
        hosts = [Host(), Host()]
        replicas = Replicas(hosts)  # type: ignore[arg-type]
        calls = [begin(replicas, "a") for _ in range(12)]
        await asyncio.sleep(0)
        together = [host.calls for host in hosts]
        calls += [begin(replicas, "a") for _ in range(12)]
        await asyncio.sleep(0)
        for host in hosts:
            host.gate.set()
        await asyncio.gather(*calls)
        return together, [host.calls for host in hosts]

    together, later = asyncio.run(go())
    assert together == [12, 0]
    assert later[0] == 17, "the eighteenth would have been seventeen ahead"
    assert sum(later) == 24


def test_what_has_failed_rests_and_is_then_tried_with_one_call() -> None:
    async def go() -> list[int]:
        hosts = [Host(), Host()]
        replicas = Replicas(hosts)  # type: ignore[arg-type]
        hosts[0].fails = True
        hosts[1].gate.set()
        with pytest.raises(TransientError):
            await begin(replicas, "a")
        for _ in range(5):
            await begin(replicas, "a")
        hosts[0].fails = False
        replicas._replicas[0].rests_until = 0.0
        calls = [begin(replicas, number) for number in range(5)]
        await asyncio.sleep(0)
        in_trial = hosts[0].calls
        hosts[0].gate.set()
        await asyncio.gather(*calls)
        return [in_trial, hosts[0].calls, hosts[1].calls]

    # One call failed, one tries it again; the other nine went to the second.
    assert asyncio.run(go()) == [2, 2, 9]


def test_thousands_that_fail_together_count_as_one_failure() -> None:
    class Dying(Host):
        async def post(self, path: str, body: Any) -> str:
            await self.gate.wait()
            raise TransientError("http_503", "busy", retry_after_s=0.0)

    async def go() -> tuple[list[Any], float]:
        host = Dying()
        replicas = Replicas([host])  # type: ignore[list-item]
        calls = [begin(replicas, number) for number in range(1100)]  # 2.0**1024 is no number
        await asyncio.sleep(0)
        host.gate.set()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        (one,) = replicas._replicas
        return ended, one.rests_until - asyncio.get_running_loop().time()

    ended, rest = asyncio.run(go())
    assert {type(error) for error in ended} == {TransientError}
    assert rest < 4, "the first rest is of two seconds, not a minute"
