"""The parser of every command; it needs nothing heavy to be imported, so that help comes at once."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn


class CommandParser(argparse.ArgumentParser):
    """A command line that says which option was meant."""

    def error(self, message: str) -> NoReturn:
        """Usage, the fault with a suggestion, and exit code 2."""
        unknown = re.search(r"unrecognized arguments: .*?(--[\w-]+)", message)
        if unknown is not None:
            from diversity_judge.command import meant

            message += meant(unknown[1], self._option_string_actions)
        super().error(message)
