"""`score` over the API's SDK and its HTTP library, as it was before: the yardstick of `benchmarks.fast_hosts`.

    python -m benchmarks.sdk_host ARGUMENTS OF SCORE

Only the client of a host is another; it does less than the real one (no rules for redirects, no limit on a reply, no
secrets taken out), so what is measured against it is no better than it was.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any
from unittest import mock

import openai

from diversity_judge.hosts.address import Address
from diversity_judge.score import main

_CONNECTIONS_A_POOL = 8
"""The library below the SDK looks at every connection of a pool at every call: many small pools cost less."""


class SdkHost:
    """In place of `HostClient`."""

    def __init__(self, address: Address, key: str, *, key_name: str | None, model: str, deadline_s: float) -> None:
        self._address, self._key, self._deadline_s = address, key, deadline_s
        self._free: list[openai.AsyncOpenAI] = []
        self._clients: list[openai.AsyncOpenAI] = []

    async def post(self, path: str, body: Mapping[str, Any]) -> str:
        """Send JSON, get the reply's text."""
        if not self._free:
            client = openai.AsyncOpenAI(
                base_url=self._address.url, api_key=self._key, max_retries=0, timeout=self._deadline_s
            )
            self._clients.append(client)
            self._free.extend([client] * _CONNECTIONS_A_POOL)
        place = self._free.pop()
        try:
            return await place.post(path, cast_to=str, body=body)
        finally:
            self._free.append(place)

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            await client.close()


if __name__ == "__main__":
    with mock.patch("diversity_judge.judges.chat.HostClient", SdkHost):
        sys.exit(main())
