"""From a graded responses file to the tokens that a model read and wrote: prompts rebuilt, responses tokenised again.

A response's file holds texts. Its prompt is rebuilt from the problem, the prompt format and the chat template that it
was sampled with, and the response is tokenised; what then differs from what the file says of the tokens, their number
or the text that they spell, is an error: probabilities of tokens that nobody drew would be measured.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from diversity_judge.display import counted
from diversity_judge.errors import InputError
from diversity_judge.files import read_bounded
from diversity_judge.inputs.reading import read_responses
from diversity_judge.inputs.responses import Group, Response
from diversity_judge.rubric import THINK_START
from generation.problems import Problem, ProblemKind
from generation.prompt_formats import PromptFormat, lettered, prompt_token_ids
from generation.response_file import read_manifest


@dataclass(frozen=True)
class TrajectoryOptions:
    """Which responses are read, and how they were prompted.

    Attributes:
        responses: A graded `responses.jsonl`.
        correct_only: Only those that are graded right.
        max_tokens: A budget of response tokens over the whole file; None for no limit.
        prompt_formats: Files of formats that are not shipped.
        chat_template: Whether the model's template was applied; None for what the file's manifest says, or else yes.
        chat_template_kwargs: What the template was told; None for what the manifest says, or else nothing.
        any_model: Read responses that another model sampled too.
        skip_mismatches: Leave out what is not tokenised as it was sampled, in place of an error.
    """

    responses: Path
    correct_only: bool = True
    max_tokens: int | None = None
    prompt_formats: Sequence[str] = ()
    chat_template: bool | None = None
    chat_template_kwargs: Mapping[str, Any] | None = None
    any_model: bool = False
    skip_mismatches: bool = False


@dataclass(frozen=True)
class Trajectory:
    """One response as tokens.

    Attributes:
        problem_id: Of its problem.
        strategy: That it was sampled with.
        response: Its number among its problem's and strategy's responses, from 0 in the order of the file.
        correct: Its grade.
        prompt_ids: Tokens of the prompt.
        token_ids: Tokens of the response, with its end where it has one; fewer where a budget cut it.
    """

    problem_id: str
    strategy: str
    response: int
    correct: bool | None
    prompt_ids: tuple[int, ...]
    token_ids: tuple[int, ...]

    @property
    def n_tokens(self) -> int:
        """Tokens of the response."""
        return len(self.token_ids)


@dataclass(frozen=True)
class Trajectories:
    """What was read of a file, and what was not.

    Attributes:
        items: In the order of the file, problem by problem.
        sha256: Of the file.
        n_responses: In the file.
        n_not_right: Left out because they are not graded right.
        n_mismatched: Left out because they are not tokenised as they were sampled.
        n_over_budget: Left out because the budget was spent.
        n_cut: Cut by the budget.
        n_tokens_cut: Tokens that the budget left out.
    """

    items: tuple[Trajectory, ...] = field(repr=False)
    sha256: str
    n_responses: int
    n_not_right: int = 0
    n_mismatched: int = 0
    n_over_budget: int = 0
    n_cut: int = 0
    n_tokens_cut: int = 0

    @property
    def n_tokens(self) -> int:
        """Tokens of all responses that are kept."""
        return sum(item.n_tokens for item in self.items)

    def sentences(self) -> Iterator[str]:
        """What is analysed, and what is left out and why."""
        n_problems = len({item.problem_id for item in self.items})
        responses = counted(len(self.items), "response")
        yield f"{responses} of {counted(n_problems, 'problem')}, {counted(self.n_tokens, 'token')}"
        if self.n_not_right:
            yield f"{self.n_not_right} of {self.n_responses} responses are left out: not graded right"
        if self.n_mismatched:
            are = counted(self.n_mismatched, "response is", "responses are")
            yield f"{are} left out: not tokenised as they were sampled"
        if self.n_tokens_cut:
            yield (
                f"the token budget leaves {self.n_tokens_cut:,} tokens out: {self.n_over_budget} whole responses, "
                f"and the ends of {self.n_cut}"
            )


def read_trajectories(options: TrajectoryOptions, tokenizer: Any, *, model: str) -> Trajectories:
    """Read responses as tokens.

    Args:
        options: Which file, and what of it.
        tokenizer: Of the model that is analysed.
        model: Its name, held against the one that sampled.

    Raises:
        InputError: the file cannot be read, was sampled by another model or with another template or tokenizer, or
            holds no right response.
    """
    groups = read_responses(options.responses).groups
    reader = _Reader(options, tokenizer, model)
    wanted, n_responses, n_not_right = [], 0, 0
    for group in groups:
        for number, response in enumerate(group.responses):
            n_responses += 1
            if options.correct_only and response.correct is not True:
                n_not_right += 1
            else:
                wanted.append(reader.trajectory(group, number, response))
    if not wanted:
        raise InputError(
            f"{options.responses}: none of the {n_responses} responses is graded right; grade them "
            "(python -m generation.grade), or analyse all with --no-correct-only"
        )
    found = Trajectories(
        tuple(item for item in wanted if item is not None),
        hashlib.sha256(read_bounded(options.responses)).hexdigest(),
        n_responses,
        n_not_right,
        n_mismatched=wanted.count(None),
    )
    if not found.items:
        raise InputError(f"{options.responses}: no response is tokenised as it was sampled; is it another model's?")
    return found if options.max_tokens is None else within_budget(found, options.max_tokens)


def token_texts(tokenizer: Any, item: Trajectory) -> list[str]:
    """What each token of a response adds to its text: many tokenizers leave out the blank before a token alone."""
    before = (item.prompt_ids[-1:], *((token,) for token in item.token_ids[:-1]))
    return [
        str(tokenizer.decode([*context, token])).removeprefix(str(tokenizer.decode(list(context))))
        for context, token in zip(before, item.token_ids, strict=True)
    ]


def within_budget(found: Trajectories, budget: int) -> Trajectories:
    """As much as a budget of tokens allows: first one response of each problem and strategy, then another of each.

    Intervals are over problems, so that many problems with few responses say more than the reverse. The last response
    that is taken is cut where the budget ends.
    """
    by_group: dict[tuple[str, str], list[int]] = {}
    for place, item in enumerate(found.items):
        by_group.setdefault((item.problem_id, item.strategy), []).append(place)
    kept: dict[int, Trajectory] = {}
    n_cut = 0
    for place in (place for turn in zip_longest(*by_group.values()) for place in turn if place is not None):
        item = found.items[place]
        if budget <= 0:
            break
        if item.n_tokens > budget:
            n_cut += 1
            item = replace(item, token_ids=item.token_ids[:budget])
        kept[place] = item
        budget -= item.n_tokens
    items = tuple(kept[place] for place in sorted(kept))
    return replace(
        found,
        items=items,
        n_over_budget=len(found.items) - len(items),
        n_cut=n_cut,
        n_tokens_cut=found.n_tokens - sum(item.n_tokens for item in items),
    )


class _Reader:
    """Makes trajectories of one file's responses."""

    def __init__(self, options: TrajectoryOptions, tokenizer: Any, model: str) -> None:
        self._options, self._tokenizer, self._model = options, tokenizer, model
        self._formats = {one.digest: one for one in map(PromptFormat.load, options.prompt_formats)}
        self._prompts: dict[tuple[str, str], tuple[int, ...]] = {}
        settings = (read_manifest(options.responses) or {}).get("settings", {})
        asked = options.chat_template
        self._template = bool(settings.get("chat_template", True)) if asked is None else asked
        told = options.chat_template_kwargs
        self._template_options = dict(settings.get("chat_template_kwargs") or {}) if told is None else dict(told)

    def trajectory(self, group: Group, number: int, response: Response) -> Trajectory | None:
        """One response; None where it is not tokenised as it was sampled and such are to be left out."""
        where = f"{self._options.responses}: response {response.sample_id} of problem {group.problem_id!r}"
        self._check_model(response, where)
        prompt = self._prompt(group, response, where)
        tokens = self._tokens(response, prompt)
        if isinstance(tokens, str):
            if self._options.skip_mismatches:
                return None
            raise InputError(
                f"{where}: {tokens}; it was sampled by another model or with another template, or tokenised "
                "otherwise than its text is now (--skip-mismatches leaves such responses out)"
            )
        return Trajectory(group.problem_id, group.strategy, number, response.correct, prompt, tokens)

    def _check_model(self, response: Response, where: str) -> None:
        sampled = response.model
        if self._options.any_model or sampled is None or Path(sampled).name == Path(self._model).name:
            return
        raise InputError(
            f"{where} was sampled by {sampled}, not by {self._model}; its tokens are another model's choices "
            "(--any-model analyses them all the same)"
        )

    def _prompt(self, group: Group, response: Response, where: str) -> tuple[int, ...]:
        prompt_format = self._format(response, where)
        key = (group.problem_id, prompt_format.digest)
        if key not in self._prompts:
            text = response.problem or group.problem
            if text is None:
                raise InputError(f"{where} says nothing of the problem; its prompt cannot be rebuilt")
            chat = prompt_format.messages(_problem(group.problem_id, text, response.meta, where))
            try:
                ids = prompt_token_ids(
                    self._tokenizer, chat, chat_template=self._template, template_options=self._template_options
                )
            except Exception as error:
                raise InputError(f"{where}: the model's chat template fails: {error}") from error
            self._prompts[key] = tuple(ids)
        return self._prompts[key]

    def _format(self, response: Response, where: str) -> PromptFormat:
        """The format that a response was prompted with, by its digest.

        Raises:
            InputError: it is not known which, or that file has changed since.
        """
        stored = response.meta.get("prompt")
        if not isinstance(stored, Mapping) or not {"name", "sha256"} <= stored.keys():
            raise InputError(f"{where} does not say in `meta.prompt` how it was prompted: not of generation.sample")
        name, digest = str(stored["name"]), str(stored["sha256"])
        if digest not in self._formats:
            try:
                shipped = PromptFormat.load(name)
            except InputError as error:
                raise InputError(f"{where} was prompted with {name!r}: name its file, --prompt-format") from error
            if shipped.digest != digest:
                raise InputError(
                    f"{where} was prompted with another wording than {name!r} has now; name the file that it had: "
                    "--prompt-format"
                )
            self._formats[digest] = shipped
        return self._formats[digest]

    def _tokens(self, response: Response, prompt: tuple[int, ...]) -> tuple[int, ...] | str:
        """The response's tokens, or in words what does not fit."""
        text = response.text
        if self._tokenizer.decode(list(prompt[-8:])).rstrip().endswith(THINK_START):
            text = text.removeprefix(f"{THINK_START}\n")
        ids = list(self._tokenizer(text, add_special_tokens=False)["input_ids"])
        spelled = self._tokenizer.decode(ids, skip_special_tokens=True)
        if "".join(spelled.split()) != "".join(text.split()):
            return f"the model's tokenizer cannot spell it: {_first_difference(text, spelled)}"
        end = self._tokenizer.eos_token_id
        if response.finish_reason == "stop" and end is not None and response.n_tokens in (None, len(ids) + 1):
            ids.append(end)
        if response.n_tokens is not None and response.n_tokens != len(ids):
            return f"it had {response.n_tokens} tokens and is tokenised into {len(ids)}"
        return tuple(ids) if ids else "it has no tokens"


def _first_difference(text: str, spelled: str) -> str:
    for word, other in zip_longest(text.split(), spelled.split(), fillvalue=""):
        if word != other:
            return f"{word[:40]!r} becomes {other[:40]!r}"
    return "their words are divided otherwise"


def _problem(problem_id: str, text: str, meta: Mapping[str, Any], where: str) -> Problem:
    """The problem of a response, its choices separated from its text again."""
    try:
        kind = ProblemKind(meta.get("kind", ProblemKind.MATH.value))
        n_choices = int(meta.get("n_choices") or 0)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: meta: {error}") from error
    if not n_choices:
        return Problem(problem_id, text, kind=kind)
    for start in (match.start() for match in re.finditer(re.escape("\n\nA) "), text)):
        choices = tuple(re.split(r"(?:^|\n)[A-Z]\) ", text[start + 2 :])[1:])
        if len(choices) == n_choices and text[start + 2 :] == lettered(choices):
            return Problem(problem_id, text[:start], choices=choices, kind=kind)
    raise InputError(f"{where}: its {n_choices} choices are not found at the end of its problem")
