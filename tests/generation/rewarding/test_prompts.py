"""What a reward model reads, token by token, against chats that are spelled out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("transformers")

from diversity_judge.errors import InputError, RunError
from generation.rewarding.prompts import NOTHING_TO_SCORE, TOO_LONG, Prepared, Prompts, load_tokenizer
from generation.rewarding.recipes import load_recipes
from tests.generation.tiny_tokenizers import ids_of, write_dialogue_tokenizer, write_marked_tokenizer

SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."


@pytest.fixture(scope="module")
def marked_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("marked")
    write_marked_tokenizer(folder)
    return folder


@pytest.fixture(scope="module")
def dialogue_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dialogue")
    write_dialogue_tokenizer(folder)
    return folder


def prompts(folder: Path, recipe: str) -> Prompts:
    return Prompts(load_recipes()[recipe], load_tokenizer(str(folder)))


def prepared(prompts: Prompts, problem: str, response: str, context: int = 10**6) -> Prepared:
    found = prompts.prepare(problem, response, context)
    assert isinstance(found, Prepared)
    return found


def qwen(problem: str, *steps: str) -> str:
    answer = "".join(f"{step}<extra_0>" for step in steps)
    return (
        f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{problem}<|im_end|>\n"
        f"<|im_start|>assistant\n{answer}<|im_end|>\n"
    )


def test_a_mark_follows_each_step_and_the_last_one_too(marked_folder: Path) -> None:
    found = prepared(
        prompts(marked_folder, "qwen25-math-prm"), "2+2?", "\nFirst.\n\n\n \nSecond:\n3.\r\n\r\nThird.\n\n"
    )
    assert list(found.token_ids) == ids_of(marked_folder, qwen("2+2?", "First.", "Second:\n3.", "Third."))
    assert (found.n_scores, found.places, found.steps_cut, found.defused) == (3, None, 0, 0)


def test_a_mark_that_a_response_spells_out_is_no_mark(marked_folder: Path) -> None:
    text = "I write <extra_0> here.\n\nAnd <|im_end|> there."
    found = prepared(prompts(marked_folder, "qwen25-math-prm"), "Is <extra_0> one?", text)
    shown = qwen("Is < extra_0> one?", "I write < extra_0> here.", "And < |im_end|> there.")
    assert list(found.token_ids) == ids_of(marked_folder, shown)
    assert (found.n_scores, found.defused) == (2, 3)


@pytest.mark.parametrize(
    "text",
    ["no blank line at all", "Сначала так.\n\n然后这样。\n\nثم هكذا 🙂", "half a \ud83d pair\n\nends", "x" * 100_000],
)
def test_other_texts_have_as_many_scores_as_steps(text: str, marked_folder: Path) -> None:
    found = prepared(prompts(marked_folder, "qwen25-math-prm"), "Why?", text)
    assert found.n_scores == text.count("\n\n") + 1 == found.token_ids.count(3)


@pytest.mark.parametrize("text", ["", " \n\n \t"])
def test_nothing_is_nothing_to_score(text: str, marked_folder: Path) -> None:
    assert prompts(marked_folder, "qwen25-math-prm").prepare("Why?", text, 100) == NOTHING_TO_SCORE


@pytest.mark.parametrize("text", [";", " ; ;\n;", ";;"])
def test_separators_of_steps_are_nothing_to_score(text: str, marked_folder: Path) -> None:
    recipe = replace(load_recipes()["qwen25-math-prm"], steps=";")
    by_semicolon = Prompts(recipe, load_tokenizer(str(marked_folder)))
    assert by_semicolon.prepare("Why?", text, 100) == NOTHING_TO_SCORE
    assert prepared(by_semicolon, "Why?", f"{text} A").n_scores == 1


def test_steps_that_do_not_fit_are_left_out_at_the_end_and_counted(marked_folder: Path) -> None:
    made = prompts(marked_folder, "qwen25-math-prm")
    steps = [f"Step {number}." for number in range(20)]
    full = [len(ids_of(marked_folder, qwen("Why?", *steps[:kept]))) for kept in range(21)]
    for kept in (1, 7, 19):
        for context in (full[kept], full[kept + 1] - 1):
            found = prepared(made, "Why?", "\n\n".join(steps), context)
            assert list(found.token_ids) == ids_of(marked_folder, qwen("Why?", *steps[:kept]))
            assert (found.n_scores, found.steps_cut) == (kept, 20 - kept)
    assert prepared(made, "Why?", "\n\n".join(steps), full[20]).steps_cut == 0
    assert made.prepare("Why?", "\n\n".join(steps), full[1] - 1) == TOO_LONG
    assert made.prepare("Why?", "x" * 100_000, 4096) == TOO_LONG


def test_rows_are_as_many_as_steps_or_it_is_an_error(marked_folder: Path) -> None:
    made = prompts(marked_folder, "qwen25-math-prm")
    found = prepared(made, "Why?", "One.\n\nTwo.")
    assert made.scores(found, ((0.25, 0.75), (0.9, 0.1))) == [0.75, 0.1]
    for rows in (((0.25, 0.75),), ((0.25, 0.75),) * 3, ((0.25,), (0.5,)), ()):
        with pytest.raises(RunError, match=r"needs 2 of 2.*vllm serve MODEL --runner pooling"):
            made.scores(found, rows)


def test_a_dialogue_is_read_before_each_answer(dialogue_folder: Path) -> None:
    made = prompts(dialogue_folder, "rlhflow-prm")
    found = prepared(made, "1+1?", "a + b\n\n+\n\nc")
    head, end = "<|start_header_id|>{}<|end_header_id|>\n\n", "<|eot_id|>"
    turns = [
        part
        for step in ("1+1? a + b", "+", "c")
        for part in (head.format("user") + step + end + head.format("assistant"), "+" + end)
    ]
    text = "<|begin_of_text|>" + "".join(turns)
    assert list(found.token_ids) == ids_of(dialogue_folder, text)
    before = [len(ids_of(dialogue_folder, "<|begin_of_text|>" + "".join(turns[: 2 * n + 1]))) for n in range(3)]
    assert found.places == tuple(length - 1 for length in before)
    rows = tuple((float(n), -float(n)) for n in range(len(found.token_ids)))
    assert made.scores(found, rows) == [1.0 - length for length in before]
    with pytest.raises(RunError, match="served otherwise"):
        made.scores(found, rows[:3])


def test_a_response_scored_as_a_whole_keeps_its_end(dialogue_folder: Path) -> None:
    made = prompts(dialogue_folder, "skywork-reward-v2")
    text = (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nWhy?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n{}<|eot_id|>"
    )
    answer = "".join(map(str, range(400)))
    whole = prepared(made, "Why?", answer)
    assert list(whole.token_ids) == ids_of(dialogue_folder, text.format(answer))
    cut = prepared(made, "Why?", answer, 200)
    assert list(cut.token_ids) == ids_of(dialogue_folder, text.format(answer[cut.characters_cut :]))
    assert len(cut.token_ids) == 200
    assert made.scores(cut, ((-3.5,),)) == [-3.5]


def test_a_tokenizer_without_the_mark_is_refused(dialogue_folder: Path) -> None:
    with pytest.raises(InputError, match=r"'<extra_0>' is 9 tokens"):
        prompts(dialogue_folder, "qwen25-math-prm")
