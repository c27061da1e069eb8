"""What stands between an HTTP library and the network, so that rules hold for whatever the library does.

It sees every request before it leaves and every reply before anybody reads it: nothing goes to another origin than the
host's, no header goes out that nobody named, a status other than success is an error of `calls`, and a reply is
unpacked here, no further than its limit.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from diversity_judge.hosts.calls import CallError, TransientError
from diversity_judge.rubric import Missing

LONGEST_REPLY = 64 * 2**20
"""Bytes of one reply, unpacked. A million tokens of four characters, each escaped as six bytes, have 24 million."""

_LONGEST_REFUSAL = 64 * 2**10
_UNPACKED_AT_ONCE = 2**20

_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "latin1", "windows-1252"})
"""Of a reply; any other name is passed over, and JSON is then UTF-8 as its standard says."""

_PACKED = ("gzip", "x-gzip", "deflate")
"""Encodings that are asked for."""


class Rules(Protocol):
    """What a transport asks of its client."""

    @property
    def origin(self) -> tuple[str, str, int | None]:
        """The only scheme, host and port that are called."""

    def may_send(self, header: str) -> bool:
        """Whether a request may carry a header, in lower case."""

    def redirected(self, url: Any) -> CallError:
        """The error of a host that sends its callers to another origin."""

    def refused(self, status: int, headers: Mapping[str, str], body: bytes) -> CallError:
        """The error of a status other than success."""


def one_origin_transport(http: Any, inner: Any, rules: Rules) -> Any:
    """A transport of an HTTP library that keeps the rules.

    Args:
        http: The library, whose classes are the base of what it is given.
        inner: Its own transport.
        rules: What may be sent where, and what refusals mean.
    """
    return type("OneOriginTransport", (_Transport, http.AsyncBaseTransport), {})(http, inner, rules)


class _Transport:
    def __init__(self, http: Any, inner: Any, rules: Rules) -> None:
        self._inner, self._rules = inner, rules
        self._body_class = type("ReplyBody", (_ReplyBody, http.AsyncByteStream), {})

    async def handle_async_request(self, request: Any) -> Any:
        rules = self._rules
        if origin_of(request.url) != rules.origin:
            raise rules.redirected(request.url)
        for name in [name for name in request.headers if not rules.may_send(name)]:
            del request.headers[name]
        response = await self._inner.handle_async_request(request)
        status, headers = response.status_code, response.headers
        is_success = 200 <= status < 300
        encoding = headers.pop("content-encoding", "identity").strip().lower()
        headers.pop("content-length", None)
        body = self._body_class(response.stream, encoding, LONGEST_REPLY if is_success else _LONGEST_REFUSAL)
        if not is_success and not response.has_redirect_location:
            raise rules.refused(status, headers, await _what_is_readable(body))
        if (content_type := headers.get("content-type", "")) and not _has_known_charset(content_type):
            headers["content-type"] = "application/json"
        response.stream = body
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _ReplyBody:
    """A reply's bytes, unpacked, up to a limit.

    Args:
        stream: The bytes as they come.
        encoding: How they are packed.
        limit: Most bytes after unpacking.
    """

    def __init__(self, stream: Any, encoding: str, limit: int) -> None:
        self._stream, self._encoding, self._limit = stream, encoding, limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._unpacked():
            size += len(part)
            if size > self._limit:
                await self._stream.aclose()
                raise TransientError(
                    Missing.MALFORMED, f"the reply is longer than the limit of {self._limit / 2**20:g} MiB"
                )
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def _unpacked(self) -> AsyncIterator[bytes]:
        if self._encoding in ("", "identity"):
            async for part in self._stream:
                yield part
            return
        if self._encoding not in _PACKED:
            await self._stream.aclose()
            raise TransientError(
                Missing.MALFORMED, f"the reply is packed as {self._encoding[:40]!r}, which was not asked for"
            )
        unpacker = None
        try:
            async for part in self._stream:
                packed = part
                if unpacker is None and packed:
                    unpacker = zlib.decompressobj(_format_of(self._encoding, packed))
                while packed and unpacker is not None and not unpacker.eof:
                    yield unpacker.decompress(packed, _UNPACKED_AT_ONCE)
                    packed = unpacker.unconsumed_tail
            if unpacker is not None:
                yield unpacker.flush()
        except zlib.error as error:
            await self._stream.aclose()
            raise TransientError(
                Missing.MALFORMED, f"the reply says that it is packed as {self._encoding} and is not ({error})"
            ) from None


def _format_of(encoding: str, start: bytes) -> int:
    """Zlib's number of the format; some hosts leave out the header that `deflate` has by its standard."""
    if encoding != "deflate":
        return 16 + zlib.MAX_WBITS
    return zlib.MAX_WBITS if start[0] & 0x0F == zlib.DEFLATED else -zlib.MAX_WBITS


async def _what_is_readable(body: _ReplyBody) -> bytes:
    """The body of a refusal as far as it can be read: what counts is the status."""
    read = b""
    try:
        async for part in body:
            read += part
    except TransientError:
        pass
    finally:
        await body.aclose()
    return read


def _has_known_charset(content_type: str) -> bool:
    _, is_there, charset = content_type.lower().partition("charset=")
    return not is_there or charset.split(";")[0].strip(" \"'") in _CHARSETS


def origin_of(url: Any) -> tuple[str, str, int | None]:
    """Scheme, host and port; the port is None where it is the scheme's own."""
    return url.scheme, url.host, url.port
