"""Pairs with the same two texts are judged once: as many calls are sent as planned, and progress ends at its end."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from diversity_judge.engine.options import EngineOptions
from diversity_judge.engine.session import buy
from diversity_judge.engine.tally import Ending
from diversity_judge.engine.workload import make_workload
from diversity_judge.judges.base import FatalError
from diversity_judge.ledger import Ledger
from diversity_judge.planning.groups import Showing, plan_groups
from diversity_judge.planning.pairs import PairDesign
from diversity_judge.planning.prompting import PromptTemplate
from tests.diversity_judge.helpers import ScriptedJudge, group
from tests.diversity_judge.score_runs import Finished, run
from tests.judge_faults import BEHAVIOURS, Faults, Rule
from tests.judge_server import JudgeServer
from tests.judge_texts import orientations, score_of

GROUPS = {"cold": ["a", "a", "b", "a", "c", "b"], "hot": ["a", "b", "c", "d", "a", "e"]}
"""Two strategies that share texts, each with repeats of its own."""

WANTED = {
    (texts[i], texts[j]) for texts in GROUPS.values() for i, j in orientations(len(texts)) if texts[i] != texts[j]
}


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    path = tmp_path / "responses.jsonl"
    rows = [
        {"problem_id": "p", "strategy": strategy, "response": f"R#{text}# is the way"}
        for strategy, texts in GROUPS.items()
        for text in texts
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def planned_calls(finished: Finished) -> int:
    found = re.search(r"^calls +([\d,]+)", finished.output, re.MULTILINE)
    assert found is not None, finished.output
    return int(found[1].replace(",", ""))


def test_the_calls_planned_are_the_calls_sent(responses: Path, tmp_path: Path) -> None:
    with JudgeServer() as server:
        planned = planned_calls(run(responses, server, tmp_path / "run", "--dry-run"))
        finished = run(responses, server, tmp_path / "run")
        assert finished.code == 0
        assert planned == planned_calls(finished) == len(server.record.calls) == len(WANTED)
        assert server.record.bought == dict.fromkeys(WANTED, 1)
        again = run(responses, server, tmp_path / "run")
        assert planned_calls(again) == 0
        assert f"{len(WANTED)} found in the ledger" in again.output
        assert len(server.record.calls) == len(WANTED)
    for _, row in finished.pairs.iterrows():
        texts = [GROUPS[row.strategy][row[f"{place}_position"]] for place in ("first", "second")]
        assert row.score == (5 if texts[0] == texts[1] else score_of(*texts)), "a repeat has its twin's score"
    counts = finished.manifest["judgments"]
    assert counts["wanted"] == counts["scored"] == 30
    assert counts["wanted"] - counts["duplicates"] - counts["repeats"] == counts["replies"] == len(WANTED)


def test_a_judgment_that_two_pairs_share_is_missing_once(responses: Path, tmp_path: Path) -> None:
    with JudgeServer(faults=Faults([Rule(BEHAVIOURS["truncated"], pair=("a", "b"))])) as server:
        finished = run(responses, server, tmp_path / "run")
    assert finished.code == 3
    assert "1 judgment(s) have no score" in finished.output
    assert (finished.pairs["missing"] == "truncated").sum() > 1


@pytest.mark.parametrize("draws", [1, 2])
def test_progress_ends_at_its_end(tmp_path: Path, draws: int) -> None:
    groups = [group(texts, strategy=strategy) for strategy, texts in GROUPS.items()]
    judge = ScriptedJudge()
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        workload = make_workload(plan_groups(groups, PairDesign(draws=draws), Showing()), judge, ledger, template())
        tally = buy(workload, judge, ledger, EngineOptions(prefix_lead_s=0), Console(quiet=True))
    assert tally.done == tally.wanted == tally.scored == len(judge.asked) == draws * len(WANTED)


def test_what_was_not_sent_is_counted_to_the_end_too(tmp_path: Path) -> None:
    groups = [group(texts, strategy=strategy) for strategy, texts in GROUPS.items()]
    judge = ScriptedJudge([FatalError("http_401", "no")])
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        workload = make_workload(plan_groups(groups, PairDesign(), Showing()), judge, ledger, template())
        tally = buy(workload, judge, ledger, EngineOptions(concurrency=1, prefix_lead_s=0), Console(quiet=True))
    assert tally.ending is Ending.FAILED
    assert tally.done == tally.wanted == len(WANTED)


def template() -> PromptTemplate:
    return PromptTemplate.load()
