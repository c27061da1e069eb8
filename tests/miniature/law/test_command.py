"""The grid with a sampler that needs no model: what is done, gone on with, and refused."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from diversity_judge.errors import InputError, RunError
from examples.miniature.law import part_folder
from examples.miniature.law.__main__ import Grid
from examples.miniature.law.arguments import Options, parse
from examples.miniature.law.part_folder import RECORD
from examples.miniature.law.plan import Design, Size
from examples.miniature.law.tables import OUTCOMES, read_outcomes
from generation.json_lines import whole_lines
from generation.sampling.options import SampleOptions
from generation.sampling.run import missing_samples, plan_sampling

SIZE = Size(4, (Design("four", ("flat", "peaked"), 3, (0.5, 1.0)), Design("eight", ("flat",), 2, (1.0,))))


class Killed(BaseException):
    """As a kill: nothing that the grid could handle."""


class FakeSampler:
    """Writes what `generation.sample` would, without a model; told to, it dies after some responses."""

    def __init__(self, dies_after: int | None = None) -> None:
        self.sampled: list[tuple[str, str, str, int]] = []
        self.starts = 0
        self._dies_after = dies_after

    def __call__(self, options: SampleOptions) -> int:
        self.starts += 1
        plan = plan_sampling(options)
        # Without this command's manifest: the true file's own rules are tested with the command itself.
        with options.out.open("a", encoding="utf-8") as file:
            for sample in missing_samples(options, plan):
                if len(self.sampled) == self._dies_after:
                    raise Killed
                key = sample.key
                row = {"problem_id": key.problem_id, "strategy": key.strategy, "sample_id": key.sample}
                file.write(json.dumps(row | {"response": f"1 + {key.sample} = 9", "problem": "1 2 target 3"}) + "\n")
                self.sampled.append((str(options.out), key.problem_id, key.strategy, key.sample))
        return 0


def likes_the_longest(texts: Mapping[str, Collection[str]]) -> dict[str, dict[str, float]]:
    """In place of the reward model."""
    return {problem: {text: float(len(text)) for text in own} for problem, own in texts.items()}


@pytest.fixture
def routers(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    for name in ("flat", "peaked"):
        (folder / name).mkdir(parents=True)
        for file in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "training.json"):
            (folder / name / file).write_text(f"{name} {file}")
    return folder


def grid(
    tmp_path: Path,
    routers: Path,
    sampler: FakeSampler,
    size: Size = SIZE,
    only: Sequence[str] = (),
    console: Console = Console(quiet=True),  # noqa: B008 - it keeps nothing
) -> Grid:
    parts = tuple(part for part in size.parts if not only or part.name in only)
    return Grid(Options(tmp_path / "out", routers, size, parts), console, sampler, likes_the_longest)


def do(grid: Grid) -> None:
    assert grid.sample_and_measure() == 0


def test_each_part_is_sampled_by_one_start_and_measured(tmp_path: Path, routers: Path) -> None:
    sampler = FakeSampler()
    do(grid(tmp_path, routers, sampler))
    assert sampler.starts == 3
    assert len(sampler.sampled) == len(set(sampler.sampled)) == sum(part.n_responses for part in SIZE.parts)
    table = read_outcomes(tmp_path / "out")
    assert len(table) == 2 * 3 * 5 + 2 * 3
    assert set(table.n[table.strategy == "greedy"]) == {1}
    assert set(table.n[table.strategy != "greedy"]) == {4}


def test_the_same_again_starts_nothing_and_changes_nothing(tmp_path: Path, routers: Path) -> None:
    do(grid(tmp_path, routers, FakeSampler()))
    before = read_outcomes(tmp_path / "out")
    again = FakeSampler()
    do(grid(tmp_path, routers, again))
    assert again.starts == 0
    assert before.equals(read_outcomes(tmp_path / "out"))


@pytest.mark.parametrize("dies_after", [0, 7, 51, 80])
def test_a_killed_run_goes_on_and_samples_nothing_twice(tmp_path: Path, routers: Path, dies_after: int) -> None:
    killed, later = FakeSampler(dies_after), FakeSampler()
    with pytest.raises(Killed):
        do(grid(tmp_path, routers, killed))
    do(grid(tmp_path, routers, later))
    both = killed.sampled + later.sampled
    assert len(both) == len(set(both)) == sum(part.n_responses for part in SIZE.parts)
    do(grid(tmp_path / "whole", routers, FakeSampler()))
    assert read_outcomes(tmp_path / "out").equals(read_outcomes(tmp_path / "whole" / "out"))


def test_cells_and_problems_are_added_to_what_is_there(tmp_path: Path, routers: Path) -> None:
    do(grid(tmp_path, routers, FakeSampler(), only=["flat/four"]))
    added = FakeSampler()
    do(grid(tmp_path, routers, added, SIZE.with_temperatures([2.0]), only=["flat/four"]))
    assert {strategy for _, _, strategy, _ in added.sampled} == {
        "token-normal:temperature=2",
        "expert-sample:temperature=2",
    }
    more = FakeSampler()
    do(grid(tmp_path, routers, more, SIZE.with_problems(5), only=["flat/four"]))
    assert {problem for _, problem, _, _ in more.sampled} == {"c0003", "c0004"}
    counts = read_outcomes(tmp_path / "out").groupby("temperature").problem_id.nunique()
    assert dict(counts) == {0: 5, 0.5: 5, 1.0: 5, 2.0: 3}


def test_fewer_problems_take_nothing_away(tmp_path: Path, routers: Path) -> None:
    do(grid(tmp_path, routers, FakeSampler(), only=["flat/four"]))
    fewer = FakeSampler()
    do(grid(tmp_path, routers, fewer, SIZE.with_problems(1), only=["flat/four"]))
    assert fewer.starts == 0
    assert read_outcomes(tmp_path / "out").problem_id.nunique() == 3


def make_old(folder: Path) -> None:
    """Take the learned choice, the last column, out of a folder's outcomes."""
    old = (folder / OUTCOMES).read_text(encoding="utf-8").splitlines()
    (folder / OUTCOMES).write_text("".join(line.rsplit(",", 1)[0] + "\n" for line in old), encoding="utf-8")
    assert "best_of_n_learned" not in (folder / OUTCOMES).read_text(encoding="utf-8")


def test_the_reward_model_chooses_where_it_knows_the_task(tmp_path: Path, routers: Path) -> None:
    do(grid(tmp_path, routers, FakeSampler()))
    table = read_outcomes(tmp_path / "out")
    assert set(table.task[table.best_of_n_learned.notna()]) == {"four"}
    assert set(table.task[table.best_of_n_learned.isna()]) == {"eight"}


def test_outcomes_without_the_learned_choice_are_measured_again_and_not_sampled(tmp_path: Path, routers: Path) -> None:
    do(grid(tmp_path, routers, FakeSampler()))
    whole = read_outcomes(tmp_path / "out")
    make_old(tmp_path / "out" / "parts" / "flat" / "four")
    again, said = FakeSampler(), io.StringIO()
    do(grid(tmp_path, routers, again, console=Console(file=said, width=200)))
    assert again.starts == 0
    assert read_outcomes(tmp_path / "out").equals(whole)
    assert [line.split("] ")[1] for line in said.getvalue().splitlines() if "measuring" in line] == [
        "flat/four: measuring again, from its responses: its outcomes lack best_of_n_learned"
    ]


def test_a_folder_reads_its_outcomes_once_until_it_measures(
    tmp_path: Path, routers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    do(grid(tmp_path, routers, FakeSampler(), only=["flat/four"]))
    (part,) = (part for part in SIZE.parts if part.name == "flat/four")
    make_old(tmp_path / "out" / "parts" / "flat" / "four")
    read: list[Path] = []

    def noted(path: Path) -> pd.DataFrame:
        read.append(path)
        return read_outcomes(path)

    monkeypatch.setattr(part_folder, "read_outcomes", noted)
    folder = part_folder.PartFolder(tmp_path / "out", part, routers / "flat")
    assert folder.has_outcomes()
    assert not folder.is_measured()
    assert folder.unfinished() == ()
    folder.measure(likes_the_longest)
    assert len(read) == 1
    assert folder.is_measured()


def test_cells_added_to_old_outcomes_bring_all_of_them_up_to_date(tmp_path: Path, routers: Path) -> None:
    do(grid(tmp_path, routers, FakeSampler(), only=["flat/four"]))
    make_old(tmp_path / "out" / "parts" / "flat" / "four")
    added = FakeSampler()
    do(grid(tmp_path, routers, added, SIZE.with_temperatures([2.0]), only=["flat/four"]))
    assert {strategy.split("=")[1] for _, _, strategy, _ in added.sampled} == {"2"}
    assert read_outcomes(tmp_path / "out").best_of_n_learned.notna().all()


@pytest.mark.parametrize("n_left", [None, 30])
def test_outcomes_whose_responses_are_gone_are_kept_and_said(tmp_path: Path, routers: Path, n_left: int | None) -> None:
    do(grid(tmp_path, routers, FakeSampler()))
    part = tmp_path / "out" / "parts" / "flat" / "four"
    make_old(part)
    before, responses = (part / OUTCOMES).read_bytes(), part / "responses.jsonl"
    lines = responses.read_text(encoding="utf-8").splitlines(keepends=True)
    responses.unlink()
    if n_left:
        responses.write_text("".join(lines[:n_left]), encoding="utf-8")
    again = FakeSampler()
    with pytest.raises(InputError, match=r"responses\.jsonl: the responses to \d+ .* are gone.*put the file back"):
        grid(tmp_path, routers, again).sample_and_measure()
    assert again.starts == 0
    assert (part / OUTCOMES).read_bytes() == before


def test_old_outcomes_of_parts_that_are_not_asked_for_are_said(tmp_path: Path, routers: Path) -> None:
    do(grid(tmp_path, routers, FakeSampler()))
    for name in ("peaked/four", "flat/eight"):
        make_old(tmp_path / "out" / "parts" / name)
    said = io.StringIO()
    do(grid(tmp_path, routers, FakeSampler(), only=["flat/four"], console=Console(file=said, width=200)))
    assert [line.split("] ")[1] for line in said.getvalue().splitlines() if "lack" in line] == [
        "peaked/four: its outcomes lack best_of_n_learned; asked for, it is measured again from its responses"
    ]
    table = read_outcomes(tmp_path / "out")
    assert set(table.router[table.best_of_n_learned.notna()]) == {"flat"}


def changed_model(routers: Path, size: Size) -> Size:
    (routers / "flat" / "model.safetensors").write_text("other weights")
    return size


def changed_targets(routers: Path, size: Size) -> Size:
    part = routers.parent / "out" / "parts" / "flat" / "four" / RECORD
    part.write_text(json.dumps(json.loads(part.read_text()) | {"largest_target": 49}))
    return size


def changed_n(routers: Path, size: Size) -> Size:
    return Size(8, size.designs)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (changed_model, "model_sha256"),
        (changed_n, "n was 4 and is now 8"),
        (changed_targets, "largest_target was 49 and is now 99"),
    ],
)
def test_another_experiment_is_refused_before_anything_is_sampled(
    tmp_path: Path, routers: Path, change: Callable[[Path, Size], Size], named: str
) -> None:
    do(grid(tmp_path, routers, FakeSampler(), only=["flat/four"]))
    other = FakeSampler()
    with pytest.raises(InputError, match=named):
        grid(tmp_path, routers, other, change(routers, SIZE), only=["flat/four"]).sample_and_measure()
    assert other.starts == 0


def test_a_part_of_before_targets_could_be_chosen_is_of_all_targets(tmp_path: Path, routers: Path) -> None:
    do(grid(tmp_path, routers, FakeSampler()))
    for name in ("flat/four", "flat/eight"):
        record = tmp_path / "out" / "parts" / name / RECORD
        record.write_text(
            json.dumps({k: v for k, v in json.loads(record.read_text()).items() if k != "largest_target"})
        )
    again = FakeSampler()
    do(grid(tmp_path, routers, again, only=["flat/four"]))
    assert again.starts == 0
    with pytest.raises(InputError, match="eight: largest_target was 99 and is now 49"):
        grid(tmp_path, routers, again, only=["flat/eight"]).sample_and_measure()


def test_the_problems_of_a_longer_task_have_its_targets(tmp_path: Path, routers: Path) -> None:
    do(grid(tmp_path, routers, FakeSampler(), SIZE.with_problems(20), only=["flat/eight"]))
    text = (tmp_path / "out" / "parts" / "flat" / "eight" / "problems.jsonl").read_text()
    targets = [int(json.loads(line)["problem"].split()[-1]) for line in text.splitlines()]
    assert len(targets) == 20
    assert set(targets) <= {*range(10, 50)}


def test_parts_of_other_machines_count_if_they_are_of_the_same_experiment(tmp_path: Path, routers: Path) -> None:
    do(grid(tmp_path / "there", routers, FakeSampler(), only=["peaked/four"]))
    (tmp_path / "out" / "parts").mkdir(parents=True)
    (tmp_path / "there" / "out" / "parts" / "peaked").rename(tmp_path / "out" / "parts" / "peaked")
    do(grid(tmp_path, routers, FakeSampler(), only=["flat/four"]))
    assert set(read_outcomes(tmp_path / "out").router) == {"flat", "peaked"}
    record = tmp_path / "out" / "parts" / "peaked" / "four" / RECORD
    record.write_text(json.dumps(json.loads(record.read_text()) | {"seed": 9}))
    with pytest.raises(InputError, match="differ in seed"):
        grid(tmp_path, routers, FakeSampler(), only=["flat/four"]).sample_and_measure()


def test_a_sampler_that_leaves_gaps_is_not_believed(tmp_path: Path, routers: Path) -> None:
    def idle(options: SampleOptions) -> int:
        return 0

    with pytest.raises(RunError, match="missing"):
        Grid(Options(tmp_path, routers, SIZE, SIZE.parts[:1]), Console(quiet=True), idle).sample_and_measure()


def test_a_failed_sampling_ends_with_its_code(tmp_path: Path, routers: Path) -> None:
    def fails(options: SampleOptions) -> int:
        return 3

    found = Grid(Options(tmp_path, routers, SIZE, SIZE.parts), Console(quiet=True), fails).sample_and_measure()
    assert found == 3
    assert not list(whole_lines(tmp_path / "parts" / "flat" / "four" / "responses.jsonl"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "flat/five"], "no part 'flat/five'"),
        (["--tasks", "five"], "no task"),
        (["--only", "flat/four", "--tasks", "eight"], "nothing is left"),
        (["--temperatures", "0"], "above 0"),
        (["--problems", "0"], "from 1 on"),
    ],
)
def test_a_wrong_word_is_named(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(words)
    assert ended.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_models_that_are_not_there_are_made_by_one_recipe_and_mixed(
    tmp_path: Path, routers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    asked: list[str] = []

    def makes(words: Sequence[str]) -> int:
        asked.append(" ".join(words))
        shutil.copytree(routers / "flat", words[-1])
        return 0

    shutil.rmtree(routers / "peaked")
    monkeypatch.setattr("generation.children.exit_code_of", makes)
    do(grid(tmp_path, routers, FakeSampler(), Size(4, (Design("four", ("middle",), 1, (1.0,)),))))
    assert asked == [
        f"examples.miniature.train_further peaked --out {routers}/peaked-unsharpened",
        f"examples.miniature.sharpen {routers}/peaked-unsharpened --curve peaked --out {routers}/peaked",
        f"examples.miniature.mix {routers}/peaked {routers}/flat --share 0.5 --out {routers}/middle",
    ]
    assert set(read_outcomes(tmp_path / "out").router) == {"middle"}


def test_a_training_that_fails_ends_the_grid(tmp_path: Path, routers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr("generation.children.exit_code_of", lambda words: 1)
    with pytest.raises(RunError, match="mix failed"):
        grid(tmp_path, routers, FakeSampler(), Size(4, (Design("four", ("middle",), 1, (1.0,)),))).sample_and_measure()


def test_a_router_of_no_recipe_is_refused(tmp_path: Path, routers: Path) -> None:
    pytest.importorskip("torch")
    size = Size(4, (Design("four", ("steep",), 1, (1.0,)),))
    with pytest.raises(InputError, match="steep"):
        grid(tmp_path, routers, FakeSampler(), size).sample_and_measure()
