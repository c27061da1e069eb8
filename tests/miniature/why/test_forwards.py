"""The shipped model's decisions under drawn routes: the reference's routes, of the response's tokens alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

from diversity_judge.countdown import Countdown

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers", minversion="5")

from examples.miniature.problems import draw_training, solution_text
from examples.miniature.run import MODEL
from examples.miniature.why.decisions import Decisions, decisions
from examples.miniature.why.forwards import drawn_logits, standard_logits
from generation.expert_sample.noise import row_keys
from generation.expert_sample.reference import route
from generation.expert_sample.rows import RowSettings
from generation.expert_sample.settings import ExpertSampleSettings
from generation.moe_models.forcing import recorded
from generation.moe_models.loading import LoadedModel, load_model


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return load_model(MODEL, dtype="float32")


@pytest.fixture(scope="module")
def some() -> Decisions:
    def solved() -> Iterator[tuple[str, Countdown, str]]:
        rng = random.Random(0)
        for number, (problem, steps) in enumerate(islice(iter(lambda: draw_training(rng), None), 5)):
            yield f"p{number}", problem, solution_text(problem, steps)

    return decisions(solved())


def test_the_models_own_distribution_is_that_of_each_solution_alone(loaded: LoadedModel, some: Decisions) -> None:
    found = standard_logits(loaded, some)
    for number, sequence in enumerate(some.sequences):
        with torch.inference_mode():
            alone = loaded.model(input_ids=torch.tensor([sequence])).logits[0]
        mine = some.sequence == number
        assert np.allclose(found[mine], alone[some.position[mine]].numpy(), atol=1e-4)


def test_where_all_experts_are_kept_nothing_changes(loaded: LoadedModel, some: Decisions) -> None:
    kept = ExpertSampleSettings(k_keep="k")
    drawn = drawn_logits(loaded, some, kept, draws=1, seed=0)
    assert np.allclose(drawn[0], standard_logits(loaded, some), atol=1e-4)


def test_draws_differ_and_repeat(loaded: LoadedModel, some: Decisions) -> None:
    first, again = (drawn_logits(loaded, some, ExpertSampleSettings(), draws=2, seed=3) for _ in range(2))
    assert np.array_equal(first, again)
    assert np.abs(first[0] - first[1]).max() > 0.05


def test_routes_are_the_references_from_the_last_token_of_the_prompt_on(loaded: LoadedModel, some: Decisions) -> None:
    # All five sequences in one forward: rows of the recorded forward are sequence by sequence.
    with ExitStack() as stack:
        records = [stack.enter_context(recorded(layer)) for layer in loaded.layers]
        # Hooks of the draw are registered later, so these see the router's own choice, after earlier layers' draws.
        drawn_logits(loaded, some, ExpertSampleSettings(), draws=1, seed=11)
        own = [(record.logits.clone(), record.routes.clone()) for record in records]
    width = max(map(len, some.sequences))
    positions = torch.arange(width).repeat(len(some.sequences))
    sequence = torch.arange(len(some.sequences)).repeat_interleave(width)
    begins = torch.tensor(some.n_prompt)[sequence] - 1
    assert all(logits.shape[0] == len(positions) for logits, _ in own)
    # Repeated by hand: every layer forced to the reference's routes, one after the other.
    keys = row_keys(11 + sequence, 0, positions)
    rows = RowSettings.alike(keys, k_keep=5, r=32, tau=1.0)
    with ExitStack() as stack:
        for layer, (logits, top) in zip(loaded.layers, own, strict=True):
            _, chosen = route(logits, rows, k=8, renormalize=True, layer=layer.index)
            wanted = torch.where((positions >= begins)[:, None], chosen.long(), top)
            weights = torch.softmax(logits, dim=1).gather(1, wanted)
            weights = weights / weights.sum(dim=1, keepdim=True)
            hook = layer.router.register_forward_hook(
                lambda module, args, output, weights=weights, wanted=wanted: (output[0], weights, wanted)
            )
            stack.callback(hook.remove)
        ids = torch.zeros((len(some.sequences), width), dtype=torch.int64)
        for row, tokens in enumerate(some.sequences):
            ids[row, : len(tokens)] = torch.tensor(tokens)
        with torch.inference_mode():
            logits = loaded.model(input_ids=ids).logits
    expected = logits[some.sequence, some.position].numpy()
    found = drawn_logits(loaded, some, ExpertSampleSettings(), draws=1, seed=11)[0]
    assert np.allclose(found, expected, atol=1e-4)
    standard = standard_logits(loaded, some)
    assert np.abs(found - standard).max() > 0.05
