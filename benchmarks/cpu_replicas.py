"""`python -m benchmarks.cpu_replicas`: one engine on all cores against `--cpu-replicas`, on the miniature.

The same command samples one response, then `--problems` times 32, in turn without and with replicas. The time of the
first is the start and the end of the engine; what the second takes more is sampling. The texts must be the same.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from examples.miniature.apart import Apart
from examples.miniature.run import MODEL
from generation.sample import run as run_sampling
from generation.sampling.options import SampleOptions

VARIANTS = ("one engine", "replicas")
_ENGINE = {"dtype": "float32", "max_model_len": 96, "enforce_eager": True, "max_num_seqs": 1024}
_ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_NUM_OF_RESERVED_CPU": "0", "VLLM_LOGGING_LEVEL": "ERROR"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; prints a line a round, then medians."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cpu_replicas", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--replicas", type=int, default=os.cpu_count())
    args = parser.parse_args(argv)
    os.environ.update(_ENVIRONMENT)
    ratios: dict[str, list[float]] = {"start": [], "sampling": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        problems = _problems(folder / "problems.jsonl", args.problems)
        for number in range(args.rounds):
            order = VARIANTS if number % 2 else VARIANTS[::-1]
            found = {variant: _measure(folder, problems, variant, args.replicas) for variant in order}
            starts, rates = ({v: found[v][part] for v in VARIANTS} for part in (0, 1))
            ratios["start"].append(starts["replicas"] / starts["one engine"])
            ratios["sampling"].append(rates["replicas"] / rates["one engine"])
            if _texts(folder, "one engine") != _texts(folder, "replicas"):
                raise RuntimeError("the responses differ")
            sys.stdout.write(
                f"round {number + 1}: "
                + ", ".join(f"{v} {starts[v]:.1f} s to start, {rates[v]:.0f} responses a second" for v in VARIANTS)
                + "\n"
            )
            sys.stdout.flush()
    for what, values in ratios.items():
        line = (
            f"{what}: replicas over one engine {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
        )
        sys.stdout.write(line + "\n")
    return 0


def _problems(path: Path, n: int) -> Path:
    from itertools import islice

    from examples.miniature.problems import held_out

    rows = ({"problem_id": str(i), "problem": p.text, "meta": {"kind": "countdown"}} for i, p in enumerate(held_out(0)))
    path.write_text("".join(json.dumps(row) + "\n" for row in islice(rows, n)), encoding="utf-8")
    return path


def _measure(folder: Path, problems: Path, variant: str, replicas: int) -> tuple[float, float]:
    """Seconds to start and end, responses a second."""
    n = 32
    n_problems = len(problems.read_text(encoding="utf-8").splitlines())
    start = _run(folder / "start.jsonl", problems, variant, replicas, n=1, limit=1)
    whole = _run(_file(folder, variant), problems, variant, replicas, n=n)
    return start, (n * n_problems - 1) / (whole - start)


def _run(out: Path, problems: Path, variant: str, replicas: int, *, n: int, limit: int | None = None) -> float:
    """Seconds of the sampling as a whole, in a process of its own."""
    for left in (out, out.with_suffix(".manifest.json")):
        left.unlink(missing_ok=True)
    options = SampleOptions(
        problems=problems,
        model=MODEL,
        strategies="token-normal",
        n=n,
        seed=0,
        limit=limit,
        cpu_replicas=replicas if variant == "replicas" else None,
        engine_args=_ENGINE,
        repeatable=True,
        concurrency=1024,
        max_tokens=26,
        out=out,
    )
    began = time.monotonic()
    code, printed = Apart().run(run_sampling, options, shown=False)
    if code:
        raise RuntimeError(f"sampling ended with {code}:\n{printed}")
    return time.monotonic() - began


def _file(folder: Path, variant: str) -> Path:
    return folder / f"{variant.replace(' ', '_')}.jsonl"


def _texts(folder: Path, variant: str) -> dict[tuple[str, int], str]:
    rows = map(json.loads, _file(folder, variant).read_text(encoding="utf-8").splitlines())
    return {(row["problem_id"], row["sample_id"]): row["response"] for row in rows}


if __name__ == "__main__":
    sys.exit(main())
