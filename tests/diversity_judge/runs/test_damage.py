"""A run folder with a broken part is one line that names the file and says what to do, never a traceback."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import diversity_judge as dj
from diversity_judge.agreeing.matching import match_runs
from diversity_judge.compare import main as compare
from diversity_judge.comparing.admission import admit
from diversity_judge.errors import InputError
from diversity_judge.score import main as score

PARTS = ("run.json", "pairs.csv", "scores.csv", "strategies.csv", "responses.jsonl.gz")
STRANGE: Sequence[Any] = (None, True, 7, -1.5, 1e400, "", "x", "\0", [], [1], {}, {"a": {}})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The parts of a run folder."""
    folder = tmp_path_factory.mktemp("whole")
    rows = [
        {"problem_id": f"p{n}", "strategy": strategy, "response": f"add {i} and {n}", "correct": i > 1}
        for n in range(2)
        for strategy in ("s", "t")
        for i in range(4)
    ]
    (folder / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ("--judge", "proxy", "--out", str(folder / "run"), "--no-heatmaps", "--quiet")
    assert score([str(folder / "r.jsonl"), *options]) == 0
    return {name: (folder / "run" / name).read_bytes() for name in PARTS}


@pytest.fixture
def run(whole: dict[str, bytes], tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    restore(folder, whole)
    return folder


def restore(folder: Path, whole: dict[str, bytes]) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in whole.items():
        (folder / name).write_bytes(content)


def one_line(capsys: pytest.CaptureFixture[str], folder: Path) -> str:
    """What compare says of a folder that it refuses."""
    assert compared(folder) == 2
    (said,) = capsys.readouterr().err.splitlines()
    return str(said)


def compared(folder: Path) -> int:
    return compare([str(folder), "--out", str(folder.parent / "out"), "--no-figures", "--no-report", "--quiet"])


def entries(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Where the entries of a manifest are, at any depth."""
    if not isinstance(value, dict):
        return [path]
    return [path, *(place for name, part in value.items() for place in entries(part, (*path, name)))]


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "7", '"x"', "{", "[" * 100_000, '{"a": ' * 100_000, "\0", "\ufeff{}", "NaN", "{}"]
)
def test_what_is_no_manifest_is_said(run: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "run.json").write_text(text)
    assert "run.json: " in one_line(capsys, run)


def test_a_manifest_in_no_text_is_said(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "run.json").write_bytes(b"\xff\xfe{}")
    assert "run.json: cannot read" in one_line(capsys, run)


@pytest.mark.parametrize("strange", STRANGE, ids=repr)
def test_an_entry_of_another_type_is_said_or_has_no_effect(run: Path, whole: dict[str, bytes], strange: Any) -> None:
    manifest = json.loads(whole["run.json"])
    older = {name: part for name, part in manifest.items() if name != "instrument"}
    said = [load_with(run, record, place, strange) for record in (manifest, older) for place in entries(record)[1:]]
    refused = [error for error in said if error is not None]
    assert all("run.json: " in error or "was stopped" in error for error in refused)
    assert len(refused) > 8


def load_with(run: Path, record: dict[str, Any], place: tuple[str, ...], strange: Any) -> str | None:
    """What is said of a run of whose manifest one entry is changed, where it is refused; else it is used."""
    changed = json.loads(json.dumps(record))
    part = changed
    for name in place[:-1]:
        part = part[name]
    part[place[-1]] = strange
    (run / "run.json").write_text(json.dumps(changed))
    try:
        loaded = dj.load_run(run)
    except InputError as error:
        return str(error)
    admit([loaded, loaded.renamed(lambda name: f"{name}2")], allow_mixed=False)
    assert match_runs(loaded, loaded).groups
    assert None not in (loaded.judge, loaded.prompt, loaded.is_proxy)
    assert loaded.ledger_path is None or loaded.ledger_path.is_file()
    return None


@pytest.mark.parametrize("name", ["pairs.csv", "scores.csv", "strategies.csv"])
@pytest.mark.parametrize("text", ["", "\n", "a,b\n1,2\n", '"', "\0", "x" * 1000, "\xff"])
def test_what_is_no_table_is_said(run: Path, name: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (run / name).write_bytes(text.encode("latin-1"))
    assert f"{name}: " in one_line(capsys, run)


@pytest.mark.parametrize("column", ["first_position", "second_position", "draw", "score", "n_replies", "reply_id"])
@pytest.mark.parametrize("value", ["x", "-1", "2.5", "inf", "nan", "1e300", "True", "99999999999999999999"])
def test_a_cell_that_is_no_number_is_said(
    run: Path, column: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    header, first, *more = (run / "pairs.csv").read_text().splitlines()
    cells = dict(zip(header.split(","), first.split(","), strict=True)) | {column: value}
    (run / "pairs.csv").write_text("\n".join((header, ",".join(cells.values()), *more)) + "\n")
    assert "pairs.csv: " in one_line(capsys, run)


def test_a_score_above_the_scale_and_a_response_beside_itself_are_said(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header, first, *more = (run / "pairs.csv").read_text().splitlines()
    for column, value, said in (("score", "6", "'6' in row 1 is no score"), ("second_position", "0", "with itself")):
        cells = dict(zip(header.split(","), first.split(","), strict=True)) | {column: value}
        (run / "pairs.csv").write_text("\n".join((header, ",".join(cells.values()), *more)) + "\n")
        assert said in one_line(capsys, run)


@pytest.mark.parametrize("how", ["cut", "text", "empty", "line", "other"])
def test_responses_that_cannot_be_read_are_said(
    run: Path, how: str, whole: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    packed = whole["responses.jsonl.gz"]
    (run / "responses.jsonl.gz").write_bytes(
        {
            "cut": packed[:-20],
            "text": b"\x1f\x8bnot gzip",
            "empty": b"",
            "line": gzip.compress(b'{"problem_id": 3}\n'),
            "other": gzip.compress(b'{"problem_id": "p0", "strategy": "s", "response": "x"}\n'),
        }[how]
    )
    assert one_line(capsys, run)


def test_random_damage_is_one_line_or_none(
    run: Path, whole: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    refused = 0
    for case in range(100):
        generator = random.Random(case)
        name = PARTS[case % len(PARTS)]
        broken = bytearray(whole[name])
        if generator.random() < 0.3:
            del broken[generator.randrange(len(broken)) :]
        for _ in range(generator.choice((1, 3, 30))):
            if broken:
                broken[generator.randrange(len(broken))] = generator.randrange(256)
        restore(run, whole)
        (run / name).write_bytes(bytes(broken))
        code = compared(run)
        said = capsys.readouterr().err
        assert code in (0, 2), case
        # Each bad line of the responses has a line of its own.
        assert said.startswith("error: ") == (code == 2), (case, said)
        assert said.count("\n") == (code == 2) or "responses.jsonl.gz" in said, (case, said)
        refused += code == 2
    assert refused > 30


def test_a_broken_manifest_is_overwritten_only_when_asked(
    whole: dict[str, bytes], run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.jsonl").write_bytes(gzip.decompress(whole["responses.jsonl.gz"]))
    options = (str(tmp_path / "r.jsonl"), "--judge", "proxy", "--out", str(run), "--no-heatmaps", "--quiet")
    for text in ("[]", "{", '{"judge": 7}'):
        (run / "run.json").write_text(text)
        capsys.readouterr()
        assert score([*options]) == 2
        (said,) = capsys.readouterr().err.splitlines()
        assert "run.json" in said
        assert "--overwrite" in said
        assert (run / "run.json").read_text() == text
        assert score([*options, "--overwrite"]) == 0
        assert len(dj.load_run(run).groups) == 4


@pytest.mark.parametrize("text", ["[]", "{", '{"files": 7}', '{"files": [[], {}]}'])
def test_a_broken_manifest_of_a_comparison_is_replaced(run: Path, text: str) -> None:
    (run.parent / "out").mkdir()
    (run.parent / "out" / "compare.json").write_text(text)
    assert compared(run) == 0
    assert json.loads((run.parent / "out" / "compare.json").read_text())["state"] == "finished"
