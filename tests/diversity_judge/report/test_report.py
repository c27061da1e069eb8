"""The report file: complete, no larger than asked for, and safe before any browser looks at it."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import diversity_judge as dj
from diversity_judge.compare import main
from diversity_judge.errors import InputError
from diversity_judge.pages import embed
from diversity_judge.report import check_installed, write_report
from diversity_judge.report.clusters import cluster_order
from diversity_judge.report.content import visible
from diversity_judge.report.packing import Cuts, Lengths, Paragraphs, cut, ladder, pack
from tests.diversity_judge.run_folders import group, make_run

EVIL_ID = "</script><script>alert(1)</script><!-- ]]>"
EVIL = f"{EVIL_ID} \u2028"


def noise(length: int, seed: int) -> str:
    """A text that hardly compresses."""
    return base64.b64encode(random.Random(seed).randbytes(length)).decode()[:length]


def make_report(tmp_path: Path, *, length: int = 100, megabytes: float = 24, kind: str = "chat") -> str:
    members = [{"text": EVIL + noise(length, n), "correct": n % 2 == 0} for n in range(4)]
    groups = [group(problem, strategy, members, EVIL) for problem in ("p1", EVIL_ID) for strategy in ("a", "b")]
    run = make_run(
        tmp_path / "run",
        groups,
        lambda a, b: 3,
        say=lambda a, b: (f"{EVIL} final {a.sample_id} {b.sample_id}", noise(length, 9)),
        judge="proxy judge, not an LLM" if kind == "proxy" else "a judge",
        kind=kind,
    )
    path = write_report(dj.compare([run]), tmp_path / "report.html", megabytes=megabytes)
    assert path.stat().st_size <= megabytes * 1e6
    return path.read_text(encoding="utf-8")


class Elements(HTMLParser):
    """What a browser would make of the page: its scripts by type, and attributes that would run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.scripts: list[tuple[str | None, str]] = []
        self.handlers: list[str] = []
        self._is_script = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handlers += [name for name, value in attrs if name.startswith("on") or "javascript:" in (value or "")]
        self._is_script = tag == "script"
        if self._is_script:
            self.scripts.append((dict(attrs).get("type"), ""))

    def handle_endtag(self, tag: str) -> None:
        self._is_script = False

    def handle_data(self, data: str) -> None:
        if self._is_script:
            kind, text = self.scripts[-1]
            self.scripts[-1] = kind, text + data


def chunk(html: str, number: int) -> dict[str, Any]:
    packed = re.search(rf'id="texts-{number}">([^<]*)<', html)
    assert packed
    return dict(whole(json.loads(gzip.decompress(base64.b64decode(packed.group(1))))))


def whole(texts: Any) -> Any:
    """The same with the shared paragraphs put back in, as the page does it."""

    def expand(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: expand(member) for key, member in value.items()}
        if not isinstance(value, list):
            return value
        parts: list[Any] = []
        for part in value:
            is_shared = isinstance(part, int) and part < 0
            for piece in texts["paragraphs"][-1 - part] if is_shared else [expand(part)]:
                if parts and isinstance(piece, str) and isinstance(parts[-1], str):
                    parts[-1] += piece
                else:
                    parts.append(piece)
        return parts

    return {name: expand(value) if name in ("problem", "groups") else value for name, value in texts.items()}


def test_every_text_and_rationale_is_in_the_file(tmp_path: Path) -> None:
    texts = chunk(make_report(tmp_path), 0)
    assert texts["groups"]["0"]["responses"][2]["text"] == [visible(EVIL + noise(100, 2))]
    answer, reasoning = texts["groups"]["1"]["replies"][0]
    assert answer == [visible(f"{EVIL} final 0 1")]
    assert reasoning == [noise(100, 9)]
    assert texts["problem"] == [visible(EVIL)]


def test_no_stranger_ends_a_script_element(tmp_path: Path) -> None:
    page = Elements(make_report(tmp_path))
    run = [text for kind, text in page.scripts if kind is None]
    assert len(run) == 1
    assert not any("alert(1)" in text for text in run)
    assert [kind for kind, _ in page.scripts] == ["application/json", "text/plain", "text/plain", None]
    assert page.handlers == []


def test_nothing_is_loaded_from_outside_and_scripts_are_known_by_hash(tmp_path: Path) -> None:
    html = make_report(tmp_path)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy
    assert "default-src &#39;none&#39;" in policy.group(1)
    assert "unsafe-inline" not in policy.group(1).partition("script-src")[2].partition(";")[0]
    assert "unsafe-eval" not in policy.group(1)
    head = html[: html.index("<script")]
    assert re.findall(r'(?:src|href)="(?!#|data:,")[^"]*"', head) == []


def test_the_index_has_the_matrices(tmp_path: Path) -> None:
    found = re.search(r'id="index">(.*?)</script>', make_report(tmp_path), re.S)
    assert found
    index = json.loads(found.group(1))
    matrix = np.array(index["groups"]["0"]["matrix"])
    assert (matrix[~np.eye(4, dtype=bool)] == 3).all()
    assert index["strategies"] == ["a", "b"]


def test_long_texts_are_cut_until_the_file_fits_and_say_so(tmp_path: Path) -> None:
    html = make_report(tmp_path, length=400_000, megabytes=3)
    reply = chunk(html, 0)["groups"]["0"]["replies"][0]
    assert "characters cut to keep this file small" in reply[1][0]
    assert "final 0 1" in reply[0][0]
    assert "longer texts are cut" in html


def test_a_report_that_cannot_be_small_enough_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="raise --report-megabytes"):
        make_report(tmp_path, megabytes=0.02)


def test_the_proxy_judge_is_named_as_no_llm(tmp_path: Path) -> None:
    assert "proxy judge, not an LLM</strong>" in make_report(tmp_path, kind="proxy")


def test_a_missing_library_is_named_before_any_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("diversity_judge.report.find_spec", lambda name: None if name == "latex2mathml" else object())
    with pytest.raises(InputError, match=r"needs latex2mathml: pip install 'diversity-judge\[report\]'"):
        check_installed()
    assert main([str(tmp_path / "absent"), "--out", str(tmp_path / "out")]) == 2


def test_responses_alone_make_a_report(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    rows = [{"problem_id": "p", "response": f"{n}", "correct": n == 0} for n in range(4)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    assert main([str(path), "--out", str(out), "--no-figures", "--quiet"]) == 0
    html = (out / "report.html").read_text(encoding="utf-8")
    assert "nothing was judged" in html
    assert chunk(html, 0)["groups"]["0"]["responses"][3]["text"] == ["3"]


def test_a_lost_ledger_is_said(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [group("p", "a", [{"text": str(n)} for n in range(4)])], lambda a, b: 3)
    for file in run.glob("ledger.sqlite*"):
        file.unlink()
    html = write_report(dj.compare([run]), tmp_path / "report.html").read_text(encoding="utf-8")
    assert "its ledger is not where the run left it" in html


def test_the_same_comparison_gives_the_same_bytes(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [group("p", "a", [{"text": str(n)} for n in range(4)])], lambda a, b: 3)
    one, two = (write_report(dj.compare([run]), tmp_path / name) for name in ("one.html", "two.html"))
    assert one.read_bytes() == two.read_bytes()


def test_what_is_embedded_cannot_end_its_element_and_comes_back() -> None:
    value = {"x": [EVIL, "\u2028", "&lt;", "é"]}
    text = embed(value)
    assert not set("<>&") & set(text)
    assert json.loads(text) == value
    assert json.loads(gzip.decompress(base64.b64decode(pack(value)))) == value


def test_a_paragraph_that_texts_share_is_kept_once_and_comes_back() -> None:
    repeated = "the same long paragraph of two texts\n\n"
    texts: list[list[str | int]] = [[f"{repeated}one", 0, " more\n\n\n"], [f"two\n\n{repeated}", 1], ["-5"], [repeated]]
    before = json.loads(json.dumps(texts))
    paragraphs = Paragraphs()
    for parts in texts:
        paragraphs.add(parts)
    shared = paragraphs.shared()
    assert shared == [(repeated,)]
    assert sum(json.dumps(parts).count("long paragraph") for parts in texts) == 0
    assert whole({"paragraphs": shared, "groups": {"0": texts}, "problem": []})["groups"]["0"] == before


def test_broken_unicode_does_not_stop_the_packing() -> None:
    assert json.loads(gzip.decompress(base64.b64decode(pack(["\ud800x"])))) == ["?x"]


def test_a_cut_keeps_head_and_tail() -> None:
    text = "a" * 50 + "b" * 50
    assert cut(text, 100) == text
    assert cut(text, 10) == "aaaaa\n[... 90 characters cut to keep this file small ...]\nbbbbb"


def test_each_rung_of_the_ladder_keeps_less() -> None:
    lengths = Lengths([100_000] * 3, [100_000] * 3, [100_000] * 3)
    kept = [lengths.kept(cuts) for cuts in ladder()]
    assert kept[0] == 900_000
    assert lengths.kept(Cuts(response=10, answer=20, reasoning=0)) == 90
    assert all(less < more for more, less in pairwise(kept))


def test_escapes_and_overrides_are_drawn_and_lines_are_kept() -> None:
    assert visible("a\x1b[31m\u202eb\r\nc\td\x00") == "a␛[31m⟨U+202E⟩b\nc\td␀"


def test_clusters_become_blocks_the_largest_first() -> None:
    label = np.array([0, 1, 0, 2, 1, 1])
    similarity = np.where(label[:, None] == label, 5.0, 1.0)
    order = cluster_order(similarity, threshold=4)
    assert label[order].tolist() == [1, 1, 1, 0, 0, 2]


def test_an_order_needs_no_complete_matrix() -> None:
    similarity = np.full((5, 5), np.nan)
    np.fill_diagonal(similarity, 5)
    assert sorted(cluster_order(similarity, threshold=4)) == list(range(5))
