"""How long the report of a full experiment takes to make and to open, and how large it is.

    python -m benchmarks.report [--out FILE] [--problems 13] [--strategies 3] [--responses 32] [--characters 8000]

Wanted for 13 problems x 3 strategies x 32 responses of 8 kB: under 11.4 MB, open in under 3 s. The responses are made
of real model texts with real mathematics, cut and joined at random, so that paragraphs repeat more than in real
responses; every pair has a judge's answer and its reasoning.
Opening is measured in Chromium, from the navigation to the page's own "ready" and to its first drawn heat map; the
browser itself is warm, and each opening is a new navigation. Without Chromium only making is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import diversity_judge as dj
from diversity_judge.engine.tally import Tally
from diversity_judge.inputs.responses import Group, Response
from diversity_judge.judges.base import Reply
from diversity_judge.ledger import Ledger
from diversity_judge.measures.diversity import estimate
from diversity_judge.measures.matrix import build_matrix
from diversity_judge.planning.groups import GroupPlan, Showing, plan_groups
from diversity_judge.planning.judgment import Judgment
from diversity_judge.planning.pairs import PairDesign
from diversity_judge.report import write_report
from diversity_judge.runs.layout import LEDGER
from diversity_judge.scoring import files
from diversity_judge.scoring.group_results import GroupResult, strategy_results
from diversity_judge.scoring.result import ScoreResult

OPENINGS = 7
_SPACE_PER_PIECE = 2


def main() -> None:
    """Make it, open it, print the figures."""
    options = _options()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        experiment = _experiment(folder / "run", options)
        path = options.out or folder / "report.html"
        started = time.perf_counter()
        comparison = dj.compare([experiment])
        compared = time.perf_counter()
        write_report(comparison, path)
        written = time.perf_counter()
        n_judgments = sum(len(member.judgments) for member in comparison.runs[0].groups)
        print(f"{options.problems} problems x {options.strategies} strategies x {options.responses} responses of "
              f"{options.characters} characters, {n_judgments:,} judgments of "
              f"{options.answer} + {options.reasoning} characters")  # fmt: skip
        print(f"load and compare  {compared - started:6.1f} s")
        print(f"make the report   {written - compared:6.1f} s")
        print(f"size              {path.stat().st_size / 1e6:6.1f} MB")
        _open(path, folder / "profile")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="keep the report here")
    parser.add_argument("--texts", type=Path, nargs="*", help="files of responses to cut the texts from")
    parser.add_argument("--problems", type=int, default=13)
    parser.add_argument("--strategies", type=int, default=3)
    parser.add_argument("--responses", type=int, default=32)
    parser.add_argument("--characters", type=int, default=8000, help="of a response")
    parser.add_argument("--answer", type=int, default=1500, help="characters of a judge's visible answer")
    parser.add_argument("--reasoning", type=int, default=8000, help="characters of its reasoning")
    return parser.parse_args()


def _experiment(folder: Path, options: argparse.Namespace) -> Path:
    """A run folder, its judge a random number; the writing is the project's own."""
    generator = random.Random(0)
    pieces = _pieces(options.texts or [Path(__file__).parents[1] / "examples" / "responses.jsonl"])

    def text(length: int) -> str:
        made: list[str] = []
        while sum(map(len, made)) + _SPACE_PER_PIECE * len(made) < length:
            made.append(generator.choice(pieces))
        return "\n\n".join(made)[:length]

    groups = []
    for problem in range(options.problems):
        for strategy in ("token-normal", "token-high", "expert-sample", *map(str, range(3, options.strategies)))[
            : options.strategies
        ]:
            responses = tuple(
                Response(
                    f"problem-{problem}",
                    text(options.characters),
                    strategy,
                    n,
                    text(300) if n == -1 else None,
                    str(generator.randrange(5)),
                    generator.random() < problem / options.problems,
                    generator.random(),
                )
                for n in range(options.responses)
            )
            groups.append(Group(f"problem-{problem}", strategy, responses))
    plans = plan_groups(groups, PairDesign(), Showing())
    with Ledger(folder / LEDGER) as ledger:
        results = []
        for plan in plans:
            level = generator.choice((1, 2, 3))
            scores = [min(5, max(0, level + generator.choice((-1, 0, 0, 1, 2)))) for _ in plan.pairs]
            replies = [
                Reply(f"{text(options.answer)}\n[Final Score: {score}]", text(options.reasoning)) for score in scores
            ]
            results.append(asyncio.run(_judge(plan, ledger, scores, replies)))
    judge = "random numbers, not a judge"
    result = ScoreResult(results, strategy_results(results), judge, "none", False, Tally())
    files.write_run(
        folder,
        result,
        {
            "judge": {"label": judge, "kind": "chat"},
            "prompt": {"label": "none"},
            "design": {"orders": "one"},
            "showing": {"view": "full", "truncate_tokens": None},
            "ledger": str(folder / LEDGER),
        },
        heatmaps="none",
    )
    return folder


def _pieces(files: list[Path]) -> list[str]:
    """Paragraphs of real responses."""
    found = []
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            found += [part for part in json.loads(line)["response"].split("\n\n") if part.strip()]
    return found


async def _judge(plan: GroupPlan, ledger: Ledger, scores: list[int], replies: list[Reply]) -> GroupResult:
    how: dict[str, Any] = {"is_last": True, "cost_usd": None, "host": "none", "attempt": 1, "output_limit": None}
    keys = [f"{plan.name}/{pair.first}/{pair.second}" for pair in plan.pairs]
    await asyncio.gather(*(ledger.add_reply(key, reply, **how) for key, reply in zip(keys, replies, strict=True)))
    ids = ledger.replies(keys)
    judgments = [
        Judgment(pair, key, score, None, n_replies=1, reply_id=ids[key][0].id)
        for pair, key, score in zip(plan.pairs, keys, scores, strict=True)
    ]
    matrix = build_matrix(plan.group.n_responses, judgments)
    return GroupResult(plan, judgments, matrix, estimate(matrix), matrix.vendi().value)


def _open(path: Path, profile: Path) -> None:
    from tests import browser

    missing = browser.missing_parts()
    if missing:
        print(f"opening           not measured: {missing}")
        return
    ready, drawn, texts = [], [], []
    with browser.running(profile) as driver:
        driver.get("about:blank")
        for _ in range(OPENINGS):
            driver.get("about:blank")
            driver.get(path.as_uri())
            times = driver.execute_async_script(_WATCH)
            ready.append(times["ready"] / 1000)
            drawn.append(times["drawn"] / 1000)
            texts.append(times["texts"] / 1000)
    for name, values in (("open to ready", ready), ("to a drawn map", drawn), ("a click to texts", texts)):
        print(f"{name:16}  {statistics.median(values):6.2f} s (median of {OPENINGS}; {min(values):.2f} "
              f"to {max(values):.2f})")  # fmt: skip


_WATCH = """
const done = arguments[arguments.length - 1];
const ready = performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd;
const place = document.querySelector('.map');
const asked = performance.now();
place.scrollIntoView({block: 'center'});
const opened = () => {
  const clicked = performance.now();
  place.focus({preventScroll: true});
  for (const key of ['ArrowRight', 'Enter']) place.dispatchEvent(new KeyboardEvent('keydown', {key}));
  const reading = () => {
    if (document.querySelector('#reader .response .text')) {
      done({ready, drawn: ready + clicked - asked, texts: performance.now() - clicked});
    } else requestAnimationFrame(reading);
  };
  reading();
};
const look = () => (place.querySelector('.field') ? opened() : requestAnimationFrame(look));
look();
"""


if __name__ == "__main__":
    main()
