import asyncio
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from diversity_judge.errors import RunError
from generation.engines import EngineInfo, Generation, GenerationRequest, SampleFailedError
from generation.grading.grader import Grader
from generation.grading.queueing import GradingQueue
from generation.in_parallel import GIVE_UP_AFTER
from generation.problems import Problem, ProblemKind
from generation.prompt_formats import formats_for
from generation.response_file import Manifest, SampleKey, finished_samples, open_response_file
from generation.sampling.sampler import SamplingCounts, SamplingPlan, sample_missing
from generation.strategies import load_presets, parse_strategies

PROBLEMS = tuple(Problem(name, f"Which, {name}?", "A", ("x", "y"), ProblemKind.CHOICE) for name in ("a", "b", "c"))


def plan(*strategies: str, n: int = 4, seed: int = 1, problems: tuple[Problem, ...] = PROBLEMS) -> SamplingPlan:
    parsed = parse_strategies(strategies or ("token-normal,expert-sample",), load_presets())
    return SamplingPlan(problems, parsed, n, seed, 50, formats_for(problems))


class ScriptedEngine:
    """Answers with the request's seed, in a scrambled order; fails where told."""

    rounds_at_once = 1

    def __init__(self, *, fail: frozenset[int] = frozenset(), die_after: int | None = None) -> None:
        self.fail = fail
        self.die_after = die_after
        self.asked: list[GenerationRequest] = []
        self.rounds: list[list[int]] = []
        self.in_flight = self.most_in_flight = 0

    async def start(self) -> EngineInfo:
        return EngineInfo("scripted", {"engine": "1"})

    async def generate(self, request: GenerationRequest) -> Generation:
        self.asked.append(request)
        number = len(self.asked)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        for _ in range(random.randrange(20)):
            await asyncio.sleep(0)
        self.in_flight -= 1
        if self.die_after is not None and number > self.die_after:
            raise RunError("the engine died")
        if number in self.fail:
            raise SampleFailedError("no luck")
        return Generation(f"seed {request.seed} {request.extra_args}. Answer: A", "stop", 7)

    async def generate_together(self, requests: Sequence[GenerationRequest]) -> list[Generation | SampleFailedError]:
        self.rounds.append([request.seed for request in requests])
        outcomes = await asyncio.gather(*map(self.generate, requests), return_exceptions=True)
        for outcome in outcomes:
            if not isinstance(outcome, (Generation, SampleFailedError)):
                raise outcome
        return outcomes  # type: ignore[return-value]

    async def rejections(self, extra_args: object) -> Mapping[str, str | None]:
        return {}

    async def close(self) -> None:
        pass


def run(
    engine: ScriptedEngine, what: SamplingPlan, path: Path, *, concurrency: int = 5, in_rounds: bool = False
) -> SamplingCounts:
    async def whole() -> SamplingCounts:
        with open_response_file(path, Manifest({}, {}, {}, {}), {}) as file, Grader() as grader:
            async with GradingQueue(file, grader, patience=600) as sink:
                return await sample_missing(
                    engine,
                    what,
                    what.missing(file.finished),
                    info=await engine.start(),
                    sink=sink,
                    concurrency=concurrency,
                    on_response=lambda n_tokens: None,
                    in_rounds=in_rounds,
                )

    return asyncio.run(whole())


def lines(path: Path) -> set[bytes]:
    return set(path.read_bytes().split(b"\n")[:-1])


def test_each_wanted_sample_is_written_once(tmp_path: Path) -> None:
    result = run(ScriptedEngine(), plan(), tmp_path / "r.jsonl")
    expected = {
        SampleKey(problem.problem_id, strategy, number)
        for problem in PROBLEMS
        for strategy in ("token-normal", "expert-sample")
        for number in range(4)
    }
    assert finished_samples(tmp_path / "r.jsonl") == expected
    assert (result.written, result.n_tokens, result.n_graded, result.n_correct) == (24, 168, 24, 24)


def test_lines_do_not_depend_on_order_concurrency_or_resumption(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.jsonl", tmp_path / "parts.jsonl"
    run(ScriptedEngine(), plan(), whole, concurrency=1)
    run(ScriptedEngine(), plan(n=1, problems=PROBLEMS[1:]), parts)
    run(ScriptedEngine(), plan("expert-sample", n=3), parts)
    run(ScriptedEngine(), plan(), parts, concurrency=24)
    assert lines(whole) == lines(parts)


def test_another_seed_changes_every_line(tmp_path: Path) -> None:
    run(ScriptedEngine(), plan(), tmp_path / "1.jsonl")
    run(ScriptedEngine(), plan(seed=2), tmp_path / "2.jsonl")
    assert not lines(tmp_path / "1.jsonl") & lines(tmp_path / "2.jsonl")


def test_no_two_samples_share_a_token_seed_or_a_routing_seed() -> None:
    engine_requests = [plan().request(sample) for sample in plan().samples()]
    assert len({request.seed for request in engine_requests}) == 24
    routing = [r.extra_args["expert_sample_seed"] for r in engine_requests if r.extra_args]
    assert len(set(routing)) == 12
    assert not set(routing) & {request.seed for request in engine_requests}


def test_a_greedy_strategy_takes_one_sample_a_problem() -> None:
    assert [sample.number for sample in plan("greedy", n=8).samples()] == [0, 0, 0]
    # Routing noise makes greedy decoding vary, so there samples are taken.
    assert len(list(plan("expert-sample:temperature=0", n=8).samples())) == 24


def test_the_number_of_requests_in_flight_is_bounded(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    run(engine, plan(), tmp_path / "r.jsonl", concurrency=5)
    assert engine.most_in_flight == 5


def test_failed_samples_are_counted_and_tried_again_next_time(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    result = run(ScriptedEngine(fail=frozenset({2, 9})), plan(), path)
    assert result.written == 22
    assert result.failures == {"no luck": 2}
    second = ScriptedEngine()
    assert run(second, plan(), path).written == 2
    assert len(second.asked) == 2


def test_a_dead_engine_stops_the_run_and_what_was_finished_is_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with pytest.raises(RunError, match="the engine died"):
        run(ScriptedEngine(die_after=10), plan(), path, concurrency=1)
    assert len(finished_samples(path)) == 10
    assert run(ScriptedEngine(), plan(), path).written == 14


def test_a_run_in_which_everything_fails_is_given_up(tmp_path: Path) -> None:
    engine = ScriptedEngine(fail=frozenset(range(100)))
    with pytest.raises(RunError, match="all failed: no luck"):
        run(engine, plan(), tmp_path / "r.jsonl", concurrency=1)
    assert len(engine.asked) == GIVE_UP_AFTER


def test_an_interruption_writes_what_was_finished(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    engine = ScriptedEngine()

    async def interrupted() -> None:
        what = plan()

        def cancel(n_tokens: int | None) -> None:
            if n_tokens:
                task.cancel()

        with open_response_file(path, Manifest({}, {}, {}, {}), {}) as file, Grader() as grader:
            async with GradingQueue(file, grader) as sink:
                task = asyncio.create_task(
                    sample_missing(
                        engine,
                        what,
                        what.missing(file.finished),
                        info=await engine.start(),
                        sink=sink,
                        concurrency=2,
                        on_response=cancel,
                    )
                )
                await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(interrupted())
    kept = finished_samples(path)
    assert 1 <= len(kept) <= 24
    run(ScriptedEngine(), plan(), path)
    assert len(finished_samples(path)) == 24


def test_rounds_start_together_and_are_the_same_after_a_kill(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.jsonl", tmp_path / "parts.jsonl"
    engine, dying, resumed = ScriptedEngine(), ScriptedEngine(die_after=12), ScriptedEngine()
    run(engine, plan(), whole, in_rounds=True)
    assert [len(seeds) for seeds in engine.rounds] == [5, 5, 5, 5, 4]
    with pytest.raises(RunError, match="died"):
        run(dying, plan(), parts, in_rounds=True)
    some = sorted(lines(parts))
    assert len(some) == 10  # two rounds; of the third, in which it died, nothing
    parts.write_bytes(b"".join(line + b"\n" for line in some[1:]))  # a line of one round is lost as well
    run(resumed, plan(), parts, in_rounds=True)
    assert lines(parts) == lines(whole)
    assert len(resumed.rounds) == 4
    assert all(seeds in engine.rounds for seeds in resumed.rounds)


def test_engines_that_can_do_several_rounds_at_once(tmp_path: Path) -> None:
    one, three = tmp_path / "one.jsonl", tmp_path / "three.jsonl"
    engine, wide = ScriptedEngine(), ScriptedEngine()
    wide.rounds_at_once = 3
    run(engine, plan(), one, in_rounds=True)
    run(wide, plan(), three, in_rounds=True)
    assert wide.rounds == engine.rounds
    assert wide.most_in_flight > 5 >= engine.most_in_flight
    assert sorted(lines(three)) == sorted(lines(one))


def test_a_failure_in_a_round_costs_its_sample_only(tmp_path: Path) -> None:
    result = run(ScriptedEngine(fail=frozenset({2, 7})), plan(), tmp_path / "r.jsonl", in_rounds=True)
    assert (result.written, result.failures.total()) == (22, 2)
