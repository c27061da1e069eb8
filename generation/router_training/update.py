"""The work of `generation.router_update`: read, train, measure, write."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from diversity_judge.errors import InputError
from generation.moe_models.layers import MoeLayer
from generation.moe_models.loading import LoadedModel, load_model
from generation.router_training.card import card_files
from generation.router_training.checkpoint import Checkpoint, refuse_taken, write_updated
from generation.router_training.forward import Forward, Tail, Whole
from generation.router_training.options import SAMPLED, Control, UpdateOptions
from generation.router_training.result import Amount, UpdateResult, held_out
from generation.router_training.splitting import held_out_problems
from generation.router_training.trained import Trained, distance, make_trained
from generation.router_training.training import Look, nll_sums, part, train
from generation.routing_study.trajectories import Trajectories, Trajectory, TrajectoryOptions, read_trajectories


def update(options: UpdateOptions, reporter: Reporter | None = None) -> UpdateResult:
    """Train what the options say and write the new checkpoint.

    Args:
        options: What is asked for.
        reporter: Hears what is read and how the held-out problems fare.

    Raises:
        InputError: an option, the model or the responses are not fit for it; nothing was written.
        RunError: training diverged, or the disk does not take the checkpoint.
    """
    reporter = reporter or Reporter()
    refuse_taken(options.out)
    folder = checkpoint_folder(options.model)
    checkpoint = Checkpoint.read(folder)
    model = load_model(folder, device=options.device, dtype=options.dtype)
    layer = chosen_layer(model, options)
    trained = make_trained(model, checkpoint, layer, options.control)
    found = right_trajectories(model, options)
    reporter.on_read(found.sentences())
    sides = _Sides.of(found.items, options)
    forward = make_forward(model, layer, found.items)
    result, changed = _learn(options, layer, forward, trained, sides, reporter)
    write_updated(checkpoint, changed, card_files(result), options.out)
    return result


class Reporter:
    """What hears how an update goes; this one says nothing."""

    def on_read(self, sentences: Iterable[str]) -> None:
        """What is learned from, and what is left out."""

    def on_look(self, look: Look) -> None:
        """How the held-out problems fare."""


@dataclass(frozen=True)
class _Sides:
    """Numbers of the trajectories that are learned from, and of those that decide when to stop."""

    trajectories: Sequence[Trajectory]
    learned: Sequence[int]
    watched: Sequence[int]

    @classmethod
    def of(cls, trajectories: Sequence[Trajectory], options: UpdateOptions) -> _Sides:
        problems = [trajectory.problem_id for trajectory in trajectories]
        names = held_out_problems(problems, options.held_out, options.seed)
        numbers = range(len(trajectories))
        return cls(
            trajectories,
            [n for n in numbers if problems[n] not in names],
            [n for n in numbers if problems[n] in names],
        )

    def amount(self, numbers: Sequence[int]) -> Amount:
        some = [self.trajectories[n] for n in numbers]
        return Amount(len({t.problem_id for t in some}), len(some), sum(t.n_tokens for t in some))


def _learn(
    options: UpdateOptions, layer: MoeLayer, forward: Forward, trained: Trained, sides: _Sides, reporter: Reporter
) -> tuple[UpdateResult, dict[str, Tensor]]:
    """What came of it, and the new tensors by name."""
    device = trained.leaves[0].device
    dealer = torch.Generator().manual_seed(options.seed) if options.control is Control.SHUFFLED_TARGETS else None
    training, stopping = (
        part(sides.trajectories, numbers, device, dealer) for numbers in (sides.learned, sides.watched)
    )
    truth = part(sides.trajectories, sides.watched, device)
    stored = _values(trained)
    before = nll_sums(forward, trained, truth, options.batch_size)
    began = time.monotonic()
    looks = train(forward, trained, training, stopping, options, reporter.on_look)
    seconds = time.monotonic() - began
    after = nll_sums(forward, trained, truth, options.batch_size)
    watched, changed = [sides.trajectories[n] for n in sides.watched], _values(trained)
    result = UpdateResult(
        options=options,
        layer=layer.index,
        tensors=tuple(changed),
        n_parameters=trained.n_parameters,
        changed=distance(stored, changed),
        size=distance({name: torch.zeros_like(value) for name, value in stored.items()}, stored),
        training=sides.amount(sides.learned),
        stopping=sides.amount(sides.watched),
        held_out=held_out([t.problem_id for t in watched], [t.n_tokens for t in watched], before, after),
        looks=looks,
        seconds=seconds,
    )
    return result, changed


def _values(trained: Trained) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in trained.written().items()}


def checkpoint_folder(name: str) -> Path:
    """The folder of a checkpoint that is named by its path or by its name on the hub.

    Raises:
        InputError: it is neither here nor there.
    """
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name))
    except Exception as error:  # Its errors are of many kinds: no network, no such name, no access.
        raise InputError(f"{name}: neither a folder nor to be had from the hub: {error}") from error


def chosen_layer(model: LoadedModel, options: UpdateOptions) -> MoeLayer:
    """The layer that is trained.

    Raises:
        InputError: it has no router, there is no other one, or routes can't be drawn there.
    """
    layer = model.layers[-1] if options.layer is None else model.layer(options.layer)
    if options.control is Control.OTHER_LAYER:
        others = [other for other in model.layers if other is not layer]
        if not others:
            raise InputError(f"{options.model}: only layer {layer.index} has a router, so there is no other layer's")
        layer = others[len(others) // 2]
    if options.objective in SAMPLED and not is_last(model, layer):
        raise InputError(
            f"--objective {options.objective.value} draws routes, which is done at the last layer only, where all of "
            f"them cost little; of layer {layer.index} train with --objective nll"
        )
    return layer


def is_last(model: LoadedModel, layer: MoeLayer) -> bool:
    """Whether nothing but norm and head comes after a layer."""
    return layer.decoder_layer is model.model.get_decoder().layers[-1]


def make_forward(model: LoadedModel, layer: MoeLayer, trajectories: Sequence[Trajectory]) -> Forward:
    """The cheapest way to the tokens' probabilities."""
    return Tail(model, layer, trajectories) if is_last(model, layer) else Whole(model, trajectories)


def right_trajectories(model: LoadedModel, options: UpdateOptions) -> Trajectories:
    """The right responses, as tokens.

    Raises:
        InputError: there is none, or they were not made by this model and template.
    """
    wanted = TrajectoryOptions(
        options.responses,
        max_tokens=options.max_tokens,
        prompt_formats=options.prompt_formats,
        any_model=options.any_model,
        skip_mismatches=options.skip_mismatches,
    )
    return read_trajectories(wanted, model.tokenizer, model=options.model)
