"""The work of `generation.router_update`: read, train, measure, write."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from diversity_judge.errors import InputError
from generation.moe_models.layers import MoeLayer
from generation.moe_models.loading import LoadedModel, load_model
from generation.router_training.card import card_files
from generation.router_training.checkpoint import Checkpoint, refuse_taken, write_updated
from generation.router_training.forward import Forward, Tail, Whole
from generation.router_training.options import SAMPLED, Control, UpdateOptions
from generation.router_training.result import TrainedOn, UpdateResult, held_out
from generation.router_training.splitting import held_out_problems
from generation.router_training.trained import change_norm, make_trained
from generation.router_training.training import Look, nll_sums, part, train
from generation.routing_study.trajectories import Trajectory, read_trajectories


def update(options: UpdateOptions, on_look: Callable[[Look], None] = lambda look: None) -> UpdateResult:
    """Train what the options say and write the new checkpoint.

    Args:
        options: What is asked for.
        on_look: Hears how the held-out problems fare.

    Raises:
        InputError: an option, the model or the responses are not fit for it; nothing was written.
        RunError: training diverged, or the disk does not take the checkpoint.
    """
    refuse_taken(options.out)
    folder = checkpoint_folder(options.model)
    checkpoint = Checkpoint.read(folder)
    model = load_model(folder, dtype=options.dtype or "auto")
    layer = chosen_layer(model, options)
    trained = make_trained(model, checkpoint, layer, options.control)
    trajectories = right_trajectories(model, options)
    names = held_out_problems([t.problem_id for t in trajectories], options.held_out, options.seed)
    device = next(model.model.parameters()).device
    numbers = range(len(trajectories))
    learned = [n for n in numbers if trajectories[n].problem_id not in names]
    watched = [n for n in numbers if trajectories[n].problem_id in names]
    dealer = torch.Generator().manual_seed(options.seed) if options.control is Control.SHUFFLED_TARGETS else None
    training, stopping = (part(trajectories, some, device, dealer) for some in (learned, watched))
    forward = make_forward(model, layer, trajectories)
    truth = part(trajectories, watched, device)
    stored = {name: value.detach() for name, value in trained.written().items()}
    before = nll_sums(forward, trained, truth, options.batch_size)
    began = time.monotonic()
    looks = train(forward, trained, training, stopping, options, on_look)
    seconds = time.monotonic() - began
    after = nll_sums(forward, trained, truth, options.batch_size)
    changed = {name: value.detach() for name, value in trained.written().items()}
    result = UpdateResult(
        options=options,
        layer=layer.index,
        tensors=tuple(changed),
        n_parameters=trained.n_parameters,
        changed=change_norm(stored, changed),
        size=change_norm({name: torch.zeros_like(value) for name, value in stored.items()}, stored),
        training=_amount([trajectories[n] for n in learned]),
        stopping=_amount([trajectories[n] for n in watched]),
        held_out=held_out(
            [trajectories[n].problem_id for n in watched],
            [len(trajectories[n].token_ids) for n in watched],
            before,
            after,
        ),
        looks=looks,
        seconds=seconds,
    )
    write_updated(checkpoint, changed, card_files(result), options.out)
    return result


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


def right_trajectories(model: LoadedModel, options: UpdateOptions) -> list[Trajectory]:
    """The right responses, as tokens.

    Raises:
        InputError: there is none, or they were not made by this model and template.
    """
    import json
    rows=[json.loads(l) for l in open(options.responses)]
    eos = model.model.config.eos_token_id
    return [Trajectory(r["problem_id"], tuple(model.tokenizer.apply_chat_template([{"role":"user","content":r["problem"]}], add_generation_prompt=True, return_dict=False)), tuple(model.tokenizer(r["response"], add_special_tokens=False)["input_ids"])+(eos,)) for r in rows if r["correct"]]


def _amount(trajectories: Sequence[Trajectory]) -> TrainedOn:
    problems = {trajectory.problem_id for trajectory in trajectories}
    return TrainedOn(len(problems), len(trajectories), sum(len(t.token_ids) for t in trajectories))
