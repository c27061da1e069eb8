"""What is bought: a question to the judge, and whether a reply answers it. The engine knows no more of it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple, Protocol

from diversity_judge.planning.prompting import PromptTemplate


class Fault(NamedTuple):
    """Why a reply is no answer: the word of the tables, and a sentence."""

    reason: str
    message: str


class Question(Protocol):
    """One call's worth of asking."""

    @property
    def key(self) -> str:
        """Its key in the ledger: a hash of all that can change the answer."""
        ...

    @property
    def bundle(self) -> Hashable:
        """The same for consecutive questions whose prompts begin alike, so that a prefix cache can serve them."""
        ...

    def prompt(self, template: PromptTemplate) -> str:
        """What the judge reads.

        Args:
            template: The judge's, for pairs; a question with a template of its own leaves it aside.
        """
        ...

    def fault_of(self, content: str, finish_reason: str | None) -> Fault | None:
        """Why a reply does not answer it; None where it does."""
        ...
