"""One host, called over HTTP: a call ends in the reply's text or in a `CallError`.

    HostClient -> `connections` (aiohttp) -> network -> `transport` (bytes, no more than a limit) -> text

Nothing goes to another origin than the host's, no header goes out that is not named here, and nothing is tried again:
whoever calls retries, in one place, where attempts are counted. The SDK of the API is not used, as its own work on a
call and that of the library below it cost eight times what sending the call does.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from diversity_judge.errors import InputError
from diversity_judge.hosts.address import Address, proxy_of
from diversity_judge.hosts.calls import CallError, FatalError, TransientError, error_of_status, retry_after_s
from diversity_judge.hosts.completion import sentence_of
from diversity_judge.hosts.connections import check_certificates, network_errors, open_session, timeout_of
from diversity_judge.hosts.descriptors import soft_limit
from diversity_judge.hosts.secrets import NO_KEY, Scrubber
from diversity_judge.hosts.transport import ACCEPTED_ENCODINGS, read_refusal, read_reply
from diversity_judge.rubric import Missing

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

_USER_AGENT = "diversity-judge"
_MOST_REDIRECTS = 20
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAME_REQUEST = frozenset({307, 308})
"""Redirects that send the same request elsewhere; after the others it becomes a GET without a body."""

_OF_OPENAI = {"OPENAI_ORG_ID": "OpenAI-Organization", "OPENAI_PROJECT_ID": "OpenAI-Project"}
"""Variables by which a user of several says for which one a call is made: sent to that company alone."""


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
        self._session: aiohttp.ClientSession | None = None
        self._headers: dict[str, str] = {}
        self._base: URL | None = None
        self._urls: dict[str, URL] = {}

    async def post(self, path: str, body: Mapping[str, Any]) -> str:
        """Send JSON, get the reply's text.

        Raises:
            CallError: there is no reply; the subclass says what to do about it.
        """
        packed = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        return await self._finish("POST", path, packed, self._deadline_s)

    async def get(self, path: str, *, deadline_s: float) -> str:
        """Get a text, from a path below the base URL or from another URL of the same origin.

        Raises:
            CallError: there is no reply.
        """
        return await self._finish("GET", path, None, deadline_s)

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _finish(self, method: str, path: str, body: bytes | None, deadline_s: float) -> str:
        """One call, whose every failure is an error of `calls`."""
        session = self._session or self._open()
        import aiohttp

        try:
            return self.scrubber.replace(await self._exchange(session, method, self._url(path), body, deadline_s))
        except CallError:
            raise
        except asyncio.TimeoutError:
            raise TransientError(Missing.TIMEOUT, f"no reply within {deadline_s:g} s") from None
        except aiohttp.ClientHttpProxyError as error:
            raise self._proxy_refused(error) from None
        except network_errors() as error:
            raise self._no_connection(error) from None
        except Exception as error:  # What the host sent broke what was to read it.
            said = self.scrubber.clean(f"{type(error).__name__}: {error}")
            raise TransientError(Missing.MALFORMED, f"{self.address.shown} sent what cannot be read ({said})") from None

    async def _exchange(
        self, session: aiohttp.ClientSession, method: str, url: URL, body: bytes | None, deadline_s: float
    ) -> str:
        """Send a request and read the reply, following redirects within the host's origin."""
        assert self._base is not None
        ends = asyncio.get_running_loop().time() + deadline_s
        for _ in range(1 + _MOST_REDIRECTS):
            if url.origin() != self._base.origin():
                raise self._redirected(url)
            timeout = timeout_of(ends - asyncio.get_running_loop().time())
            headers = self._headers if body is None else {**self._headers, "Content-Type": "application/json"}
            async with session.request(
                method, url, data=body, headers=headers, allow_redirects=False, timeout=timeout
            ) as response:
                status = response.status
                if 200 <= status < 300:
                    return await read_reply(response)
                location = _location(response, url) if status in _REDIRECTS else None
                if location is None:
                    raise self._refused(status, response.headers, await read_refusal(response))
                url = location
                if status not in _SAME_REQUEST:
                    method, body = "GET", None
        raise self._refused(status, {}, "")

    def _proxy_refused(self, error: aiohttp.ClientHttpProxyError) -> CallError:
        """The error of a proxy that makes no tunnel; one that asks for a password asks for it at every call."""
        if error.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            return self._refused(error.status, {}, error.message)
        said = self.scrubber.clean(f"the proxy says HTTP {error.status} {error.message}")
        return TransientError(Missing.CONNECTION, f"no connection to {self.address.shown} ({said})")

    def _no_connection(self, error: BaseException) -> CallError:
        if _lacks_descriptors(error):
            return TransientError(
                Missing.CONNECTION,
                f"too many open files: this process may have {soft_limit()} descriptors open, and each call needs one; "
                "lower --concurrency or raise the limit (ulimit -n)",
                overloaded=True,
            )
        said = self.scrubber.clean(str(error)) or type(error).__name__
        return TransientError(Missing.CONNECTION, f"no connection to {self.address.shown} ({said})")

    def _open(self) -> aiohttp.ClientSession:
        """Made at the first call: a dry run needs no key and does not wait for the library's import."""
        from yarl import URL

        try:
            url = URL(self.address.url.rstrip("/"), encoded=True)
            self._base = url.with_user(None)
        except ValueError as error:
            raise InputError(f"the base URL {self.address.shown} cannot be called: {type(error).__name__}") from None
        self._headers = self._headers_of(url)
        self._session = open_session(self.address, self._proxy)
        return self._session

    def _headers_of(self, url: URL) -> dict[str, str]:
        """What goes out with every request besides what HTTP itself needs."""
        authorization = f"Bearer {self._key}"
        if url.raw_user is not None or url.raw_password is not None:
            named = f"{unquote(url.raw_user or '')}:{unquote(url.raw_password or '')}"
            authorization = f"Basic {b64encode(named.encode()).decode('ascii')}"
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": ACCEPTED_ENCODINGS,
            "Authorization": authorization,
            "User-Agent": _USER_AGENT,
        }
        if self.address.is_openai:
            headers |= {name: os.environ[variable] for variable, name in _OF_OPENAI.items() if os.environ.get(variable)}
        return headers

    def _url(self, path: str) -> URL:
        from yarl import URL

        if path not in self._urls:
            absolute = path if "://" in path else f"{self._base}{path}"
            self._urls[path] = URL(absolute, encoded=True).with_user(None)
        return self._urls[path]

    def _redirected(self, url: URL) -> CallError:
        """The error of a host that sends its callers elsewhere: their texts and key stay here."""
        there = self.scrubber.clean(str(url.origin()))
        return FatalError(
            "redirect",
            f"{self.address.shown} redirects to another origin, {there}: nothing was sent there. If that is where the "
            "model is, name it with --base-url",
        )

    def _refused(self, status: int, headers: Mapping[str, str], body: str) -> CallError:
        """The error of a status other than success."""
        said = self.scrubber.clean(sentence_of(body))
        return error_of_status(
            status,
            said,
            host=self.address.shown,
            model=self._model,
            key_name=self._key_name if self._key != NO_KEY else None,
            retry_after_s=retry_after_s(headers, datetime.now(timezone.utc)),
        )


def _location(response: aiohttp.ClientResponse, url: URL) -> URL | None:
    """Where a redirect leads; None where that is nowhere."""
    from yarl import URL

    try:
        target = url.join(URL(response.headers["location"])).with_user(None).with_fragment(None)
        target.origin()
    except (KeyError, ValueError):
        return None
    return target


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
