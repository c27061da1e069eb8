import dataclasses
import fcntl
import json
import os
from pathlib import Path
from typing import Any

import pytest

from diversity_judge.errors import InputError, RunError
from generation.response_file import (
    Manifest,
    ResponseFile,
    SampleKey,
    check_resume,
    finished_samples,
    manifest_path,
    open_response_file,
    read_manifest,
    waiting_note,
    waiting_path,
)

MANIFEST = Manifest({"model": "m", "seed": 1}, {"s": {"temperature": 1}}, {"a": "d1"}, {"math": "f1"})


def row(sample: int, text: str = "x") -> dict[str, Any]:
    return {"problem_id": "a", "strategy": "s", "sample_id": sample, "response": text}


def write(file: ResponseFile, *rows: dict[str, Any]) -> None:
    file.keep(rows)
    file.settle(rows)


def fill(path: Path, *samples: int) -> None:
    with open_response_file(path, MANIFEST, {}) as file:
        write(file, *(row(sample) for sample in samples))


def test_what_was_appended_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "r.jsonl"
    fill(path, 0, 2)
    fill(path, 1)
    assert finished_samples(path) == {SampleKey("a", "s", sample) for sample in (0, 1, 2)}
    manifest = read_manifest(path)
    assert manifest is not None
    assert len(manifest["runs"]) == 2


def test_every_cut_of_the_file_is_mended_to_whole_lines(tmp_path: Path) -> None:
    """A kill can stop a write after any byte: at each, whole lines stay and the torn one goes."""
    path = tmp_path / "r.jsonl"
    fill(path, 0, 1)
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        with open_response_file(path, MANIFEST, {}) as file:
            kept = path.read_bytes()
            assert kept == (whole if length == len(whole) else whole[:first] if length >= first else b"")
            assert len(file.finished) == kept.count(b"\n")


def test_a_torn_line_longer_than_the_reading_window_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    fill(path, 0)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"response": "' + b"x" * 200_000)
    with open_response_file(path, MANIFEST, {}):
        assert path.read_bytes() == whole


def test_texts_come_back_unchanged_even_broken_ones(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    text = "a\u2028b\r\n\x00\x1b[31m\ud800 \N{SNOWMAN}"
    with open_response_file(path, MANIFEST, {}) as file:
        write(file, row(0, text))
    (line,) = path.read_bytes().split(b"\n")[:-1]
    assert json.loads(line)["response"] == text


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (Manifest({"model": "n", "seed": 1}, {}, {}, {}), "model was 'm' and is now 'n'"),
        (Manifest({"seed": 2}, {}, {}, {}), "seed was 1 and is now 2"),
        (Manifest({}, {"s": {"temperature": 2}}, {}, {}), "the strategy 's' is not the same"),
        (Manifest({}, {}, {"a": "other"}, {}), "the problem 'a' is not the same"),
        (Manifest({}, {}, {}, {"math": "other"}), "the prompt format for 'math' is not the same"),
    ],
)
def test_a_resume_with_other_settings_is_refused_by_name(tmp_path: Path, changed: Manifest, message: str) -> None:
    path = tmp_path / "r.jsonl"
    fill(path, 0)
    before = path.read_bytes(), manifest_path(path).read_bytes()
    with pytest.raises(InputError, match=message), open_response_file(path, changed, {}):
        pass
    assert (path.read_bytes(), manifest_path(path).read_bytes()) == before


def test_a_resume_may_add_strategies_and_problems(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    fill(path, 0)
    more = Manifest(MANIFEST.settings, {"t": {}}, {"b": "d2"}, {"code": "f2"})
    with open_response_file(path, more, {}):
        pass
    manifest = read_manifest(path)
    assert manifest is not None
    assert set(manifest["strategies"]) == {"s", "t"}
    assert set(manifest["problems"]) == {"a", "b"}
    assert check_resume(path, MANIFEST) is not None


def test_a_file_of_another_origin_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("mine\n")
    with pytest.raises(InputError, match="did not write it"), open_response_file(path, MANIFEST, {}):
        pass
    assert path.read_text() == "mine\n"


def test_a_bad_line_before_the_last_and_a_repeated_line_are_named(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    fill(path, 0, 1)
    whole = path.read_text()
    path.write_text("{}\n" + whole)
    with pytest.raises(InputError, match=r"r\.jsonl:1: not a response"):
        finished_samples(path)
    path.write_text(whole + whole)
    with pytest.raises(InputError, match=r"r\.jsonl:3: .* twice"):
        finished_samples(path)


def test_two_runs_cannot_write_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with (
        open_response_file(path, MANIFEST, {}),
        pytest.raises(RunError, match="another run"),
        open_response_file(path, MANIFEST, {}),
    ):
        pass


def test_a_run_that_wrote_nothing_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with pytest.raises(RunError, match="no engine"), open_response_file(path, MANIFEST, {}):
        raise RunError("no engine")
    assert list(tmp_path.iterdir()) == []
    fill(path, 0)
    with pytest.raises(RunError, match="no engine"), open_response_file(path, MANIFEST, {}):
        raise RunError("no engine")
    assert finished_samples(path) == {SampleKey("a", "s", 0)}
    assert manifest_path(path).exists()


@pytest.mark.parametrize("content", [None, b"", b'{"problem_id": "a", "str'])
def test_a_manifest_without_a_line_binds_nobody(tmp_path: Path, content: bytes | None) -> None:
    """What a kill during the start of the engine, or in the first line, leaves."""
    path = tmp_path / "r.jsonl"
    fill(path, 0)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    other = dataclasses.replace(MANIFEST, settings={**MANIFEST.settings, "seed": 99})
    assert check_resume(path, other) is None
    with open_response_file(path, other, {}) as file:
        write(file, row(0))
    manifest = read_manifest(path)
    assert manifest is not None
    assert (manifest["settings"]["seed"], len(manifest["runs"])) == (99, 1)


def test_a_write_that_fails_half_way_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.jsonl"
    really_write = os.write

    def full_disk(descriptor: int, data: Any) -> int:
        monkeypatch.setattr(os, "write", _refuse)
        return really_write(descriptor, bytes(data)[:10])

    def _refuse(descriptor: int, data: Any) -> int:
        raise OSError(28, "No space left on device")

    with open_response_file(path, MANIFEST, {}) as file:
        write(file, row(0))
        file.keep([row(1)])
        for refused, sample in ((file.keep, 2), (file.settle, 1)):
            monkeypatch.setattr(os, "write", full_disk)
            with pytest.raises(RunError, match="No space left"):
                refused([row(sample)])
            monkeypatch.setattr(os, "write", really_write)
        file.keep([row(3)])
        file.settle([row(3)])
    assert keys_in(path) == {0, 3}
    with open_response_file(path, MANIFEST, {}) as file:
        assert file.left == [row(1)]
        assert {key.sample for key in file.finished} == {0, 1, 3}


def keys_in(path: Path) -> set[int]:
    return {json.loads(line)["sample_id"] for line in path.read_bytes().splitlines()}


def test_what_waits_for_its_grade_is_on_disk_counts_as_finished_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with open_response_file(path, MANIFEST, {}) as file:
        file.keep([row(0, "\ud800"), row(1)])
        file.settle([row(1)])
        assert keys_in(path) == {1}
        assert finished_samples(path) == {SampleKey("a", "s", 0), SampleKey("a", "s", 1)}
    assert waiting_note(path) == [
        f"1 response waits for its grade in {tmp_path / 'r.ungraded.jsonl'}: the same generation.sample adds them"
    ]
    with open_response_file(path, MANIFEST, {}) as file:
        assert file.left == [row(0, "\ud800")]
        file.settle(file.left)
    assert keys_in(path) == {0, 1}
    assert not waiting_path(path).exists()
    assert waiting_note(path) == []


def test_the_waiting_file_is_emptied_whenever_nothing_waits(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with open_response_file(path, MANIFEST, {}) as file:
        for sample in range(3):
            file.keep([row(sample)])
            assert waiting_path(path).stat().st_size > 0
            file.settle([row(sample)])
            assert waiting_path(path).stat().st_size == 0


def test_every_cut_between_keeping_and_settling_leaves_each_response_once(tmp_path: Path) -> None:
    """A kill can stop either write after any byte; what is whole in neither file was not promised to anybody."""
    path = tmp_path / "r.jsonl"
    with open_response_file(path, MANIFEST, {}) as file:
        file.keep([row(0), row(1)])
        kept = waiting_path(path).read_bytes()
        file.settle([row(0), row(1)])
    settled = path.read_bytes()
    for length in range(len(settled) + 1):
        path.write_bytes(settled[:length])
        waiting_path(path).write_bytes(kept)
        with open_response_file(path, MANIFEST, {}) as file:
            assert len(file.finished) == 2
            file.settle(file.left)
        assert sorted(path.read_bytes().splitlines()) == sorted(settled.splitlines())
    first = kept.index(b"\n") + 1
    for length in range(len(kept) + 1):
        path.write_bytes(b"")
        waiting_path(path).write_bytes(kept[:length])
        with open_response_file(path, MANIFEST, {}) as file:
            assert len(file.left) == (2 if length == len(kept) else int(length >= first))
            file.settle(file.left)


def test_responses_that_wait_without_a_manifest_are_not_taken_for_this_run(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with open_response_file(path, MANIFEST, {}) as file:
        file.keep([row(0)])
    manifest_path(path).unlink()
    path.unlink()
    with (
        pytest.raises(InputError, match=r"r\.ungraded\.jsonl exists, but without"),
        open_response_file(path, MANIFEST, {}),
    ):
        pass


def test_a_file_that_is_replaced_while_it_is_opened_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.jsonl"
    fill(path, 0)
    lock = fcntl.flock

    def replaced_first(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        (tmp_path / "new").write_bytes(path.read_bytes())
        (tmp_path / "new").replace(path)
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", replaced_first)
    fill(path, 1)
    assert keys_in(path) == {0, 1}
