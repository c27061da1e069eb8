"""A checkpoint that `router_update` wrote, in real vLLM: it loads, and its probabilities are those of transformers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers", minversion="5")

from generation.router_update import main  # noqa: E402
from tests.generation import vllm_job  # noqa: E402
from tests.generation.router_training.cases import plain_logprobs, write_responses  # noqa: E402
from tests.generation.vllm_job import Ask, Engine  # noqa: E402

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]

PROMPTS = [list(range(60 + i, 80 + 2 * i)) for i in range(4)]


def test_vllm_gives_the_tokens_the_probabilities_that_transformers_gives(
    tiny_model: Callable[[str], str], tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM

    old, new = Path(tiny_model("qwen3_moe")), tmp_path / "new"
    responses = write_responses(tmp_path / "responses.jsonl")
    command = [str(old), str(responses), "--dtype", "float32", "--lr", "0.05", "--steps", "6", "--evaluate-every", "2"]
    assert main([*command, "--held-out", "0.34", "--out", str(new)]) == 0

    batch = [Ask(prompt, params={"logprobs": 1}) for prompt in PROMPTS]
    (done,) = vllm_job.run([Engine(str(new), [batch], {"dtype": "float32"})], tmp_path)
    models = {folder: AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval() for folder in (old, new)}
    distances = dict.fromkeys(models, 0.0)
    for prompt, answer in zip(PROMPTS, done.batches[0], strict=True):
        for folder, model in models.items():
            with torch.no_grad():
                expected = plain_logprobs(model, prompt, answer.tokens[0])
            found = torch.tensor(answer.logprobs[0])
            assert len(found) == len(answer.tokens[0]) == 24
            distances[folder] = max(distances[folder], float((found - expected).abs().max()))
    assert distances[new] < 2e-4
    assert distances[old] > 100 * distances[new]
