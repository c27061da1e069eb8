"""One host, called over HTTP: a call ends in the reply's text or in a `CallError`.

    SDK -> HTTP library -> `transport` -> the library's own transport -> network

The SDK's own retries are off: whoever calls retries, in one place, where attempts are counted.
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from diversity_judge.errors import InputError
from diversity_judge.hosts.address import Address, proxy_of
from diversity_judge.hosts.calls import CallError, FatalError, TransientError, error_of_status, retry_after_s
from diversity_judge.hosts.completion import sentence_of
from diversity_judge.hosts.descriptors import soft_limit
from diversity_judge.hosts.secrets import NO_KEY, Scrubber
from diversity_judge.hosts.transport import one_origin_transport, origin_of
from diversity_judge.rubric import Missing

if TYPE_CHECKING:
    import openai

_CONNECT_TIMEOUT_S = 30.0
_CONNECTIONS_A_POOL = 8

_HEADERS = frozenset(
    {"host", "authorization", "content-type", "content-length", "transfer-encoding", "accept", "accept-encoding"}
    | {"connection", "user-agent", "idempotency-key"}
)
"""What a request may carry, and what the SDK says about itself (`x-stainless-`)."""


class HostClient:
    """A host that may be called by many at once. Connections are made as they are needed.

    Args:
        address: The base URL.
        key: Of the API; `NO_KEY` where the host needs none.
        key_name: The environment variable that it came from.
        model: Which will be asked for, for the advice in errors.
        deadline_s: Total seconds that a call may take, whatever trickles in meanwhile.

    Raises:
        InputError: the proxy or the file of certificates that the environment names is of no use.
    """

    def __init__(self, address: Address, key: str, *, key_name: str | None, model: str, deadline_s: float) -> None:
        check_certificates()
        self.address = address
        self._key, self._key_name, self._model = key, key_name, model
        self._deadline_s = deadline_s
        self._proxy = proxy_of(address)
        self.scrubber = Scrubber([key], address=address, proxy=self._proxy)
        self._free: list[openai.AsyncOpenAI] = []
        self._clients: list[openai.AsyncOpenAI] = []

    async def post(self, path: str, body: Mapping[str, Any]) -> str:
        """Send JSON, get the reply's text.

        Raises:
            CallError: there is no reply; the subclass says what to do about it.
        """
        place = self._place()
        # The SDK's typed method spends a third of a call's CPU time on checking what is sent and rebuilding what comes
        # back; here the reply is kept as it came, fields that only some hosts have included.
        return await self._finish(place, place.post(path, cast_to=str, body=body), self._deadline_s)

    async def get(self, path: str, *, deadline_s: float) -> str:
        """Get a text, from a path below the base URL or from another URL of the same origin.

        Raises:
            CallError: there is no reply.
        """
        place = self._place()
        return await self._finish(place, place.get(path, cast_to=str), deadline_s)

    async def close(self) -> None:
        """Close the connections."""
        self._free.clear()
        while self._clients:
            await self._clients.pop().close()

    async def _finish(self, place: openai.AsyncOpenAI, call: Any, deadline_s: float) -> str:
        """Await a call with a total deadline: blank keep-alive lines reset a read timeout, so it must not be alone."""
        import openai

        try:
            text: str = await asyncio.wait_for(call, deadline_s)
            return self.scrubber.replace(text)
        except CallError:
            raise
        except (asyncio.TimeoutError, openai.APITimeoutError):
            raise TransientError(Missing.TIMEOUT, f"no reply within {deadline_s:g} s") from None
        except openai.APIConnectionError as error:
            raise self._no_connection(error.__cause__ or error) from None
        except OSError as error:
            raise self._no_connection(error) from None
        except Exception as error:  # What the host sent broke what was to read it.
            said = self.scrubber.clean(f"{type(error).__name__}: {error}")
            raise TransientError(Missing.MALFORMED, f"{self.address.shown} sent what cannot be read ({said})") from None
        finally:
            self._free.append(place)

    def _no_connection(self, error: BaseException) -> CallError:
        if isinstance(error, CallError):
            return error
        if _lacks_descriptors(error):
            return TransientError(
                Missing.CONNECTION,
                f"too many open files: this process may have {soft_limit()} descriptors open, and each call needs one; "
                "lower --concurrency or raise the limit (ulimit -n)",
                overloaded=True,
            )
        said = self.scrubber.clean(str(error)) or type(error).__name__
        return TransientError(Missing.CONNECTION, f"no connection to {self.address.shown} ({said})")

    def _place(self) -> openai.AsyncOpenAI:
        """A client with room for a call, the most recently used first.

        The HTTP library looks at every connection of a pool at every call, so many small pools cost a fraction of one
        large one. The first is made at the first call: a dry run needs no key and does not wait for the SDK's import.
        """
        if not self._free:
            client = self._new_client()
            self._clients.append(client)
            self._free.extend([client] * _CONNECTIONS_A_POOL)
        return self._free.pop()

    def _new_client(self) -> openai.AsyncOpenAI:
        import openai

        http = self._http
        limits = http.Limits(max_connections=_CONNECTIONS_A_POOL, max_keepalive_connections=_CONNECTIONS_A_POOL)
        inner = http.AsyncHTTPTransport(verify=self._certificates, limits=limits, proxy=self._proxy, trust_env=False)
        timeout = openai.Timeout(self._deadline_s, connect=min(_CONNECT_TIMEOUT_S, self._deadline_s))
        try:
            return openai.AsyncOpenAI(
                base_url=self.address.url,
                api_key=self._key,
                max_retries=0,
                timeout=timeout,
                default_headers={"Authorization": f"Bearer {self._key}"},
                http_client=openai.DefaultAsyncHttpxClient(
                    transport=one_origin_transport(http, inner, self),
                    trust_env=False,
                    headers={"accept-encoding": "gzip, deflate"},
                ),
            )
        except (ValueError, http.InvalidURL) as error:
            raise InputError(f"the base URL {self.address.shown} cannot be called: {type(error).__name__}") from None

    @cached_property
    def _http(self) -> Any:
        """The HTTP library behind the SDK, which differs between its versions."""
        import openai

        return import_module(type(openai.DEFAULT_CONNECTION_LIMITS).__module__.partition(".")[0])

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        """Shared by all clients: reading them takes as long as several calls."""
        context: ssl.SSLContext = self._http.create_ssl_context()
        return context

    @cached_property
    def origin(self) -> tuple[str, str, int | None]:
        """Scheme, host and port as the HTTP library reads them."""
        return origin_of(self._http.URL(self.address.url))

    def may_send(self, header: str) -> bool:
        """Whether a request may carry a header. The SDK adds what it finds in the environment, for any host."""
        return header in _HEADERS or header.startswith("x-stainless-") or self.address.is_openai

    def redirected(self, url: Any) -> CallError:
        """The error of a host that sends its callers elsewhere: their texts and key stay here."""
        there = self.scrubber.clean(f"{url.scheme}://{url.host}" + (f":{url.port}" if url.port is not None else ""))
        return FatalError(
            "redirect",
            f"{self.address.shown} redirects to another origin, {there}: nothing was sent there. If that is where the "
            "model is, name it with --base-url",
        )

    def refused(self, status: int, headers: Mapping[str, str], body: bytes) -> CallError:
        """The error of a status other than success."""
        said = self.scrubber.clean(sentence_of(body.decode("utf-8", "replace")))
        return error_of_status(
            status,
            said,
            host=self.address.shown,
            model=self._model,
            key_name=self._key_name if self._key != NO_KEY else None,
            retry_after_s=retry_after_s(headers, datetime.now(timezone.utc)),
        )


def _lacks_descriptors(error: BaseException | None) -> bool:
    """Whether an error comes from the limit on open files, however often it was wrapped."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        error = waiting.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return True
        waiting += [error.__cause__, error.__context__, *getattr(error, "exceptions", ())]
    return False


def check_certificates() -> None:
    """Read the file of certificates that the environment names, where it names one.

    Raises:
        InputError: it cannot be read, or holds none.
    """
    path = os.environ.get("SSL_CERT_FILE")
    if not path:
        return
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        said = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"SSL_CERT_FILE names {path}, which holds no certificates that can be read ({said}): mend or unset it"
        ) from None
