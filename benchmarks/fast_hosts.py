"""What a call costs where the host is fast: `score` over its own client against `score` over the API's SDK, in turn.

    loopback judge (own process, 0.05 s latency)  <-  python -m benchmarks.sdk_host   (own process)
                                                  <-  python -m diversity_judge.score (own process)

Calls a second are taken from the first call that arrived at the judge to the last, CPU time from the whole process
less that of a `--dry-run`. On a busy machine the second says more. Wanted: at least 2.2 times the calls a second.

    python -m benchmarks.fast_hosts          about 2 minutes
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import median_ratio, run_measured, spread
from benchmarks.throughput import ENVIRONMENT, run_tool, write_groups
from tests.judge_process import JudgeProcess

GROUP_SIZES = (32,) * 8
"""8 x 496 = 3,968 pairs."""


@dataclass(frozen=True)
class Rate:
    """Of one run."""

    calls_a_second: float
    cpu_ms: float


def measure(command: list[str], judge: JudgeProcess) -> Rate:
    """Run a command and take its calls from the server's record."""
    start = run_measured([*command, "--dry-run"], environment=ENVIRONMENT)
    before = len(judge.stats()["arrived"])
    usage = run_measured(command, environment=ENVIRONMENT)
    arrived = judge.stats()["arrived"][before:]
    seconds = arrived[-1] - arrived[0]
    return Rate((len(arrived) - 1) / seconds, (usage.cpu_s - start.cpu_s) / len(arrived) * 1000)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fast_hosts", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=128)
    parser.add_argument("--latency", type=float, default=0.05)
    arguments = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}")
    rates: dict[str, list[Rate]] = {"SDK": [], "own": []}
    with (
        tempfile.TemporaryDirectory() as folder,
        JudgeProcess("--latency", str(arguments.latency), "--forget-bodies") as judge,
    ):
        responses = Path(folder) / "responses.jsonl"
        pairs = write_groups(responses, GROUP_SIZES)
        print(f"{pairs} pairs, {arguments.concurrency} in flight, latency {arguments.latency} s")
        for number in range(arguments.rounds):
            for name in rates:
                out = Path(folder) / f"{name}{number}"
                command = run_tool(responses, judge.base_url, arguments.concurrency, out, "--no-heatmaps")
                if name == "SDK":
                    command[command.index("diversity_judge.score")] = "benchmarks.sdk_host"
                rates[name].append(measure(command, judge))
            sdk, own = rates["SDK"][-1], rates["own"][-1]
            print(
                f"  {number + 1}: SDK {sdk.calls_a_second:.0f} calls/s, {sdk.cpu_ms:.2f} ms CPU a call; "
                f"own {own.calls_a_second:.0f} calls/s, {own.cpu_ms:.2f} ms CPU a call",
                flush=True,
            )
    per_second = {name: [rate.calls_a_second for rate in found] for name, found in rates.items()}
    cpu = {name: [rate.cpu_ms for rate in found] for name, found in rates.items()}
    print(f"calls a second: SDK {spread(per_second['SDK'], 0)}, own {spread(per_second['own'], 0)}")
    print(f"  ratio (wanted >= 2.2): {median_ratio(per_second['own'], per_second['SDK']):.2f}")
    print(f"CPU ms a call: SDK {spread(cpu['SDK'])}, own {spread(cpu['own'])}")
    print(f"  ratio: {median_ratio(cpu['SDK'], cpu['own']):.2f}")


if __name__ == "__main__":
    main()
