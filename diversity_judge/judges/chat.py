"""A judge behind any OpenAI-compatible chat completions API.

The SDK's own retries are off: the engine retries, in one place, where it can count attempts, give back the slot
and honour the budget. This module knows what the host's answers mean, and nothing of what is done about them.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from diversity_judge.errors import InputError
from diversity_judge.judges.base import FatalError, RejectedError, Reply, TransientError
from diversity_judge.judges.presets import LIMIT_PARAMETERS, JudgeSpec
from diversity_judge.planning.groups import GroupPlan, Task
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.rubric import Missing
from diversity_judge.text_safety import well_formed

if TYPE_CHECKING:
    import openai

_PATH = "/chat/completions"
_CONNECT_TIMEOUT_S = 30.0
_CONNECTIONS_A_POOL = 8
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]", "0.0.0.0")  # noqa: S104 - compared with, never bound
_NO_KEY = "none"
"""What is sent as the key to a host that needs none: the SDK refuses to send nothing."""
_MESSAGE_LIMIT = 500

_OVERLOADED = (429, 503)
_REJECTED = (400, 413, 422)
_RETRIED = (408, 409, 425, 429)
_ADVICE = {
    401: "the key in {key} was refused: check it, and that it belongs to {host}",
    402: "the balance at {host} is used up: top it up, then run the same command again",
    404: "{host} does not serve the model {model!r}, or the base URL is wrong: check --model and --base-url",
}


class ChatJudge:
    """Asks an LLM.

    Args:
        spec: Model, endpoint, parameters.
        template: The judge's prompt.
        key: Of the API; None for a judge that will not be asked.
        deadline_s: Total seconds a call may take, whatever trickles in meanwhile.
        concurrency: Most calls at a time, for the connection pool.
    """

    def __init__(
        self,
        spec: JudgeSpec,
        template: PromptTemplate,
        key: str | None,
        *,
        deadline_s: float,
        concurrency: int,
    ) -> None:
        self._spec = spec
        self._template = template
        self._key = key
        self._deadline_s = deadline_s
        self._concurrency = concurrency

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

    async def ask(self, task: Task) -> Reply:
        """One call, with a total deadline: blank keep-alive lines reset a read timeout, so it must not be the only one.

        Raises:
            CallError: by what to do about it (see `base`).
        """
        import openai

        started = time.perf_counter()
        prompt = self._template.fill(task.text1, task.text2, task.plan.group.problem)
        pool = self._pools.pop()
        try:
            # The SDK's typed method spends a third of a call's CPU time on checking what is sent and rebuilding what
            # comes back; here the reply is kept as it came, fields that only some hosts have included.
            call = pool.post(_PATH, cast_to=str, body=self._body(prompt))
            text = await asyncio.wait_for(call, self._deadline_s)
            return _reply(json.loads(text), time.perf_counter() - started)
        except (asyncio.TimeoutError, openai.APITimeoutError) as error:
            raise TransientError(Missing.TIMEOUT, f"no reply within {self._deadline_s:g} s") from error
        except openai.APIStatusError as error:
            raise self._status_error(error) from None
        except openai.APIConnectionError as error:
            cause = self._clean(str(error.__cause__ or error)) or type(error.__cause__ or error).__name__
            raise TransientError(Missing.CONNECTION, f"no connection to {self._spec.host} ({cause})") from None
        except (ValueError, LookupError, AttributeError, TypeError) as error:
            raise TransientError(Missing.MALFORMED, f"not a chat completion: {self._clean(repr(error))}") from None
        finally:
            self._pools.append(pool)

    async def aclose(self) -> None:
        """Close the connections."""
        for pool in set(self.__dict__.get("_pools", ())):
            await pool.close()

    @cached_property
    def _pools(self) -> list[openai.AsyncOpenAI]:
        """Free places for a call, most recently used last; each names the client whose connections it may use.

        Made at the first call: a dry run needs no key and does not wait for the SDK's import. The HTTP library looks
        at every connection of a pool at every call, so many small pools cost a fraction of one large one.
        """
        import openai

        # Which HTTP library stands behind the SDK differs between its versions. Reading the certificates takes as long
        # as several calls, so all pools share them.
        http = import_module(type(openai.DEFAULT_CONNECTION_LIMITS).__module__.partition(".")[0])
        limits = http.Limits(max_connections=_CONNECTIONS_A_POOL, max_keepalive_connections=_CONNECTIONS_A_POOL)
        certificates = http.create_ssl_context()
        pools = [
            openai.AsyncOpenAI(
                base_url=self._spec.base_url,
                api_key=self._key,
                max_retries=0,
                timeout=openai.Timeout(self._deadline_s, connect=min(_CONNECT_TIMEOUT_S, self._deadline_s)),
                http_client=openai.DefaultAsyncHttpxClient(limits=limits, verify=certificates),
            )
            for _ in range(-(-self._concurrency // _CONNECTIONS_A_POOL))
        ]
        return [pool for pool in pools for _ in range(_CONNECTIONS_A_POOL)]

    def _body(self, prompt: str) -> dict[str, Any]:
        """The request; `extra_body` holds what the SDK has no name for, as in its own typed method."""
        parameters = dict(self._spec.parameters)
        extra = parameters.pop("extra_body", {})
        return {
            "model": self._spec.model,
            "messages": [{"role": "user", "content": prompt}],
            **parameters,
            **extra,
        }

    def _status_error(self, error: openai.APIStatusError) -> TransientError | RejectedError | FatalError:
        status = error.status_code
        reason = f"http_{status}"
        message = f"HTTP {status}: {self._clean(error.message)}"
        if status in _ADVICE:
            advice = _ADVICE[status].format(
                key=self._spec.api_key_env or "the key", host=self._spec.host, model=self._spec.model
            )
            return FatalError(reason, f"{advice} ({message})")
        if status in _RETRIED or status >= 500:
            wait = retry_after_s(error.response.headers, datetime.now(timezone.utc))
            return TransientError(reason, message, overloaded=status in _OVERLOADED, retry_after_s=wait)
        return RejectedError(reason, message)

    def _clean(self, text: str) -> str:
        """A host's words, without the key that some hosts repeat in them."""
        if self._key and self._key != _NO_KEY:
            text = text.replace(self._key, "[key]")
        return text[:_MESSAGE_LIMIT]


def chat_fingerprint(spec: JudgeSpec, template: PromptTemplate, plan: GroupPlan) -> str:
    """Hash of what besides the two texts and the draw can change a reply.

    The limit on a reply's length is left out: it cannot change a reply that ends by itself, and a truncated reply is
    no score. So raising it buys again only the pairs that were truncated.
    """
    parameters = {key: value for key, value in spec.parameters.items() if key not in LIMIT_PARAMETERS}
    problem = plan.group.problem if template.uses_problem else None
    parts = [template.digest, spec.model, spec.host, parameters, problem]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def read_key(spec: JudgeSpec) -> str:
    """The key from the environment. A local host may do without one.

    Raises:
        InputError: the variable is not set.
    """
    key = os.environ.get(spec.api_key_env, "").strip() if spec.api_key_env else ""
    if key:
        return key
    is_local = any(f"//{host}" in spec.base_url for host in _LOCAL_HOSTS)
    if spec.api_key_env is None or is_local:
        return _NO_KEY
    raise InputError(
        f"no API key: the environment variable {spec.api_key_env} is not set. Set it to your key for {spec.host}, "
        "name another variable with --api-key-env, or try --judge proxy, which needs none"
    )


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that a host asks to wait: `Retry-After` as a number or as an HTTP date, None when it does not say."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (ValueError, TypeError):
        return None


def _reply(completion: dict[str, Any], latency_s: float) -> Reply:
    """The parts of a completion that are kept. Hosts differ in the names of reasoning and cache hits."""
    choice = completion["choices"][0]
    message = choice["message"]
    usage = completion.get("usage") or {}
    return Reply(
        content=_text(message.get("content")) or "",
        reasoning=_text(message.get("reasoning_content") or message.get("reasoning")),
        finish_reason=_text(choice.get("finish_reason")),
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        cached_tokens=_cached_tokens(usage),
        model=_text(completion.get("model")),
        provider=_text(completion.get("provider")),
        system_fingerprint=_text(completion.get("system_fingerprint")),
        latency_s=latency_s,
    )


def _cached_tokens(usage: dict[str, Any]) -> int | None:
    """Prompt tokens served by a prefix cache: `prompt_tokens_details` (OpenAI, vLLM) or DeepSeek's own field."""
    details = usage.get("prompt_tokens_details") or {}
    return _count(details.get("cached_tokens", usage.get("prompt_cache_hit_tokens")))


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _text(value: object) -> str | None:
    """A host's text without lone surrogates, which no file can hold."""
    return well_formed(value)[0] if isinstance(value, str) else None
