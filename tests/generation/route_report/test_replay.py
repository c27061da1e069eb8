"""Responses written anew with another route, held against whole forwards without a cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

torch = pytest.importorskip("torch")
pytest.importorskip("transformers", minversion="5")

from diversity_judge.inputs.responses import Response  # noqa: E402
from generation.grading.grader import Grade, Grader  # noqa: E402
from generation.moe_models.layers import moe_layers  # noqa: E402
from generation.moe_models.loading import LoadedModel  # noqa: E402
from generation.problems import ProblemKind  # noqa: E402
from generation.route_report.continuing import Continuer, Route  # noqa: E402
from generation.route_report.replay import (  # noqa: E402
    BEST,
    GREEDY,
    RANDOM,
    SAME_LUCK,
    Replay,
    Replayer,
    sample_places,
    sampling_of,
)
from generation.route_report.replay_table import print_replays, replay_rows, summaries, summary_rows  # noqa: E402
from generation.route_report.tokens import Part, parts, read_tokens  # noqa: E402
from generation.routing_study.trajectories import Trajectory  # noqa: E402
from tests.generation.moe_models.tiny import ARCHITECTURES, logprobs_with_route_by_hand, prompt_ids, tiny  # noqa: E402
from tests.generation.route_report.planted_table import write_planted  # noqa: E402
from tests.planted_routes import planted_tokens  # noqa: E402

PROMPT = prompt_ids(8)[0].tolist()
SETTINGS = {"temperature": 0.7, "top_p": 0.9, "top_k": 20, "min_p": 0.0}


class Letters:
    """A tokenizer whose text is its numbers."""

    eos_token_id = 1

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        return " ".join(str(number) for number in ids if number != self.eos_token_id)


class EvenIsRight(Grader):
    """Grades without a process: right where the last number is even."""

    def grade(self, text: str, kind: ProblemKind, reference: str | None, *, n_choices: int = 0) -> Grade:
        return Grade(None, int(text.split()[-1]) % 2 == 0)


def loaded(name: str = "qwen3_moe") -> LoadedModel:
    model = tiny(name)
    return LoadedModel(name, model, Letters(), moe_layers(model), "", "")


def forcing(route: Sequence[int]) -> Route:
    return lambda logits, own: torch.tensor([list(route)])


def route_of(k: int) -> list[int]:
    return list(range(k))[::-1]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_route_is_forced_at_the_last_token_of_one_layer_alone(name: str) -> None:
    model = loaded(name)
    for layer in model.layers:
        route = route_of(layer.k)
        logits, _ = Continuer(model, layer.index).logits_after(PROMPT, forcing(route))
        by_hand = logprobs_with_route_by_hand(
            name, model.model, torch.tensor([PROMPT]), layer.index, len(PROMPT) - 1, route
        )
        assert (logits.log_softmax(-1) - by_hand).abs().max() < 1e-5


def test_writing_on_is_what_whole_forwards_without_a_cache_write() -> None:
    """The other route stays where it was forced: the later tokens of an inner layer see it."""
    model = loaded()
    layer = model.layers[0]
    route = route_of(layer.k)
    continuer = Continuer(model, layer.index)
    logits, cache = continuer.logits_after(PROMPT, forcing(route))
    written = continuer.write(logits, cache, lambda g, n: int(g.argmax()), first=0, longest=6)
    ids = list(PROMPT)
    for _ in written:
        ids.append(_next_by_whole_forward(model.model, ids, layer.index, route))
    assert written == ids[len(PROMPT) :]
    assert continuer.changes_later_tokens
    assert not Continuer(model, model.layers[-1].index).changes_later_tokens


def _next_by_whole_forward(model: Any, ids: list[int], layer: int, route: list[int]) -> int:
    from tests.generation.moe_models.tiny import block_by_hand

    block, place = model.model.layers[layer].mlp, len(PROMPT) - 1
    own_forward = block.forward

    def forward(hidden: Any) -> Any:
        states = own_forward(hidden).clone()
        states[0, place] = block_by_hand("qwen3_moe", block, hidden[0, place], route)
        return states

    block.forward = forward
    try:
        with torch.no_grad():
            return int(model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax())
    finally:
        del block.forward


def test_logits_along_a_response_are_those_that_each_token_was_drawn_from() -> None:
    model = loaded()
    tokens = [5, 9, 33]
    with torch.no_grad():
        whole = model.model(torch.tensor([PROMPT + tokens])).logits[0]
    found = Continuer(model, 2).logits_along(PROMPT, tokens)
    assert (found - whole[len(PROMPT) - 1 : -1]).abs().max() < 1e-4


def replays_of(route: Sequence[int] | None, layer: int, *, n: int = 6) -> list[Replay]:
    """Of a random model; `route` None for the router's own."""
    model = loaded()
    generator = torch.Generator().manual_seed(5)
    keys = [(f"p{number}", "token-normal", 0) for number in range(n)]
    trajectories = {
        key: Trajectory(*key, True, tuple(PROMPT), _drawn(model, generator, 7)) for key in keys
    }  # fmt: skip
    meta = {"kind": "math", "reference": "x", "settings": SETTINGS}
    responses = {key: Response(key[0], "", key[1], 0, correct=True, meta=meta) for key in keys}
    places = [
        {
            "problem_id": key[0], "strategy": key[1], "response": 0, "position": 3, "token": "t", "layer": layer,
            "standard_logprob": -1.0,
            "best_route": route if route is not None else _own_route(model, trajectories[key], 3, layer),
        }
        for key in keys
    ]  # fmt: skip
    part = Part(layer, "gumbel", 1.0, 8, pd.DataFrame(places), planted_tokens(np.random.default_rng(0), n_problems=1))
    replayer = Replayer(model, part, trajectories, responses, EvenIsRight())
    done: list[int] = []
    found = list(replayer.replays(places, done.append))
    assert done == [1] * n
    return found


def _drawn(model: LoadedModel, generator: Any, n: int) -> tuple[int, ...]:
    """A response as the strategy draws it, from the whole model without a cache."""
    from generation.routing_study.next_token import drawable

    sampling = sampling_of(Response("p", "", meta={"settings": SETTINGS}))
    assert sampling is not None
    ids = list(PROMPT)
    for _ in range(n):
        with torch.no_grad():
            logits = drawable(model.model(torch.tensor([ids])).logits[0, -1], sampling)
        ids.append(int(torch.multinomial(logits.softmax(-1), 1, generator=generator)))
    return tuple(ids[len(PROMPT) :])


def _own_route(model: LoadedModel, trajectory: Trajectory, position: int, layer: int) -> list[int]:
    from generation.moe_models.forcing import recorded

    ids = torch.tensor([[*trajectory.prompt_ids, *trajectory.token_ids[:position]]])
    with torch.no_grad(), recorded(model.layer(layer)) as record:
        model.model(ids)
    own: list[int] = record.routes[-1].tolist()
    return own


@pytest.mark.parametrize("layer", [0, 2])
def test_the_routers_own_route_changes_nothing_by_the_responses_luck_and_greedily(layer: int) -> None:
    found = replays_of(None, layer)
    assert {(one.draw, one.route) for one in found} == {(d, r) for d in (GREEDY, SAME_LUCK) for r in (BEST, RANDOM)}
    for one in found:
        if one.route == BEST:
            assert one.edit_distance == 0
            assert one.drawn_after == one.drawn_before
            assert one.correct_after == one.correct_before
    assert all(one.drawn_before for one in found if one.draw == SAME_LUCK)


def test_another_route_changes_what_is_drawn_and_the_table_says_so() -> None:
    found = replays_of([9, 10, 11], 0, n=12)
    best = [one for one in found if (one.draw, one.route) == (GREEDY, BEST)]
    assert any(one.edit_distance > 0 for one in best)
    summary = {(one.draw, one.route): one for one in summaries(found)}
    assert {one.layer for one in summary.values()} == {0}
    shown = summary[GREEDY, BEST]
    assert (shown.n_tokens, shown.n_problems) == (12, 12)
    assert shown.estimates["edit_distance"].value == pytest.approx(np.mean([one.edit_distance for one in best]))
    change = np.mean([float(one.correct_after or 0) - float(one.correct_before or 0) for one in best])
    assert shown.estimates["correct_change"].value == pytest.approx(change)
    assert len(list(replay_rows(found))) == 48
    assert {row["draw"] for row in summary_rows(list(summary.values()))} == {GREEDY, SAME_LUCK}
    console = Console(width=80, record=True, quiet=False)
    print_replays(console, list(summary.values()))
    assert max(map(len, console.export_text().splitlines())) <= 80


def test_only_fragile_tokens_with_a_better_alternative_are_sampled(tmp_path: Any) -> None:
    (part,) = parts(read_tokens(write_planted(tmp_path, n_problems=6)))
    rows = sample_places(part, 20, (0.5, 0.9), seed=3)
    assert len(rows) == 20
    again = sample_places(part, 20, (0.5, 0.9), seed=3)
    assert [row["standard_logprob"] for row in again] == [row["standard_logprob"] for row in rows]
    assert all(np.exp(row["second_median_logprob"]) <= 0.5 for row in rows)
    assert all(row["best_logprob"] > row["standard_logprob"] for row in rows)
    assert len(sample_places(part, 10_000, (0.5, 0.9), seed=3)) < len(part.rows)


@pytest.mark.parametrize(
    "settings",
    [None, {"temperature": 0}, {**SETTINGS, "edt": {}}, {**SETTINGS, "expert_sample": {}},
     {**SETTINGS, "repetition_penalty": 1.1}],
)  # fmt: skip
def test_what_was_not_drawn_plainly_has_no_luck_to_repeat(settings: Any) -> None:
    assert sampling_of(Response("p", "", meta={} if settings is None else {"settings": settings})) is None
