"""What a reward model reads: token ids by its own tokenizer and chat template, and which of its numbers count.

    problem, response -> steps -> chat -> text (with our marks, and none of the response's own) -> token ids

Where a response is longer than the model's context, whole steps are left out at its end: the model reads from left to
right, so the scores of those that stay are what they would be. A response that is scored as a whole loses its beginning
instead, since its answer stands at the end.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diversity_judge.errors import InputError, RunError
from diversity_judge.text_safety import well_formed
from generation.engines import SampleFailedError
from generation.engines.pooling import PoolingRequest, Rows
from generation.rewarding.recipes import Recipe
from generation.rewarding.steps import Defuser, split_steps

NOTHING_TO_SCORE = "nothing_to_score"
TOO_LONG = "too_long"
_PLACE = "\ue000answer\ue001"
"""Stands for our answers until their places in the text are known."""


@dataclass(frozen=True)
class Prepared:
    """A response as a reward model reads it.

    Attributes:
        token_ids: The prompt.
        places: The tokens whose numbers count, of a model that has numbers for all; None for all that come.
        n_scores: Scores that must come of it.
        steps_cut: Steps that do not fit and were left out.
        characters_cut: Characters that do not fit and were left out, of a response that is scored as a whole.
        defused: Special tokens that its text spells out.
    """

    token_ids: tuple[int, ...]
    places: tuple[int, ...] | None
    n_scores: int
    steps_cut: int = 0
    characters_cut: int = 0
    defused: int = 0


class Prompts:
    """Makes the prompts of one model.

    Args:
        recipe: How it is shown a response.
        tokenizer: A fast tokenizer of transformers, with a chat template.

    Raises:
        InputError: the tokenizer does not fit the recipe.
    """

    def __init__(self, recipe: Recipe, tokenizer: Any) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise InputError(f"recipe {recipe.name}: the model's tokenizer must be a fast one (tokenizer.json)")
        if not tokenizer.chat_template:
            raise InputError(f"recipe {recipe.name}: the model's tokenizer has no chat template")
        self.recipe = recipe
        self._tokenizer = tokenizer
        self.mark_id = _single_token(tokenizer, recipe.mark, recipe) if recipe.has_steps else None
        special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special} | {_PLACE}
        self._defuse = Defuser(special | {recipe.mark} if recipe.kind == "marked" else special)

    def prepare(self, problem: str, response: str, context: int) -> Prepared | str:
        """The prompt of a response, cut where it is longer than the context; or why there is none, in one word.

        Args:
            problem: The question.
            response: What of the response is scored.
            context: Tokens that the model reads at most.
        """
        question, in_question = self._defuse(well_formed(problem)[0].strip())
        answer, in_answer = self._defuse(well_formed(response)[0].strip())
        units: Sequence[str] = split_steps(answer, self.recipe.steps) if self.recipe.has_steps else answer
        if not units:  # Empty, or all of it separates steps.
            return NOTHING_TO_SCORE
        whole = self._build(question, units)
        kept = len(units)
        if len(whole.token_ids) > context:
            kept = self._most_that_fits(question, units, context)
            if not kept:
                return TOO_LONG
            whole = self._build(question, self._part(units, kept))
        cut = len(units) - kept
        return Prepared(
            whole.token_ids,
            whole.places,
            whole.n_scores,
            steps_cut=cut if self.recipe.has_steps else 0,
            characters_cut=0 if self.recipe.has_steps else cut,
            defused=in_question + in_answer,
        )

    def probe(self) -> Prepared:
        """A short text of three steps, by which one sees whether a server has the right model."""
        between = {"blank-line": "\n\n", "line": "\n"}.get(self.recipe.steps, self.recipe.steps)
        found = self.prepare("1 + 1?", between.join(("One", "One more", "So 2")), 10**9)
        assert isinstance(found, Prepared)
        return found

    def request(self, prepared: Prepared) -> PoolingRequest:
        """What an engine is asked."""
        if self.recipe.kind == "whole":
            return PoolingRequest(prepared.token_ids, "classify", activation=False)
        return PoolingRequest(prepared.token_ids, "token_classify", activation=True)

    def scores(self, prepared: Prepared, rows: Rows) -> list[float]:
        """The scores in an engine's rows: one a step, or one for the whole.

        Raises:
            RunError: there are other rows than this model has.
            SampleFailedError: they are no finite numbers.
        """
        wanted = prepared.n_scores if prepared.places is None else len(prepared.token_ids)
        width = 2 if self.recipe.has_steps else 1
        if len(rows) != wanted or any(len(row) != width for row in rows):
            widths = sorted({len(row) for row in rows})
            raise RunError(
                f"the model answers {len(rows)} rows of {', '.join(map(str, widths))} numbers to a text of "
                f"{prepared.n_scores} steps and {len(prepared.token_ids)} tokens, and the recipe {self.recipe.name} "
                f"needs {wanted} of {width}: it is another model, or served otherwise ({self.serve_hint()})"
            )
        if prepared.places is not None:
            rows = tuple(rows[place] for place in prepared.places)
        scores = [row[-1] for row in rows]
        if not all(map(math.isfinite, scores)):
            raise SampleFailedError("the model's scores are not finite numbers (see --dtype)")
        return scores

    def check(self, server: str, prepared: Prepared, rows: Rows) -> None:
        """See that a server is this model, by its answer to a text.

        Raises:
            RunError: it is not; the message names it.
        """
        try:
            self.scores(prepared, rows)
        except (RunError, SampleFailedError) as error:
            raise RunError(f"{server}: {error}") from error

    def serve_hint(self) -> str:
        """How `vllm serve` is started for this model."""
        flags = ""
        if self.recipe.kind == "marked":
            flags = f" --pooler-config '{json.dumps({'step_tag_id': self.mark_id})}'"
        elif self.recipe.kind == "dialogue":
            flags = ' --convert classify --pooler-config \'{"task": "token_classify"}\''
            flags += f" --hf-overrides '{json.dumps(two_token_head(self.recipe))}'"
        return f"vllm serve MODEL --runner pooling{flags}"

    def _most_that_fits(self, question: str, units: Sequence[str], context: int) -> int:
        """How many steps from the beginning, or characters from the end, fit; 0 for none."""
        counts = range(1, len(units))
        return bisect_right(
            counts, context, key=lambda kept: len(self._build(question, self._part(units, kept)).token_ids)
        )

    def _part(self, units: Sequence[str], kept: int) -> Sequence[str]:
        return units[:kept] if self.recipe.has_steps else units[len(units) - kept :]

    def _build(self, question: str, units: Sequence[str]) -> Prepared:
        if self.recipe.kind == "marked":
            return self._marked(question, units)
        return self._dialogue(question, units) if self.recipe.kind == "dialogue" else self._whole(question, str(units))

    def _marked(self, question: str, steps: Sequence[str]) -> Prepared:
        text = self._rendered([("user", question), ("assistant", "".join(step + self.recipe.mark for step in steps))])
        token_ids = self._encoded(text)["input_ids"]
        if token_ids.count(self.mark_id) != len(steps):
            raise RunError(
                f"recipe {self.recipe.name}: {len(steps)} steps have {token_ids.count(self.mark_id)} marks "
                f"{self.recipe.mark!r} once they are tokens: the tokenizer or its chat template does not fit the recipe"
            )
        return Prepared(tuple(token_ids), None, len(steps))

    def _dialogue(self, question: str, steps: Sequence[str]) -> Prepared:
        chat = []
        for number, step in enumerate(steps):
            chat += [("user", step if number else f"{question} {step}"), ("assistant", _PLACE)]
        parts = self._rendered(chat).split(_PLACE)
        if len(parts) != len(steps) + 1:
            raise RunError(
                f"recipe {self.recipe.name}: {len(steps)} answers are {len(parts) - 1} in the model's chat template"
            )
        starts = [len(part) for part in parts[:-1]]
        for number in range(1, len(starts)):
            starts[number] += starts[number - 1] + len(self.recipe.mark)
        encoded = self._encoded(self.recipe.mark.join(parts), with_offsets=True)
        found = {start: number for number, (start, end) in enumerate(encoded["offset_mapping"]) if end > start}
        token_ids = encoded["input_ids"]
        tokens = [found.get(start, 0) for start in starts]
        if any(token_ids[token] != self.mark_id or token == 0 for token in tokens):
            raise RunError(
                f"recipe {self.recipe.name}: an answer {self.recipe.mark!r} is no token of its own in the model's "
                "chat template"
            )
        return Prepared(tuple(token_ids), tuple(token - 1 for token in tokens), len(steps))

    def _whole(self, question: str, answer: str) -> Prepared:
        text = self._rendered([("user", question), ("assistant", answer)])
        return Prepared(tuple(self._encoded(text)["input_ids"]), None, 1)

    def _rendered(self, turns: Sequence[tuple[str, str]]) -> str:
        if self.recipe.system is not None:
            turns = [("system", self.recipe.system), *turns]
        chat = [{"role": role, "content": content} for role, content in turns]
        text: str = self._tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=False)
        return text

    def _encoded(self, text: str, *, with_offsets: bool = False) -> Any:
        """The template writes all special tokens itself."""
        return self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=with_offsets, verbose=False)


def load_tokenizer(name: str, *, trust_remote_code: bool = False, local_files_only: bool = False) -> Any:
    """The tokenizer of a model, by its folder or its name on the hub.

    Raises:
        InputError: there is none.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(
            name, trust_remote_code=trust_remote_code, local_files_only=local_files_only
        )
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise InputError(
            f"the tokenizer of {name!r} cannot be loaded ({said}); where a server has given the model a name of its "
            "own, say whose tokenizer it has: --tokenizer"
        ) from error


def engine_args(recipe: Recipe, prompts: Prompts, context: int) -> dict[str, Any]:
    """By which arguments of vLLM's `EngineArgs` a model in this process becomes this reward model."""
    common: dict[str, Any] = {"runner": "pooling", "max_model_len": context}
    if recipe.kind == "whole":
        return common | {"convert": "classify", "pooler_config": {"task": "classify"}}
    if recipe.kind == "marked":
        pooler = {"task": "token_classify", "tok_pooling_type": "STEP", "step_tag_id": prompts.mark_id}
        return common | {"pooler_config": pooler}
    return common | {
        "convert": "classify",
        "pooler_config": {"task": "token_classify"},
        "hf_overrides": two_token_head(recipe),
    }


def two_token_head(recipe: Recipe) -> Mapping[str, Any]:
    """Of a language model, only the rows for the two answers: their softmax is P(good) against P(bad)."""
    return {"classifier_from_token": [recipe.bad, recipe.mark], "method": "no_post_processing"}


def _single_token(tokenizer: Any, text: str, recipe: Recipe) -> int:
    token_ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    if len(token_ids) != 1:
        raise InputError(
            f"recipe {recipe.name}: its mark {text!r} is {len(token_ids)} tokens of the model's tokenizer, and has to "
            "be one"
        )
    return int(token_ids[0])
