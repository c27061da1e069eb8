"""How a problem becomes the messages that a chat template is applied to.

The wording changes what is measured, so it stands in a file that can be read, swapped and hashed, not in
code.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.planning.prompt_files import PromptFile, load_prompt_file
from generation.problems import Problem, ProblemKind

DEFAULT_FORMATS = {
    ProblemKind.MATH: "generate_math_boxed",
    ProblemKind.CHOICE: "generate_multiple_choice",
    ProblemKind.CODE: "generate_code",
    ProblemKind.COUNTDOWN: "generate_plain",
}

_PLACE = re.compile(r"\{(problem|choices)\}")


@dataclass(frozen=True)
class Message:
    """One chat message."""

    role: str
    content: str


@dataclass(frozen=True)
class PromptFormat:
    """A prompt file for generation: its body has `{problem}` once, and `{choices}` for multiple choice.

    Attributes:
        file: Name, version, text and digest.
        kind: The kind of problem that it is for; None for every kind.
        system: A system message from the header, or None.
    """

    file: PromptFile
    kind: ProblemKind | None
    system: str | None

    @classmethod
    def load(cls, name_or_path: str) -> PromptFormat:
        """Read and check a format, by the name of a shipped one or by path.

        Raises:
            InputError: it does not exist, or header or body do not fit a generation format.
        """
        file = load_prompt_file(name_or_path)
        places = [match[1] for match in _PLACE.finditer(file.body)]
        if places.count("problem") != 1 or places.count("choices") > 1:
            raise InputError(f"{file.path}: a generation format holds {{problem}} once and {{choices}} at most once")
        kind = file.header.get("kind")
        known = [item.value for item in ProblemKind]
        if kind is not None and kind not in known:
            raise InputError(f"{file.path}:1: kind must be one of {', '.join(known)}, not {kind!r}")
        if kind == ProblemKind.CHOICE.value and "choices" not in places:
            raise InputError(f"{file.path}: a format for multiple choice must show {{choices}}")
        system = file.header.get("system")
        if system is not None and not isinstance(system, str):
            raise InputError(f"{file.path}:1: system must be a string")
        return cls(file, None if kind is None else ProblemKind(kind), system)

    @property
    def digest(self) -> str:
        """SHA-256 (hexadecimal) of the body; of system message and body where there is one."""
        if self.system is None:
            return self.file.digest
        return PromptFile(self.file.name, "", f"{self.system}\n{self.file.body}", self.file.path).digest

    def messages(self, problem: Problem) -> tuple[Message, ...]:
        """The chat messages for a problem. Filled in one pass: braces in a problem stay as they are."""
        texts = {"problem": problem.text, "choices": lettered(problem.choices)}
        user = Message("user", _PLACE.sub(lambda place: texts[place[1]], self.file.body))
        return (user,) if self.system is None else (Message("system", self.system), user)


def lettered(choices: Iterable[str]) -> str:
    """The options of a multiple-choice problem, one a line: `A) ...`."""
    return "\n".join(f"{letter}) {text}" for letter, text in zip(string.ascii_uppercase, choices, strict=False))


def prompt_token_ids(
    tokenizer: Any, chat: tuple[Message, ...], *, chat_template: bool, template_options: Mapping[str, Any]
) -> list[int]:
    """The tokens of a prompt, as an engine makes them: the template writes all special tokens itself.

    Args:
        tokenizer: Of transformers.
        chat: The messages; the last one alone where no template is applied.
        chat_template: Whether the model's template is applied.
        template_options: What the template is told, such as enable_thinking.

    Raises:
        Exception: what a template raises, which is a program.
    """
    if not chat_template:
        return list(tokenizer(chat[-1].content)["input_ids"])
    options = {"add_generation_prompt": True} | dict(template_options)
    messages = [{"role": message.role, "content": message.content} for message in chat]
    text = tokenizer.apply_chat_template(messages, tokenize=False, **options)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def formats_for(problems: Iterable[Problem], chosen: Iterable[str] = ()) -> Mapping[ProblemKind, PromptFormat]:
    """The format of each kind that occurs: the chosen one that is for it (or for all), or the shipped one.

    Raises:
        InputError: two chosen formats are for one kind, or a chosen one is for no problem here.
    """
    kinds = {problem.kind for problem in problems}
    result: dict[ProblemKind, PromptFormat] = {}
    for name in chosen:
        prompt_format = PromptFormat.load(name)
        fitting = kinds if prompt_format.kind is None else kinds & {prompt_format.kind}
        if not fitting or fitting & set(result):
            why = "fits no problem here" if not fitting else "and another chosen format are for the same problems"
            raise InputError(f"prompt format {name!r} {why}")
        result.update(dict.fromkeys(fitting, prompt_format))
    for kind in kinds - set(result):
        result[kind] = PromptFormat.load(DEFAULT_FORMATS[kind])
    return result
