"""How close the judge client comes to the limit of its concurrency, and what a call costs in CPU and memory.

    loopback judge (own process, 1 s latency)  <-  the command        (own process, measured by wait4)
                                               <-  a bare SDK loop    (own process, measured by wait4)

Both send the same pairs, one after the other, several times. What a start costs is measured apart and taken
off: for the loop a run of no calls; for the command a run of `--offline` on the ledger just written, which
does everything except judging (reading the input, tables, heat maps), and, sterner, a `--dry-run`,
which leaves tables and heat maps in the account.

Wanted: at least 95 % of concurrency / latency once running; at most 1.3 times the loop's CPU time a
call, ledger included; under 300 MiB resident and flat while pairs grow to 100,000. Of the whole process without
pictures, from its start to its end, at least 0.88 of the limit (`--whole`).

    python -m benchmarks.throughput                 about 3 minutes
    python -m benchmarks.throughput --whole         1,984 pairs, about a minute
    python -m benchmarks.throughput --memory        100,000 pairs without latency, about 15 minutes
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import REPOSITORY, Usage, median_ratio, run_measured, spread
from tests.judge_process import JudgeProcess
from tests.judge_texts import Sample

KEY_VARIABLE = "LOOPBACK_JUDGE_KEY"
ENVIRONMENT = {KEY_VARIABLE: "loopback", "OMP_NUM_THREADS": "1"}
TEMPLATE = REPOSITORY / "prompts" / "process_similarity.txt"
WORDS = 200
"""Words a response, about 1.5 kB: short for reasoning, so the client's own work weighs more."""

GROUP_SIZES = (32, 32, 32, 32, 6, 2)
"""4 x 496 + 15 + 1 = 2,000 unordered pairs."""

WHOLE_SIZES = (32, 32, 32, 32)
"""4 x 496 = 1,984 unordered pairs."""


@dataclass(frozen=True)
class JudgedRun:
    """One measured client run and the calls that the server saw of it."""

    usage: Usage
    calls: int
    share_of_limit: float


def write_groups(path: Path, sizes: Sequence[int]) -> int:
    """Write one group of responses a size and return the number of unordered pairs."""
    with path.open("w", encoding="utf-8") as file:
        for number, size in enumerate(sizes):
            sample = Sample(problems=(f"p{number}",), strategies=("s",), n=size, words=WORDS)
            for index in range(size):
                row = {
                    "problem_id": f"p{number}",
                    "strategy": "s",
                    "response": sample.text(f"p{number}", "s", index),
                }
                file.write(json.dumps(row) + "\n")
    return sum(size * (size - 1) // 2 for size in sizes)


def run_tool(responses: Path, base_url: str, concurrency: int, out: Path, *options: str) -> list[str]:
    """The command line of the tool under test."""
    return [
        sys.executable,
        "-m",
        "diversity_judge.score",
        str(responses),
        "--base-url",
        base_url,
        "--model",
        "loopback",
        "--api-key-env",
        KEY_VARIABLE,
        "--concurrency",
        str(concurrency),
        "--out",
        str(out),
        *options,
    ]


def run_loop(responses: Path, base_url: str, concurrency: int, *options: str) -> list[str]:
    """The command line of the bare loop."""
    return [
        sys.executable,
        "-m",
        "benchmarks.bare_loop",
        str(responses),
        "--base-url",
        base_url,
        "--concurrency",
        str(concurrency),
        "--template",
        str(TEMPLATE),
        *options,
    ]


def share_of_limit(arrived: Sequence[float], *, concurrency: int, latency: float) -> float:
    """Calls a second once running, as a share of concurrency / latency.

    With a constant latency calls that are sent together arrive in waves of `concurrency`, to the end. The rate is
    taken between the ends of whole waves, from the second to the last full one: cutting a wave would count its
    calls without its wait. The two waves before are the start (imports, connections, the command's ramp over the
    prefix lead) and are not counted. Calls that arrive evenly give the same rate wherever it is taken.
    """
    waves = len(arrived) // concurrency
    if waves < 3 or latency == 0:
        return float("nan")
    start, end = arrived[2 * concurrency - 1], arrived[waves * concurrency - 1]
    return (waves - 2) * concurrency / (end - start) / (concurrency / latency)


def judged(command: list[str], judge: JudgeProcess, *, concurrency: int, latency: float) -> JudgedRun:
    """Run a client and take its calls from the server's record."""
    before = len(judge.stats()["arrived"])
    usage = run_measured(command, environment=ENVIRONMENT)
    arrived = judge.stats()["arrived"][before:]
    share = share_of_limit(arrived, concurrency=concurrency, latency=latency)
    return JudgedRun(usage, len(arrived), share)


def measure_rate(folder: Path, *, repetitions: int, concurrency: int, latency: float) -> None:
    """Throughput and CPU time a call, interleaved with the bare loop; prints the figures."""
    responses = folder / "responses.jsonl"
    pairs = write_groups(responses, GROUP_SIZES)
    loop_ms: list[float] = []
    tool_ms: list[float] = []
    stern_ms: list[float] = []
    loop_shares: list[float] = []
    tool_shares: list[float] = []
    print(f"{pairs} pairs, concurrency {concurrency}, latency {latency} s, {repetitions} repetitions")
    with JudgeProcess("--latency", str(latency), "--forget-bodies") as judge:
        for repetition in range(repetitions):
            out = folder / f"run{repetition}"
            loop_command = run_loop(responses, judge.base_url, concurrency)
            tool_command = run_tool(responses, judge.base_url, concurrency, out)
            loop = judged(loop_command, judge, concurrency=concurrency, latency=latency)
            loop_start = run_measured([*loop_command, "--calls", "0"], environment=ENVIRONMENT)
            dry = run_measured([*tool_command, "--dry-run"], environment=ENVIRONMENT)
            tool = judged(tool_command, judge, concurrency=concurrency, latency=latency)
            offline = run_measured([*tool_command, "--offline"], environment=ENVIRONMENT)
            loop_ms.append((loop.usage.cpu_s - loop_start.cpu_s) / loop.calls * 1000)
            tool_ms.append((tool.usage.cpu_s - offline.cpu_s) / tool.calls * 1000)
            stern_ms.append((tool.usage.cpu_s - dry.cpu_s) / tool.calls * 1000)
            loop_shares.append(loop.share_of_limit)
            tool_shares.append(tool.share_of_limit)
            print(
                f"  {repetition + 1}: loop {loop.calls} calls {loop.usage.wall_s:.1f} s "
                f"{loop.usage.cpu_s:.2f} s CPU (start {loop_start.cpu_s:.2f}); "
                f"tool {tool.calls} calls {tool.usage.wall_s:.1f} s {tool.usage.cpu_s:.2f} s CPU "
                f"(dry run {dry.cpu_s:.2f}, offline {offline.cpu_s:.2f}), peak {tool.usage.peak_mib:.0f} MiB",
                flush=True,
            )
    print(f"share of the limit {concurrency / latency:.0f} calls/s once running (wanted >= 0.95)")
    print(f"  tool {spread(tool_shares, 3)}, bare loop {spread(loop_shares, 3)}")
    print("CPU time a call, ms")
    print(f"  tool {spread(tool_ms)}, with tables and heat maps {spread(stern_ms)}, loop {spread(loop_ms)}")
    print(f"ratio of CPU time a call (wanted <= 1.3): {median_ratio(tool_ms, loop_ms):.2f}")
    print(f"  with tables and heat maps on top: {median_ratio(stern_ms, loop_ms):.2f}")


def measure_whole(folder: Path, *, repetitions: int, concurrency: int, latency: float) -> None:
    """Calls over the seconds of the whole process, start and tables included, in turn with the bare loop."""
    responses = folder / "whole.jsonl"
    pairs = write_groups(responses, WHOLE_SIZES)
    limit = concurrency / latency
    tool: list[float] = []
    loop: list[float] = []
    with JudgeProcess("--latency", str(latency), "--forget-bodies") as judge:
        for repetition in range(repetitions):
            out = folder / f"whole{repetition}"
            commands = {
                "loop": run_loop(responses, judge.base_url, concurrency),
                "tool": run_tool(responses, judge.base_url, concurrency, out, "--no-heatmaps"),
            }
            for name, shares in (("loop", loop), ("tool", tool)):
                shares.append(pairs / run_measured(commands[name], environment=ENVIRONMENT).wall_s / limit)
    print(f"whole process, {pairs} pairs: share of the limit {limit:.0f} calls/s (wanted >= 0.88)")
    print(f"  tool {spread(tool)}, bare loop {spread(loop)}")


def measure_memory(folder: Path, *, pairs_wanted: int, concurrency: int) -> None:
    """Resident memory of the command while it judges very many pairs; prints the figures."""
    responses = folder / "many.jsonl"
    pairs = write_groups(responses, [32] * -(-pairs_wanted // 496))
    print(f"memory: {pairs} pairs, concurrency {concurrency}, no latency")
    with JudgeProcess("--forget-bodies") as judge:
        command = run_tool(responses, judge.base_url, concurrency, folder / "many")
        start = run_measured([*command, "--dry-run"], environment=ENVIRONMENT)
        usage = run_measured(command, environment=ENVIRONMENT, progress=judge.count, sample_every_s=2.0)
    print(f"  {usage.wall_s:.0f} s, {usage.cpu_s:.0f} s CPU; dry run peak {start.peak_mib:.0f} MiB")
    for tenth in range(1, 11):
        near = [mib for done, mib in usage.resident_mib if abs(done / pairs - tenth / 10) < 0.03]
        if near:
            print(f"  at {tenth * 10:3d} % of the pairs: {statistics.median(near):.0f} MiB resident")
    judging = [mib for done, mib in usage.resident_mib if done < pairs]
    print(f"  peak while judging {max(judging):.0f} MiB, of the whole run {usage.peak_mib:.0f} MiB (< 300)")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=128)
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--whole", action="store_true", help="measure the whole process's share of the limit instead")
    parser.add_argument("--memory", action="store_true", help="measure memory instead, with --pairs pairs")
    parser.add_argument("--pairs", type=int, default=100_000)
    arguments = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}")
    with tempfile.TemporaryDirectory() as folder:
        if arguments.memory:
            measure_memory(Path(folder), pairs_wanted=arguments.pairs, concurrency=arguments.concurrency)
        else:
            measure = measure_whole if arguments.whole else measure_rate
            measure(
                Path(folder),
                repetitions=arguments.repetitions,
                concurrency=arguments.concurrency,
                latency=arguments.latency,
            )


if __name__ == "__main__":
    main()
