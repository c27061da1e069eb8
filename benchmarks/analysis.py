"""From a ledger to every table, beside pandas reading the same rows and doing nothing with them.

    100 groups x 496 pairs  ->  a ledger of 49,600 replies  ->  score(--offline): all tables, matrices, manifest
                                                            ->  pandas.read_sql_query: the rows, no more

Both run in this process, one after the other, several times, so that the ratio does not hang on the machine or on
what Python's start costs. Heat maps are left out: they are pictures, not tables.

Wanted: at most 3 times pandas.

    python -m benchmarks.analysis
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sqlite3
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.measuring import median_ratio, spread
from benchmarks.throughput import write_groups
from diversity_judge.inputs.in_memory import read_inputs
from diversity_judge.judges.base import Reply
from diversity_judge.judges.make import make_judge
from diversity_judge.ledger import Ledger
from diversity_judge.planning.groups import plan_groups
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.score import score
from diversity_judge.scoring.arguments import parse_arguments
from diversity_judge.scoring.options import ScoreOptions
from tests.judge_texts import N_SCORES

GROUPS = 100
RESPONSES = 32
ANSWER = "Core steps of the first, core steps of the second, and what they share. " * 12
"""About 900 characters before the score, as a judge's answer has."""

REASONING = "Let me look at the steps of both responses once more before I decide. " * 30
"""About 2,000 characters; a reasoning judge writes more, which only slows down the reading of whole rows."""

COLUMNS = "key, id, content, finish_reason, prompt_tokens, completion_tokens, cached_tokens, cost_usd"
"""What a table needs of a reply: everything but the reasoning and the circumstances."""


@dataclass(frozen=True)
class Timing:
    """One measured call."""

    wall_s: float
    cpu_s: float


def timed(work: Callable[[], object]) -> Timing:
    """Run something once."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Timing(time.perf_counter() - wall, time.process_time() - cpu)


def offline_options(responses: Path, folder: Path) -> ScoreOptions:
    """The options of an offline run, from a command line."""
    endpoint = ["--base-url", "http://127.0.0.1:9/v1", "--model", "m"]
    return parse_arguments([str(responses), *endpoint, "--out", str(folder), "--offline", "--no-heatmaps", "--quiet"])


async def fill(options: ScoreOptions) -> int:
    """Write a reply for every wanted pair, and return their number."""
    plans = plan_groups(read_inputs(options.source).groups, options.design, options.showing)
    template = PromptTemplate.load(options.prompt)
    judge = make_judge(options.judge, template, sends_calls=False, deadline_s=1.0)
    assert options.ledger_path is not None
    with Ledger(options.ledger_path) as ledger:
        number = 0
        for plan in plans:
            tasks = list(plan.tasks(judge.fingerprint(plan)))
            replies = [
                Reply(f"{ANSWER}\n[Final Score: {(number + i) % N_SCORES}]", REASONING, "stop", 5000, 700, 2500, "m")
                for i in range(len(tasks))
            ]
            await asyncio.gather(
                *(
                    ledger.add_reply(
                        task.key, reply, is_last=True, cost_usd=0.001, host="h", attempt=1, output_limit=32768
                    )
                    for task, reply in zip(tasks, replies, strict=True)
                )
            )
            number += len(tasks)
    return number


def read_rows(ledger: Path, columns: str) -> int:
    """What pandas does: read the rows."""
    connection = sqlite3.connect(ledger)
    try:
        return len(pd.read_sql_query(f"SELECT {columns} FROM replies", connection))
    finally:
        connection.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.analysis", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    repetitions = parser.parse_args().repetitions
    print(f"Python {platform.python_version()}, pandas {pd.__version__}, {os.cpu_count()} CPUs")
    with tempfile.TemporaryDirectory() as folder:
        responses = Path(folder) / "responses.jsonl"
        write_groups(responses, [RESPONSES] * GROUPS)
        options = offline_options(responses, Path(folder) / "run")
        number = asyncio.run(fill(options))
        ledger = options.ledger_path
        assert ledger is not None
        print(f"{number} replies, {ledger.stat().st_size / 2**20:.0f} MiB ledger, {repetitions} repetitions")
        score(options), read_rows(ledger, "*")  # both find their files in the page cache and their modules loaded
        tables, rows, few = [], [], []
        for _ in range(repetitions):
            tables.append(timed(lambda: score(options)))
            rows.append(timed(lambda: read_rows(ledger, "*")))
            few.append(timed(lambda: read_rows(ledger, COLUMNS)))
    print(f"all tables:               {spread([t.wall_s for t in tables])} s")
    print(f"pandas, whole rows:       {spread([t.wall_s for t in rows])} s")
    print(f"pandas, the columns used: {spread([t.wall_s for t in few])} s")
    for name, base in (("whole rows (wanted <= 3)", rows), ("the columns used", few)):
        wall = median_ratio([t.wall_s for t in tables], [t.wall_s for t in base])
        cpu = median_ratio([t.cpu_s for t in tables], [t.cpu_s for t in base])
        print(f"ratio to {name}: {wall:.2f} in wall time, {cpu:.2f} in CPU time")


if __name__ == "__main__":
    main()
