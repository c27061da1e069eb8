"""`python -m examples.miniature.abilities MODEL`: what a model of the miniature's shape can do on held-out problems.

    held-out problems -> greedily solved; sampled at its normal temperature; its routers on solutions -> abilities.json

Printed as JSON: greedy accuracy by the number of numbers, what token sampling alone gives, and how much of a layer's
weight Expert-Sample's defaults would put on experts that the top k leave out.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, islice
from pathlib import Path

import torch
from torch import Tensor
from transformers import Qwen3MoeForCausalLM

from diversity_judge.countdown import Countdown, is_solution, read_steps, similarity
from examples.miniature.answers import GREEDY, NORMAL, Tokens, answers
from examples.miniature.problems import TARGETS, held_out, solved_held_out
from examples.miniature.pulled_loss import load_to_train, rows
from generation.expert_sample.settings import ExpertSampleSettings
from generation.routing_study.new_experts import draw_keys, share_on_new_experts

SEED = 99
GREEDY_NUMBERS = (4, 5, 6, 7, 8)
TASKS = (4, 7, 8)
_LARGEST_SCORE = 5


@dataclass(frozen=True)
class Sampled:
    """What several solutions to each of some problems are like.

    Attributes:
        pass_1: Share of right ones.
        diversity: Mean over problems of 1 - mean similarity / 5, by the exact judge over all pairs that have steps.
        similarities: How many pairs have which score, 0..5.
    """

    pass_1: float
    diversity: float
    similarities: tuple[int, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m examples.miniature.abilities", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--problems", type=int, default=300, help="of each kind (default %(default)s)")
    parser.add_argument(
        "--largest-target",
        type=int,
        default=TARGETS[-1],
        metavar="N",
        help="of a problem (default %(default)s; the longer tasks of the law's grid have 49)",
    )
    parser.add_argument("--samples", type=int, default=8, help="a problem (default %(default)s)")
    args = parser.parse_args(argv)
    if args.largest_target not in TARGETS:
        parser.error(f"argument --largest-target: {args.largest_target} is not in {TARGETS[0]}..{TARGETS[-1]}")
    torch.set_num_threads(1)
    model = load_to_train(args.model, load_balancing=0.0)
    targets = range(TARGETS[0], args.largest_target + 1)
    asked = {n: list(islice(held_out(SEED, n, targets), args.problems)) for n in GREEDY_NUMBERS}
    found = {
        "greedy_accuracy": {n: greedy_accuracy(model, asked[n]) for n in GREEDY_NUMBERS},
        "token_normal": {n: asdict(sampled(model, asked[n], args.samples, NORMAL)) for n in TASKS},
        "share_on_new_experts": {n: new_share(model, n, args.problems, targets) for n in TASKS},
    }
    print(json.dumps(found, indent=1))  # noqa: T201
    return 0


def greedy_accuracy(model: Qwen3MoeForCausalLM, problems: Sequence[Countdown]) -> float:
    """Share of problems of one number of numbers that are solved by taking the most likely token each time."""
    return _share_right(problems, list(answers(model, problems, GREEDY)))


def sampled(model: Qwen3MoeForCausalLM, problems: Sequence[Countdown], n_samples: int, tokens: Tokens) -> Sampled:
    """What several sampled solutions to each of some problems of one number of numbers are like."""
    asked = [problem for problem in problems for _ in range(n_samples)]
    torch.manual_seed(SEED)
    texts = list(answers(model, asked, tokens))
    groups = [_scores(texts[start : start + n_samples]) for start in range(0, len(texts), n_samples)]
    diversities = [1 - sum(scores) / len(scores) / _LARGEST_SCORE for scores in groups if scores]
    counts = Counter(score for scores in groups for score in scores)
    return Sampled(
        pass_1=_share_right(asked, texts),
        diversity=sum(diversities) / len(diversities),
        similarities=tuple(counts[score] for score in range(_LARGEST_SCORE + 1)),
    )


def new_share(model: Qwen3MoeForCausalLM, n_numbers: int, n_problems: int, targets: range = TARGETS) -> float:
    """Mean share of a layer's weight that Expert-Sample's defaults put on experts that top k would not take.

    Over layers and the tokens of solutions to held-out problems; one draw a token and layer.
    """
    k, n_experts = model.config.num_experts_per_tok, model.config.num_experts
    settings = ExpertSampleSettings().resolve(k, n_experts)
    shares = []
    for layer, logits in enumerate(router_logits(model, n_numbers, n_problems, targets)):
        keys = draw_keys(SEED, range(len(logits)), 1, logits.device)
        shares.append(share_on_new_experts(logits, keys, settings, k=k, layer=layer).mean())
    return float(torch.stack(shares).mean())


def router_logits(
    model: Qwen3MoeForCausalLM, n_numbers: int, n_problems: int, targets: range = TARGETS
) -> list[Tensor]:
    """Of each layer, (tokens, experts) on those that yield a token of random solutions to held-out problems."""
    solved = list(islice(solved_held_out(random.Random(SEED), n_numbers, targets), n_problems))
    tokens, labels = rows(solved)
    yields = torch.cat([labels[:, 1:] >= 0, torch.zeros(len(solved), 1, dtype=torch.bool)], dim=1).flatten()
    with torch.no_grad():
        output = model(input_ids=tokens, output_router_logits=True)
    return [logits[yields] for logits in output.router_logits]


def _share_right(problems: Sequence[Countdown], texts: Sequence[str]) -> float:
    right = [is_solution(problem, read_steps(text)) for problem, text in zip(problems, texts, strict=True)]
    return sum(right) / len(right)


def _scores(texts: Sequence[str]) -> list[int]:
    """Similarities of all pairs that have steps."""
    return [similarity(one, other) for one, other in combinations([s for s in map(read_steps, texts) if s], 2)]


if __name__ == "__main__":
    sys.exit(main())
