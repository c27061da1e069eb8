"""The referee's question: another route changes what later tokens see. What becomes of the response?

At a sample of fragile tokens the response is written anew from there, once with the best alternative of the table at
that one token and layer and once with a random route, the control. Two ways of drawing: greedy, against the greedy
continuation by the router's own routes; and with the luck of the response itself (`hindsight`), against the response.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import Response
from diversity_judge.measures.edit_distance import edit_share
from diversity_judge.measures.route_utility import SECOND_SET, class_of
from generation.grading.grader import Grader
from generation.grading.rows import problem_of
from generation.moe_models.loading import LoadedModel
from generation.route_report.continuing import Continuer, Draw, Route
from generation.route_report.hindsight import gumbel, noise_of
from generation.route_report.tokens import Part
from generation.routing_study.alternatives import Drawing, contexts_of
from generation.routing_study.next_token import drawable
from generation.routing_study.trajectories import Trajectory
from generation.seeds import derive_seed
from generation.strategies import TokenSampling

GREEDY, SAME_LUCK = "greedy", "same-luck"
BEST, RANDOM = "best", "random"
Key = tuple[str, str, int]
"""Problem, strategy and number of a response."""


@dataclass(frozen=True)
class Replay:
    """A response written anew from one token on.

    Attributes:
        problem_id: Its problem.
        strategy: Its strategy.
        response: Its number among its problem's and strategy's responses.
        position: Of the token.
        layer: Whose route was another.
        token: That was written there.
        draw: GREEDY or SAME_LUCK.
        route: BEST or RANDOM.
        standard_logprob: Of that token by the router's own route, in nats.
        route_logprob: By the route that was forced.
        drawn_before: Whether that token is drawn by the router's own route; by the response's luck it always is.
        drawn_after: Whether it is drawn by the other route.
        token_after: What is drawn.
        correct_before: Whether the answer is right without another route.
        correct_after: And with it; None where it cannot be graded.
        edit_distance: Between both continuations, in tokens over the longer one's.
        text_after: The whole response with the other route.
    """

    problem_id: str
    strategy: str
    response: int
    position: int
    layer: int
    token: str
    draw: str
    route: str
    standard_logprob: float
    route_logprob: float
    drawn_before: bool
    drawn_after: bool
    token_after: str
    correct_before: bool | None
    correct_after: bool | None
    edit_distance: float
    text_after: str


def sample_places(part: Part, n: int, boundaries: Sequence[float], seed: int) -> list[dict[str, Any]]:
    """Rows of n fragile tokens at random, those whose best alternative is better; in the order of the table."""
    fragile = class_of(SECOND_SET, part.utilities.standard, part.utilities, boundaries) == 0
    better = part.utilities.best > part.utilities.standard
    places = np.flatnonzero(fragile & better)
    chosen = np.sort(np.random.default_rng(seed).choice(places, min(n, len(places)), replace=False))
    return [{str(column): cell for column, cell in row.items()} for row in part.rows.iloc[chosen].to_dict("records")]


class Replayer:
    """Replays tokens of one layer."""

    def __init__(
        self,
        loaded: LoadedModel,
        part: Part,
        trajectories: Mapping[Key, Trajectory],
        responses: Mapping[Key, Response],
        grader: Grader,
        *,
        seed: int = 0,
    ) -> None:
        """Nothing is computed yet.

        Args:
            loaded: The model.
            part: The tokens' layer, and how alternatives were drawn.
            trajectories: Of the responses.
            responses: What they are graded by.
            grader: Grades what is written.
            seed: Of the control's routes and of luck.
        """
        self._loaded, self._trajectories, self._responses, self._grader = loaded, trajectories, responses, grader
        self._layer, self._seed = loaded.layer(part.layer), seed
        self._continuer = Continuer(loaded, part.layer)
        tau = 1.0 if np.isnan(part.tau) else part.tau
        # Another seed than the table's: the control is no route of its sets.
        self._drawing = Drawing(scheme=part.scheme, tau=tau, seed=seed + 1_000_003, n=1)  # type: ignore[arg-type]
        self._longest = max(trajectory.n_tokens for trajectory in trajectories.values())

    def replays(self, places: Sequence[Mapping[str, Any]], report: Callable[[int], None]) -> Iterator[Replay]:
        """Every token's replays.

        Args:
            places: Rows of the table.
            report: Is told after each that one more is done.

        Raises:
            InputError: a response is not among the trajectories.
        """
        for place in places:
            key = (str(place["problem_id"]), str(place["strategy"]), int(place["response"]))
            if key not in self._trajectories:
                raise InputError(f"response {key[2]} of {key[0]!r} stands in tokens.parquet and not in the responses")
            yield from self._of_token(place, key)
            report(1)

    def _of_token(self, place: Mapping[str, Any], key: Key) -> Iterator[Replay]:
        trajectory, response = self._trajectories[key], self._responses[key]
        position = int(place["position"])
        context = [*trajectory.prompt_ids, *trajectory.token_ids[:position]]
        own_logits, own_cache = self._continuer.logits_after(context, None)
        baselines: dict[str, tuple[list[int], Draw]] = {}
        greedy = self._continuer.write(own_logits, own_cache, _greedy, first=position, longest=self._longest)
        baselines[GREEDY] = greedy, _greedy
        luck = self._luck(trajectory, response, position)
        if luck is not None:
            baselines[SAME_LUCK] = list(trajectory.token_ids[position:]), luck
        for name, route in (BEST, _given(place["best_route"])), (RANDOM, self._random(trajectory, position)):
            for draw_name, (before, draw) in baselines.items():
                # A cache is written on: each continuation has its own.
                logits, cache = self._continuer.logits_after(context, route)
                after = self._after(logits, cache, draw, before, position)
                yield self._replay(place, key, (draw_name, name), before, after, logits)

    def _after(self, logits: torch.Tensor, cache: Any, draw: Draw, before: list[int], position: int) -> list[int]:
        first = draw(logits, position)
        if first == before[0] and not self._continuer.changes_later_tokens:
            return before  # Nothing that later tokens see has changed.
        return self._continuer.write(logits, cache, draw, first=position, longest=self._longest)

    def _replay(
        self,
        place: Mapping[str, Any],
        key: Key,
        names: tuple[str, str],
        before: list[int],
        after: list[int],
        logits: torch.Tensor,
    ) -> Replay:
        trajectory, position = self._trajectories[key], int(place["position"])
        token = trajectory.token_ids[position]
        kept = trajectory.token_ids[:position]
        text = self._text([*kept, *after])
        return Replay(
            problem_id=key[0],
            strategy=key[1],
            response=key[2],
            position=position,
            layer=self._layer.index,
            token=str(place["token"]),
            draw=names[0],
            route=names[1],
            standard_logprob=float(place["standard_logprob"]),
            route_logprob=float(logits.log_softmax(-1)[token]),
            drawn_before=before[0] == token,
            drawn_after=after[0] == token,
            token_after=str(self._loaded.tokenizer.decode([after[0]])),
            correct_before=self._grade(self._text([*kept, *before]), key),
            correct_after=self._grade(text, key),
            edit_distance=edit_share(before, after),
            text_after=text,
        )

    def _grade(self, text: str, key: Key) -> bool | None:
        response = self._responses[key]
        problem = problem_of({"problem_id": key[0], "meta": dict(response.meta)}, f"response {key[2]} of {key[0]!r}")
        return self._grader.grade(text, problem.kind, problem.answer, n_choices=len(problem.choices)).correct

    def _text(self, tokens: Sequence[int]) -> str:
        return str(self._loaded.tokenizer.decode(list(tokens), skip_special_tokens=True))

    def _luck(self, trajectory: Trajectory, response: Response, position: int) -> Draw | None:
        """The response's own draws on other logits; None where it was not drawn from the router's own routes."""
        sampling = sampling_of(response)
        if sampling is None:
            return None
        own = self._continuer.logits_along(trajectory.prompt_ids, trajectory.token_ids)
        seed = derive_seed(
            self._seed, trajectory.problem_id, trajectory.strategy, trajectory.response, f"replay {position}"
        )
        generator = torch.Generator().manual_seed(seed)
        noise = {
            number: _noise(own, trajectory.token_ids, number, sampling, generator)
            for number in range(position, self._longest)
        }
        return lambda logits, number: int((drawable(logits, sampling).cpu() + noise[number]).argmax())

    def _random(self, trajectory: Trajectory, position: int) -> Route:
        context = contexts_of(trajectory.prompt_ids, trajectory.token_ids)[position : position + 1]
        return lambda logits, own: self._drawing.routes(self._layer, logits, own, context)[:, 0]


def sampling_of(response: Response) -> TokenSampling | None:
    """How a response's tokens were drawn; None where that was not by plain draws, or is not known."""
    settings = response.meta.get("settings")
    plain = ("temperature", "top_p", "top_k", "min_p")
    if not isinstance(settings, Mapping) or "edt" in settings or "expert_sample" in settings:
        return None
    if settings.get("repetition_penalty", 1) != 1 or settings.get("presence_penalty", 0) != 0:
        return None
    if not settings.get("temperature"):
        return None
    return TokenSampling(**{name: settings[name] for name in plain if name in settings})


def _noise(
    own: torch.Tensor, tokens: Sequence[int], number: int, sampling: TokenSampling, generator: torch.Generator
) -> torch.Tensor:
    """The luck of a response's token; of one after its end it is free."""
    if number >= len(tokens):
        return gumbel(own.shape[-1], generator)
    logits = drawable(own[number], sampling).cpu()
    # What an engine rounds otherwise may lie just outside; it was drawn, so it can be.
    logits[tokens[number]] = own[number][tokens[number]] / sampling.temperature
    return noise_of(logits, tokens[number], generator)


def _greedy(logits: torch.Tensor, number: int) -> int:
    return int(logits.argmax())


def _given(experts: Sequence[int]) -> Route:
    route = torch.tensor([[int(expert) for expert in experts]])
    return lambda logits, own: route
