"""Connections to one host, made by aiohttp as they are needed: there are as many as there are calls in flight.

The proxy and the certificates are chosen here and nowhere else; the library's own reading of the environment is off.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from diversity_judge.errors import InputError
from diversity_judge.hosts.address import Address, is_socks

if TYPE_CHECKING:
    import aiohttp

_CONNECT_TIMEOUT_S = 30.0

_IDLE_S = 4.0
"""Seconds that an idle connection is kept: many servers, vLLM's among them, close theirs after five, and a call that is
sent in that moment is lost."""

_LONGEST_HEADER = 2**17
"""Characters of one header of a reply."""


def open_session(address: Address, proxy: str | None) -> aiohttp.ClientSession:
    """A session for calls of one host; it is made where an event loop runs.

    Args:
        address: Of the host.
        proxy: Through which it is called.
    """
    import aiohttp

    is_tunnel = proxy is not None and is_socks(proxy)
    return aiohttp.ClientSession(
        connector=_connector(address, proxy, is_tunnel=is_tunnel),
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=None if is_tunnel else proxy,
        auto_decompress=False,
        trust_env=False,
        max_line_size=_LONGEST_HEADER,
        max_field_size=_LONGEST_HEADER,
    )


def timeout_of(seconds: float) -> aiohttp.ClientTimeout:
    """Of a whole call, whatever trickles in meanwhile; a connection has less.

    Raises:
        TimeoutError: there is no time left.
    """
    import aiohttp

    if seconds <= 0:
        raise asyncio.TimeoutError
    return aiohttp.ClientTimeout(total=seconds, sock_connect=min(_CONNECT_TIMEOUT_S, seconds))


def network_errors() -> tuple[type[Exception], ...]:
    """What is raised where a host, or the proxy before it, cannot be reached or leaves in the middle."""
    import aiohttp

    if "aiohttp_socks" not in sys.modules:
        return aiohttp.ClientError, OSError
    from aiohttp_socks import ProxyError

    return aiohttp.ClientError, OSError, ProxyError


def _connector(address: Address, proxy: str | None, *, is_tunnel: bool) -> aiohttp.BaseConnector:
    import aiohttp

    is_plain = address.scheme == "http" and (proxy is None or not proxy.startswith("https:"))
    options: dict[str, Any] = {
        "limit": 0,  # whoever calls limits the calls
        "keepalive_timeout": _IDLE_S,
        "ssl": True if is_plain else certificates(),
    }
    if not is_tunnel:
        return aiohttp.TCPConnector(**options)
    from aiohttp_socks import ProxyConnector, ProxyType

    assert proxy is not None
    parts = urlsplit(proxy)
    return ProxyConnector(
        host=parts.hostname or "",
        port=parts.port or 1080,
        proxy_type=ProxyType.SOCKS5,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        rdns=True,
        **options,
    )


def certificates() -> ssl.SSLContext:
    """The certificates that are trusted: those that the environment names, else the system's, else certifi's."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file or folder:
        context = ssl.create_default_context(cafile=file or None, capath=None if file else folder)
    elif sys.platform == "darwin":
        import truststore

        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    else:
        context = ssl.create_default_context()
        if not context.get_ca_certs() and ssl.get_default_verify_paths().capath is None:
            import certifi

            context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


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
