"""`score --surrogate`: the estimate, what is written of it, that `compare` has the same, and what is refused."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

import diversity_judge as dj
from diversity_judge.compare import main as compare
from diversity_judge.judges.proxy import proxy_similarity
from diversity_judge.score import main as score
from tests.diversity_judge.run_folders import group, make_run

GAME24 = Path(__file__).parent / "data" / "game24.jsonl"
THINNED = ("--judge", "countdown", "--pairs-per-group", "32", "--no-heatmaps")


def run(responses: Path, out: Path, *options: str) -> Path:
    assert score([str(responses), "--out", str(out), *THINNED, *options]) in (0, 3)
    return out


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("runs")
    assert score([str(GAME24), "--judge", "proxy", "--out", str(place / "cheap"), "--no-heatmaps", "--quiet"]) == 0
    return {
        "plain": run(GAME24, place / "plain"),
        "proxy": run(GAME24, place / "proxy", "--surrogate", "proxy"),
        "cheap": place / "cheap",
        "other": run(GAME24, place / "other", "--surrogate", str(place / "cheap")),
    }


def test_the_tables_say_by_what_each_group_was_estimated(folders: dict[str, Path]) -> None:
    plain, sharp = (dj.load_run(folders[name]) for name in ("plain", "proxy"))
    assert set(plain.scores["estimator"]) == {"mean-of-scored-pairs"}
    assert plain.scores[["lambda", "surrogate_r2"]].isna().all(axis=None)
    assert set(sharp.scores["estimator"]) == {"difference"}
    assert (sharp.scores[["lambda", "surrogate_r2"]] > 0).all(axis=None)
    assert (sharp.scores["se"] < plain.scores["se"]).sum() >= 2
    record = sharp.manifest["estimator"]
    assert (record["name"], record["surrogate"]["kind"]) == ("difference", "proxy")
    assert record["lambda"] == pytest.approx(sharp.scores["lambda"].mean())
    assert record["r2"] == pytest.approx(sharp.scores["surrogate_r2"].mean(), abs=0.1)


def test_the_value_is_the_difference_estimate_of_the_proxys_cosines(folders: dict[str, Path]) -> None:
    sharp = dj.load_run(folders["proxy"])
    member, row = sharp.groups[0], sharp.scores.iloc[0]
    f = 5 * proxy_similarity([response.text for response in member.responses])
    y = member.matrix.symmetric()
    above = np.triu_indices(len(f), 1)
    is_judged = ~np.isnan(y[above])
    theta = (y[above] - row["lambda"] * f[above])[is_judged].mean() + row["lambda"] * f[above].mean()
    assert row["diversity"] == pytest.approx(1 - theta / 5, rel=1e-9)


def test_compare_has_the_same_numbers(folders: dict[str, Path], tmp_path: Path) -> None:
    assert compare([str(folders["other"]), "--out", str(tmp_path), "--no-figures", "--no-report"]) == 0
    sharp = dj.load_run(folders["other"])
    found = dj.compare(folders["other"]).problem_table.to_frame()
    assert found["diversity"].tolist() == sharp.scores["diversity"].tolist()
    assert found["diversity_ci_high"].tolist() == sharp.scores["ci_high"].tolist()
    process = dj.compare(folders["other"]).process.where(metric="diversity")
    assert process[0].value == sharp.strategies["diversity"][0]
    notes = json.loads((tmp_path / "compare.json").read_text())["notes"]
    assert any("difference to a surrogate" in note for note in notes)
    assert "difference to a surrogate" in (tmp_path / "methods.md").read_text()


def test_scored_again_offline_it_is_the_same_and_without_a_surrogate_the_mean(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = run(GAME24, tmp_path / "again", "--surrogate", "proxy")
    first = (folder / "scores.csv").read_bytes()
    run(GAME24, folder, "--surrogate", "proxy", "--offline")
    assert (folder / "scores.csv").read_bytes() == first
    run(GAME24, folder, "--offline")
    assert not (folder / "surrogate.npz").exists()
    assert (folder / "scores.csv").read_bytes() == (folders["plain"] / "scores.csv").read_bytes()


def test_another_run_is_joined_by_the_texts_wherever_they_stand(folders: dict[str, Path], tmp_path: Path) -> None:
    lines = GAME24.read_text(encoding="utf-8").splitlines()
    random.Random(0).shuffle(lines)
    shuffled = tmp_path / "shuffled.jsonl"
    shuffled.write_text("\n".join(lines), encoding="utf-8")
    assert score([str(shuffled), "--judge", "proxy", "--out", str(tmp_path / "cheap"), "--no-heatmaps", "--quiet"]) == 0
    again = dj.load_run(run(GAME24, tmp_path / "run", "--surrogate", str(tmp_path / "cheap"))).scores
    before = dj.load_run(folders["other"]).scores
    np.testing.assert_allclose(again["diversity"], before["diversity"], rtol=1e-12)


def test_with_all_pairs_judged_a_surrogate_changes_no_number(tmp_path: Path) -> None:
    tables = []
    for name in ("none", "proxy"):
        out = tmp_path / name
        options = ("--judge", "countdown", "--limit", "1", "--no-heatmaps", "--quiet", "--surrogate", name)
        score([str(GAME24), "--out", str(out), *options])
        tables.append(dj.load_run(out).scores[["diversity", "ci_low", "ci_high", "se", "estimator"]])
    assert tables[0].equals(tables[1])


def test_python_takes_a_run_for_a_surrogate(folders: dict[str, Path]) -> None:
    cheap = dj.load_run(folders["cheap"])
    found = dj.score(GAME24, judge="countdown", pairs_per_group=32, surrogate=cheap)
    assert found.scores["diversity"].tolist() == dj.load_run(folders["other"]).scores["diversity"].tolist()
    assert found.run.groups[0].diversity == found.groups[0].diversity


def refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, surrogate: Path) -> str:
    out = tmp_path / "out"
    capsys.readouterr()
    assert score([str(GAME24), "--out", str(out), *THINNED, "--surrogate", str(surrogate)]) == 2
    assert not (out / "scores.csv").exists()
    return " ".join(capsys.readouterr().err.split())


def test_a_run_that_does_not_match_is_refused_with_the_reason(
    folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "has scored 6% of the pairs" in refused(capsys, tmp_path, folders["plain"])
    assert "without a judge" in refused(capsys, tmp_path, GAME24)
    assert "there is nothing here" in refused(capsys, tmp_path, tmp_path / "nowhere")
    strangers = [group("game24-900", "cot", [{"text": f"other {i}"} for i in range(32)])]
    other = make_run(tmp_path / "texts", strangers, lambda *_: 3)
    assert "another text than sample 0 of game24-900 / cot" in refused(capsys, tmp_path, other)
    elsewhere = make_run(tmp_path / "names", [group("p", "s", [{"text": "a"}, {"text": "b"}])], lambda *_: 3)
    assert "has no judged group game24-900 / cot" in refused(capsys, tmp_path, elsewhere)
    capsys.readouterr()
    own = folders["cheap"]
    assert score([str(GAME24), "--judge", "proxy", "--out", str(own), "--surrogate", str(own)]) == 2
    assert "own folder" in " ".join(capsys.readouterr().err.split())


def test_a_surrogate_file_that_is_gone_or_broken_is_named(
    folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run(GAME24, tmp_path / "run", "--surrogate", "proxy")
    for damage in (b"", b"PK\x03\x04", (folder / "matrices.npz").read_bytes(), None):
        (folder / "surrogate.npz").unlink(missing_ok=True)
        if damage is not None:
            (folder / "surrogate.npz").write_bytes(damage)
        capsys.readouterr()
        assert compare([str(folder), "--out", str(tmp_path / "c"), "--no-figures", "--no-report"]) == 2
        assert "surrogate.npz" in capsys.readouterr().err
