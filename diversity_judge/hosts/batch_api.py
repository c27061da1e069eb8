"""A host's batch API: files up, batches begun and looked at, results down, through the SDK's own calls.

Few calls, so the SDK's price a call does not matter here, unlike in `client`. The rules are the same: nothing follows a
redirect, nothing goes through a proxy to this machine itself, no header names an organisation to strangers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diversity_judge.errors import RunError
from diversity_judge.hosts.address import Address, proxy_of
from diversity_judge.hosts.calls import CallError, TransientError, error_of_status
from diversity_judge.hosts.completion import sentence_of
from diversity_judge.hosts.secrets import NO_KEY, Scrubber
from diversity_judge.rubric import Missing

if TYPE_CHECKING:
    import openai
    from openai.types import Batch

_TRANSFER_S = 3600.0
"""Of a file of hundreds of megabytes."""
_CALL_S = 60.0
_BATCHES_A_PAGE = 100
_NO_API = frozenset({404, 405, 501})
_CHUNK = 2**20


@dataclass(frozen=True)
class BatchStatus:
    """How a batch stands.

    Attributes:
        batch_id: The host's name for it.
        input_file_id: Of its calls.
        word: The host's own, such as `in_progress`.
        output: Id (or URL) of the file of replies, if there is one yet.
        errors: The same of the calls that failed.
        said: Why the host refuses it, if it does.
    """

    batch_id: str
    input_file_id: str
    word: str
    output: str | None
    errors: str | None
    said: str

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.word in ("completed", "failed", "expired", "cancelled")


class BatchAPI:
    """The batch API of one host.

    Args:
        address: The base URL.
        key: Of the API; `NO_KEY` where the host needs none.
        key_name: The variable that it came from.
        model: Which is asked, for messages.
    """

    def __init__(self, address: Address, key: str, *, key_name: str | None, model: str) -> None:
        self._address, self._key_name, self._model = address, key_name, model
        self._has_key = key != NO_KEY
        self._proxy = proxy_of(address)
        self._scrubber = Scrubber([key], address=address, proxy=self._proxy)
        self._client = self._new_client(key)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def upload(self, path: Path) -> str:
        """Hand over a file of calls; returns its id.

        Raises:
            CallError: the host does not take it.
        """
        with self._calling("files"), path.open("rb") as file:
            made = self._client.files.create(file=(path.name, file), purpose="batch", timeout=_TRANSFER_S)
            return _needed(made.id)

    def begin(self, input_file_id: str, *, endpoint: str, window: str) -> BatchStatus:
        """Begin a batch.

        Raises:
            CallError: the host does not.
        """
        with self._calling("batches"):
            window_: Any = window  # hosts have others than the SDK's one
            endpoint_: Any = endpoint
            return _status(
                self._client.batches.create(
                    input_file_id=input_file_id, endpoint=endpoint_, completion_window=window_, timeout=_CALL_S
                )
            )

    def find(self, input_file_id: str) -> BatchStatus | None:
        """The batch of a file of calls, where one was begun: a kill may have come between that and noting it.

        Raises:
            CallError: the host does not say.
        """
        with self._calling("batches"):
            for batch in self._client.batches.list(limit=_BATCHES_A_PAGE, timeout=_CALL_S):
                if batch.input_file_id == input_file_id:
                    return _status(batch)
        return None

    def status(self, batch_id: str) -> BatchStatus:
        """How a batch stands.

        Raises:
            CallError: the host does not say.
        """
        with self._calling("batches"):
            return _status(self._client.batches.retrieve(batch_id, timeout=_CALL_S))

    def cancel(self, batch_id: str) -> BatchStatus:
        """Ask for the end of a batch; what was answered before stays to be fetched.

        Raises:
            CallError: the host refuses.
        """
        with self._calling("batches"):
            return _status(self._client.batches.cancel(batch_id, timeout=_CALL_S))

    def download(self, file_id: str, path: Path) -> None:
        """Save a file of results; not whole where this ends in an error.

        Raises:
            CallError: the host does not give it.
            OSError: the disk does not take it.
        """
        with self._calling("files"):
            content = self._client.files.with_streaming_response.content(file_id, timeout=_TRANSFER_S)
            with content as response, path.open("wb") as file:
                for part in response.iter_bytes(_CHUNK):
                    file.write(part)

    @contextlib.contextmanager
    def _calling(self, what: str) -> Iterator[None]:
        """Whatever goes wrong becomes an error of `calls`."""
        import openai

        try:
            yield
        except openai.APIStatusError as error:
            raise self._refused(error.status_code, error.response, what) from None
        except openai.APITimeoutError:
            raise TransientError(Missing.TIMEOUT, f"{self._address.shown} did not answer in time") from None
        except openai.APIConnectionError as error:
            said = self._scrubber.clean(str(error.__cause__ or error))
            raise TransientError(Missing.CONNECTION, f"no connection to {self._address.shown} ({said})") from None
        except (CallError, OSError, RunError):
            raise
        except Exception as error:  # What the host sent broke what was to read it.
            said = self._scrubber.clean(f"{type(error).__name__}: {error}")
            raise TransientError(
                Missing.MALFORMED, f"{self._address.shown} sent what cannot be read ({said})"
            ) from None

    def _refused(self, status: int, response: Any, what: str) -> CallError:
        said = self._scrubber.clean(sentence_of(response.text))
        if status in _NO_API:
            return CallError(
                f"http_{status}",
                f"{self._address.shown} has no /{what} that can be called (HTTP {status}: {said}): give it the files "
                "of calls by its own tool, then: python -m diversity_judge.batch ingest FILE... --out RUN",
            )
        return error_of_status(
            status,
            said,
            host=self._address.shown,
            model=self._model,
            key_name=self._key_name if self._has_key else None,
        )

    def _new_client(self, key: str) -> openai.OpenAI:
        import openai

        kept_at_home = {} if self._address.is_openai else dict.fromkeys(_OF_OPENAI, openai.Omit())
        headers: Any = {"Authorization": f"Bearer {key}", **kept_at_home}
        return openai.OpenAI(
            base_url=self._address.url,
            api_key=key,
            max_retries=2,
            default_headers=headers,
            http_client=openai.DefaultHttpxClient(trust_env=False, proxy=self._proxy, follow_redirects=False),
        )


_OF_OPENAI = ("OpenAI-Organization", "OpenAI-Project")
"""The SDK takes them from the environment, for any host."""


def _status(batch: Batch) -> BatchStatus:
    problems = (batch.errors.data or []) if batch.errors is not None else []
    return BatchStatus(
        batch_id=_needed(batch.id),
        input_file_id=str(batch.input_file_id),
        word=str(batch.status),
        output=batch.output_file_id,
        errors=batch.error_file_id,
        said="; ".join(str(problem.message) for problem in problems[:3]),
    )


def _needed(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise ValueError("the host gave no id")
    return name
