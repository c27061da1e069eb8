"""Which experts the trained model's tokens really go to, in real vLLM.

Texts would hardly tell: with Expert-Sample on, most of this model's solutions stay the same word for word, because it
is sure of most tokens whichever of its tail experts work on them. So routes are compared, expert by expert.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")

from examples.miniature.plan import ACTIVE
from generation.expert_sample import reference
from generation.expert_sample.noise import row_keys
from generation.expert_sample.rows import RowSettings

pytestmark = [pytest.mark.vllm, pytest.mark.usefixtures("vllm_with_plugin"), pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
PROBLEMS = ("12 2 11 6 target 52", "3 7 9 1 target 24", "10 4 8 5 target 63", "2 2 6 11 target 40")
SEED = 7
DRAWN = {"expert_sample": 1, "expert_sample_seed": SEED}
ARMS: dict[str, dict[str, Any] | None] = {
    "plain": None,
    "all kept": DRAWN | {"expert_sample_k_keep": "k"},
    "generation": DRAWN,
    "all": DRAWN | {"expert_sample_scope": "all"},
    "another seed": DRAWN | {"expert_sample_seed": SEED + 1},
}


@dataclass(frozen=True)
class Route:
    """How one response was routed.

    Attributes:
        n_prompt: Tokens of the prompt.
        tokens: Sampled tokens.
        logits: (layers, positions, experts).
        ids: (layers, positions, k) chosen experts, in rising order.
    """

    n_prompt: int
    tokens: torch.Tensor
    logits: torch.Tensor
    ids: torch.Tensor

    @property
    def best(self) -> torch.Tensor:
        """The k best experts of these logits, in rising order: what the model itself would choose."""
        return self.logits.sort(dim=-1, descending=True, stable=True).indices[..., :ACTIVE].sort(dim=-1).values

    @property
    def drawn_by_reference(self) -> torch.Tensor:
        """What the reference draws from these logits at the paper's settings, in rising order."""
        layers, n_positions, _ = self.logits.shape
        keys = row_keys(torch.tensor(SEED), 0, torch.arange(n_positions))
        rows = RowSettings.alike(keys, k_keep=5, r=32, tau=1.0)
        ids = [
            reference.route(self.logits[layer], rows, k=ACTIVE, renormalize=True, layer=layer)[1]
            for layer in range(layers)
        ]
        return torch.stack(ids).long().sort(dim=-1).values


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Route]]:
    """The routes of each arm, one a problem."""
    folder = tmp_path_factory.mktemp("routes")
    asks = [{"problem": problem, "extra": extra} for extra in ARMS.values() for problem in PROBLEMS]
    (folder / "asks.json").write_text(json.dumps(asks))
    done = subprocess.run(
        [sys.executable, "-m", f"{__package__}.routes_job", folder / "asks.json", folder / "routes.pt"],
        cwd=ROOT,
        env=os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_LOGGING_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = iter(torch.load(folder / "routes.pt"))
    return {arm: [_route(next(found)) for _ in PROBLEMS] for arm in ARMS}


def _route(found: dict[str, Any]) -> Route:
    ids = found["ids"].long().sort(dim=-1).values
    # One row a position: the prompt's and all sampled tokens but the last.
    assert ids.shape[1] == found["n_prompt"] + len(found["tokens"]) - 1
    return Route(found["n_prompt"], found["tokens"], found["logits"], ids)


def test_off_takes_the_best_experts(routes: dict[str, list[Route]]) -> None:
    assert all(torch.equal(route.ids, route.best) for route in routes["plain"])


def test_keeping_all_experts_takes_the_routes_of_plain_vllm(routes: dict[str, list[Route]]) -> None:
    for kept, plain in zip(routes["all kept"], routes["plain"], strict=True):
        assert torch.equal(kept.ids, plain.ids)
        assert torch.equal(kept.tokens, plain.tokens)


def test_generated_tokens_take_the_references_experts_and_the_prompt_its_own(routes: dict[str, list[Route]]) -> None:
    for route in routes["generation"]:
        first = route.n_prompt - 1  # the pass of the last prompt token yields the first new one
        assert torch.equal(route.ids[:, :first], route.best[:, :first])
        assert torch.equal(route.ids[:, first:], route.drawn_by_reference[:, first:])


def test_in_scope_all_the_prompt_takes_the_references_experts_too(routes: dict[str, list[Route]]) -> None:
    for route in routes["all"]:
        assert torch.equal(route.ids, route.drawn_by_reference)


def test_what_is_drawn_is_seldom_what_the_model_would_take(routes: dict[str, list[Route]]) -> None:
    # Else the tests above could not tell a plugin that does nothing.
    for route in routes["all"]:
        assert (route.ids != route.best).any(dim=-1).float().mean() > 0.5


def test_another_seed_takes_other_experts_from_the_same_logits(routes: dict[str, list[Route]]) -> None:
    pairs = list(zip(routes["generation"], routes["another seed"], strict=True))
    firsts = [(one.ids[0, one.n_prompt - 1], other.ids[0, other.n_prompt - 1]) for one, other in pairs]
    assert all(torch.equal(one.logits[0, one.n_prompt - 1], other.logits[0, one.n_prompt - 1]) for one, other in pairs)
    assert sum(not torch.equal(*first) for first in firsts) > len(firsts) / 2
