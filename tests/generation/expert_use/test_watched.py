"""A watched model adds up what its routers and its head say, and says it unchanged; against sums made here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from generation.expert_sample.settings import ExpertSampleSettings  # noqa: E402
from generation.expert_use.asked import Asked  # noqa: E402
from generation.expert_use.sums import DRAWS  # noqa: E402
from generation.expert_use.watched import WatchedModel  # noqa: E402
from generation.strategies import TokenSampling  # noqa: E402
from tests.generation.routing_study.oracles import entropy_by_sorting, new_share_by_enumeration  # noqa: E402

K, N_EXPERTS, VOCABULARY = 3, 8, 30
SAMPLING = TokenSampling(temperature=0.6, top_k=12, top_p=0.9)
DRAW = ExpertSampleSettings(k_keep=1, r=6).resolve(K, N_EXPERTS)
ASKED = Asked(SAMPLING, None, DRAW, seed=3)


class Router:
    """Hands on what it is given, so that a test sees that nothing is changed on the way."""

    top_k = K

    def _compute_routing(self, hidden_states: Any, router_logits: Any, indices_type: Any) -> Any:
        return router_logits, indices_type


class Runner:
    """vLLM's first model runner as far as it is watched: two layers, whose logits a test chooses."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        self.discard_request_mask = SimpleNamespace(np=np.zeros(16, np.bool_))
        self.model = SimpleNamespace(compute_logits=lambda logits: logits)
        self.layers = [SimpleNamespace(router=Router(), layer_id=number) for number in (0, 2)]

    def get_model(self) -> Any:
        return self.model

    def _prepare_inputs(self, scheduler_output: Any, num_scheduled_tokens: Any) -> Any:
        self.discard_request_mask.np[: len(num_scheduled_tokens)] = scheduler_output

    def _dummy_run(self) -> None:
        return None

    def step(self, n_tokens: list[int], thrown_away: list[bool], routers: list[Any], head: Any) -> Any:
        self._prepare_inputs(thrown_away, np.array(n_tokens))
        for layer, logits in zip(self.layers, routers, strict=True):
            same, _ = layer.router._compute_routing(None, logits, torch.int32)
            assert same is logits
        return self.model.compute_logits(head)


def random(*shape: int, seed: int) -> Any:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_only_tokens_that_yield_one_count_for_the_numbers_and_all_for_the_ranks() -> None:
    runner = Runner()
    watched = WatchedModel(runner, runner.layers, ASKED)
    steps = [
        # A prompt of 4 of which all is read, a piece of 3 of another, a token of a response.
        (
            [4, 3, 1],
            [False, True, False],
            [random(8, N_EXPERTS, seed=n) for n in (1, 2)],
            random(3, VOCABULARY, seed=3),
        ),
        ([1, 1], [False, False], [random(2, N_EXPERTS, seed=n) for n in (4, 5)], random(2, VOCABULARY, seed=6)),
    ]
    for step in steps:
        assert runner.step(*step) is step[3]
    runner.model.compute_logits(None)  # a rank that does not sample

    found = watched.read()
    sampled = torch.cat([steps[0][3][[0, 2]], steps[1][3]]).double().numpy()
    expected = [(entropy_by_sorting(row, SAMPLING), entropy_by_sorting(row, TokenSampling())) for row in sampled]
    sums, n_tokens = found["entropy"]
    assert n_tokens == 4
    assert sums == pytest.approx(np.sum(expected, axis=0).tolist(), rel=1e-4)
    for place, layer in enumerate((0, 2)):
        everything = torch.cat([steps[0][2][place], steps[1][2][place]])
        ranked, n_all = found["layers"][layer]
        assert n_all == 10
        assert ranked == pytest.approx(
            everything.softmax(-1).sort(-1, descending=True).values.sum(0).tolist(), rel=1e-4
        )
        assert sum(found["untaken"][layer]) == 10
        assert found["new_share"][layer][1] == 4
    assert found["active_experts"] == K

    watched.stop()
    runner.step(*steps[1])
    assert watched.read() == found


def test_the_share_of_many_tokens_is_that_of_all_draws() -> None:
    runner, n = Runner(), 600
    watched = WatchedModel(runner, runner.layers, ASKED)
    rows = [random(5, N_EXPERTS, seed=seed).repeat(n // 5, 1) for seed in (7, 8)]
    for start in range(0, n, 15):
        part = [row[start : start + 15] for row in rows]
        runner.step([1] * 15, [False] * 15, part, random(15, VOCABULARY, seed=start))
    for layer, logits in zip((0, 2), rows, strict=True):
        (total,), n_tokens = watched.read()["new_share"][layer]
        exact = [new_share_by_enumeration(row, k=K, k_keep=1, r=6, tau=1.0) for row in logits[:5].double().numpy()]
        assert n_tokens == n
        # No share is above 1, so that no spread of a token's mean of `DRAWS` is above .5 / sqrt(DRAWS).
        assert total / n == pytest.approx(np.mean(exact), abs=4 * 0.5 / np.sqrt(DRAWS * n))


def test_what_is_asked_travels_as_plain_data() -> None:
    assert Asked.read(ASKED.plain()) == ASKED
    assert Asked.read(Asked(TokenSampling(), None, None, 0).plain()).expert_sample is None
