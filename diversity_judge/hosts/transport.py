"""A reply's bytes, as they come from the network: unpacked here, no further than a limit, and made a text.

The HTTP library is kept from unpacking, for it would unpack whatever a host sends.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from diversity_judge.hosts.calls import TransientError
from diversity_judge.rubric import Missing

if TYPE_CHECKING:
    import aiohttp

LONGEST_REPLY = 64 * 2**20
"""Bytes of one reply, unpacked. A million tokens of four characters, each escaped as six bytes, have 24 million."""

_LONGEST_REFUSAL = 64 * 2**10
_UNPACKED_AT_ONCE = 2**20

_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "latin1", "windows-1252"})
"""Of a reply; any other name is passed over, and JSON is then UTF-8 as its standard says."""

_PACKED = ("gzip", "x-gzip", "deflate")

ACCEPTED_ENCODINGS = "gzip, deflate"
"""What is asked for."""


async def read_reply(response: aiohttp.ClientResponse) -> str:
    """The text of a success.

    Raises:
        TransientError: it is too long, or packed in a way that cannot be undone.
    """
    read = bytearray()
    await _read(response, read, LONGEST_REPLY)
    return read.decode(_charset(response.headers.get("content-type", "")), "replace")


async def read_refusal(response: aiohttp.ClientResponse) -> str:
    """The text of a refusal as far as it can be read: what counts is the status."""
    import aiohttp

    read = bytearray()
    with contextlib.suppress(TransientError, aiohttp.ClientError):
        await _read(response, read, _LONGEST_REFUSAL)
    return read.decode("utf-8", "replace")


async def _read(response: aiohttp.ClientResponse, read: bytearray, limit: int) -> None:
    """Add a body, unpacked, to what was read, up to a limit in bytes."""
    unpacker = _unpacker(response.headers.get("content-encoding", "identity").strip().lower())
    async for part in response.content.iter_any():
        for plain in unpacker.feed(part):
            read += plain
            if len(read) > limit:
                raise TransientError(Missing.MALFORMED, f"the reply is longer than the limit of {limit / 2**20:g} MiB")
    read += unpacker.rest()


class _Unpacker(Protocol):
    def feed(self, packed: bytes) -> Iterable[bytes]: ...

    def rest(self) -> bytes: ...


class _AsItIs:
    def feed(self, packed: bytes) -> Iterable[bytes]:
        return (packed,)

    def rest(self) -> bytes:
        return b""


class _Inflating:
    """Unpacks gzip and deflate, never much at once.

    Args:
        encoding: As the host named it.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._inflate: zlib._Decompress | None = None

    def feed(self, packed: bytes) -> Iterable[bytes]:
        if self._inflate is None and packed:
            self._inflate = zlib.decompressobj(_format_of(self._encoding, packed))
        while packed and self._inflate is not None and not self._inflate.eof:
            try:
                yield self._inflate.decompress(packed, _UNPACKED_AT_ONCE)
            except zlib.error as error:
                raise TransientError(
                    Missing.MALFORMED, f"the reply says that it is packed as {self._encoding} and is not ({error})"
                ) from None
            packed = self._inflate.unconsumed_tail

    def rest(self) -> bytes:
        return self._inflate.flush() if self._inflate is not None else b""


def _unpacker(encoding: str) -> _Unpacker:
    if encoding in ("", "identity"):
        return _AsItIs()
    if encoding in _PACKED:
        return _Inflating(encoding)
    raise TransientError(Missing.MALFORMED, f"the reply is packed as {encoding[:40]!a}, which was not asked for")


def _format_of(encoding: str, start: bytes) -> int:
    """Zlib's number of the format; some hosts leave out the header that `deflate` has by its standard."""
    if encoding != "deflate":
        return 16 + zlib.MAX_WBITS
    return zlib.MAX_WBITS if start[0] & 0x0F == zlib.DEFLATED else -zlib.MAX_WBITS


def _charset(content_type: str) -> str:
    charset = content_type.lower().partition("charset=")[2].split(";")[0].strip(" \"'")
    return charset if charset in _CHARSETS else "utf-8"
