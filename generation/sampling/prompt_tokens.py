"""How many tokens the prompts of a run have: by the model's tokenizer where it is on this machine, else about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diversity_judge.inputs.views import estimate_tokens
from generation.engines.options import EngineOptions
from generation.prompt_formats import Message, prompt_token_ids
from generation.sampling.sampler import SamplingPlan

TEMPLATE_TOKENS = 8
"""What a chat template adds to a message, about: `<|im_start|>user` and its like around it, the answer's opening."""


@dataclass(frozen=True)
class PromptTokens:
    """The lengths of a run's prompts.

    Attributes:
        by_problem: Tokens by problem id.
        counted: In words, by what.
    """

    by_problem: Mapping[str, int]
    counted: str


def prompt_tokens(options: EngineOptions, plan: SamplingPlan) -> PromptTokens:
    """Count the tokens of each problem's prompt; nothing is downloaded."""
    chats = {problem.problem_id: plan.formats[problem.kind].messages(problem) for problem in plan.problems}
    folder = _local_folder(str(options.model))
    if folder is not None:
        try:
            tokenizer = _tokenizer(folder, options)
            counts = {name: len(_token_ids(tokenizer, chat, options)) for name, chat in chats.items()}
        except Exception:  # noqa: S110 - templates are programs; what they raise is for the engine to say
            pass
        else:
            and_template = " and chat template" if options.chat_template else ""
            return PromptTokens(counts, f"by the model's own tokenizer{and_template}")
    per_message = TEMPLATE_TOKENS if options.chat_template else 0
    sizes = {name: _estimate(chat if options.chat_template else chat[-1:], per_message) for name, chat in chats.items()}
    for_template = f", and {TEMPLATE_TOKENS} a message for the chat template" if options.chat_template else ""
    return PromptTokens(sizes, f"estimated from the text{for_template}")


def _local_folder(model: str) -> Path | None:
    if Path(model).is_dir():
        return Path(model)
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    try:
        file = try_to_load_from_cache(model, "tokenizer_config.json")
    except ValueError:  # a name that the hub does not have, such as one that a server made up
        return None
    return Path(file).parent if isinstance(file, str) else None


def _tokenizer(folder: Path, options: EngineOptions) -> Any:
    from transformers import AutoTokenizer

    trusted = bool(options.engine_args.get("trust_remote_code"))
    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=trusted)


def _token_ids(tokenizer: Any, chat: tuple[Message, ...], options: EngineOptions) -> list[int]:
    return prompt_token_ids(
        tokenizer, chat, chat_template=options.chat_template, template_options=options.chat_template_kwargs
    )


def _estimate(chat: tuple[Message, ...], per_message: int) -> int:
    return round(sum(estimate_tokens(message.content) + per_message for message in chat))
