"""Reading `responses.jsonl`: what is accepted, what is refused and how it is said."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diversity_judge.errors import InputError
from diversity_judge.inputs.reading import MAX_REPORTED, read_responses
from diversity_judge.inputs.responses import Response, response_line, write_responses
from diversity_judge.inputs.views import view_of
from diversity_judge.planning.groups import Showing, plan_groups
from diversity_judge.planning.pairs import PairDesign

GOOD = {"problem_id": "p", "response": "text"}


def written(folder: Path, *rows: Any, name: str = "responses.jsonl") -> Path:
    """A file of these rows: objects as JSON, strings and bytes as they are."""
    path = folder / name
    lines = [
        row if isinstance(row, bytes) else (row if isinstance(row, str) else json.dumps(row)).encode() for row in rows
    ]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def fault(path: Path, **options: Any) -> str:
    """The message with which a file is refused."""
    with pytest.raises(InputError) as caught:
        read_responses(path, **options)
    assert caught.value.exit_code == 2
    return str(caught.value).replace(str(path), "FILE")


def test_every_field_of_the_contract_is_read(tmp_path: Path) -> None:
    row = {
        "problem_id": "p",
        "response": "<think>hm</think>4",
        "strategy": "hot",
        "problem": "2+2?",
        "sample_id": "a",
        "answer": "4",
        "correct": True,
        "reward": 0.5,
        "model": "m",
        "seed": 7,
        "finish_reason": "stop",
        "n_tokens": 3,
        "meta": {"top_k": 20},
    }
    result = read_responses(written(tmp_path, row, {**GOOD, "strategy": "hot"}))
    first = result.groups[0].responses[0]
    assert first == Response(
        "p", "<think>hm</think>4", "hot", "a", "2+2?", "4", True, 0.5, "m", 7, "stop", 3, {"top_k": 20}
    )
    assert result.groups[0].problem == "2+2?"
    assert result.warnings == ()
    assert result.n_responses == 2


def test_groups_and_their_responses_keep_the_order_of_appearance(tmp_path: Path) -> None:
    rows = [("b", "x"), ("a", "x"), ("b", "y"), ("b", "x"), ("a", "x"), ("b", "y")]
    path = written(tmp_path, *({"problem_id": p, "strategy": s, "response": str(i)} for i, (p, s) in enumerate(rows)))
    groups = read_responses(path).groups
    assert [(group.problem_id, group.strategy) for group in groups] == [("b", "x"), ("a", "x"), ("b", "y")]
    assert [response.text for response in groups[0].responses] == ["0", "3"]
    assert [response.sample_id for response in groups[0].responses] == [0, 1]


def test_what_is_optional_has_its_default_and_null_is_as_good_as_absent(tmp_path: Path) -> None:
    row = {**GOOD, "strategy": None, "sample_id": None, "answer": None, "correct": None, "meta": None}
    first, second = read_responses(written(tmp_path, row, GOOD)).groups[0].responses
    assert (first.strategy, first.sample_id, first.answer, first.correct, first.meta) == ("default", 0, None, None, {})
    assert second.sample_id == 1


def test_the_problem_of_a_group_may_stand_in_any_of_its_lines(tmp_path: Path) -> None:
    rows = [GOOD, {**GOOD, "problem": "why?"}, {**GOOD, "strategy": "hot"}]
    assert [group.problem for group in read_responses(written(tmp_path, *rows)).groups] == ["why?", "why?"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("problem_id", 3.5),
        ("problem_id", True),
        ("problem_id", ""),
        ("response", 3),
        ("response", ["a"]),
        ("strategy", 0.7),
        ("strategy", ""),
        ("problem", 3),
        ("sample_id", 1.0),
        ("sample_id", True),
        ("sample_id", ""),
        ("answer", 18),
        ("correct", 2),
        ("correct", "true"),
        ("reward", "0.5"),
        ("reward", True),
        ("model", 4),
        ("seed", 1.5),
        ("finish_reason", 0),
        ("n_tokens", -1),
        ("meta", []),
    ],
)
def test_a_field_of_the_wrong_type_is_refused_with_what_it_must_be(tmp_path: Path, field: str, value: Any) -> None:
    message = fault(written(tmp_path, GOOD, {**GOOD, field: value}))
    assert message.startswith(f"FILE:2: {field} is {value!r}; it must be ")


@pytest.mark.parametrize("field", ["problem_id", "response"])
def test_a_missing_field_is_named(tmp_path: Path, field: str) -> None:
    rest = {key: value for key, value in GOOD.items() if key != field}
    assert f"FILE:2: {field} is missing" in fault(written(tmp_path, GOOD, rest))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{broken", "not valid JSON"),
        ('{"problem_id": "p", "response": "a", "reward": NaN}', "NaN is not JSON"),
        ('{"problem_id": "p", "response": "a", "reward": -Infinity}', "-Infinity is not JSON"),
        ('{"problem_id": "p", "response": "a", "reward": 1e999}', "reward is inf"),
        ('{"problem_id": "p", "response": "a", "meta": {"deep": [1e999]}}', "meta holds a number that is not finite"),
        ('{"problem_id": "p", "response": "a", "temperature": -1e999}', "meta holds a number that is not finite"),
        ('{"problem_id": "p", "response": "a", "reward": 1' + "0" * 400 + "}", "reward is 1000"),
        ('{"problem_id": "p", "response": "a", "response": "b"}', "'response' stands twice"),
        ('["p", "a"]', "not a JSON object"),
        ("[" * 100_000, "nested too deeply"),
        ('{"problem_id": "p", "response": "a", "meta": ' + '{"a":' * 800 + "1" + "}" * 801, "nested too deeply"),
        (b'{"problem_id": "p", "response": "\xff"}', "not valid UTF-8 at byte 34"),
    ],
)
def test_a_line_that_is_no_json_object_is_refused(tmp_path: Path, line: str | bytes, said: str) -> None:
    message = fault(written(tmp_path, GOOD, line, GOOD))
    assert message.startswith("FILE:2: ")
    assert said in message


def test_a_refused_row_is_not_held_against_the_next_one(tmp_path: Path) -> None:
    row = '{"problem_id": "p", "response": "a", "meta": {"x": 1e999}}'
    assert len(fault(written(tmp_path, row, '{"problem_id": "p", "response": "b"}')).splitlines()) == 1


def test_all_faults_are_reported_at_once_up_to_a_limit(tmp_path: Path) -> None:
    message = fault(written(tmp_path, GOOD, "{", {"response": 1}, GOOD))
    assert [line.split(": ")[0] for line in message.splitlines()] == ["FILE:2", "FILE:3", "FILE:3"]
    many = fault(written(tmp_path, *["{"] * (MAX_REPORTED + 5))).splitlines()
    assert len(many) == MAX_REPORTED + 1
    assert many[-1] == "... and 5 more faults"


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_a_file_without_responses_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_bytes(content)
    assert "FILE: holds no responses" in fault(path)


def test_a_file_that_is_not_there_or_is_a_folder_is_refused(tmp_path: Path) -> None:
    assert "no such file" in fault(tmp_path / "absent.jsonl")
    assert "is a folder" in fault(tmp_path)


def test_a_last_line_that_was_cut_off_is_called_so(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD, GOOD)
    path.write_bytes(path.read_bytes()[:-10])
    assert fault(path).startswith("FILE:2: the last line is cut off")


def test_a_last_line_without_a_line_break_is_fine(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD, GOOD)
    path.write_bytes(path.read_bytes()[:-1])
    assert read_responses(path).n_responses == 2


def test_byte_order_mark_blank_lines_and_windows_line_ends_are_tolerated(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    line = json.dumps(GOOD).encode()
    path.write_bytes(b"\xef\xbb\xbf" + line + b"\r\n\r\n   \n" + line + b"\r\n{\r\n")
    assert fault(path).startswith("FILE:5: ")
    path.write_bytes(b"\xef\xbb\xbf" + line + b"\r\n\r\n" + line + b"\r\n")
    assert read_responses(path).n_responses == 2


def test_a_utf_16_file_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps(GOOD), encoding="utf-16")
    assert "save it as UTF-8" in fault(path)


def test_line_separators_of_unicode_do_not_break_a_line(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps({**GOOD, "response": "a\u2028b\u0085c"}, ensure_ascii=False), GOOD)
    assert read_responses(path).groups[0].responses[0].text == "a\u2028b\u0085c"


def test_gzip_is_read_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl.gz"
    whole = gzip.compress(
        b"".join(json.dumps({**GOOD, "response": os.urandom(50).hex()}).encode() + b"\n" for _ in range(99))
    )
    path.write_bytes(whole)
    assert read_responses(path).n_responses == 99
    path.write_bytes(whole[: len(whole) // 2])
    assert "reading stops here" in fault(path)


@pytest.mark.parametrize(("first", "second"), [(1, 1), ("a", "a"), (1, "1"), (1, None)])
def test_a_sample_id_stands_for_one_response_of_a_group(tmp_path: Path, first: Any, second: Any) -> None:
    message = fault(written(tmp_path, {**GOOD, "sample_id": first}, {**GOOD, "sample_id": second}))
    assert message.startswith("FILE:2: sample_id ")
    assert "taken by FILE:1" in message


def test_the_same_sample_id_in_two_groups_is_fine(tmp_path: Path) -> None:
    rows = [{**GOOD, "sample_id": 1, "strategy": strategy} for strategy in "ab"]
    assert read_responses(written(tmp_path, *rows)).n_responses == 2


def test_a_problem_has_one_text(tmp_path: Path) -> None:
    rows = [{**GOOD, "problem": "one"}, GOOD, {**GOOD, "problem": "two", "strategy": "hot"}]
    assert fault(written(tmp_path, *rows)).startswith("FILE:3: problem differs from that of FILE:1")


def test_lone_surrogates_are_replaced_and_counted_once(tmp_path: Path) -> None:
    rows = [{**GOOD, "response": "half \ud800 and \udfff"}, {**GOOD, "meta": {"k\ud800": ["\ud800"]}}]
    result = read_responses(written(tmp_path, *rows))
    first, second = result.groups[0].responses
    assert first.text == "half � and �"
    assert second.meta == {"k�": ["�"]}
    assert len(result.warnings) == 1
    assert result.warnings[0].startswith("4 lone surrogates")


def test_a_whole_pair_of_surrogates_is_a_character(tmp_path: Path) -> None:
    result = read_responses(written(tmp_path, '{"problem_id": "p", "response": "\\ud83d\\ude00"}', GOOD))
    assert result.groups[0].responses[0].text == "😀"
    assert result.warnings == ()


def test_a_group_without_a_pair_is_a_warning(tmp_path: Path) -> None:
    result = read_responses(written(tmp_path, GOOD, GOOD, {**GOOD, "problem_id": "lonely"}))
    assert result.warnings == ("1 group (lonely / default) with one response only: no pair, so no diversity",)


def test_an_empty_response_is_a_warning(tmp_path: Path) -> None:
    result = read_responses(written(tmp_path, GOOD, {**GOOD, "response": " \n"}))
    assert len(result.warnings) == 1
    assert "without any text" in result.warnings[0]


def test_an_unknown_field_is_kept_in_meta_and_a_typing_error_is_guessed(tmp_path: Path) -> None:
    rows = [{**GOOD, "stratagy": "hot", "meta": {"a": 1}}, {**GOOD, "stratagy": "hot"}]
    result = read_responses(written(tmp_path, *rows))
    assert result.groups[0].responses[0].meta == {"stratagy": "hot", "a": 1}
    assert len(result.warnings) == 1
    assert "did you mean 'strategy'?" in result.warnings[0]


def test_hostile_names_are_harmless_in_messages(tmp_path: Path) -> None:
    row = {**GOOD, "problem_id": "\u202ex", "strategy": "[red]a", "sample_id": 1}
    for rows in ([row, row], [{**row, "problem_id": "\x1b[2J\u202e\n"}]):
        message = fault(written(tmp_path, *rows))
        assert message.isprintable()


UNSAFE = ["a\rb", "a\nb", "a\0b", "\x1b[31m", "a\tb", "a\x85b", "a\u2028b", "\x7f"]


@pytest.mark.parametrize("field", ["problem_id", "strategy", "sample_id"])
@pytest.mark.parametrize("value", UNSAFE)
def test_an_id_that_would_break_a_table_is_refused_with_its_place(tmp_path: Path, field: str, value: str) -> None:
    message = fault(written(tmp_path, GOOD, {**GOOD, field: value}))
    assert message.startswith(f"FILE:2: {field} is ")
    assert "write it without" in message
    assert message.isprintable()


def test_two_halves_of_characters_do_not_make_two_problems_one(tmp_path: Path) -> None:
    rows = [{**GOOD, "problem_id": half} for half in ("\ud800", "\udfff")]
    message = fault(written(tmp_path, *rows))
    assert [line.split(" is ")[0] for line in message.splitlines()] == ["FILE:1: problem_id", "FILE:2: problem_id"]
    assert "lone surrogate" in message


def test_control_characters_in_texts_are_no_fault(tmp_path: Path) -> None:
    row = {**GOOD, "response": "a\r\x1b[31m\0", "problem": "p\r", "answer": "\x1b"}
    assert read_responses(written(tmp_path, row, row)).groups[0].responses[0].text == "a\r\x1b[31m\0"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"problem_id": "p", "respons": "a"}, "did you mean 'response' by 'respons'?"),
        ({"problemid": "p", "response": "a"}, "problem_id is missing; every response needs it, a string that is not "
         "empty; did you mean it by 'problemid'?"),
        ({"problem": "p", "reponse": "a", "problem_ids": "p"}, "'response' by 'reponse' and 'problem_id' by"),
    ],
)  # fmt: skip
def test_a_mistyped_field_is_guessed_in_the_fault(tmp_path: Path, row: Any, said: str) -> None:
    assert said in fault(written(tmp_path, row))


def test_a_mistyped_field_of_a_later_row_is_guessed_too(tmp_path: Path) -> None:
    assert "FILE:2: response is missing" in fault(written(tmp_path, GOOD, {"problem_id": "p", "respons": "a"}))
    assert "did you mean it by 'respons'?" in fault(written(tmp_path, GOOD, {"problem_id": "p", "respons": "a"}))


def test_numbers_for_ids_and_for_right_and_wrong_are_taken_and_said_once(tmp_path: Path) -> None:
    rows = [{"problem_id": 7, "response": "a", "correct": value} for value in (1, 0, True, 1.0)]
    result = read_responses(written(tmp_path, *rows))
    assert [(g.problem_id, [r.correct for r in g.responses]) for g in result.groups] == [
        ("7", [True, False, True, True])
    ]
    assert [warning.split(" (")[0] for warning in result.warnings] == [
        "problem_id is a number, read as text",
        "correct is 0 or 1, read as false or true",
    ]
    assert "4 responses, first" in result.warnings[0]


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_beside_the_response_is_its_thinking(tmp_path: Path, field: str) -> None:
    rows = [{**GOOD, "response": "so 4", field: reasoning} for reasoning in ("add", "multiply", None, " ")]
    result = read_responses(written(tmp_path, *rows))
    texts = [response.text for response in result.groups[0].responses]
    assert texts == ["<think>add</think>\nso 4", "<think>multiply</think>\nso 4", "so 4", "so 4"]
    assert result.groups[0].responses[0].meta == {}
    assert [view_of(text, "thinking") for text in texts] == ["add", "multiply", None, None]
    assert [view_of(text, "final") for text in texts] == ["so 4"] * 4
    assert len(result.warnings) == 1
    assert "the reasoning beside the response is read as its thinking (2 responses" in result.warnings[0]


def test_two_reasonings_to_one_answer_are_no_duplicates(tmp_path: Path) -> None:
    rows = [{**GOOD, "response": "4", "reasoning": reasoning} for reasoning in ("add", "multiply")]
    plan = plan_groups(read_responses(written(tmp_path, *rows)).groups, PairDesign(), Showing())[0]
    assert len(list(plan.tasks("f"))) == 1


def test_reasoning_without_an_answer_is_a_thought_that_never_ended(tmp_path: Path) -> None:
    row = {**GOOD, "response": "", "reasoning": "first"}
    assert read_responses(written(tmp_path, row, row)).groups[0].responses[0].text == "<think>first"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"reasoning": "a", "reasoning_content": "b"}, "two different texts"),
        ({"response": "<think>a</think>4", "reasoning": "b"}, "holds its own thinking"),
    ],
)
def test_two_reasonings_of_one_response_are_refused(tmp_path: Path, fields: Any, said: str) -> None:
    assert said in fault(written(tmp_path, {**GOOD, **fields}))


def test_the_same_reasoning_twice_is_one(tmp_path: Path) -> None:
    rows = [
        {**GOOD, "response": "4", "reasoning": "a", "reasoning_content": "a\n"},
        {**GOOD, "response": "<think>\na\n</think>\n4", "reasoning": "a"},
    ]
    texts = [r.text for r in read_responses(written(tmp_path, *rows)).groups[0].responses]
    assert [view_of(text, "thinking") for text in texts] == ["a", "a"]
    assert texts[1] == rows[1]["response"]


def test_an_object_called_reasoning_is_a_setting_and_kept(tmp_path: Path) -> None:
    result = read_responses(written(tmp_path, {**GOOD, "reasoning": {"effort": "high"}}, GOOD))
    assert result.groups[0].responses[0].meta == {"reasoning": {"effort": "high"}}
    assert "reasoning" in result.warnings[0]


def test_several_files_are_one_input(tmp_path: Path) -> None:
    paths = [written(tmp_path, GOOD, name="a.jsonl"), written(tmp_path, GOOD, name="b.jsonl")]
    assert [response.sample_id for response in read_responses(paths).groups[0].responses] == [0, 1]


def test_a_duplicate_across_files_names_both_places(tmp_path: Path) -> None:
    row = {**GOOD, "sample_id": 5}
    first, second = written(tmp_path, row, name="a.jsonl"), written(tmp_path, row, name="b.jsonl")
    with pytest.raises(InputError, match="taken by") as caught:
        read_responses([first, second])
    assert f"{second}:1: " in str(caught.value)
    assert f"taken by {first}:1" in str(caught.value)


def test_no_file_and_an_unknown_format_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no input file"):
        read_responses([])
    with pytest.raises(InputError, match="unknown"):
        read_responses(written(tmp_path, GOOD), format="xml")


names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=10)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
responses = st.builds(
    Response,
    problem_id=names,
    text=texts,
    strategy=names,
    sample_id=st.integers() | names,
    answer=st.none() | texts,
    correct=st.none() | st.booleans(),
    reward=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    model=st.none() | texts,
    seed=st.none() | st.integers(),
    finish_reason=st.none() | texts,
    n_tokens=st.none() | st.integers(min_value=0),
    meta=st.dictionaries(names, st.integers() | texts, max_size=2),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(responses, min_size=1, unique_by=lambda r: (r.problem_id, r.strategy, str(r.sample_id)), max_size=8),
    st.sampled_from(["r.jsonl", "r.jsonl.gz"]),
)
def test_what_is_written_is_read_back(tmp_path: Path, originals: list[Response], name: str) -> None:
    write_responses(tmp_path / name, originals)
    read = [response for group in read_responses(tmp_path / name).groups for response in group.responses]
    assert sorted(read, key=repr) == sorted(originals, key=repr)


def test_writing_replaces_a_file_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "r.jsonl"
    write_responses(path, [Response("p", "old")])
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        write_responses(path, [Response("p", "new"), Response("p", "new", reward=float("nan"))])
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["r.jsonl"]


def test_a_line_with_half_a_surrogate_pair_can_still_be_written() -> None:
    assert json.loads(response_line(Response("p", "a\ud800b")).encode())["response"] == "a�b"
