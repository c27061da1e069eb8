"""Makes ids and texts of strangers harmless on a terminal, in a file name and in a hash.

Problem ids, strategies and responses come from other people's files and from models at high temperature.
They hold escape sequences, right-to-left overrides, path separators and halves of surrogate pairs. Data must
not become a command: each way out of the program has its one function here.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

ELLIPSIS = "…"
REPLACEMENT = "�"
SLUG_LENGTH = 80
"""Longest slug. Two of them, a separator and a suffix stay below the 255 bytes of common file systems."""
HASH_LENGTH = 10
"""Hexadecimal digits of the suffix: 40 bits, so that a thousand ids collide once in two million runs."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_UNSAFE_IN_A_NAME = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NOT_SAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LOOKS_HASHED = re.compile(rf"-[0-9a-f]{{{HASH_LENGTH}}}$")
_WINDOWS_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def printable(text: str, limit: int | None = None) -> str:
    r"""Shows a text on one line, with nothing in it that a terminal or a log would act on.

    Control characters, escapes, line breaks, bidirectional overrides, zero-width and unassigned characters
    become their visible escape (`\n`, `\x1b`, `\u202e`); every kind of space becomes a space. Other
    characters stay. Markup of a console library (rich's `[red]`) is that library's to escape.

    Args:
        text: Any text, lone surrogates included.
        limit: Longest result in characters; a longer one is cut and ends in an ellipsis.

    Returns:
        A text for which `str.isprintable()` is true.

    Raises:
        ValueError: `limit` is below 1.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    # No character becomes shorter: this prefix decides the result, however long the text.
    head = text if limit is None else text[: limit + 1]
    shown = head if head.isprintable() else "".join(_visible(character) for character in head)
    if limit is None or len(shown) <= limit:
        return shown
    return shown[: limit - 1] + ELLIPSIS


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def well_formed(text: str) -> tuple[str, int]:
    """Replaces lone surrogates, which can be neither sent nor hashed, and says how many there were.

    Returns:
        The text with U+FFFD in their places, and their number.
    """
    return (text, 0) if text.isascii() else _SURROGATE.subn(REPLACEMENT, text)


def unsafe_in_a_name(text: str) -> int | None:
    """Where in an id the first character stands that breaks tables and lists: control, line break, lone surrogate."""
    if text.isprintable():  # Nearly every id, and none of these characters is.
        return None
    found = _UNSAFE_IN_A_NAME.search(text)
    return found.start() if found else None


def slug(text: str, *, max_length: int = SLUG_LENGTH) -> str:
    """Turns a text into a name that is safe for a file, an array and a link.

    The name holds only `A-Z a-z 0-9 . _ -`, neither starts nor ends with one of the last three, and never
    holds two underscores in a row, so that names joined by `__` can be told apart. A text that is such a name
    already is kept; any other gets a hash of the whole text as a suffix, so that two texts never share a
    name. Names that differ in case alone are `slugs`' concern.

    Raises:
        ValueError: `max_length` leaves no room for the suffix.
    """
    if max_length < 2 * HASH_LENGTH:
        raise ValueError(f"max_length must be at least {2 * HASH_LENGTH}, not {max_length}")
    name = re.sub("__+", "_", _NOT_SAFE.sub("-", text)).strip("._-")
    is_kept = (
        name == text
        and 0 < len(name) <= max_length
        and not _LOOKS_HASHED.search(name)
        and not _WINDOWS_DEVICE.fullmatch(name)
    )
    return name if is_kept else _with_hash(name, text, max_length)


def slugs(texts: Iterable[str], *, max_length: int = SLUG_LENGTH) -> dict[str, str]:
    """Names several texts at once, so that no two names are the same even where case is ignored.

    Each text of a case-insensitive collision gets the hash suffix, the first one too: the result does not
    depend on the order.

    Returns:
        Text to name, in order of first appearance.
    """
    names = {text: slug(text, max_length=max_length) for text in texts}
    uses = Counter(name.lower() for name in names.values())
    return {
        text: name if uses[name.lower()] == 1 else _with_hash(name, text, max_length) for text, name in names.items()
    }


def _with_hash(name: str, text: str, max_length: int) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_LENGTH]
    if _WINDOWS_DEVICE.fullmatch(name):
        name = f"id-{name}"
    return f"{name[: max_length - HASH_LENGTH - 1].rstrip('._-') or 'id'}-{digest}"
