"""The same request gives the same tokens however the engine goes about it.

One engine does everything that could come between: prompts in chunks, a prefix cache, and so little memory for
keys and values that requests are preempted and computed again. The other does none of it, so that its answers are the
reference. Both compute in float32, where the order of additions that comes with another chunk or batch does not
change which token is best.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.generation import vllm_job
from tests.generation.vllm_job import Answer, Ask, Done, Engine, settings

pytestmark = pytest.mark.vllm

BLOCK = 32
CHUNK = 48

LONG = [257, *((7 * i) % 251 for i in range(3 * BLOCK + 3))]
"""A prompt of three full blocks and a few tokens more, taken in three chunks."""
WHOLE = LONG[: 3 * BLOCK]
"""A prompt that ends with its third block, whose last token is the first that is drawn."""
OTHER = [257, *((5 * i + 3) % 241 for i in range(2 * BLOCK + 9))]

BEST_TOKEN = {"temperature": 1.0, "top_k": 1}
"""As good as greedy decoding, of which vLLM refuses several samples."""

TURN = {"max_tokens": BLOCK + 8}
CROWD = [
    Ask([257, 30 + i, *OTHER[: 20 + i]], settings(100 + i) if i % 3 else None, {"max_tokens": 50}) for i in range(32)
]
TARGET = Ask(OTHER, settings(3), {"max_tokens": 50})
GATE = 0.47
"""About what this model's routers leave untaken in the median."""
FRAGILE = replace(TARGET, extra_args=settings(3, fragile_from=GATE))

BATCHES = {
    "fill the cache": [Ask(LONG), Ask(WHOLE)],
    "samples of one prompt": [Ask(LONG, settings(seed), TURN) for seed in range(4)],
    "samples of a whole prompt": [Ask(WHOLE, settings(seed), TURN) for seed in range(4)],
    "plain follow-up": [Ask([1, 2, 3], after=(1, 0)), Ask([1, 2, 3], after=(2, 0))],
    "drawn follow-up": [
        Ask([1, 2, 3], settings(0), after=(1, 0)),
        Ask([1, 2, 3], settings(9), after=(2, 0)),
    ],
    "same turn again": [Ask(LONG, settings(0), TURN), Ask(LONG, settings(0, tau=3.0), TURN)],
    "whole sequence drawn": [Ask(LONG, settings(0, scope="all")), Ask(LONG, settings(1, scope="all"))],
    "after whole sequences drawn": [Ask(LONG), Ask(LONG, settings(2))],
    "one request, four samples": [Ask(OTHER, settings(3), {"n": 4, **BEST_TOKEN})],
    "one sample": [Ask(OTHER, settings(3), BEST_TOKEN)],
    "target": [TARGET],
    "crowd": [*CROWD, TARGET],
    "fragile": [FRAGILE],
    "fragile, four samples": [replace(FRAGILE, params={"n": 4, **BEST_TOKEN})],
    "fragile in a crowd": [*CROWD, FRAGILE],
    "ends of the threshold": [
        replace(TARGET, extra_args=settings(3, fragile_from=0)),
        replace(TARGET, extra_args=settings(3, fragile_from=1)),
    ],
    "plain": [replace(TARGET, extra_args=None)],
    "thresholds of one seed, one prompt": [
        Ask(LONG, settings(0, fragile_from=gate), TURN) for gate in (GATE, GATE + 0.03, GATE)
    ],
}
NUMBER = {name: number for number, name in enumerate(BATCHES)}
ALONE = [name for name in BATCHES if name != "crowd"]


class Run:
    """An engine's answers by the name of the batch."""

    def __init__(self, done: Done) -> None:
        self.n_preemptions = done.n_preemptions
        self._batches = done.batches

    def __getitem__(self, name: str) -> list[Answer]:
        return self._batches[NUMBER[name]]

    def tokens(self, name: str) -> list[list[list[int]]]:
        return [answer.tokens for answer in self[name]]


@pytest.fixture(scope="module")
def runs(tiny_model: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    model, batches = tiny_model("qwen3_moe"), list(BATCHES.values())
    common = {"dtype": "float32", "block_size": BLOCK}
    plain = {"enable_prefix_caching": False, "max_num_batched_tokens": 4096}
    busy = {
        "enable_prefix_caching": True,
        "enable_chunked_prefill": True,
        "max_num_batched_tokens": CHUNK,
        "num_gpu_blocks_override": 40,
    }
    engines = [Engine(model, batches, common | plain), Engine(model, batches, common | busy)]
    reference, tried = vllm_job.run(engines, tmp_path_factory.mktemp("engines"))
    return Run(reference), Run(tried)


@pytest.mark.parametrize("name", BATCHES)
def test_chunks_caching_batching_and_preemption_change_no_token(name: str, runs: tuple[Run, Run]) -> None:
    reference, tried = runs
    assert tried.tokens(name) == reference.tokens(name)


def test_the_busy_engine_did_preempt_requests(runs: tuple[Run, Run]) -> None:
    reference, tried = runs
    assert reference.n_preemptions == 0
    assert tried.n_preemptions > 0


def test_a_request_gives_the_same_tokens_alone_and_with_32_others(runs: tuple[Run, Run]) -> None:
    _, tried = runs
    assert tried.tokens("crowd")[-1:] == tried.tokens("target")


def test_a_fragile_request_gives_the_same_tokens_alone_and_with_32_others(runs: tuple[Run, Run]) -> None:
    _, tried = runs
    assert tried.tokens("fragile in a crowd")[-1:] == tried.tokens("fragile")


def test_the_ends_of_the_threshold_are_expert_sample_and_the_model_itself(runs: tuple[Run, Run]) -> None:
    reference, _ = runs
    assert reference.tokens("ends of the threshold") == reference.tokens("target") + reference.tokens("plain")
    between = reference.tokens("fragile")
    assert between not in (reference.tokens("target"), reference.tokens("plain"))
    assert [sample and sample["fragile_from"] for sample in reference["fragile"][0].routing] == [GATE]


def test_thresholds_do_not_share_each_others_blocks(runs: tuple[Run, Run]) -> None:
    reference, tried = runs
    one, other, again = reference.tokens("thresholds of one seed, one prompt")
    assert one == again != other
    # The crowd before may have pushed the prompt out of the cache: the first computes it, the others find just that.
    assert [answer.n_cached for answer in tried["thresholds of one seed, one prompt"]][1:] == [3 * BLOCK] * 2


def test_samples_share_the_blocks_of_their_prompt(runs: tuple[Run, Run]) -> None:
    _, tried = runs
    assert [answer.n_cached for answer in tried["samples of one prompt"]] == [3 * BLOCK] * 4


def test_no_block_with_a_drawn_token_is_given_to_another_request(runs: tuple[Run, Run]) -> None:
    _, tried = runs
    # The last token of the whole prompt is drawn, so its third block is the sample's own. The follow-up's prompt
    # finds the third block that the plain request left, and then nothing that the first turn's answer left.
    assert [answer.n_cached for answer in tried["plain follow-up"]] == [3 * BLOCK, 3 * BLOCK]
    # What that follow-up computed is plain prompt, which the next one may have, drawn or not.
    assert [answer.n_cached for answer in tried["drawn follow-up"]] == [4 * BLOCK, 4 * BLOCK]


def test_a_sequence_drawn_from_its_start_shares_nothing(runs: tuple[Run, Run]) -> None:
    _, tried = runs
    assert [answer.n_cached for answer in tried["whole sequence drawn"]] == [0, 0]


def test_settings_change_the_answer(runs: tuple[Run, Run]) -> None:
    reference, _ = runs
    samples = reference.tokens("samples of one prompt")
    again, hotter = reference.tokens("same turn again")
    assert len({tuple(sample[0]) for sample in samples}) > 1
    assert again == samples[0]
    assert hotter != samples[0]


def test_the_samples_of_one_request_differ_and_the_first_is_the_single_sample(runs: tuple[Run, Run]) -> None:
    reference, _ = runs
    (four,), (one,) = reference["one request, four samples"], reference["one sample"]
    assert len({tuple(tokens) for tokens in four.tokens}) == 4
    assert four.tokens[0] == one.tokens[0]


def test_each_sample_names_its_routing(runs: tuple[Run, Run]) -> None:
    reference, _ = runs
    (four,), (plain, _) = reference["one request, four samples"], reference["fill the cache"]
    assert [routing and routing["sample_index"] for routing in four.routing] == [0, 1, 2, 3]
    assert {routing and routing["seed"] for routing in four.routing} == {3}
    assert [(routing["k_keep"], routing["r"], routing["tau"]) for routing in four.routing if routing] == [
        (5, 32, 1.0)
    ] * 4  # the paper's defaults for k = 8
    assert plain.routing == [None]
