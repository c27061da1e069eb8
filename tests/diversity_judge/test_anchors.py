"""Anchors: asked anew at the beginning and the end of a run, never mixed with its scores, and what a change does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import diversity_judge as dj
from diversity_judge.compare import main as compare
from diversity_judge.errors import InputError
from diversity_judge.planning.anchors import Anchor
from diversity_judge.reliability import main as reliability
from diversity_judge.runs.anchors import AnchorSet, chosen_evenly, read_anchors, write_anchors
from diversity_judge.score import main as score
from tests.diversity_judge.score_runs import KEY_VARIABLE, Finished, run
from tests.judge_server import JudgeServer

N = 12
FORMAT = '"format": "diversity_judge anchors 1"'
TEXTS = '"name": "a", "first": "x", "second": "y"'


@pytest.fixture
def anchors(tmp_path: Path) -> Path:
    found = [Anchor(f"a{n}", f"R#first{n}# text", f"R#second{n}# text") for n in range(N)]
    write_anchors(AnchorSet(tmp_path / "anchors.json", tuple(found), None, 0.3, 200))
    return tmp_path / "anchors.json"


def pairs_of(server: JudgeServer, score: int) -> None:
    """From now on the judge gives all anchors this score."""
    server.scores.update({(f"first{n}", f"second{n}"): score for n in range(N)})


def responses(path: Path, name: str) -> Path:
    rows = [{"problem_id": f"p{p}", "response": f"R#{name}-{p}-{k}# text"} for p in range(2) for k in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def scored(tmp_path: Path, server: JudgeServer, name: str, anchors: Path, *more: str) -> Finished:
    file = responses(tmp_path / f"{name}.jsonl", name)
    options = ("--ledger", str(tmp_path / "shared.sqlite"), "--anchors", str(anchors), *more)
    return run(file, server, tmp_path / name, *options)


def asked(server: JudgeServer) -> list[int]:
    return [server.record.asked[f"first{n}", f"second{n}"] for n in range(N)]


def test_anchors_are_asked_first_and_last_and_counted(tmp_path: Path, anchors: Path) -> None:
    with JudgeServer() as server:
        pairs_of(server, 3)
        done = scored(tmp_path, server, "one", anchors)
        assert done.code == 0
        assert asked(server) == [2] * N
        order = [call.pair[0].startswith("first") for call in server.calls]
        assert order == [True] * N + [False] * 6 + [True] * N
    said = done.manifest["anchors"]
    assert [moment["scores"] for moment in said["moments"]] == [[3] * N] * 2
    assert said["moments"][0]["models"] == ["loopback"]
    assert said["warning"] is None
    assert done.manifest["this_run"]["calls"] == 6 + 2 * N
    assert len(done.pairs) == 6, "no anchor stands among the pairs of the run"
    assert "anchors during this run: 12 scores moved by +0.00" in " ".join(done.output.split())


def test_a_changed_judge_is_warned_of_in_every_table_and_by_compare(
    tmp_path: Path, anchors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with JudgeServer() as server:
        pairs_of(server, 2)
        first = scored(tmp_path, server, "one", anchors)
        pairs_of(server, 4)
        second = scored(tmp_path, server, "two", anchors)
        assert asked(server) == [4] * N, "each moment is asked anew"
        again = scored(tmp_path, server, "two", anchors)
        assert asked(server) == [4] * N, "a run that buys nothing asks no anchor"
        offline = run(
            tmp_path / "two.jsonl", server, tmp_path / "two", "--ledger", str(tmp_path / "shared.sqlite"), "--offline"
        )
    assert first.manifest["anchors"]["warning"] is None
    assert second.manifest["anchors"]["drift"]["since earlier askings"]["mean"] == pytest.approx(2)
    for done in (second, again, offline):
        assert done.code == 0
        assert "moved by +2.00 points since earlier askings" in done.manifest["anchors"]["warning"]
        assert "the host may serve another model under the same name" in " ".join(done.output.split())
        for table in ("scores.csv", "strategies.csv"):
            assert pd.read_csv(done.folder / table)["judge"].str.endswith("[warning: anchors moved]").all()
    assert compare([str(second.folder), "--out", str(tmp_path / "c"), "--no-report"]) in (0, 2)
    notes = dj.compare(second.folder).notes
    assert any("the host may serve another model" in note for note in notes)


def test_the_judge_that_made_the_anchors_is_held_against_what_it_gave_then(tmp_path: Path, anchors: Path) -> None:
    with JudgeServer() as server:
        pairs_of(server, 2)
        done = scored(tmp_path, server, "one", anchors)
        instrument = dj.load_run(done.folder).instrument
        made = tuple(Anchor(f"a{n}", f"R#first{n}# text", f"R#second{n}# text", None, 5.0) for n in range(N))
        write_anchors(AnchorSet(tmp_path / "made.json", made, instrument, 0.3, 200))
        file = responses(tmp_path / "two.jsonl", "two")
        other = run(file, server, tmp_path / "two", "--anchors", str(tmp_path / "made.json"))
    assert other.manifest["anchors"]["drift"]["since earlier askings"]["mean"] == pytest.approx(-3)


def test_limits_hold_for_anchors_too(tmp_path: Path, anchors: Path) -> None:
    with JudgeServer() as server:
        done = scored(tmp_path, server, "one", anchors, "--max-calls", str(N + 2))
        assert len(server.calls) == N + 2
    assert done.code == 3
    assert len(done.manifest["anchors"]["moments"]) == 1


def test_a_refused_key_sends_nothing_more(tmp_path: Path, anchors: Path) -> None:
    with JudgeServer(api_key="another") as server:
        done = scored(tmp_path, server, "one", anchors)
    assert done.code == 1


def test_a_large_bill_is_asked_about_before_any_anchor_is(tmp_path: Path, anchors: Path) -> None:
    with JudgeServer() as server:
        presets = tmp_path / "judges.toml"
        presets.write_text(
            f'[dear]\nmodel = "loopback"\nbase_url = "{server.base_url}"\ntypical_output_tokens = 1000\n'
            "prices = { input = 1000, output = 1000 }\n"
        )
        file, folder = responses(tmp_path / "one.jsonl", "one"), tmp_path / "one"
        options = ["--judge", "dear", "--judges-file", str(presets), "--anchors", str(anchors), "--no-heatmaps"]
        assert score([str(file), "--out", str(folder), *options]) == 2
        assert not server.calls
        assert score([str(file), "--out", str(folder), *options, "--yes", "--quiet"]) == 0
        assert len(server.calls) == 6 + 2 * N


def test_the_bill_counts_both_askings(tmp_path: Path, anchors: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "key")
    with JudgeServer() as server:
        options: dict[str, Any] = {"base_url": server.base_url, "model": "loopback", "dry_run": True}
        file = responses(tmp_path / "one.jsonl", "one")
        bill, alone = dj.score(file, anchors=anchors, **options), dj.score(file, **options)
    assert bill.calls == alone.calls + 2 * N
    assert bill.input_tokens > alone.input_tokens


def test_reliability_writes_anchors_that_score_takes(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "responses.jsonl"
    folder, file = tmp_path / "run", tmp_path / "anchors.json"
    assert score([str(example), "--judge", "proxy", "--out", str(folder), "--no-heatmaps", "--quiet"]) == 0
    probes = ("--probes", "retest", "--pairs", "40", "--out", str(tmp_path / "r"), "--quiet")
    assert reliability([str(folder), *probes, "--write-anchors", str(file)]) == 0
    found = read_anchors(file)
    assert len(found.anchors) == 20
    assert len({anchor.score for anchor in found.anchors}) > 2
    assert found.noise_sd == 0, "the proxy gives the same score every time"
    out = tmp_path / "again"
    options = ("--judge", "proxy", "--anchors", str(file), "--limit", "1", "--no-heatmaps", "--quiet")
    assert score([str(example), "--out", str(out), *options]) == 0
    record = json.loads((out / "run.json").read_text())["anchors"]
    assert record["drift"]["since earlier askings"]["rms"] == 0, "the same judge gives its anchors what it gave"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "no such file"),
        ("[", "cannot read the anchors"),
        ("{}", "is no file of anchors"),
        (f'{{{FORMAT}, "anchors": []}}', "holds no anchor"),
        (f'{{{FORMAT}, "anchors": [{{"name": "a", "first": 3}}]}}', "anchor 1 needs the texts"),
        (f'{{{FORMAT}, "anchors": [{{{TEXTS}, "score": 7}}]}}', "anchor 1: its score is 7"),
        (f'{{{FORMAT}, "noise": {{}}, "anchors": [{{{TEXTS}}}]}}', "its noise needs sd"),
    ],
)
def test_a_file_that_is_none_is_refused_before_anything_is_sent(
    tmp_path: Path, text: str | None, expected: str
) -> None:
    path = tmp_path / "anchors.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=expected):
        read_anchors(path)
    with JudgeServer() as server:
        assert scored(tmp_path, server, "one", path).code == 2
        assert not server.calls


def test_anchors_are_spread_evenly_over_scores() -> None:
    many = [Anchor(str(n), "x", "y", None, float(n % 6)) for n in range(60)]
    assert sorted(float(anchor.score or 0) for anchor in chosen_evenly(many, 6)) == [0, 1, 2, 3, 4, 5]
    assert len(chosen_evenly(many[:3], 6)) == 3
