"""What the analysis of the last layer's routes costs beside the plain forward of the same response, on a CPU.

    python -m benchmarks.counterfactual                    minutes; a table on the console
    python -m benchmarks.counterfactual --dtype float32    in float32 in place of the model's own bfloat16

A random Qwen3-MoE of the mid size that `benchmarks.expert_sample_overhead` has reads one response of random tokens, in
turn plainly (logits of every token) and by the analysis, which computes the same forward and then all experts of the
last layer, the routes' states, final norm and head for every route of every token. What is counted is processor time
of one thread, so that whatever else the machine does falls out; ratios are taken between neighbours in time.

    32 alternatives    the standard route and one set: what a best of 32 needs
    as the command     two sets and the placebo: what `generation.counterfactual --alternatives 32` computes
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.expert_sample_overhead import Shape

SHAPE = Shape(layers=12, hidden=1024, expert_width=256, experts=128, active=8, prompt=64, decode=192)
ALTERNATIVES = 32


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="rounds over all kinds (default 5)")
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--layers", type=int, default=SHAPE.layers)
    args = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    loaded = _model(args.layers, getattr(torch, args.dtype))
    kinds = _kinds(loaded)
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    with torch.inference_mode():
        for name in kinds:  # the first of each warms the caches
            kinds[name]()
        for _ in range(args.repeats):
            for name, work in kinds.items():
                began = time.process_time()
                work()
                seconds[name].append(time.process_time() - began)
    _print_table(seconds, f"{args.layers} layers, {args.dtype}, {SHAPE.prompt} + {SHAPE.decode} tokens")


def _kinds(loaded: Any) -> dict[str, Callable[[], object]]:
    import torch

    from generation.moe_models.readout import Readout, token_logprobs
    from generation.routing_study.alternatives import Drawing, contexts_of
    from generation.routing_study.analysing import Analysis
    from generation.routing_study.options import CounterfactualOptions
    from generation.routing_study.trajectories import Trajectory, TrajectoryOptions
    from generation.routing_study.utilities import ResponseForward

    ids = torch.randint(0, 4000, (SHAPE.prompt + SHAPE.decode,), generator=torch.Generator().manual_seed(0)).tolist()
    item = Trajectory("p", "s", 0, True, tuple(ids[: SHAPE.prompt]), tuple(ids[SHAPE.prompt :]))
    settings = CounterfactualOptions(
        model="mid", trajectories=TrajectoryOptions(Path("-")), alternatives=ALTERNATIVES, device="cpu"
    )
    analysis, layer, readout = Analysis(loaded, settings), loaded.layers[-1], Readout(loaded.model)
    drawing = Drawing(n=16)  # two sets and a placebo: 33 routes, the standard one comes on top
    contexts = contexts_of(item.prompt_ids, item.token_ids)
    plain_ids = torch.tensor(ids[:-1])[None]

    def one_set() -> None:
        forward = ResponseForward(loaded, readout, item, [layer])
        first = 0
        for tokens in forward.tokens(layer, 64):
            here = contexts[first : first + len(tokens.positions)]
            first += len(here)
            routes = drawing.routes(layer, tokens.logits, tokens.standard, here)
            token_logprobs(forward.logits(tokens, torch.cat([tokens.standard[:, None], routes], 1)), tokens.targets)

    return {
        "plain forward": lambda: loaded.model(plain_ids),
        "32 alternatives": one_set,
        "as the command": lambda: list(analysis.response(item)),
    }


def _model(layers: int, dtype: Any) -> Any:
    """A model in memory; the weights are as wide as an initialised one's, routers a little wider than that."""
    import dataclasses

    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from generation.moe_models.layers import moe_layers
    from generation.moe_models.loading import LoadedModel

    values = dataclasses.replace(SHAPE, layers=layers).config()
    config = AutoConfig.for_model(**{key: value for key, value in values.items() if key != "torch_dtype"})
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=dtype).eval().requires_grad_(False)
    return LoadedModel("mid", model, None, moe_layers(model), "", "")


def _print_table(seconds: dict[str, list[float]], title: str) -> None:
    print(title)
    plain = seconds["plain forward"]
    for name, times in seconds.items():
        ratios = [one / other for one, other in zip(times, plain, strict=True)]
        print(f"{name:<18}{statistics.median(times):8.2f} s   {statistics.median(ratios):5.2f} x the plain forward")


if __name__ == "__main__":
    main()
