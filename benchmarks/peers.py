"""The same calls through tools that people use instead: the whole process of each, in turn, in one run.

    loopback judge (own process, 1 s latency)  <-  score, a bare loop, and each peer in an environment of its own

The environments are made with pip where they are not there yet (`--environments`, minutes and up to a few hundred MB
each), so this needs a package index once, and is no part of the tests. Peers send and count; only `score` keeps replies
as it goes, scores them and writes tables.

    python -m benchmarks.peers [--only inspect_ai] [--repetitions 3]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from benchmarks.bare_loop import prompts
from benchmarks.measuring import run_measured, spread
from benchmarks.throughput import ENVIRONMENT, TEMPLATE, WHOLE_SIZES, run_tool, write_groups
from tests.judge_process import JudgeProcess


@dataclass(frozen=True)
class Peer:
    """A tool that sends chat completions.

    Attributes:
        requirements: What pip installs for it.
        program: Python; gets the base URL, a file of prompts (a JSON string a line) and the concurrency, and prints how
            many replies it got as its last line.
    """

    requirements: tuple[str, ...]
    program: str


_READ = """
import asyncio, json, os, sys
base_url, path, concurrency = sys.argv[1], sys.argv[2], int(sys.argv[3])
prompts = [json.loads(line) for line in open(path, encoding="utf-8")]
"""

PEERS: Mapping[str, Peer] = {
    "aiohttp, bare loop": Peer(
        ("aiohttp",),
        _READ
        + """
import aiohttp
async def main():
    todo, n = iter(prompts), 0
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        async def work():
            nonlocal n
            for prompt in todo:
                body = {"model": "loopback", "messages": [{"role": "user", "content": prompt}]}
                async with session.post(base_url + "/chat/completions", json=body) as reply:
                    n += (await reply.json())["choices"][0]["message"]["content"] is not None
        await asyncio.gather(*(work() for _ in range(concurrency)))
    print(n)
asyncio.run(main())
""",
    ),
    "openai SDK, bare loop": Peer(
        ("openai",),
        _READ
        + """
import openai
async def main():
    todo, n = iter(prompts), 0
    async with openai.AsyncOpenAI(base_url=base_url, api_key="loopback", max_retries=0) as client:
        async def work():
            nonlocal n
            for prompt in todo:
                asked = [{"role": "user", "content": prompt}]
                reply = await client.chat.completions.create(model="loopback", messages=asked)
                n += reply.choices[0].message.content is not None
        await asyncio.gather(*(work() for _ in range(concurrency)))
    print(n)
asyncio.run(main())
""",
    ),
    "inspect_ai": Peer(
        ("inspect_ai", "openai"),
        _READ
        + """
from inspect_ai.model import GenerateConfig, get_model
config = GenerateConfig(max_connections=concurrency)
model = get_model("openai/loopback", base_url=base_url, api_key="loopback", responses_api=False, config=config)
async def main():
    print(len(await asyncio.gather(*(model.generate(prompt) for prompt in prompts))))
asyncio.run(main())
""",
    ),
    "lm-eval, its API model": Peer(
        ("lm_eval[api]",),
        _READ
        + """
os.environ["OPENAI_API_KEY"] = "loopback"
from lm_eval.api.instance import Instance
from lm_eval.api.registry import get_model
from lm_eval.models.api_models import JsonChatStr
model = get_model("local-chat-completions")(
    model="loopback", base_url=base_url + "/chat/completions", num_concurrent=concurrency, tokenizer_backend=None,
    tokenized_requests=False,
)
chats = [JsonChatStr(json.dumps([{"role": "user", "content": prompt}])) for prompt in prompts]
wanted = {"max_gen_toks": 100, "until": []}
print(len(model.generate_until([Instance("generate_until", {}, (c, wanted), i) for i, c in enumerate(chats)])))
""",
    ),
    "curator": Peer(
        ("bespokelabs-curator",),
        _READ
        + """
import tempfile
os.environ |= {"OPENAI_API_KEY": "loopback", "CURATOR_CACHE_DIR": tempfile.mkdtemp(), "TELEMETRY_ENABLED": "false",
               "CURATOR_DISABLE_CACHE": "1"}
from bespokelabs import curator
class Ask(curator.LLM):
    def prompt(self, row):
        return row["prompt"]
    def parse(self, row, response):
        return [{"reply": str(response)}]
limits = {"base_url": base_url, "max_concurrent_requests": concurrency, "max_requests_per_minute": 10**6,
          "max_tokens_per_minute": 10**9}
done = Ask(model_name="openai/loopback", backend="litellm", backend_params=limits)([{"prompt": p} for p in prompts])
print(len(done.dataset))
""",
    ),
}


def environment_of(name: str, peer: Peer, folder: Path) -> Path:
    """The Python of a peer's environment, made where it is not there yet."""
    place = folder / "".join(c if c.isalnum() else "-" for c in name)
    python, marker = place / "bin" / "python", place / "installed"
    if not marker.is_file():
        print(f"installing {', '.join(peer.requirements)} into {place}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *peer.requirements], check=True)
        marker.touch()
    return python


def seconds_of(command: list[str], wanted: int) -> float:
    """Seconds of a whole process that must have got all replies.

    Raises:
        RuntimeError: it failed, or did not get all.
    """
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    numbers = [line for line in done.stdout.split() if line.isdecimal()]
    if done.returncode or not numbers or int(numbers[-1]) != wanted:
        raise RuntimeError(f"{command[0]} got {numbers[-1:]} of {wanted} replies: {done.stderr[-2000:]}")
    return seconds


def main() -> None:
    """Measure and print shares of the limit, concurrency over latency."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=sorted(PEERS), help="of the peers, this one (repeatable)")
    parser.add_argument("--environments", type=Path, default=Path.home() / ".cache" / "diversity_judge" / "peers")
    parser.add_argument("--concurrency", type=int, default=128)
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--repetitions", type=int, default=1)
    asked = parser.parse_args()
    peers = {name: PEERS[name] for name in asked.only or PEERS}
    pythons = {name: environment_of(name, peer, asked.environments) for name, peer in peers.items()}
    limit = asked.concurrency / asked.latency
    shares: dict[str, list[float]] = {name: [] for name in chain(("score",), peers)}
    with tempfile.TemporaryDirectory() as folder:
        responses, texts = Path(folder) / "responses.jsonl", Path(folder) / "prompts.jsonl"
        pairs = write_groups(responses, WHOLE_SIZES)
        texts.write_text(
            "".join(json.dumps(prompt) + "\n" for prompt in prompts(responses, TEMPLATE)), encoding="utf-8"
        )
        with JudgeProcess("--latency", str(asked.latency), "--forget-bodies") as judge:
            for repetition in range(asked.repetitions):
                out = Path(folder) / f"run{repetition}"
                command = run_tool(responses, judge.base_url, asked.concurrency, out, "--no-heatmaps")
                shares["score"].append(pairs / run_measured(command, environment=ENVIRONMENT).wall_s / limit)
                for name, peer in peers.items():
                    words = [str(pythons[name]), "-c", peer.program, judge.base_url, str(texts), str(asked.concurrency)]
                    shares[name].append(pairs / seconds_of(words, pairs) / limit)
    print(f"{pairs:,} calls of {asked.latency:g} s, {asked.concurrency} in flight, whole process:")
    print(f"share of {limit:g} calls a second")
    for name, found in shares.items():
        print(f"  {name:24} {spread(found)}")


if __name__ == "__main__":
    main()
