"""Record which experts the miniature's tokens are routed to: `python -m ... ASKS.json ROUTES.pt`.

A process of its own with the whole engine in it, since the routers are watched from within. Requests run one after the
other and without a prefix cache, so that the rows that a router sees are a request's positions in order.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"

import torch
from vllm import LLM, SamplingParams

from examples.miniature.run import MODEL

Seen = dict[int, list[tuple[torch.Tensor, torch.Tensor]]]


def watch(worker: Any, seen: Seen) -> None:
    """Let every router of a worker's model note logits and chosen experts, by layer."""
    from vllm.model_executor.layers.fused_moe.runner.moe_runner import MoERunner

    for runner in worker.model_runner.get_model().modules():
        if isinstance(runner, MoERunner):
            runner.router._compute_routing = _noting(runner.router._compute_routing, seen, int(runner.layer_id))


def _noting(compute_routing: Any, seen: Seen, layer: int) -> Any:
    def _compute_routing(hidden_states: Any, router_logits: Any, *args: Any, **kwargs: Any) -> Any:
        weights, ids = compute_routing(hidden_states, router_logits, *args, **kwargs)
        seen.setdefault(layer, []).append((router_logits.clone(), ids.clone()))
        return weights, ids

    return _compute_routing


def _together(seen: Seen) -> tuple[torch.Tensor, torch.Tensor]:
    """Join the steps: logits (layers, positions, E) and experts (layers, positions, k)."""
    layers = [seen[layer] for layer in sorted(seen)]
    logits, ids = (torch.stack([torch.cat([step[part] for step in steps]) for steps in layers]) for part in (0, 1))
    return logits, ids


def main(source: str, target: str) -> None:
    """Run the requests of one file and save tokens and routes into another."""
    llm = LLM(
        str(MODEL),
        dtype="float32",
        max_model_len=96,
        enforce_eager=True,
        enable_chunked_prefill=False,
        enable_prefix_caching=False,
    )
    seen: Seen = {}
    llm.collective_rpc(lambda worker: watch(worker, seen))
    results = []
    with open(source, encoding="utf-8") as file:
        asks = json.load(file)
    for ask in asks:
        seen.clear()
        params = SamplingParams(temperature=0.7, top_p=0.8, top_k=20, seed=1, max_tokens=80, extra_args=ask["extra"])
        (output,) = llm.chat([{"role": "user", "content": ask["problem"]}], params, use_tqdm=False)
        logits, ids = _together(seen)
        n_prompt = len(output.prompt_token_ids or ())
        tokens = torch.tensor(output.outputs[0].token_ids)
        results.append({"n_prompt": n_prompt, "tokens": tokens, "logits": logits, "ids": ids})
    torch.save(results, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
