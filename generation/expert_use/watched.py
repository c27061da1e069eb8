"""A model in a worker of vLLM while it is watched: whose methods are replaced, and where what they say adds up."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from generation.expert_use.asked import Asked
from generation.expert_use.sampled_rows import SampledRows
from generation.expert_use.sums import EntropySums, NewShareSums, RankSums
from generation.expert_use.wrapping import Method, Wrappings


class WatchedModel:
    """The routers and the head of a worker's model, and sums of what they did."""

    def __init__(self, model_runner: Any, moe_runners: Sequence[Any], asked: Asked) -> None:
        self._wrappings = Wrappings()
        self._sampled = SampledRows(model_runner.device)
        self._sampled.follow(model_runner, self._wrappings)
        self._active = 0
        self._ranks: dict[int, RankSums] = {}
        self._new: dict[int, NewShareSums] = {}
        for runner in moe_runners:
            layer, router = int(runner.layer_id), runner.router
            self._active = int(router.top_k)
            self._ranks[layer] = RankSums(self._active)
            if asked.expert_sample is not None:
                self._new[layer] = NewShareSums(asked.expert_sample, k=self._active, layer=layer, seed=asked.seed)
            self._wrappings.wrap(router, "_compute_routing", partial(self._routes, layer))
        self._entropy = EntropySums(asked.tokens, asked.edt)
        self._wrappings.wrap(model_runner.get_model(), "compute_logits", self._computes)

    def stop(self) -> None:
        """Leave the worker as it was."""
        self._wrappings.undo()

    def read(self) -> dict[str, Any]:
        """Sums and tokens: by layer of probabilities by rank and of shares on new experts; of the entropies.

        `untaken` are tokens by bin. The last two count only tokens that yield a token of a response.
        """
        return {
            "layers": {layer: sums.read() for layer, sums in self._ranks.items()},
            "active_experts": self._active,
            "untaken": {layer: sums.read_untaken() for layer, sums in self._ranks.items()},
            "new_share": {layer: sums.read() for layer, sums in self._new.items()},
            "entropy": self._entropy.read(),
        }

    def _routes(self, layer: int, compute_routing: Method) -> Method:
        ranks, new = self._ranks[layer], self._new.get(layer)

        def _compute_routing(hidden_states: Any, router_logits: Any, *args: Any, **kwargs: Any) -> Any:
            ranks.add(router_logits)
            if new is not None:
                new.add_logits(router_logits[self._sampled.rows])
            return compute_routing(hidden_states, router_logits, *args, **kwargs)

        return _compute_routing

    def _computes(self, compute_logits: Method) -> Method:
        def watched_logits(*args: Any, **kwargs: Any) -> Any:
            logits = compute_logits(*args, **kwargs)
            if logits is not None:  # as on tensor-parallel ranks that do not sample
                self._entropy.add_logits(logits[self._sampled.requests])
            return logits

        return watched_logits
