"""Files of calls to a host's batch API and back, so that a kill at any moment costs nothing twice.

    exported -> (upload) -> uploaded -> (begin) -> submitted -> (results into the ledger) -> done

The record is written between the steps. After a kill between `begin` and its note, the host is asked whether it works
on the file already.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from diversity_judge.batching.record import BatchJudge
from diversity_judge.batching.requests import URL
from diversity_judge.errors import InputError, RunError
from diversity_judge.files import write_whole
from diversity_judge.hosts.address import read_address
from diversity_judge.hosts.batch_api import BatchAPI, BatchStatus
from diversity_judge.hosts.calls import CallError
from diversity_judge.hosts.secrets import read_key
from diversity_judge.runs.batches import ON_THEIR_WAY, BatchFile, BatchRecord, Stage, batch_folder, write_record

Told = Callable[[BatchFile], None]
"""Called after each step with the file as it is now."""


def open_api(judge: BatchJudge, base_url: str | None) -> BatchAPI:
    """The batch API of the host that the calls were exported for.

    Args:
        judge: Of the record.
        base_url: Where it was given anew, since the record keeps no address with a credential.

    Raises:
        InputError: no API can be called there, its address is not known, or the key or a package is missing.
    """
    if not judge.terms.is_called:
        raise InputError(
            f"the batch API of {judge.host} is not one that this command can call: give it the files by its own tool, "
            "then put the results into the ledger with `batch ingest FILE... --out RUN`"
        )
    url = base_url or judge.base_url
    if url is None:
        raise InputError("the base URL of the judge holds a credential, which no file keeps: name it with --base-url")
    address = read_address(url)
    if address.shown.rstrip("/") != judge.host.rstrip("/"):
        raise InputError(f"the calls were exported for {judge.host}, not for {address.shown}: export again for it")
    if importlib.util.find_spec("openai") is None:
        raise InputError("a host's batch API needs a package more: pip install 'diversity-judge[batch]'")
    key = read_key(judge.api_key_env, judge.host)
    return BatchAPI(address, key, key_name=judge.api_key_env, model=judge.model)


def key_for(judge: BatchJudge, base_url: str | None) -> str | None:
    """The key for a server that the user names; None where it needs none, or where no server is asked.

    Raises:
        InputError: the variable that was named is not set.
    """
    if base_url is None or judge.api_key_env is None:
        return None
    return read_key(judge.api_key_env, read_address(base_url).shown)


def submit_all(run: Path, record: BatchRecord, api: BatchAPI, window: str, told: Told) -> BatchRecord:
    """Submit every file that no host works on yet.

    Raises:
        RunError: the host does not take one; those before it are submitted.
    """
    for file in record.files:
        if file.stage is Stage.EXPORTED:
            record = _note(run, record, _uploaded(run, file, api))
    for file in record.files:
        if file.stage is Stage.UPLOADED:
            begun = _begun(file, api, window)
            record = _note(run, record, begun)
            told(begun)
    return record


def _uploaded(run: Path, file: BatchFile, api: BatchAPI) -> BatchFile:
    with _as_run_error(f"{file.name} was not submitted"):
        return replace(file, stage=Stage.UPLOADED, input_file_id=api.upload(batch_folder(run) / file.name))


def _begun(file: BatchFile, api: BatchAPI, window: str) -> BatchFile:
    """With the batch that the host works on: an earlier command may have begun it and been killed before its note."""
    assert file.input_file_id is not None
    with _as_run_error(f"{file.name} was not submitted"):
        status = api.find(file.input_file_id) or api.begin(file.input_file_id, endpoint=URL, window=window)
    return replace(file, stage=Stage.SUBMITTED, batch_id=status.batch_id, said=status.word)


def fetch_results(run: Path, record: BatchRecord, api: BatchAPI, told: Told) -> Iterator[tuple[BatchFile, list[Path]]]:
    """Download what is ready: for each finished batch the file of calls and its files of results.

    The caller puts the results into the ledger and then notes the file as done.

    Raises:
        RunError: the host does not say how a batch stands, or does not give its results.
    """
    for file in record.files:
        if file.stage is not Stage.SUBMITTED or file.batch_id is None:
            continue
        with _as_run_error(f"{file.name} was not fetched"):
            status = api.status(file.batch_id)
        now = replace(file, said=status.word + (f": {status.said}" if status.said else ""))
        told(now)
        if status.is_over:
            yield now, _download(api, status, batch_folder(run), file)


def cancel_all(run: Path, record: BatchRecord, api: BatchAPI, told: Told) -> BatchRecord:
    """End every batch at the host; what it has answered by then is still to be fetched.

    Raises:
        RunError: the host refuses.
    """
    for file in record.files:
        if file.stage in ON_THEIR_WAY:
            ended = _cancelled(file, api)
            record = _note(run, record, ended)
            told(ended)
    return record


def _cancelled(file: BatchFile, api: BatchAPI) -> BatchFile:
    """Of a file that was only uploaded it is not certain that there is a batch."""
    assert file.input_file_id is not None
    with _as_run_error(f"{file.name} was not cancelled"):
        batch_id = file.batch_id
        if batch_id is None:
            begun = api.find(file.input_file_id)
            if begun is None:
                return replace(file, stage=Stage.EXPORTED, input_file_id=None)
            batch_id = begun.batch_id
        status = api.cancel(batch_id)
    return replace(file, stage=Stage.SUBMITTED, batch_id=batch_id, said=status.word)


def done(run: Path, record: BatchRecord, file: BatchFile) -> BatchRecord:
    """Note that a file's results are in the ledger."""
    stage = Stage.CANCELLED if file.said is not None and file.said.startswith("cancelled") else Stage.DONE
    return _note(run, record, replace(file, stage=stage))


def _note(run: Path, record: BatchRecord, file: BatchFile) -> BatchRecord:
    record = record.with_file(file)
    write_record(run, record)
    return record


def _download(api: BatchAPI, status: BatchStatus, folder: Path, file: BatchFile) -> list[Path]:
    paths = []
    for word, file_id in (("results", status.output), ("errors", status.errors)):
        if not file_id:
            continue
        if "://" in file_id:
            raise RunError(
                f"{file.name}: the host gives its {word} at a web address, {file_id.partition('?')[0]}: download it "
                "and put it into the ledger with `batch ingest FILE --out RUN`"
            )
        path = folder / file.name.replace("requests", word)
        with _as_run_error(f"{file.name} was not fetched"):
            write_whole(path, partial(api.download, file_id))
        paths.append(path)
    return paths


@contextlib.contextmanager
def _as_run_error(what: str) -> Iterator[None]:
    """A block whose failing call ends the command in a sentence."""
    try:
        yield
    except CallError as error:
        raise RunError(f"{what}: {error}") from error
