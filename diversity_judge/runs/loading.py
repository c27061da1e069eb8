"""A finished run, read back from its folder: what `score` wrote, as types.

Whatever comes after scoring (comparisons, reports, notebooks) reads runs through this module only, so that the
layout of the folder is known in one place, `layout`: `scoring` writes it, this reads it. The matrices are rebuilt from
pairs.csv, by orientation; matrices.npz holds their symmetric form for other programs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diversity_judge.display import block, counted, html_block, short
from diversity_judge.errors import InputError
from diversity_judge.inputs.opening import STDIN
from diversity_judge.inputs.reading import read_responses
from diversity_judge.inputs.responses import Group, PathLike, Response
from diversity_judge.inputs.rows import is_dataset_folder
from diversity_judge.judges.presets import PROXY
from diversity_judge.ledger import Ledger
from diversity_judge.measures.diversity import DIFFERENCE, ESTIMATORS, MEAN_OF_SCORED_PAIRS, estimate
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.matrix import SimilarityMatrix, build_matrix
from diversity_judge.measures.surrogate import Surrogate
from diversity_judge.planning.judgment import Judgment
from diversity_judge.planning.pairs import Pair
from diversity_judge.rubric import MAX_SCORE
from diversity_judge.runs import layout
from diversity_judge.runs.instrument import Instrument
from diversity_judge.runs.ledger_place import recorded_place
from diversity_judge.runs.sortings import Labels, read_labels
from diversity_judge.runs.surrogates import read_surrogates
from diversity_judge.runs.table_files import broken, numbers_between, part_of, read_table, whole_numbers
from diversity_judge.wording import NONE, interval, number, percent, spread

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STRATEGY_COLUMNS = ("strategy", "problems", "diversity", "95 % interval", "coverage")
"""What a run shows of its strategies."""


_GROUP_COLUMNS = ("problem_id", "strategy")
_PAIR_COLUMNS = (
    *_GROUP_COLUMNS, "first_position", "second_position", "draw", "key", "score", "missing", "n_replies", "reply_id",
)  # fmt: skip
_ESTIMATE_COLUMNS = ("diversity", "ci_low", "ci_high", "coverage")


@dataclass(frozen=True)
class Rationale:
    """Why the judge gave a score, in its own words.

    Attributes:
        content: The visible answer, raw.
        reasoning: The thinking before it; None where the host gave none.
    """

    content: str
    reasoning: str | None


@dataclass(frozen=True, eq=False, repr=False)
class RunGroup:
    """One problem under one strategy: its responses, and its judgments when it was judged.

    Attributes:
        group: The responses, in the order of the matrix.
        judgments: What was wanted of the judge and what came; empty where nothing was judged.
        surrogate: Of the diversity's estimate; None where the scored pairs alone are looked at.
        approaches: (n,) approach of each response from 1, as the judge sorted them; None where it did not.
        references: (n,) which approach of the problem's list each response takes, 0 for none; None where not known.
        n_references: Approaches of that list; 0 where nothing was asked about one.
    """

    group: Group
    judgments: tuple[Judgment, ...] = ()
    surrogate: Surrogate | None = None
    approaches: tuple[int, ...] | None = None
    references: tuple[int, ...] | None = None
    n_references: int = 0

    @property
    def problem_id(self) -> str:
        """The problem."""
        return self.group.problem_id

    @property
    def strategy(self) -> str:
        """How the responses were sampled."""
        return self.group.strategy

    @property
    def responses(self) -> tuple[Response, ...]:
        """(n,) the responses."""
        return self.group.responses

    @cached_property
    def matrix(self) -> SimilarityMatrix:
        """(n, n) the scores by orientation; nothing is wanted where nothing was judged."""
        return build_matrix(self.group.n_responses, self.judgments)

    @cached_property
    def diversity(self) -> Estimate:
        """Process diversity 0..1 with its 95 % interval over responses, by the estimator of the run."""
        return estimate(self.matrix, self.surrogate)

    def __repr__(self) -> str:
        name = f"{short(self.problem_id)} / {short(self.strategy)}: {counted(len(self.responses), 'response')}"
        if not self.judgments:
            return f"RunGroup({name}, not judged)"
        found, matrix = self.diversity, self.matrix
        scored = f"{matrix.n_scored:,} of {matrix.n_wanted:,} pairs scored"
        return f"RunGroup({name}, {scored}, diversity {interval(found.value, found.low, found.high)})"

    def _repr_html_(self) -> str:
        return html_block(repr(self), (), ())


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """What a run found.

    Attributes:
        path: Its folder, or the file of responses that was never judged.
        groups: One a group, in the order of the input.
        manifest: What run.json holds; empty where nothing was judged.
        scores: scores.csv: one row a group.
        strategies: strategies.csv: one row a strategy.
        pairs: pairs.csv: one row a wanted judgment.
        warnings: What the user should know of the input.
    """

    path: Path
    groups: tuple[RunGroup, ...]
    manifest: Mapping[str, Any] = field(default_factory=dict)
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    strategies: pd.DataFrame = field(default_factory=pd.DataFrame)
    pairs: pd.DataFrame = field(default_factory=pd.DataFrame)
    warnings: tuple[str, ...] = ()

    @property
    def is_judged(self) -> bool:
        """Whether there are judgments, and not responses alone."""
        return bool(self.manifest)

    @property
    def is_proxy(self) -> bool:
        """Whether the proxy judge gave the scores, which is not an LLM."""
        return self.is_judged and self.manifest["judge"]["kind"] == PROXY

    @property
    def judge(self) -> str:
        """The judge as the tables name it; empty where nothing was judged."""
        return str(self.manifest["judge"]["label"]) if self.is_judged else ""

    @property
    def anchor_warning(self) -> str:
        """Why the judge may have changed, by the anchors of the run; empty where nothing says so."""
        anchors = self.manifest.get("anchors")
        return str(anchors.get("warning") or "") if isinstance(anchors, Mapping) else ""

    @property
    def prompt(self) -> str:
        """The prompt template as the tables name it; empty where nothing was judged."""
        return str(self.manifest["prompt"]["label"]) if self.is_judged else ""

    @cached_property
    def instrument(self) -> Instrument:
        """With what the scores were measured.

        Raises:
            ValueError: nothing was judged.
        """
        if not self.is_judged:
            raise ValueError(f"{self.path}: nothing was judged here")
        return Instrument.from_manifest(self.manifest, self.path / layout.MANIFEST)

    @property
    def matrices(self) -> dict[tuple[str, str], NDArray[np.float64]]:
        """(problem id, strategy) to the (n, n) symmetric similarities 0..5, NaN where a pair has no score."""
        return {(g.problem_id, g.strategy): g.matrix.symmetric() for g in self.groups if g.judgments}

    @property
    def ledger_place(self) -> Path | None:
        """Where the judge's replies should be; None where none stand behind the scores."""
        return recorded_place(self.path, self.manifest, self.path / layout.MANIFEST)

    @property
    def ledger_path(self) -> Path | None:
        """Where the judge's replies are; None when the ledger is not where the run left it."""
        place = self.ledger_place
        return place if place is not None and place.is_file() else None

    def group(self, problem_id: str, strategy: str) -> RunGroup:
        """One group.

        Raises:
            KeyError: there is none of that name.
        """
        for group in self.groups:
            if (group.problem_id, group.strategy) == (problem_id, strategy):
                return group
        raise KeyError((problem_id, strategy))

    def heatmap(self, problem_id: str) -> Figure:
        """The similarity matrices of one problem, its strategies side by side.

        Raises:
            KeyError: no such problem was judged.
        """
        from diversity_judge.drawing.heatmaps import Heatmap, problem_heatmaps

        shown = [
            Heatmap(
                group.problem_id,
                group.strategy,
                group.matrix.symmetric(),
                group.diversity.value,
                group.diversity.low,
                group.diversity.high,
                group.matrix.wanted | group.matrix.wanted.T,
            )
            for group in self.groups
            if group.problem_id == problem_id and group.judgments
        ]
        if not shown:
            raise KeyError(problem_id)
        return problem_heatmaps(shown, judge=self.judge)

    def __repr__(self) -> str:
        return block(f"Run {short(self.path)}: {self.summary}", STRATEGY_COLUMNS, self.strategy_rows(), self._lines())

    def _repr_html_(self) -> str:
        title = f"Run {short(self.path)}: {self.summary}"
        return html_block(title, STRATEGY_COLUMNS, self.strategy_rows(), self._lines())

    @property
    def summary(self) -> str:
        """How much there is, in a few words."""
        problems = {group.problem_id for group in self.groups}
        size = f"{counted(len(self.groups), 'group')} of {counted(len(problems), 'problem')}"
        if not self.is_judged:
            return f"{size}, responses only"
        matrices = [group.matrix for group in self.groups]
        scored, wanted = (sum(getattr(m, name) for m in matrices) for name in ("n_scored", "n_wanted"))
        return f"{size}, {scored:,} of {wanted:,} pairs scored"

    def strategy_rows(self) -> list[tuple[str, ...]]:
        """Cells of `STRATEGY_COLUMNS`, one row a strategy; none where nothing was judged."""
        columns = ("strategy", "n_problems", "diversity", "ci_low", "ci_high", "coverage")
        if not self.is_judged or self.strategies.empty:
            return []
        return [
            (str(strategy), str(n), number(value, 4), _ends(low, high), percent(coverage))
            for strategy, n, value, low, high, coverage in zip(
                *(self.strategies[column].tolist() for column in columns), strict=True
            )
        ]

    def _lines(self) -> list[str]:
        judge = [f"judge: {self.judge}"] if self.is_judged else []
        return [*judge, *(f"warning: {warning}" for warning in self.warnings[:3])]

    def rationale(self, judgment: Judgment) -> Rationale | None:
        """Why the judge gave this score, or failed to; None for a pair that was never answered."""
        return self.rationales([judgment]).get(judgment.reply_id or 0)

    def rationales(self, judgments: Iterable[Judgment]) -> dict[int, Rationale]:
        """Reply id to rationale, of all these judgments that have one.

        A reply is taken only if its key is the judgment's: a ledger that was moved or replaced gives nothing,
        and never another pair's words.

        Raises:
            InputError: the ledger is there and cannot be read.
        """
        keys = {j.reply_id: j.key for j in judgments if j.reply_id is not None}
        path = self.ledger_path
        if not keys or path is None:
            return {}
        with Ledger(path, read_only=True) as ledger:
            found = ledger.rationales(list(keys))
        return {
            reply_id: Rationale(content, reasoning)
            for reply_id, (key, reasoning, content) in found.items()
            if key == keys[reply_id]
        }

    def only(self, strategies: Collection[str]) -> Run:
        """The same run with the groups and rows of these strategies alone."""

        def frame(table: pd.DataFrame) -> pd.DataFrame:
            return table[table["strategy"].isin(list(strategies))] if "strategy" in table else table

        return replace(
            self,
            groups=tuple(member for member in self.groups if member.strategy in strategies),
            scores=frame(self.scores),
            strategies=frame(self.strategies),
            pairs=frame(self.pairs),
        )

    def renamed(self, name: Callable[[str], str]) -> Run:
        """The same run with other names for its strategies, in the groups and in the frames."""
        groups = tuple(
            replace(
                member,
                group=replace(
                    member.group,
                    strategy=name(member.strategy),
                    responses=tuple(replace(r, strategy=name(r.strategy)) for r in member.responses),
                ),
            )
            for member in self.groups
        )

        def frame(table: pd.DataFrame) -> pd.DataFrame:
            return table.assign(strategy=table["strategy"].map(name)) if "strategy" in table else table

        return replace(
            self,
            groups=groups,
            scores=frame(self.scores),
            strategies=frame(self.strategies),
            pairs=frame(self.pairs),
        )


def _ends(low: float, high: float) -> str:
    if math.isnan(low):
        return NONE
    return "no spread seen" if low == high else spread(low, high)


def load_run(path: PathLike) -> Run:
    """Reads a run folder of `score`, or a file of responses alone.

    Args:
        path: The folder, or a `responses.jsonl`.

    Returns:
        The run. Of a file alone there are only responses: no judge, no matrices.

    Raises:
        InputError: it is neither, or a part of the folder is missing or broken.
    """
    path = Path(path)
    if not path.exists() and str(path) != STDIN:
        raise InputError(f"{path}: there is nothing here; name a run folder of score, or a file of responses")
    if not path.is_dir() or is_dataset_folder(path):
        read = read_responses(path)
        return Run(path, tuple(RunGroup(group) for group in read.groups), warnings=read.warnings)
    manifest = _manifest(path)
    pairs = read_table(path, layout.PAIRS, _PAIR_COLUMNS)
    scores = read_table(path, layout.SCORES, _GROUP_COLUMNS, _ESTIMATE_COLUMNS)
    surrogates = read_surrogates(path, scores) if _estimator(path, manifest) == DIFFERENCE else {}
    read = read_responses(part_of(path, layout.RESPONSES))
    is_panel = manifest["judge"]["kind"] == layout.PANEL
    judgments = _judgments(path / layout.PAIRS, pairs, _mean_scores if is_panel else _whole_scores)
    return Run(
        path,
        _groups(path, read.groups, pairs, list(judgments), surrogates, read_labels(path, read.groups)),
        manifest,
        scores,
        read_table(path, layout.STRATEGIES, _GROUP_COLUMNS[1:], ("n_problems", *_ESTIMATE_COLUMNS)),
        pairs,
    )


def _manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a finished run, with all parts that `Run` looks at."""
    manifest = layout.read_manifest(folder)
    if manifest is None:
        raise InputError(f"{folder}: no {layout.MANIFEST} in this folder, so it is no run folder of score")
    path = folder / layout.MANIFEST
    judge, prompt = (layout.entry(manifest, path, part, dict) for part in ("judge", "prompt"))
    for mapping, name in ((judge, "label"), (judge, "kind"), (prompt, "label"), (manifest, "ledger")):
        layout.entry(mapping, path, name, str)
    Instrument.from_manifest(manifest, path)
    sortings = layout.entry_or_none(manifest, path, "sortings", dict) or {}
    prompts = layout.entry_or_none(sortings, path, "prompts", dict) or {}
    for name in prompts:
        for part in ("label", "sha256"):
            layout.entry(layout.entry(prompts, path, name, dict), path, part, str)
    if layout.entry_or_none(manifest, path, layout.STATE, str) == layout.UNFINISHED:
        raise InputError(
            f"{folder}: this run was stopped while it wrote its outputs, so they are of no run: the same score command "
            "writes them again from the ledger"
        )
    return manifest


def _estimator(folder: Path, manifest: Mapping[str, Any]) -> str:
    path = folder / layout.MANIFEST
    estimator = layout.entry_or_none(manifest, path, "estimator", dict)
    if estimator is None:
        return MEAN_OF_SCORED_PAIRS  # Older runs name none, because there was one only.
    name = layout.entry(estimator, path, "name", str)
    if name not in ESTIMATORS:
        raise InputError(
            f"{path}: the diversity was estimated by {name!r}, which this version does not know; "
            f"it knows {', '.join(ESTIMATORS)}"
        )
    return name


def _groups(
    folder: Path,
    groups: Sequence[Group],
    pairs: pd.DataFrame,
    judgments: Sequence[Judgment],
    surrogates: Mapping[tuple[str, str], Surrogate],
    labels: Mapping[tuple[str, str], Labels],
) -> tuple[RunGroup, ...]:
    by_group = pairs.groupby(["problem_id", "strategy"], sort=False).indices
    found = []
    for group in groups:
        mine = tuple(judgments[row] for row in by_group.get((group.problem_id, group.strategy), ()))
        last = max((max(judgment.pair.first, judgment.pair.second) for judgment in mine), default=-1)
        if last >= group.n_responses:
            raise InputError(
                f"{folder / layout.PAIRS}: names response {last} of {group.problem_id} / {group.strategy}, which "
                f"has {group.n_responses}; the tables are of different runs: run score --offline again"
            )
        name = (group.problem_id, group.strategy)
        surrogate = surrogates.get(name)
        if surrogate is not None and len(surrogate.values) != group.n_responses:
            raise broken(folder / layout.SURROGATE, f"is of other responses of {group.problem_id} / {group.strategy}")
        found.append(RunGroup(group, mine, surrogate, *labels.get(name, Labels())))
    return tuple(found)


def _whole_scores(path: Path, rows: pd.DataFrame) -> list[Any]:
    return whole_numbers(path, rows, "score", highest=MAX_SCORE, may_be_missing=True)


def _mean_scores(path: Path, rows: pd.DataFrame) -> list[Any]:
    """Of a panel."""
    return numbers_between(path, rows, "score", 0, MAX_SCORE)


def _judgments(path: Path, rows: pd.DataFrame, scores: Callable[[Path, pd.DataFrame], list[Any]]) -> Iterable[Judgment]:
    numbers = {
        "first_position": whole_numbers(path, rows, "first_position"),
        "second_position": whole_numbers(path, rows, "second_position"),
        "draw": whole_numbers(path, rows, "draw"),
        "score": scores(path, rows),
        "n_replies": whole_numbers(path, rows, "n_replies"),
        "reply_id": whole_numbers(path, rows, "reply_id", may_be_missing=True),
    }
    if (rows["first_position"] == rows["second_position"]).any():
        raise broken(path, "pairs a response with itself")
    for first, second, draw, score, n_replies, reply_id, key, missing in zip(
        *numbers.values(), rows["key"].tolist(), rows["missing"].tolist(), strict=True
    ):
        yield Judgment(
            Pair(first, second, draw), key or None, score, missing or None, n_replies=n_replies, reply_id=reply_id
        )
