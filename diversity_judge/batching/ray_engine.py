"""Exported calls through Ray Data: against servers over HTTP, or with vLLM engines on the nodes of a cluster.

    files of calls -> ray.data -> processor of `ray.data.llm` -> lines of results, as they come

Ray retries, spreads the work and survives the loss of a node; what it brings goes into the ledger at once, so that a
kill costs what was in flight. A block of calls that fails for good is left out: the next `run` or `score` asks again.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diversity_judge.batching.results import ResultLine, result_of
from diversity_judge.errors import InputError, RunError
from diversity_judge.judges.chat_format import PATH

if TYPE_CHECKING:
    import aiohttp

_CALLS_A_BLOCK = 32
"""As many are in flight at a time of each worker's block; one that fails for good costs its block."""
_CPUS_A_WORKER = 0.1
"""It waits nearly all the time."""
_OF_SERVERS = ("model", "messages", "provider", "thinking")
"""What of a request says whom to ask, and how a host is to treat it: no sampling parameter of vLLM."""
_RETRIES = 5
_FIRST_WAIT_S = 1.0


@dataclass(frozen=True)
class RayJob:
    """What Ray is to do.

    Attributes:
        files: Of calls.
        keys: The judgments that are still wanted: calls of others are not sent.
        model: Which is asked.
        base_url: Of a server; None to start vLLM engines on the cluster.
        key: For the server's API, None where it needs none.
        workers: Actors; each works on a few blocks at a time.
        engine_args: For vLLM, where engines are started.
    """

    files: tuple[Path, ...]
    keys: frozenset[str]
    model: str
    base_url: str | None
    key: str | None
    workers: int
    engine_args: Mapping[str, Any]


def run_job(job: RayJob, *, host: str) -> Iterator[ResultLine]:
    """Do a job; results come as blocks are done, in any order.

    Raises:
        InputError: Ray is not installed.
        RunError: Ray ends the job.
    """
    if importlib.util.find_spec("ray") is None:
        raise InputError("--engine ray needs Ray: pip install 'diversity-judge[ray]'")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")
    import ray

    context = ray.data.DataContext.get_current()
    context.max_errored_blocks = -1
    context.enable_progress_bars = False
    ray.init(ignore_reinit_error=True, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        rows = ray.data.from_items(list(_calls(job)), override_num_blocks=_n_blocks(job))
        done = _processor(job)(rows)
        for row in done.iter_rows():
            yield result_of(json.loads(row["result"]), host=host, model=job.model)
    except ray.exceptions.RayError as error:
        first, *_ = str(error).splitlines() or [type(error).__name__]
        raise RunError(
            f"Ray ended the job ({first}); what came before is in the ledger, the same command goes on"
        ) from error
    finally:
        ray.shutdown()


def _calls(job: RayJob) -> Iterator[dict[str, str]]:
    """One row a wanted call; its body stays text, since bodies have no common columns."""
    for path in job.files:
        with path.open(encoding="utf-8") as file:
            for line in file:
                call = json.loads(line)
                if call["custom_id"] in job.keys:
                    yield {"custom_id": call["custom_id"], "body": json.dumps(call["body"])}


def _n_blocks(job: RayJob) -> int:
    return max(1, min(200, len(job.keys) // _CALLS_A_BLOCK))


def _processor(job: RayJob) -> Any:
    from ray.data.llm import HttpRequestProcessorConfig, build_processor

    if job.base_url is None:
        return build_processor(_vllm_config(job), preprocess=_for_vllm, postprocess=_from_vllm)
    config = HttpRequestProcessorConfig(
        url=job.base_url.rstrip("/") + PATH,
        headers={"Authorization": f"Bearer {job.key}"} if job.key is not None else None,
        batch_size=_CALLS_A_BLOCK,
        concurrency=job.workers,
        max_retries=_RETRIES,
        base_retry_wait_time_in_s=_FIRST_WAIT_S,
        session_factory=_Session,
        http_request_stage={"num_cpus": _CPUS_A_WORKER},
    )
    return build_processor(config, preprocess=_for_http, postprocess=_from_http)


class _Session:
    """What Ray's stage takes for an HTTP session. It makes the requests of a block and awaits them one by one.

    Here each is on its way from the moment that it is made, so that a block is as many calls in flight; and a host that
    sends its callers elsewhere gets no text sent there, as for live calls.
    """

    async def __aenter__(self) -> _Session:
        import aiohttp

        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

    def post(self, url: str, *, headers: Mapping[str, str], data: str) -> asyncio.Future[aiohttp.ClientResponse]:
        call = self._session.post(url, headers=headers, data=data, allow_redirects=False)
        return asyncio.ensure_future(call)


def _for_http(row: dict[str, Any]) -> dict[str, Any]:
    return {"custom_id": row["custom_id"], "payload": json.loads(row["body"])}


def _from_http(row: dict[str, Any]) -> dict[str, Any]:
    """A line of results; Ray gives the body and not the status, but an error says that it is one."""
    body = row["http_response"]
    failed = isinstance(body, Mapping) and bool(body.get("error"))
    response = None if failed else {"status_code": 200, "body": body}
    return {"result": json.dumps(_line(row, response, body["error"] if failed else None))}


def _vllm_config(job: RayJob) -> Any:
    from ray.data.llm import vLLMEngineProcessorConfig

    return vLLMEngineProcessorConfig(
        model_source=job.model,
        engine_kwargs=dict(job.engine_args),
        concurrency=job.workers,
        batch_size=_CALLS_A_BLOCK,
        should_continue_on_error=True,
    )


def _for_vllm(row: dict[str, Any]) -> dict[str, Any]:
    """The request as vLLM's own engine takes it: without the names that only a server knows."""
    body = json.loads(row["body"])
    sampling = {name: value for name, value in body.items() if name not in _OF_SERVERS}
    if "max_completion_tokens" in sampling:
        sampling["max_tokens"] = sampling.pop("max_completion_tokens")
    asked = {"messages": body["messages"], "sampling_params": sampling}
    return {"custom_id": row["custom_id"], "body": row["body"], **asked}


def _from_vllm(row: dict[str, Any]) -> dict[str, Any]:
    """A line of results; a reply as long as it may be counts as cut, since the engine does not say."""
    if row.get("__inference_error__"):
        return {"result": json.dumps(_line(row, None, str(row["__inference_error__"])))}
    body = json.loads(row["body"])
    limit = body.get("max_tokens", body.get("max_completion_tokens"))
    n = int(row["num_generated_tokens"])
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": row["generated_text"]},
        "finish_reason": "length" if limit is not None and n >= int(limit) else "stop",
    }
    usage = {"prompt_tokens": int(row["num_input_tokens"]), "completion_tokens": n}
    completion = {"model": body["model"], "choices": [choice], "usage": usage}
    return {"result": json.dumps(_line(row, {"status_code": 200, "body": completion}, None))}


def _line(row: Mapping[str, Any], response: Mapping[str, Any] | None, error: Any) -> dict[str, Any]:
    return {"custom_id": row["custom_id"], "response": response, "error": error}
