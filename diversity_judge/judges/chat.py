"""A judge behind any OpenAI-compatible chat completions API, asked call by call.

The engine retries, in one place, where it can count attempts, give back the slot and honour the budget. What goes
over the wire is `chat_format`'s, what comes of a call is `hosts`'.
"""

from __future__ import annotations

import json
import time

from diversity_judge.errors import InputError
from diversity_judge.hosts.address import read_address
from diversity_judge.hosts.client import HostClient
from diversity_judge.hosts.completion import OddCompletionError, read_completion
from diversity_judge.hosts.replicas import Replicas
from diversity_judge.hosts.secrets import is_telling
from diversity_judge.judges.base import Reply
from diversity_judge.judges.chat_format import PATH, chat_fingerprint, reply_of, request_body
from diversity_judge.judges.presets import JudgeSpec
from diversity_judge.planning.groups import GroupPlan
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.planning.question import Question


class ChatJudge:
    """Asks an LLM.

    Args:
        spec: Model, endpoint, parameters.
        template: The judge's prompt.
        key: Of the API; None for a judge that will not be asked.
        deadline_s: Total seconds a call may take, whatever trickles in meanwhile.

    Raises:
        InputError: the environment's proxy or certificates are of no use, or the key stands in a parameter too.
    """

    def __init__(self, spec: JudgeSpec, template: PromptTemplate, key: str | None, *, deadline_s: float) -> None:
        self._spec = spec
        self._template = template
        self._hosts: Replicas | None = None
        if key is None:
            return
        if is_telling(key) and key in json.dumps([spec.model, *spec.parameters.items()], default=str):
            raise InputError(f"the key in {spec.api_key_env} stands in --model or --param too, where it would be shown")
        self._hosts = Replicas(
            [
                HostClient(read_address(url), key, key_name=spec.api_key_env, model=spec.model, deadline_s=deadline_s)
                for url in (spec.base_url, *spec.replicas)
            ]
        )

    @property
    def spec(self) -> JudgeSpec:
        """Which judge this is."""
        return self._spec

    @property
    def prompt_label(self) -> str:
        """The template as the tables name it."""
        return self._template.label

    def fingerprint(self, plan: GroupPlan) -> str:
        """Hash of template, model, endpoint, parameters and, where the template shows it, the problem."""
        return chat_fingerprint(self._spec, self._template, plan)

    async def ask(self, task: Question) -> Reply:
        """One call; a completion that cannot be read is a reply too, one without a score, as it may have been paid for.

        Raises:
            CallError: by what to do about it (see `hosts.calls`).
        """
        assert self._hosts is not None, "a judge without a key is not asked"
        started = time.perf_counter()
        prompt = task.prompt(self._template)
        body = await self._hosts.post(PATH, request_body(self._spec, prompt), beginning=task.bundle)
        try:
            completion = read_completion(body)
        except OddCompletionError as error:
            completion = error.kept
        return reply_of(completion, time.perf_counter() - started)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._hosts is not None:
            await self._hosts.close()
