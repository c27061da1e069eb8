"""Where a host is: base URLs and proxies, checked before anything is sent, and what of them may be shown.

People put credentials into addresses: before the host, as a segment of the path, in a query. What is shown or stored
is therefore never the address itself but a form of it in which nothing can be a secret. An address of which that
cannot be said is refused, without repeating it.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import os
import re
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from diversity_judge.errors import InputError

_SCHEMES = ("http", "https")
_SOCKS = ("socks5", "socks5h")
_VERSION = re.compile(r"v\d{1,2}(?:(?:alpha|beta)\d{0,2})?")
_WORDS = re.compile(r"[a-z]{1,14}(?:[._-][a-z]{1,14}){0,3}")
_NAMES_A_SECRET = re.compile(
    r"secret|token|passw|auth|apikey|api[._-]key|credential|private|bearer|(?:^|[._-])(?:sk|key|pw)(?:[._-]|$)"
)
_PLAIN = re.compile(r"[A-Za-z0-9._~-]*")
_SHORT = 7
"""Longest segment of a path that is shown whatever it holds: too short for a key."""


@dataclass(frozen=True)
class Address:
    """A host's base URL.

    Attributes:
        url: As it was given, for the HTTP client alone.
        shown: Without credentials; segments of the path that may be one are replaced by a short hash.
        hostname: Lower case, without brackets.
        secrets: What of the URL must not be shown, as it may occur in a text.
    """

    url: str = field(repr=False)
    shown: str
    hostname: str
    secrets: tuple[str, ...] = field(repr=False, default=())

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return self.shown.partition(":")[0]

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine: nothing that is sent there leaves it."""
        if self.hostname == "localhost" or self.hostname.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(self.hostname)
        except ValueError:
            return False
        return address.is_loopback or address.is_unspecified

    @property
    def is_openai(self) -> bool:
        """Whether it is the company for which the SDK's own variables (organisation, project) are meant."""
        return self.hostname == "api.openai.com"


@lru_cache(maxsize=256)
def read_address(url: str) -> Address:
    """Check a base URL.

    Raises:
        InputError: it cannot be called, or cannot be shown without showing a secret. The URL is not repeated.
    """
    if not url.isascii() or not url.isprintable() or " " in url:
        raise InputError("the base URL holds a blank or a character that no URL may hold: check --base-url")
    try:
        parts, port = _split(url)
    except InputError as error:
        raise InputError(f"the base URL cannot be called: {error}") from None
    if parts.scheme.lower() not in _SCHEMES:
        raise InputError("the base URL must begin with http:// or https://, such as http://localhost:8000/v1")
    hostname = (parts.hostname or "").lower()
    if not hostname:
        raise InputError("the base URL names no host: write it as http://HOST:PORT/v1, an IPv6 address in [brackets]")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise InputError(
            "the base URL holds a '?' or '#': a base URL ends with its path, and what follows would be sent nowhere. "
            "A key belongs into an environment variable that --api-key-env names"
        )
    if "@" in parts.path:
        raise InputError(
            "the base URL holds an '@' after the host: one in a path is written %40, one in a password too"
        )
    segments = [segment for segment in parts.path.split("/") if segment]
    hidden = [segment for segment in segments if _may_be_secret(segment)]
    path = "".join(f"/{_hash(segment) if segment in hidden else segment}" for segment in segments)
    host = f"[{hostname}]" if ":" in hostname else hostname
    shown = f"{parts.scheme.lower()}://{host}" + (f":{port}" if port is not None else "") + path
    return Address(url, shown, hostname, tuple(dict.fromkeys((*_credentials(parts), *_spellings(hidden)))))


def proxy_of(address: Address) -> str | None:
    """The proxy through which a host is called, as the usual variables say; never one for this machine itself.

    Raises:
        InputError: the variable holds no proxy's URL. It is named, its value is not.
    """
    if address.is_loopback or proxy_bypass(address.hostname):
        return None
    proxies = getproxies()
    kind = address.scheme if proxies.get(address.scheme) else "all"
    url = proxies.get(kind)
    if not url:
        return None
    url = url if "://" in url else f"http://{url}"
    names = [name for name in (f"{kind}_proxy", f"{kind}_proxy".upper()) if os.environ.get(name)]
    variable = names[0] if names else f"{kind}_proxy"
    try:
        parts, _ = _split(url)
    except InputError as error:
        raise InputError(f"{variable} is no URL of a proxy: {error}") from None
    if parts.scheme not in (*_SCHEMES, *_SOCKS) or not parts.hostname or not url.isascii() or not url.isprintable():
        raise InputError(f"{variable} is no URL of a proxy: write it as http://HOST:PORT, or unset it")
    if parts.scheme in _SOCKS and find_spec("aiohttp_socks") is None:
        raise InputError(
            f"{variable} names a SOCKS proxy, which needs a package more: pip install 'diversity-judge[socks]'"
        )
    if (parts.scheme, address.scheme) == ("https", "https") and sys.version_info < (3, 11):
        raise InputError(f"{variable} names a proxy that is itself called by https, which needs Python 3.11")
    return url


def is_socks(proxy: str) -> bool:
    """Whether a proxy that `proxy_of` gave takes connections as they are, and reads no HTTP."""
    return urlsplit(proxy).scheme in _SOCKS


def secrets_of_url(url: str) -> tuple[str, ...]:
    """Name and password in a URL, as they may occur in a text."""
    return tuple(_credentials(urlsplit(url)))


def _credentials(parts: SplitResult) -> list[str]:
    """Name and password, alone and as the header that they become; beside a password a short name is no secret."""
    user, password = parts.username or "", parts.password or ""
    if not user and not password:
        return []
    header = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode("ascii")
    return [*_spellings([password] if password and len(user) <= _SHORT else [password, user]), header]


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InputError(
            "the host or the port cannot be read: a port is a number up to 65535, an IPv6 address stands in "
            "[brackets], as in http://[::1]:8000/v1"
        ) from None
    bare = parts.netloc.rpartition("@")[2]
    if bare.count(":") > 1 and not bare.startswith("["):
        raise InputError("an IPv6 address stands in [brackets], as in http://[::1]:8000/v1")
    if bare.endswith(":") or port == 0:
        raise InputError("the port cannot be read: it is a number from 1 to 65535")
    if parts.hostname and not re.fullmatch(r"[0-9a-z._-]+|[0-9a-f:.]+(?:%[0-9a-z]+)?", parts.hostname, re.IGNORECASE):
        raise InputError("the host's name holds a character that none may hold")
    return parts, port


def _may_be_secret(segment: str) -> bool:
    """Whether a segment of a path could be a key: anything but versions, short names and plain words."""
    text = unquote(segment)
    if _NAMES_A_SECRET.search(text.lower()) or not _PLAIN.fullmatch(text):
        return True
    return len(text) > _SHORT and not _VERSION.fullmatch(text) and not _WORDS.fullmatch(text)


def _hash(segment: str) -> str:
    """What stands for a hidden segment: two endpoints stay two."""
    return f"({hashlib.sha256(segment.encode()).hexdigest()[:8]})"


def _spellings(secrets: list[str]) -> list[str]:
    return [spelling for secret in secrets for spelling in (secret, unquote(secret)) if spelling]
