"""The two numbers of a model that can be known before many samples are paid for, by one forward of a few responses.

How uncertain the next token is under a token sampling, and how much of a layer's weight a setting of Expert-Sample
would put on experts that top-k leaves out. Both are of the tokens that the token sampling alone drew, by the model's
own routes: the forward repeats what the model computed when it drew them.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from examples.miniature.law.part_folder import PartFolder, in_order
from examples.miniature.law.plan import Cell
from examples.miniature.law.tables import NUMBERS, NumbersRow, read_numbers, read_outcomes, write_rows
from examples.miniature.run import SEED
from generation.expert_sample.settings import ExpertSampleSettings
from generation.json_lines import whole_lines
from generation.moe_models.forcing import recorded
from generation.moe_models.loading import LoadedModel, load_model
from generation.routing_study.new_experts import draw_keys, share_on_new_experts
from generation.routing_study.next_token import next_token_entropy
from generation.routing_study.trajectories import Trajectory, TrajectoryOptions, read_trajectories

_DRAWS = 1
"""Of the experts of each token and layer: there are thousands of tokens."""
_AT_ONCE = 128
"""Responses in a forward."""


@dataclass(frozen=True)
class Watched:
    """What a model computed at the tokens of a few responses.

    Attributes:
        logits: (tokens, vocabulary) of the next token, at each position that yields a token of a response.
        router_logits: Layer to (tokens, experts).
        problems: (tokens,) number of the problem.
        k: Active experts.
    """

    logits: torch.Tensor
    router_logits: Mapping[int, torch.Tensor]
    problems: NDArray[np.int64]
    k: int

    def entropy(self, cell: Cell) -> tuple[float, float]:
        """Nats a token of the cell's token sampling, and the standard error over problems."""
        return self._over_problems(next_token_entropy(self.logits, cell.strategy.tokens))

    def new_share(self, settings: ExpertSampleSettings) -> tuple[float, float]:
        """Share of the weight on new experts, mean over layers and tokens, and the standard error over problems."""
        shares = []
        for layer, logits in self.router_logits.items():
            keys = draw_keys(SEED, range(len(logits)), _DRAWS, logits.device)
            resolved = settings.resolve(self.k, logits.shape[1])
            drawn = share_on_new_experts(logits.repeat_interleave(_DRAWS, 0), keys, resolved, k=self.k, layer=layer)
            shares.append(drawn.view(-1, _DRAWS).mean(1))
        return self._over_problems(torch.stack(shares).mean(0))

    def _over_problems(self, values: torch.Tensor) -> tuple[float, float]:
        """Mean of the problems' means over tokens, and its standard error; NaN of a single problem."""
        sums = np.bincount(self.problems, weights=values.double().numpy())
        means = sums / np.bincount(self.problems)
        error = means.std(ddof=1) / np.sqrt(len(means)) if len(means) > 1 else np.nan
        return float(means.mean()), float(error)


def are_there(folder: PartFolder) -> bool:
    """Whether the table has every cell of the part."""
    if not (folder.path / NUMBERS).exists():
        return False
    table = read_numbers(folder.path)
    there = set(zip(table.temperature, table.setting, strict=True))
    return there.issuperset((cell.temperature, cell.setting) for cell in folder.part.cells if cell.temperature)


def write(folder: PartFolder, watched: tuple[int, int]) -> None:
    """Write the numbers of all cells that are measured.

    Args:
        folder: Of the part, whose responses are there.
        watched: Problems, and responses of each, that are looked at.
    """
    loaded = load_model(folder.model, dtype="float32")
    cells = [cell for cell in in_order(set(read_outcomes(folder.path).strategy)) if cell.temperature]
    alone = {cell.temperature: Cell(cell.temperature).name for cell in cells}
    rows = _rows(folder, alone.values(), *watched)
    found = []
    for temperature, name in alone.items():
        seen = watch(loaded, _trajectories(rows[name], loaded))
        found += [_row(folder, seen, cell) for cell in cells if cell.temperature == temperature]
    write_rows(folder.path / NUMBERS, found)


def watch(loaded: LoadedModel, responses: Sequence[Trajectory]) -> Watched:
    """Compute a few responses again, with the model's own routes."""
    number = {problem: place for place, problem in enumerate(dict.fromkeys(r.problem_id for r in responses))}
    logits: list[torch.Tensor] = []
    routers: dict[int, list[torch.Tensor]] = {layer.index: [] for layer in loaded.layers}
    for some in _batches(responses):
        ids, mask, yields = _padded(some)
        with ExitStack() as stack:
            records = {layer.index: stack.enter_context(recorded(layer)) for layer in loaded.layers}
            stack.enter_context(torch.inference_mode())
            output = loaded.model(input_ids=ids, attention_mask=mask, use_cache=False)
        logits.append(output.logits[yields].float())
        for index, record in records.items():
            routers[index].append(record.logits.view(*ids.shape, -1)[yields].float())
    return Watched(
        torch.cat(logits),
        {index: torch.cat(parts) for index, parts in routers.items()},
        np.repeat([number[r.problem_id] for r in responses], [r.n_tokens for r in responses]),
        loaded.layers[0].k,
    )


def _row(folder: PartFolder, seen: Watched, cell: Cell) -> NumbersRow:
    strategy = cell.strategy
    share = (0.0, 0.0) if strategy.expert_sample is None else seen.new_share(strategy.expert_sample)
    return NumbersRow(
        folder.part.router,
        folder.part.task.name,
        cell.temperature,
        strategy.tokens.top_p,
        cell.setting,
        *seen.entropy(cell),
        *share,
    )


def _trajectories(rows: Iterable[Mapping[str, Any]], loaded: LoadedModel) -> Sequence[Trajectory]:
    """Responses as tokens."""
    with tempfile.TemporaryDirectory() as place:
        some = Path(place) / "responses.jsonl"
        some.write_text("".join(map(_line, rows)), encoding="utf-8")
        # The part's record says that it is this model, wherever its folder stands now.
        asked = TrajectoryOptions(some, correct_only=False, any_model=True)
        return read_trajectories(asked, loaded.tokenizer, model=loaded.name).items


def _rows(
    folder: PartFolder, strategies: Iterable[str], n_problems: int, n: int
) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Strategy to the first responses to the first problems, as `generation.sample` wrote them."""
    problems = set(folder.wanted_ids()[:n_problems])
    found: dict[str, list[Mapping[str, Any]]] = {strategy: [] for strategy in strategies}
    for _, row in whole_lines(folder.responses):
        if row["strategy"] in found and row["problem_id"] in problems and row["sample_id"] < n:
            found[row["strategy"]].append(row)
    return {strategy: sorted(some, key=_place) for strategy, some in found.items()}


def _place(row: Mapping[str, Any]) -> tuple[str, int]:
    return row["problem_id"], row["sample_id"]


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _batches(responses: Sequence[Trajectory]) -> Iterator[Sequence[Trajectory]]:
    for start in range(0, len(responses), _AT_ONCE):
        yield responses[start : start + _AT_ONCE]


def _padded(responses: Sequence[Trajectory]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, what is no padding, and which positions yield a token of the response: (responses, longest) each.

    Padding stands behind: what comes later changes nothing in a causal model.
    """
    longest = max(len(r.prompt_ids) + r.n_tokens for r in responses)
    ids = torch.zeros(len(responses), longest, dtype=torch.int64)
    mask, yields = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
    for row, response in enumerate(responses):
        whole = torch.tensor([*response.prompt_ids, *response.token_ids])
        ids[row, : len(whole)] = whole
        mask[row, : len(whole)] = 1
        yields[row, len(response.prompt_ids) - 1 : len(whole) - 1] = True
    return ids, mask, yields
