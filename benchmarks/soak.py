"""The attack, by command: kills, hostile replies, hostile inputs and a failing environment, each with what should come.

    python -m benchmarks.soak [--minutes M] [--quick] [--seed N] [--csv FILE]

Every case is a row: what it was, what is expected, what was seen. The exit code is 1 where one differs. All traffic
stays on loopback, and whatever is started is ended. `--minutes` goes on killing and resuming runs, each round with
moments of its own, until the time is up; `--quick` takes seconds: all hostile replies and inputs, one round of kills
and the few cases of the environment that differ most.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.attack.environment import check_environment
from benchmarks.attack.inputs import check_inputs
from benchmarks.attack.kills import check_kills
from benchmarks.attack.replies import check_ends, check_replies
from benchmarks.attack.running import Row

ROUNDS = 6
"""Of kills, where no time is given."""
QUICK = frozenset({"an ASCII console", "ALL_PROXY", "standard output on a full disk"})


def main(argv: list[str] | None = None) -> int:
    """Attack, print the table and a summary; 1 where something is not as expected."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=0.0, help="go on with kills for so long")
    parser.add_argument("--quick", action="store_true", help="the short version")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills (default 0)")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the table there, too")
    arguments = parser.parse_args(argv)
    started = time.monotonic()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        for row in attack(Path(folder), arguments.quick, arguments.seed, started + 60 * arguments.minutes):
            rows.append(row)
            print(_line(row).replace(folder, "..."), flush=True)
    if arguments.csv:
        with arguments.csv.open("w", newline="", encoding="utf-8") as file:
            cells = [(row.part, row.case, row.expected, row.seen, row.is_ok) for row in rows]
            csv.writer(file).writerows([("part", "case", "expected", "seen", "ok"), *cells])
    return summarise(rows, time.monotonic() - started)


def attack(folder: Path, quick: bool, seed: int, until: float) -> Iterator[Row]:
    """All parts, row by row.

    Args:
        folder: For what the runs leave behind.
        quick: Leave out what takes longest.
        seed: Of the moments of the kills.
        until: `time.monotonic()` up to which runs are killed, beyond the rounds that there are anyway.
    """
    yield from check_inputs(folder / "inputs")
    yield from check_replies(folder / "replies")
    if not quick:
        yield from check_ends(folder / "ends")
    yield from check_environment(folder / "environment", QUICK if quick else None)
    rounds = 1 if quick else ROUNDS
    yield from check_kills(folder / "kills", rounds, seed)
    while time.monotonic() < until:
        seed += 1
        yield from check_kills(folder / f"kills{seed}", rounds, seed)


def summarise(rows: list[Row], seconds: float) -> int:
    """Print how many of each part came as expected; returns the exit code."""
    n_cases, n_ok = Counter(row.part for row in rows), Counter(row.part for row in rows if row.is_ok)
    print()
    for part, number in n_cases.items():
        print(f"{part:<12} {n_ok[part]:>4} of {number} as expected")
    print(f"{len(rows)} cases in {seconds:.0f} s; {len(rows) - n_ok.total()} differ")
    return int(n_ok.total() < len(rows))


def _line(row: Row) -> str:
    mark = "ok  " if row.is_ok else "DIFF"
    seen = "" if row.is_ok else f"  seen: {row.seen}"
    return f"{mark} {row.part:<12} {row.case:<48} {row.expected}{seen}"


if __name__ == "__main__":
    sys.exit(main())
