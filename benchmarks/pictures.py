"""What pictures cost a run: 300 groups scored by the proxy judge, with the default's pictures and without, in turn.

The proxy judge is the fastest there is, so nothing else hides the pictures' share. CPU time counts the processes that
draw. Wanted: at most 15 % of the run's own time.

    python -m benchmarks.pictures          about 3 minutes
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import Usage, run_measured, spread
from benchmarks.throughput import ENVIRONMENT, WORDS
from tests.judge_texts import Sample

PROBLEMS, STRATEGIES, RESPONSES = 75, ("a", "b", "c", "d"), 32


def write_responses(path: Path) -> None:
    """300 groups of 32 responses: 148,800 pairs."""
    sample = Sample(
        problems=tuple(f"p{number}" for number in range(PROBLEMS)), strategies=STRATEGIES, n=RESPONSES, words=WORDS
    )
    with path.open("w", encoding="utf-8") as file:
        for problem in sample.problems:
            for strategy in STRATEGIES:
                for index in range(RESPONSES):
                    text = sample.text(problem, strategy, index)
                    row = {"problem_id": problem, "strategy": strategy, "response": text}
                    file.write(json.dumps(row) + "\n")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pictures", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    rounds: int = parser.parse_args().rounds
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}")
    shares: dict[str, list[float]] = {"wall": [], "CPU": []}
    with tempfile.TemporaryDirectory() as folder:
        responses = Path(folder) / "responses.jsonl"
        write_responses(responses)
        for number in range(rounds):
            command = [sys.executable, "-m", "diversity_judge.score", str(responses), "--judge", "proxy", "--quiet"]
            with_pictures = _run([*command, "--out", f"{folder}/with{number}"])
            without = _run([*command, "--out", f"{folder}/without{number}", "--heatmaps", "none"])
            shares["wall"].append(1 - without.wall_s / with_pictures.wall_s)
            shares["CPU"].append(1 - without.cpu_s / with_pictures.cpu_s)
            print(
                f"  {number + 1}: with pictures {with_pictures.wall_s:.1f} s, {with_pictures.cpu_s:.1f} s CPU; "
                f"without {without.wall_s:.1f} s, {without.cpu_s:.1f} s CPU",
                flush=True,
            )
    print("share of a run's own time that goes into pictures (wanted <= 0.15)")
    print(f"  CPU {spread(shares['CPU'])}, wall {spread(shares['wall'])}")


def _run(command: list[str]) -> Usage:
    return run_measured(command, environment=ENVIRONMENT)


if __name__ == "__main__":
    main()
