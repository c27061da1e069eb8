"""Offline HTML pages: one file, nothing loaded from outside, and no text of a stranger ever run.

What a page shows of others (responses, replies) is data in it, never markup: JSON in a script element that cannot be
ended from inside, put in by the page's own script as text nodes only. A content security policy allows no script but
that one, by its hash, and no connection at all.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

import jinja2


def embed(value: Any) -> str:
    """JSON that may stand in a script element: no character in it can end the element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def static(package: str, name: str) -> str:
    """A file of a package's folder `static`."""
    return resources.files(package).joinpath("static", name).read_text("utf-8")


def script(package: str, names: Sequence[str]) -> str:
    """Files of a package's folder `static` as one script with names of its own."""
    body = "\n".join(static(package, name) for name in names)
    return f"(() => {{\n'use strict';\n{body}\n}})();\n"


def policy(script: str) -> str:
    """Only this script, no connection of any kind, and no picture but the page's empty icon."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def environment(package: str) -> jinja2.Environment:
    """Templates of a package's folder `templates`; everything is escaped, and a name that is not there is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
