"""What is said of a model's abilities, against answers and routers that are known."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import combinations, islice
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from diversity_judge.countdown import Countdown, is_solution, read_steps, similarity  # noqa: E402 - torch may be missing
from examples.miniature import abilities  # noqa: E402
from examples.miniature.abilities import SEED, greedy_accuracy, main, new_share, router_logits, sampled  # noqa: E402
from examples.miniature.answers import NORMAL  # noqa: E402
from examples.miniature.problems import held_out  # noqa: E402
from examples.miniature.pulled_loss import load_to_train  # noqa: E402
from examples.miniature.train_further import START  # noqa: E402

KNOWN = ("1 + 2 = 3 ; 3 + 4 = 7", "2 + 1 = 3 ; 3 + 4 = 7", "4 + 3 = 7 ; 1 * 2 = 2", "", "5 * 6 = 30 ; 7 - 1 = 6")


@pytest.fixture(scope="module")
def model() -> Any:
    return load_to_train(START, 0.0)


def test_diversity_is_that_of_pairs_that_have_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def known(model: Any, problems: Sequence[Countdown], tokens: Any) -> Iterator[str]:
        assert len(problems) == 2 * len(KNOWN)
        assert len(set(problems[: len(KNOWN)])) == 1
        return iter(KNOWN * 2)

    monkeypatch.setattr(abilities, "answers", known)
    found = sampled(None, list(islice(held_out(SEED), 2)), len(KNOWN), NORMAL)
    steps = [read_steps(text) for text in KNOWN if text]
    scores = [similarity(one, other) for one, other in combinations(steps, 2)]
    assert len(scores) == 6
    assert found.diversity == pytest.approx(1 - sum(scores) / 6 / 5)
    assert found.similarities == tuple(2 * scores.count(score) for score in range(6))
    assert found.pass_1 == 0


def test_greedy_accuracy_is_the_share_of_right_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = list(islice(held_out(SEED, 3), 40))
    texts = ["1 + 1 = 2"] * 10
    solved = {problem: _brute_force(problem) for problem in problems[10:]}
    monkeypatch.setattr(abilities, "answers", lambda *_: iter([*texts, *solved.values()]))
    assert greedy_accuracy(None, problems) == pytest.approx(0.75)


def test_the_share_on_new_experts_is_what_the_draws_change(model: Any) -> None:
    k, keep, last = 8, 5, 32
    found = new_share(model, 4, 40)
    generator = torch.Generator().manual_seed(0)
    shares = []
    for logits in router_logits(model, 4, 40):
        ranked = logits.softmax(-1).sort(dim=-1, descending=True).values
        for _ in range(4):
            tail = torch.multinomial(ranked[:, keep:last], k - keep, generator=generator) + keep
            weight = ranked.gather(1, tail)
            share = (weight * (tail >= k)).sum(-1) / (ranked[:, :keep].sum(-1) + weight.sum(-1))
            shares.append(share.mean())
    assert found == pytest.approx(torch.stack(shares).mean().item(), rel=0.1)


def test_routers_are_read_where_a_token_of_the_solution_comes_next(model: Any) -> None:
    layers = router_logits(model, 4, 3)
    assert [tuple(logits.shape) for logits in layers] == [(3 * 25, 64)] * 5


def test_the_command_prints_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(START), "--problems", "3", "--samples", "2"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["greedy_accuracy"]) == {"4", "5", "6", "7", "8"}
    assert set(found["token_normal"]) == set(found["share_on_new_experts"]) == {"4", "7", "8"}


def test_the_command_asks_no_larger_targets_than_it_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Countdown] = []

    def none_is_right(model: Any, problems: Sequence[Countdown]) -> float:
        asked.extend(problems)
        return 0.0

    monkeypatch.setattr(abilities, "greedy_accuracy", none_is_right)
    assert main([str(START), "--problems", "3", "--samples", "2", "--largest-target", "20"]) == 0
    capsys.readouterr()
    assert len(asked) == 3 * 5
    assert {problem.target for problem in asked} <= {*range(10, 21)}


@pytest.mark.parametrize("largest", ["9", "100"])
def test_targets_that_no_problem_has_are_refused_instead_of_sought_for_ever(
    largest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(START), "--largest-target", largest])
    assert ended.value.code == 2
    assert f"{largest} is not in 10..99" in capsys.readouterr().err


def test_routers_are_read_on_solutions_that_reach_these_targets(model: Any) -> None:
    some, other = (router_logits(model, 4, 3, targets)[0] for targets in (range(10, 20), range(90, 100)))
    assert some.shape == other.shape
    assert not torch.equal(some, other)


def _brute_force(problem: Countdown) -> str:
    """A solution to three numbers, found by trying everything."""
    from examples.miniature.problems import allowed, solution_text

    for first, second in combinations(range(3), 2):
        (rest,) = {0, 1, 2} - {first, second}
        for step in allowed(problem.numbers[first], problem.numbers[second]):
            for last in allowed(step.result, problem.numbers[rest]) + allowed(problem.numbers[rest], step.result):
                if is_solution(problem, (step, last)):
                    return solution_text(problem, (step, last))
    raise AssertionError(problem)
