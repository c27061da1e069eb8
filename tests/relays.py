"""What stands between a client and the loopback judge: TLS, a proxy that makes tunnels, a SOCKS proxy.

A relay shakes hands in its own way and then passes bytes on to one port, whatever host was asked for: so a test can
call `https://judge.invalid` and be answered by a server on this machine.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import subprocess
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

Handshake = Callable[["Relay", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]
"""Says whether the connection is passed on."""


@dataclass(frozen=True)
class Certificate:
    """A certificate that is its own authority, for `judge.invalid` and this machine."""

    file: Path
    context: ssl.SSLContext


def make_certificate(folder: Path) -> Certificate:
    """Made by openssl, for two days."""
    file = folder / "certificate.pem"
    names = "subjectAltName=DNS:judge.invalid,DNS:localhost,IP:127.0.0.1"
    key = folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=judge.invalid"]
    subprocess.run([*command, "-addext", names, "-keyout", key, "-out", file], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return Certificate(file, context)


async def nothing_said(relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Bytes are passed on from the first."""
    return True


async def http_tunnel(relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """The CONNECT of HTTP; the relay's password, where it has one, is asked for."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    relay.asked.append(head)
    wanted = base64.b64encode(relay.password.encode()).decode()
    is_known = not relay.password or f"proxy-authorization: basic {wanted}".lower() in head.lower()
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n" if is_known else b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
    return is_known


async def socks5(relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """SOCKS 5 (RFC 1928) with a name and a password (RFC 1929) and a host by its name."""
    _, n_methods = await reader.readexactly(2)
    await reader.readexactly(n_methods)
    writer.write(b"\x05\x02")
    _, length = await reader.readexactly(2)
    user = await reader.readexactly(length)
    secret = await reader.readexactly((await reader.readexactly(1))[0])
    is_known = (user + b":" + secret).decode() == relay.password
    writer.write(b"\x01\x00" if is_known else b"\x01\x01")
    if not is_known:
        return False
    *_, kind = await reader.readexactly(4)
    assert kind == 3, "the proxy looks the name up"
    host = await reader.readexactly((await reader.readexactly(1))[0])
    port = int.from_bytes(await reader.readexactly(2), "big")
    relay.asked.append(f"{host.decode()}:{port}")
    writer.write(b"\x05\x00\x00\x01" + bytes(6))
    return True


class Relay:
    """Listens in a thread of its own; use it as a context manager.

    Args:
        target: The port that bytes are passed on to.
        handshake: What comes before.
        context: For TLS with the client.
        password: As `name:password`; empty where none is asked for.

    Attributes:
        asked: What the handshakes were asked for.
    """

    def __init__(
        self,
        target: int,
        *,
        handshake: Handshake = nothing_said,
        context: ssl.SSLContext | None = None,
        password: str = "",
    ) -> None:
        self.asked: list[str] = []
        self.password = password
        self.port = 0
        self._target, self._handshake, self._context = target, handshake, context
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)

    def __enter__(self) -> Relay:
        """Listen; returns once the port is open."""
        self._thread.start()
        listening = asyncio.start_server(self._pass_on, "127.0.0.1", 0, ssl=self._context)
        server = asyncio.run_coroutine_threadsafe(listening, self._loop).result(10)
        self.port = server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop all connections and end the thread."""
        asyncio.run_coroutine_threadsafe(self._end_all(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end_all(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await self._handshake(self, reader, writer):
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
                await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while part := await reader.read(2**16):
            writer.write(part)
            await writer.drain()
    finally:
        writer.close()
