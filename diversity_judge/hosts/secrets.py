"""Keys: where they come from, which are refused, and texts without them.

Hosts, proxies and HTTP libraries repeat what they were sent. Every text of theirs passes through a `Scrubber` before
it is stored or shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from diversity_judge.errors import InputError
from diversity_judge.hosts.address import Address, secrets_of_url
from diversity_judge.text_safety import printable

NO_KEY = "none"
"""What is sent as the key to a host that needs none: the SDK refuses to send nothing."""

_MESSAGE_LIMIT = 500
_READ_LIMIT = 8 * _MESSAGE_LIMIT
_PART = 8
"""Characters of a key that say something about it: hosts show its beginning and end."""

_SHORTEST = 4
"""Characters of a secret that is looked for: a shorter one is a placeholder, and every text holds it by chance."""

_MASK = "[key]"

_CREDENTIAL = re.compile(
    r"(?:.*(?:apikey|authorization|password|passwd|secret|credential|privatekey|accesskey|bearer).*"
    r"|auth|xapikey|(?:.*(?:access|api|auth|bearer|hf|id|refresh|session))?token)"
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LOOKS_RANDOM = re.compile(r"(?=.*\d)(?=.*[a-z])\w{20,}")
_LOOKS_LIKE_A_KEY = re.compile(r"(?:sk|pk|rk|hf|xai|gsk|key)[-_][A-Za-z0-9_-]{12,}|bearer\s+\S+", re.IGNORECASE)


def read_key(variable: str | None, host: str) -> str:
    """The key from the environment variable that was named; a host for which none was named gets none.

    Raises:
        InputError: the variable is not set, or holds what no key holds. The key is not repeated.
    """
    if variable is None:
        return NO_KEY
    if not variable:
        raise InputError("--api-key-env names no variable: leave it out for a host that needs no key")
    if not _VARIABLE.fullmatch(variable) or (variable not in os.environ and _LOOKS_RANDOM.fullmatch(variable)):
        raise InputError(
            "--api-key-env takes the name of an environment variable, and what it was given looks like the key itself: "
            "set a variable to the key (export MY_KEY=...) and name that"
        )
    key = os.environ.get(variable, "").strip(" \t\r\n")
    if not key:
        raise InputError(
            f"no API key: the environment variable {variable} is not set. Set it to your key for {host}, name another "
            "variable with --api-key-env, or none for a host that needs no key"
        )
    for position, character in enumerate(key, start=1):
        if not "!" <= character <= "~":
            raise InputError(
                f"the key in {variable} holds {_named(character)} at position {position} of {len(key)}, which no key "
                "does: it came in by copying. Set the variable again without it; nothing was sent"
            )
    return key


class Scrubber:
    """Takes secrets out of texts.

    Args:
        secrets: Keys, passwords and the like.
        address: Whose credentials are secrets too.
        proxy: Likewise.
    """

    def __init__(
        self, secrets: Iterable[str] = (), *, address: Address | None = None, proxy: str | None = None
    ) -> None:
        found = [secret for secret in secrets if secret != NO_KEY]
        if address is not None:
            found += address.secrets
        if proxy is not None:
            found += secrets_of_url(proxy)
        found = [secret for secret in found if len(secret) >= _SHORTEST]
        spellings = [spelling for secret in found for spelling in (secret, repr(secret)[1:-1], quote(secret, safe=""))]
        self._secrets = sorted(set(spellings), key=len, reverse=True)
        self._parts = tuple(filter(is_telling, self._secrets))

    def replace(self, text: str) -> str:
        """A text of any length without the secrets; one that a text may well hold by chance stays."""
        for secret in self._parts:
            if secret in text:
                text = text.replace(secret, _MASK)
        return text

    def clean(self, text: str) -> str:
        """A host's or a library's words as one printable line, without the secrets and without parts of them."""
        text = text[:_READ_LIMIT]
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        return printable(" ".join(self._without_parts(text).split()), _MESSAGE_LIMIT)

    def _without_parts(self, text: str) -> str:
        for secret in self._parts:
            pieces, start = [], 0
            while start < len(text):
                end = start + _PART
                if text[start:end] in secret and end <= len(text):
                    while end < len(text) and text[start : end + 1] in secret:
                        end += 1
                    pieces.append(_MASK)
                    start = end
                else:
                    pieces.append(text[start])
                    start += 1
            text = "".join(pieces)
        return text


def is_telling(key: str) -> bool:
    """Whether a key is long enough to be one, and not the placeholder that a local server is given."""
    return len(key) > _PART


def credential_in(parameters: Mapping[str, Any]) -> str | None:
    """The name of the first parameter that is, or may well be, a credential, however deep it stands."""
    return next(_credentials(parameters), None)


def without_credentials(value: Any) -> Any:
    """Settings as they may be stored: what may be a credential is only named."""
    if isinstance(value, Mapping):
        return {
            name: _MASK if _is_credential(name, item) else without_credentials(item) for name, item in value.items()
        }
    return [without_credentials(item) for item in value] if isinstance(value, (list, tuple)) else value


def _credentials(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if _is_credential(name, item):
                yield str(name)
            yield from _credentials(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _credentials(item)


def _is_credential(name: object, value: object) -> bool:
    plain = re.sub(r"[^a-z]", "", str(name).lower())
    named = bool(_CREDENTIAL.fullmatch(plain)) and value is not None and not isinstance(value, bool)
    return named or (isinstance(value, str) and bool(_LOOKS_LIKE_A_KEY.match(value.strip())))


def _named(character: str) -> str:
    names = {" ": "a blank", "\n": "a line break", "\r": "a line break", "\t": "a tab"}
    return names.get(character, f"the character U+{ord(character):04X}")
