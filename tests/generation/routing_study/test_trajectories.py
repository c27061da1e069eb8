"""Responses become the tokens that were read and written, or a sentence says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

transformers = pytest.importorskip("transformers")

from diversity_judge.errors import InputError  # noqa: E402
from generation.routing_study.trajectories import (  # noqa: E402
    Trajectories,
    Trajectory,
    TrajectoryOptions,
    read_trajectories,
    token_texts,
)
from tests.generation.routing_study.responses import MODEL, row, write  # noqa: E402
from tests.generation.tiny_models import EOS, write_tokenizer  # noqa: E402


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder)
    return transformers.AutoTokenizer.from_pretrained(folder)


def read(path: Path, tokenizer: Any, **options: Any) -> Trajectories:
    return read_trajectories(TrajectoryOptions(path, **options), tokenizer, model=f"elsewhere/{MODEL}")


def test_a_right_response_becomes_prompt_and_tokens(tmp_path: Path, tokenizer: Any) -> None:
    rows = [row("a", "no", correct=False), row("a", "four", sample=1), row("b", "?", correct=None)]
    found = read(write(tmp_path / "r.jsonl", rows), tokenizer)
    (item,) = found.items
    assert (item.problem_id, item.strategy, item.response, item.correct) == ("a", "token-normal", 1, True)
    assert tokenizer.decode(item.prompt_ids) == "What is a?\n"
    assert tokenizer.decode(item.token_ids[:-1]) == "four"
    assert item.token_ids[-1] == EOS
    assert list(found.sentences()) == [
        "1 response of 1 problem, 5 tokens",
        "2 of 3 responses are left out: not graded right",
    ]


def test_all_responses_can_be_read(tmp_path: Path, tokenizer: Any) -> None:
    rows = [row("a", "no", correct=False), row("a", "four", sample=1)]
    found = read(write(tmp_path / "r.jsonl", rows), tokenizer, correct_only=False)
    assert [(item.response, item.correct) for item in found.items] == [(0, False), (1, True)]


def test_a_response_that_was_cut_has_no_end(tmp_path: Path, tokenizer: Any) -> None:
    path = write(tmp_path / "r.jsonl", [row("a", "four", finish_reason="length", n_tokens=4)])
    assert tokenizer.decode(read(path, tokenizer).items[0].token_ids) == "four"


def test_the_manifest_says_whether_the_template_was_applied(tmp_path: Path, tokenizer: Any) -> None:
    path = write(tmp_path / "r.jsonl", [row("a", "four")], chat_template=False)
    assert tokenizer.decode(read(path, tokenizer).items[0].prompt_ids) == "What is a?"
    assert tokenizer.decode(read(path, tokenizer, chat_template=True).items[0].prompt_ids) == "What is a?\n"


def test_choices_come_back_into_the_prompt_where_they_stood(tmp_path: Path, tokenizer: Any) -> None:
    from generation.prompt_formats import PromptFormat

    prompt = PromptFormat.load("generate_multiple_choice")
    meta = {"kind": "choice", "n_choices": 2, "prompt": {"name": prompt.file.name, "sha256": prompt.digest}}
    path = write(tmp_path / "r.jsonl", [row("a", "A", problem="Which?\n\nA) one\nmore\nB) two", meta=meta)])
    text = tokenizer.decode(read(path, tokenizer).items[0].prompt_ids)
    assert text.count("A) one\nmore\nB) two") == 1
    assert "Which?" in text


def test_the_opening_tag_that_the_template_wrote_is_no_token_of_the_response(tmp_path: Path, tokenizer: Any) -> None:
    import copy

    opening = copy.deepcopy(tokenizer)
    opening.chat_template = "{{ messages[0]['content'] }}<think>\n"
    path = write(tmp_path / "r.jsonl", [row("a", "<think>\nfour", n_tokens=5)])
    assert tokenizer.decode(read(path, opening).items[0].token_ids[:-1]) == "four"


def test_a_budget_takes_one_response_of_each_problem_before_a_second(tmp_path: Path, tokenizer: Any) -> None:
    rows = [row("a", "four"), row("a", "five", sample=1), row("b", "six"), row("b", "seven", sample=1)]
    found = read(write(tmp_path / "r.jsonl", rows), tokenizer, max_tokens=11)
    assert [(item.problem_id, item.response, item.n_tokens) for item in found.items] == [
        ("a", 0, 5),
        ("a", 1, 2),
        ("b", 0, 4),
    ]
    assert "the token budget leaves 9 tokens out: 1 whole responses, and the ends of 1" in found.sentences()


def test_responses_of_another_model_are_refused(tmp_path: Path, tokenizer: Any) -> None:
    path = write(tmp_path / "r.jsonl", [row("a", "four", model="models/other")])
    with pytest.raises(InputError, match="was sampled by models/other, not by elsewhere/tiny"):
        read(path, tokenizer)
    assert read(path, tokenizer, any_model=True).n_tokens == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_tokens": 3}, "it had 3 tokens and is tokenised into 4"),
        ({"response": "<eos>", "n_tokens": 2}, "cannot spell it"),
        ({"meta": {"kind": "math"}}, "does not say in `meta.prompt` how it was prompted"),
        ({"meta": {"prompt": {"name": "generate_plain", "sha256": "0"}}}, "prompted with another wording"),
        ({"meta": {"prompt": {"name": "mine", "sha256": "0"}}}, "name its file, --prompt-format"),
        ({"problem": None}, "says nothing of the problem"),
    ],
)
def test_what_was_not_sampled_so_is_refused(
    tmp_path: Path, tokenizer: Any, changes: dict[str, Any], message: str
) -> None:
    rows = [{key: value for key, value in row("a", "four", **changes).items() if value is not None}]
    with pytest.raises(InputError, match=message):
        read(write(tmp_path / "r.jsonl", rows), tokenizer)


def test_mismatches_can_be_left_out(tmp_path: Path, tokenizer: Any) -> None:
    path = write(tmp_path / "r.jsonl", [row("a", "four", n_tokens=3), row("b", "six")])
    found = read(path, tokenizer, skip_mismatches=True)
    assert [item.problem_id for item in found.items] == ["b"]
    assert "1 response is left out: not tokenised as they were sampled" in found.sentences()


def test_a_file_without_a_right_response_is_refused(tmp_path: Path, tokenizer: Any) -> None:
    path = write(tmp_path / "r.jsonl", [row("a", "four", correct=False)])
    with pytest.raises(InputError, match="none of the 1 responses is graded right"):
        read(path, tokenizer)


def test_a_format_of_ones_own_is_named_by_its_file(tmp_path: Path, tokenizer: Any) -> None:
    from generation.prompt_formats import PromptFormat

    mine = tmp_path / "mine.md"
    mine.write_text(PromptFormat.load("generate_plain").file.path.read_text().replace("{problem}", "Say: {problem}"))
    meta = {"kind": "math", "prompt": {"name": "mine", "sha256": PromptFormat.load(str(mine)).digest}}
    path = write(tmp_path / "r.jsonl", [row("a", "four", meta=meta)])
    found = read(path, tokenizer, prompt_formats=(str(mine),))
    assert "Say: What is a?" in tokenizer.decode(found.items[0].prompt_ids)


def test_a_tokens_text_is_what_it_adds_to_the_response() -> None:
    """As tokenizers do that mark words: the blank stands before a word, but not where the text begins with it."""

    class Words:
        def decode(self, ids: list[int]) -> str:
            return " ".join("abc"[number] for number in ids)

    item = Trajectory("p", "s", 0, True, (0, 1), (2, 0))
    assert token_texts(Words(), item) == [" c", " a"]
