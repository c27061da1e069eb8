"""Counting departures, and what is made of the counts: by hand, and of a method that does nothing."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from diversity_judge.countdown import is_solution, read_problem, read_steps, similarity
from diversity_judge.inputs.responses import Group, Response, write_responses
from examples.miniature.why import gains
from examples.miniature.why.__main__ import Options, explain, main
from examples.miniature.why.departures import KINDS, Departures, departures
from examples.miniature.why.fates import Kind
from examples.miniature.why.findings import EXPERT, NORMAL, Findings, read
from examples.miniature.why.sentences import FOLDER, said, sentences

PROBLEM = "12 2 11 6 target 52"
RIGHT = "6 * 11 = 66 left 12 2 66 ; 2 + 12 = 14 left 66 14 ; 66 - 14 = 52"
TURNED = "2 + 12 = 14 left 11 6 14 ; 6 * 11 = 66 left 14 66 ; 66 - 14 = 52"
WRONG = "6 * 11 = 66 left 12 2 66 ; 66 / 2 = 33 left 12 33 ; 33 + 12 = 45"


def group(strategy: str, texts: list[str], name: str = "p") -> Group:
    rows = (
        Response(name, text, strategy, number, PROBLEM, correct=is_solution(read_problem(PROBLEM), read_steps(text)))
        for number, text in enumerate(texts)
    )
    return Group(name, strategy, tuple(rows), PROBLEM)


def counted(found: Departures, strategy: int, half: int) -> dict[Kind, tuple[int, int]]:
    """Kind to (responses, right ones)."""
    both = zip(KINDS, found.counts[0, strategy, half], found.right[0, strategy, half], strict=True)
    return {kind: (int(n), int(right)) for kind, n, right in both if n}


def test_responses_are_counted_by_how_they_leave_the_greedy_solution_and_by_half() -> None:
    normal, expert = group("a", [WRONG, WRONG, RIGHT, WRONG]), group("b", [RIGHT, TURNED, RIGHT, WRONG])
    found = departures({"p": group("greedy", [WRONG])}, [{"p": normal}, {"p": expert}])
    assert not found.greedy_right[0]
    assert counted(found, 0, 0) == {Kind.SAME: (1, 0), Kind.BETTER: (1, 1)}
    assert counted(found, 0, 1) == {Kind.SAME: (2, 0)}
    assert counted(found, 1, 0) == {Kind.BETTER: (2, 2)}
    assert counted(found, 1, 1) == {Kind.SAME: (1, 0), Kind.SIDEWAYS: (1, 1)}
    assert found.n.tolist() == [[[2, 2], [2, 2]]]
    assert found.n_right.tolist() == [[[1, 0], [2, 1]]]


def test_halves_go_by_sample_number_and_not_by_the_order_of_the_file() -> None:
    normal = group("a", [WRONG, RIGHT] * 2)
    mixed = Group("p", "a", tuple(reversed(normal.responses)), PROBLEM)
    one, other = (departures({"p": group("greedy", [WRONG])}, [{"p": own}, {"p": own}]) for own in (normal, mixed))
    assert np.array_equal(one.counts, other.counts)


def test_diversity_is_that_of_the_pairs_of_a_half() -> None:
    own = group("a", [RIGHT, RIGHT, TURNED, RIGHT, WRONG, WRONG])
    found = departures({"p": group("greedy", [WRONG])}, [{"p": own}])
    for half in range(2):
        solutions = [read_steps(response.text) for response in own.responses[half::2]]
        expected = 1 - np.mean([similarity(a, b) for a, b in combinations(solutions, 2)]) / 5
        assert found.diversity[0, 0, half] == pytest.approx(expected)


def simulated(seed: int, *, rescues: float, n_problems: int = 150) -> Departures:
    """Strategies alike, but for Expert-Sample's departures for the better, where greedy is wrong."""
    rng = np.random.default_rng(seed)
    greedy_right = rng.random(n_problems) < 0.5
    counts = np.zeros((n_problems, 2, 2, len(KINDS)), np.int64)
    right = np.zeros_like(counts)
    own = rng.beta(0.5, 8.0, n_problems)  # how often a problem's responses leave the way
    for arm, more in enumerate((0.0, rescues)):
        chance = np.zeros((n_problems, len(KINDS)))
        chance[:, KINDS.index(Kind.BETTER)] = np.where(greedy_right, 0, np.minimum(1, own * (0.2 + more)))
        chance[:, KINDS.index(Kind.WORSE)] = np.where(greedy_right, own * 0.2, 0)
        chance[:, KINDS.index(Kind.SIDEWAYS)] = own * 0.3
        chance[:, KINDS.index(Kind.SAME)] = 1 - chance.sum(axis=1)
        for half in range(2):
            counts[:, arm, half] = rng.multinomial(16, chance)
            right[:, arm, half] = counts[:, arm, half] * (np.array(KINDS) == Kind.BETTER)
            ways = (np.array(KINDS) == Kind.SAME) | (np.array(KINDS) == Kind.SIDEWAYS)
            right[:, arm, half] += counts[:, arm, half] * ways * greedy_right[:, None]
    return Departures(tuple(map(str, range(n_problems))), greedy_right, counts, right, rng.random((n_problems, 2, 2)))


def test_what_the_kinds_add_to_pass_at_1_is_the_whole_change() -> None:
    found = Findings([*gains.findings(simulated(0, rescues=0.4))])
    parts = [found("departures", "pass@1", kind.value).value for kind in Kind]
    assert sum(parts) == pytest.approx(found("gains", "pass@1").value)


def test_gains_by_departures_for_the_better_are_found_where_greedy_is_wrong() -> None:
    found = Findings([*gains.findings(simulated(1, rescues=0.6))])
    assert found("departures", "rate", "better").low > 0
    assert found("departures", "balance").low > 0
    assert found("gains", "pass@n", "greedy wrong").low > 0
    assert found("gains", "pass@n", "greedy right").low <= 0 <= found("gains", "pass@n", "greedy right").high
    assert found("gains", "slope of pass@1", "better", EXPERT).low > 0
    assert found("gains", "way there", "better", EXPERT).value > 0.9
    text = " ".join(sentences(found))
    assert "Problems gain by their departures for the better." in text


def test_a_method_that_does_nothing_explains_nothing() -> None:
    covered = []
    for seed in range(100):
        found = Findings([*gains._slopes(simulated(seed, rescues=0.0))])
        slopes = [found("gains", f"slope of {what}", "better", EXPERT) for what in ("pass@1", "pass@n/2")]
        covered.append([math.isnan(one.low) or one.low <= 0 <= one.high for one in slopes])
    assert (np.mean(covered, axis=0) > 0.88).all()


def run_of(folder: Path) -> Path:
    """A run of three problems that differ in who solves them."""
    rows: list[Response] = []
    for name, normal, expert in (("p", [WRONG] * 4, [RIGHT] + [WRONG] * 3), ("q", [RIGHT] * 4, [RIGHT] * 4)):
        rows += group("greedy", normal[:1], name).responses
        rows += group(NORMAL, normal, name).responses
        rows += group(EXPERT, expert, name).responses
    write_responses(folder / "main.jsonl", rows)
    return folder


def test_the_command_leaves_a_table_a_figure_and_sentences_that_the_report_reads(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    assert said(run) == ()
    assert explain(Options(run=run, responses=run / "main.jsonl"), Console(quiet=True)) == 0
    found = read(run / FOLDER)
    assert found("gains", "pass@n", "all").value == pytest.approx(0.5)
    assert found("gains", "solved by it alone", "all", EXPERT).value == pytest.approx(0.5)
    assert found("departures", "rate", "better", EXPERT).value == pytest.approx(1 / 8)
    assert (run / FOLDER / "departures.png").stat().st_size > 0
    assert any("Where the greedy solution is wrong (50.0 % of the problems)" in sentence for sentence in said(run))


def test_a_run_without_the_greedy_solution_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_responses(tmp_path / "main.jsonl", group(NORMAL, [RIGHT] * 4).responses)
    assert main([str(tmp_path)]) == 2
    assert "holds no response of greedy, expert-sample" in capsys.readouterr().err
