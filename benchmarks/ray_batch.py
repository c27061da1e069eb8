"""Many exported calls through a local Ray to a judge on loopback: does each come back once, and how fast?

python -m benchmarks.ray_batch [--groups 41] [--responses 32] [--workers 4] [--latency 0]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from diversity_judge import batch
from diversity_judge.score import main as score
from tests.judge_server import JudgeServer
from tests.judge_texts import Sample


def main() -> None:
    """Export, run, score offline; print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=41)
    parser.add_argument("--responses", type=int, default=32)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds of each call")
    asked = parser.parse_args()
    sample = Sample([f"p{number}" for number in range(asked.groups)], ("a",), asked.responses, words=20)
    with TemporaryDirectory() as folder, JudgeServer(latency=asked.latency, keep_bodies=False) as server:
        responses, out = sample.write(Path(folder) / "responses.jsonl"), Path(folder) / "out"
        judge = ["--base-url", server.base_url, "--model", "loopback", "--out", str(out), "--quiet"]
        assert batch.main(["export", str(responses), *judge]) == 0
        started = time.perf_counter()
        engine = ["--engine", "ray", "--base-url", server.base_url, "--workers", str(asked.workers)]
        code = batch.main(["run", str(out), *engine, "--quiet"])
        seconds = time.perf_counter() - started
        scored = score([str(responses), *judge, "--offline", "--no-heatmaps"])
        asked_twice = sum(n > 1 for n in server.record.asked.values())
    print(f"calls {sample.n_pairs:,}, sent {len(server.calls):,}, pairs asked twice {asked_twice}")
    print(f"exit codes: run {code}, score --offline {scored}")
    speed = sample.n_pairs / seconds
    print(f"{seconds:.1f} s with Ray's start, {speed:,.0f} calls/s, {server.record.max_in_flight} in flight at most")


if __name__ == "__main__":
    main()
