"""The judge of a batch, as its record keeps it: enough to submit, fetch and account for it in a later command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.hosts.address import read_address
from diversity_judge.judges.base import Reply
from diversity_judge.judges.presets import BatchTerms, JudgeSpec, Prices
from diversity_judge.ledger import Ledger
from diversity_judge.runs.batches import RECORD, BatchRecord, batch_folder, read_record
from diversity_judge.runs.ledger_place import lies_in


@dataclass(frozen=True)
class BatchJudge:
    """Who is asked.

    Attributes:
        label: As the tables name the judge.
        model: Which model.
        host: As it may be shown; it is what the ledger notes.
        base_url: To call; None where it holds a credential, which no file keeps.
        api_key_env: The variable that holds the key.
        output_limit: The most tokens of a reply.
        prices: Of a live call; None where they are not known.
        terms: Of the host's batches.
    """

    label: str
    model: str
    host: str
    base_url: str | None
    api_key_env: str | None
    output_limit: int | None
    prices: Prices | None
    terms: BatchTerms

    @classmethod
    def of(cls, spec: JudgeSpec) -> BatchJudge:
        """Of the judge that calls are exported for."""
        address = read_address(spec.base_url)
        return cls(
            label=spec.label,
            model=spec.model,
            host=spec.host,
            base_url=None if address.secrets or address.url.rstrip("/") != address.shown else spec.base_url,
            api_key_env=spec.api_key_env,
            output_limit=spec.output_limit,
            prices=spec.prices,
            terms=spec.batch or BatchTerms(),
        )

    @classmethod
    def from_record(cls, value: Mapping[str, Any], path: Path) -> BatchJudge:
        """As an earlier command kept it.

        Raises:
            InputError: it is not of this form.
        """
        try:
            prices = value["prices"]
            return cls(
                **{
                    **value,
                    "prices": None if prices is None else Prices(**prices),
                    "terms": BatchTerms(**value["terms"]),
                }
            )
        except (TypeError, KeyError, ValueError) as error:
            raise InputError(f"{path}: its judge cannot be read ({error}): export again into this folder") from None

    def as_record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def cost(self, reply: Reply) -> float | None:
        """USD of one reply at the batch's price; None where no prices are known."""
        if self.prices is None:
            return None
        live = self.prices.cost(
            prompt_tokens=reply.prompt_tokens or 0,
            completion_tokens=reply.completion_tokens or 0,
            cached_tokens=reply.cached_tokens or 0,
        )
        return live * self.terms.price_share


def needed_record(run: Path) -> BatchRecord:
    """What was exported for a run.

    Raises:
        InputError: nothing was, or the record cannot be read.
    """
    record = read_record(run)
    if record is None:
        raise InputError(
            f"{run}: no calls were exported here; begin with: python -m diversity_judge.batch export RESPONSES "
            f"--out {run}"
        )
    return record


def open_ledger(run: Path, record: BatchRecord) -> Ledger:
    """The ledger that the results of a run's calls go into; made where it is the run folder's own.

    Raises:
        InputError: it lies elsewhere and is not there any more, so that `score` would look for the results in vain.
    """
    if not (lies_in(run, record.ledger) or record.ledger.is_file()):
        raise InputError(
            f"{batch_folder(run) / RECORD}: the ledger of these calls, {record.ledger}, is not there: bring it there, "
            "or export again with --ledger and the place where it is now"
        )
    return Ledger(record.ledger)
