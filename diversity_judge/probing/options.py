"""What `reliability` is asked to do, as one value, of the command line and of Python alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diversity_judge.engine.options import EngineOptions
from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import PathLike
from diversity_judge.probing.names import PROBES, probes_meant

if TYPE_CHECKING:
    from diversity_judge.judges.presets import JudgeSpec

DEFAULT_PAIRS = 100
"""With 3 draws each, the retest error is known to 10 %: its relative standard error is sqrt(2 / (m (K - 1)))."""
DEFAULT_DRAWS = 3
FOLDER = "reliability"
"""Within the run folder."""
_ENGINE = EngineOptions()


@dataclass(frozen=True)
class JudgeOptions:
    """What a run does not record of its judge, because it is a secret or lies elsewhere.

    Attributes:
        judges_file: Presets of the user's own.
        base_url: The endpoint, where the run recorded it without a part that may be a credential.
        api_key_env: The environment variable that holds the key.
        max_tokens: Another limit of a reply, which changes no score that comes.
    """

    judges_file: Path | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    max_tokens: int | None = None


@dataclass(frozen=True)
class ReliabilityOptions:
    """How a judge is probed.

    Attributes:
        pairs: Pairs of the run that are drawn, and the number that the unrelated pairs go by.
        draws: Of each pair in its order, the run's own among them.
        probes: Names of probes; `control` means all controls.
        labels: A file of people's labels; None without one.
        seed: Of the choice of pairs.
        max_calls: Most calls, or None.
        max_cost: Most USD, or None.
        yes: Spend what the bill says, without being asked.
        dry_run: Show the bill and send nothing.
        offline: Use what the ledger has, without a call.
        out: Where the outputs go; None: in Python nowhere, of the command `RUN/reliability`.
        ledger: The run's ledger, where it is not where the run left it.
        judges_file: Presets of the user's own.
        base_url: The judge's endpoint, where the run recorded it without a part that may be a credential.
        api_key_env: The environment variable that holds the key.
        max_tokens: Limit of a reply; None for the run's.
        concurrency: Most calls at a time.
        deadline: Total seconds of a call.
        max_attempts: Most calls for one judgment.
        retry_wait: First wait before asking again, in seconds.
        figures: Draw the figures.
        report: Write the page.
        write_anchors: Write some of the drawn pairs there, for `score --anchors`; None: write none.
        quiet: Print errors only.
    """

    pairs: int = DEFAULT_PAIRS
    draws: int = DEFAULT_DRAWS
    probes: Sequence[str] = PROBES
    labels: PathLike | None = None
    seed: int = 0
    max_calls: int | None = None
    max_cost: float | None = None
    yes: bool = False
    dry_run: bool = False
    offline: bool = False
    out: PathLike | None = None
    ledger: PathLike | None = None
    judges_file: PathLike | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    max_tokens: int | None = None
    concurrency: int = _ENGINE.concurrency
    deadline: float = _ENGINE.deadline_s
    max_attempts: int = _ENGINE.max_attempts
    retry_wait: float = _ENGINE.retry_wait_s
    figures: bool = True
    report: bool = True
    write_anchors: PathLike | None = None
    quiet: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            InputError: it cannot; the message names the option.
        """
        if self.pairs < 2:
            raise InputError(f"--pairs must be at least 2, not {self.pairs}")
        if self.draws < 2:
            raise InputError(f"--draws must be at least 2, not {self.draws}: one draw cannot differ from itself")
        probes = (self.probes,) if isinstance(self.probes, str) else self.probes
        object.__setattr__(self, "probes", probes_meant(probes))
        self.engine_for(None)

    @property
    def judge(self) -> JudgeOptions:
        """What the run does not record of its judge."""
        return JudgeOptions(
            None if self.judges_file is None else Path(self.judges_file),
            self.base_url,
            self.api_key_env,
            self.max_tokens,
        )

    def engine_for(self, spec: JudgeSpec | None) -> EngineOptions:
        """The limits of the calls; a judge that computes gets no lead and no second try.

        Raises:
            InputError: one cannot be meant, or a cost is limited of which the prices are not known.
        """
        if self.max_cost is not None and spec is not None and spec.prices is None:
            raise InputError(f"--max-cost needs prices, and there are none for {spec.label}: use --max-calls")
        is_embedded = spec is not None and spec.is_embedded
        return EngineOptions(
            concurrency=self.concurrency,
            deadline_s=self.deadline,
            max_attempts=self.max_attempts,
            retry_wait_s=self.retry_wait,
            max_calls=self.max_calls,
            max_cost_usd=self.max_cost,
            yes=self.yes,
            max_unusable=1 if is_embedded else _ENGINE.max_unusable,
            prefix_lead_s=0.0 if is_embedded else _ENGINE.prefix_lead_s,
        )
