"""The whole of a comparison as one value, and how it is made from runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from diversity_judge.choices import SMALLEST_INTERESTING
from diversity_judge.comparing.admission import admit
from diversity_judge.comparing.corrected import Correction, corrected_sentences, find_correction
from diversity_judge.comparing.counts import count_rows, cut_rows
from diversity_judge.comparing.differences import (
    StrategyDifference,
    all_series,
    compare_all,
    compare_pairs,
    main_series,
)
from diversity_judge.comparing.group_measures import (
    GroupMeasures,
    Reading,
    Thresholds,
    common_curve_sizes,
    common_size,
    measure,
    typical_size,
)
from diversity_judge.comparing.judge_noise import MeasuredNoise, beside, measure_noise, noise_sentence
from diversity_judge.comparing.notes import all_notes
from diversity_judge.comparing.outcome_table import outcome_rows, problem_tiers
from diversity_judge.comparing.parts import COMPLETE, is_cut
from diversity_judge.comparing.payoff import payoff_rows, payoff_sentences
from diversity_judge.comparing.problem_table import ProblemTable
from diversity_judge.comparing.process_metrics import ProcessMetric, known_values, process_metrics
from diversity_judge.comparing.tables import (
    ALL_TIERS,
    CorrectedRow,
    CountRow,
    CutRow,
    DifferenceRow,
    OutcomeRow,
    PairRow,
    PayoffRow,
    ProcessRow,
    Table,
    TrendRow,
    VerificationRow,
)
from diversity_judge.comparing.trends import Trend, all_trends, trend_sentences
from diversity_judge.comparing.verification_table import step_reward_notes, verification_rows
from diversity_judge.display import block, counted, html_block, short
from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import PathLike
from diversity_judge.inputs.selection import check_strategies
from diversity_judge.measures.outcomes import Tier
from diversity_judge.runs.loading import Run, RunGroup
from diversity_judge.runs.sources import RunLike, as_run
from diversity_judge.runs.surrogates import estimator_sentence
from diversity_judge.text_safety import printable
from diversity_judge.wording import NONE, interval

if TYPE_CHECKING:
    import pandas as pd

USUAL_BASELINE = "token-normal"
_TIERS_OF_OWN_MAKING = (
    "the tiers come from the responses of {0}: its own values inside a tier are what the tier was chosen by"
)


_SHOWN_METRICS = ("diversity", "approaches")
_SHOWN_COLUMNS = ("strategy", *_SHOWN_METRICS, "pass rate")
"""What a comparison shows of its strategies."""
_MOST_LINES = 3


@dataclass(frozen=True)
class CompareOptions:
    """How runs are compared.

    Attributes:
        baseline: The strategy that the others are compared with; None: `token-normal`, else the first.
        tier_strategy: The token-sampling strategy that grades the problems; None: `token-normal`, else the baseline.
        thresholds: Where similar ends and different begins.
        difference: In diversity, that a study should be able to see.
        allow_mixed: Compare runs of different instruments too.
        seed: Of the random sign patterns and subsets of responses, where there are too many to look at all.
        complete_only: Measure the process side among responses that were not cut.
        strategies: Those that are compared; None for all.
        labels: File of people's labels, of a random sample of the pairs, by which the judge is corrected.
        reference: The run of a better judge on a random choice of the pairs, by which it is.
        reliability: Folder of `reliability` that says how large the judge's noise is; None: that in each run's folder.
    """

    baseline: str | None = None
    tier_strategy: str | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    difference: float = SMALLEST_INTERESTING
    allow_mixed: bool = False
    seed: int = 0
    complete_only: bool = False
    strategies: tuple[str, ...] | None = None
    labels: PathLike | None = None
    reference: RunLike | None = None
    reliability: str | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Strategies beside each other.

    Attributes:
        runs: What was compared.
        options: How, with the baseline and the tier strategy filled in.
        strategies: In order of appearance.
        groups: Everything measured, one a group.
        metrics: Of the process side.
        tiers: Problem to tier, for those that have one.
        size: Responses at which metrics that grow with their number were taken: those of the smallest group.
        comparisons: Each strategy against the baseline, metric by metric.
        pairs: Any two strategies, on diversity and what they solve.
        trends: Along strategies that a number orders.
        noise: What is known of the judge's noise.
        notes: What was left out and what it needs, and what is to be kept in mind; one sentence each.
        correction: What the judge is corrected by; None where nothing was given.
    """

    runs: tuple[Run, ...]
    options: CompareOptions
    strategies: tuple[str, ...]
    groups: tuple[GroupMeasures, ...]
    metrics: tuple[ProcessMetric, ...]
    tiers: Mapping[str, Tier]
    size: int
    comparisons: tuple[StrategyDifference, ...]
    pairs: tuple[StrategyDifference, ...]
    trends: tuple[Trend, ...]
    noise: MeasuredNoise
    notes: tuple[str, ...]
    correction: Correction | None = None

    @property
    def baseline(self) -> str:
        """The strategy that the others are compared with."""
        return self.options.baseline or self.strategies[0]

    @property
    def tier_strategy(self) -> str:
        """The strategy whose responses grade the problems."""
        return self.options.tier_strategy or self.baseline

    @property
    def is_judged(self) -> bool:
        """Whether any group was judged."""
        return any(run.is_judged for run in self.runs)

    @property
    def is_proxy(self) -> bool:
        """Whether any score is the proxy judge's, which is not an LLM."""
        return any(run.is_proxy for run in self.runs)

    @property
    def judges(self) -> tuple[str, ...]:
        """The judges as the tables name them."""
        return tuple(dict.fromkeys(run.judge for run in self.runs if run.is_judged))

    @property
    def problems(self) -> tuple[str, ...]:
        """The problems, in order of appearance."""
        return tuple(dict.fromkeys(group.problem_id for group in self.groups))

    @cached_property
    def process(self) -> Table[ProcessRow]:
        """process.csv."""
        return Table(ProcessRow, tuple(_process_rows(self.groups, self.strategies, self.metrics, self.size)))

    @cached_property
    def differences(self) -> Table[DifferenceRow]:
        """differences.csv."""
        return Table(DifferenceRow, tuple(comparison.row for comparison in self.comparisons))

    @cached_property
    def outcomes(self) -> Table[OutcomeRow]:
        """outcomes.csv."""
        return Table(OutcomeRow, tuple(outcome_rows(self.groups, self.strategies, self.tiers)))

    @cached_property
    def pairs_of_strategies(self) -> Table[PairRow]:
        """pairs_of_strategies.csv."""
        return Table(PairRow, tuple(pair.pair_row for pair in self.pairs))

    @cached_property
    def trend_table(self) -> Table[TrendRow]:
        """trends.csv."""
        return Table(TrendRow, tuple(trend.row for trend in self.trends))

    @cached_property
    def payoff(self) -> Table[PayoffRow]:
        """payoff.csv."""
        return Table(PayoffRow, tuple(payoff_rows(self.groups)))

    @cached_property
    def counts(self) -> Table[CountRow]:
        """counts.csv."""
        only = self.options.complete_only
        rows = count_rows(self.groups, self.strategies, self.metrics, size=self.size, complete_only=only)
        return Table(CountRow, tuple(rows))

    @cached_property
    def verification(self) -> Table[VerificationRow]:
        """verification.csv."""
        rows = verification_rows(self.groups, self.strategies, self.tiers, seed=self.options.seed)
        return Table(VerificationRow, tuple(rows))

    @cached_property
    def cut_responses(self) -> Table[CutRow]:
        """cut_responses.csv."""
        return Table(CutRow, tuple(cut_rows(self.groups, self.strategies)))

    @cached_property
    def corrected(self) -> Table[CorrectedRow]:
        """corrected.csv."""
        if self.correction is None:
            return Table(CorrectedRow, ())
        diversity = self.metrics[0]
        levels = {
            name: diversity.level(
                [v for _, v in known_values([g for g in self.groups if g.strategy == name], diversity)], self.size
            )
            for name in self.strategies
        }
        differences = {c.strategy: c.found.estimate for c in self.comparisons if c.metric == diversity.name}
        rows = self.correction.rows(
            self.strategies, self.baseline, levels=levels, differences=differences, detect=self.options.difference
        )
        return Table(CorrectedRow, rows)

    @property
    def problem_table(self) -> ProblemTable:
        """problems.csv."""
        judges = {member: run.judge for run in self.runs for member in run.groups}
        return ProblemTable(self.groups, self.metrics, self.tiers, judges)

    @property
    def sentences(self) -> tuple[str, ...]:
        """One plain sentence a comparison, a trend, and on whether diversity pays."""
        from diversity_judge.comparing.sentences import all_sentences

        others = (
            *(corrected_sentences(self.corrected, self.correction.source) if self.correction else ()),
            *noise_sentence(self.comparisons, self.noise),
            *trend_sentences(self.trends),
            *payoff_sentences(self.payoff),
        )
        return all_sentences(self.comparisons, self.options.difference, others)

    def __repr__(self) -> str:
        return block(self._title, _SHOWN_COLUMNS, self._rows(), self._lines())

    def _repr_html_(self) -> str:
        return html_block(self._title, _SHOWN_COLUMNS, self._rows(), self._lines())

    @property
    def _title(self) -> str:
        sizes = f"{counted(len(self.strategies), 'strategy', 'strategies')} on {counted(len(self.problems), 'problem')}"
        return f"Comparison: {sizes}, baseline {short(self.baseline)}"

    def _lines(self) -> Iterator[str]:
        """The judges, what was found, and how much was left out."""
        yield from (f"judge: {judge}" for judge in self.judges[:_MOST_LINES])
        yield from self.sentences[:_MOST_LINES]
        hidden = max(0, len(self.sentences) - _MOST_LINES)
        if hidden or self.notes:
            more = [f"{counted(hidden, 'more sentence')} in .sentences"] if hidden else []
            yield "; ".join([*more, *([f"{counted(len(self.notes), 'note')} in .notes"] if self.notes else [])])

    def _rows(self) -> list[tuple[str, ...]]:
        """Cells of `_SHOWN_COLUMNS`, one row a strategy."""
        return [
            (
                short(strategy),
                *(self._estimate(self.process.where(strategy=strategy, metric=name)) for name in _SHOWN_METRICS),
                self._estimate(self.outcomes.where(strategy=strategy, metric="pass_rate", tier=ALL_TIERS)),
            )
            for strategy in self.strategies
        ]

    @staticmethod
    def _estimate(rows: Sequence[ProcessRow] | Sequence[OutcomeRow]) -> str:
        return interval(rows[0].value, rows[0].ci_low, rows[0].ci_high) if rows else NONE

    def to_frame(self) -> pd.DataFrame:
        """The main table: one row a strategy, one column a metric (means over problems)."""
        import pandas as pd

        process = self.process.to_frame()[["strategy", "metric", "value"]]
        outcomes = self.outcomes.to_frame().query("tier == 'all'")
        names = outcomes["metric"].where(outcomes["metric"] != "pass_at_k", "pass_at_" + outcomes["k"].astype(str))
        outcomes = outcomes.assign(metric=names)[["strategy", "metric", "value"]]
        long = pd.concat([part for part in (process, outcomes) if len(part)] or [process])
        columns = list(dict.fromkeys(long["metric"]))
        wide = long.pivot(index="strategy", columns="metric", values="value")
        return wide.reindex(index=list(self.strategies), columns=columns).rename_axis(columns=None)


def compare_runs(runs: Sequence[Run], options: CompareOptions) -> Comparison:
    """Compare the strategies of some runs.

    Args:
        runs: The runs; together they hold each group once.
        options: How.

    Raises:
        InputError: the runs cannot be compared, or a strategy that was named is not there.
    """
    if options.strategies is not None:
        check_strategies(options.strategies, [group.strategy for run in runs for group in run.groups])
        runs = [run.only(options.strategies) for run in runs]
    mixed = admit(runs, allow_mixed=options.allow_mixed)
    correction = _correction(runs, options)
    members = [group for run in runs for group in run.groups]
    found = list(dict.fromkeys(member.strategy for member in members))
    baseline = _chosen("--baseline", options.baseline, found, found[0])
    tier_strategy = _chosen("--tier-strategy", options.tier_strategy, found, baseline)
    strategies = tuple(found)
    by_strategy = {name: [member for member in members if member.strategy == name] for name in strategies}
    sizes = common_curve_sizes({name: typical_size(mine) for name, mine in by_strategy.items()})
    smallest, largest = common_size(members, complete_only=options.complete_only)
    reading = Reading(options.thresholds, smallest, options.complete_only, options.seed)
    groups = tuple(measure(member, sizes[member.strategy], reading) for member in members)
    metrics = _metrics(members, options.thresholds)
    tiers, untiered = problem_tiers(groups, tier_strategy)
    series = all_series(groups, metrics, smallest)
    filled = replace(
        options,
        baseline=baseline,
        tier_strategy=tier_strategy,
        labels=None if options.labels is None else str(options.labels),
        reference=None if options.reference is None else str(as_run(options.reference).path),
    )
    noise = measure_noise(runs, options.reliability, complete_only=options.complete_only)
    comparisons = beside(compare_all(series, strategies, baseline, seed=options.seed), noise)
    notes = (
        *(f"--allow-mixed: {sentence}" for sentence in mixed),
        *(f"warning: {run.path}: {run.anchor_warning}" for run in runs if run.anchor_warning),
        *_estimator_notes(runs),
        *(correction.notes if correction else ()),
        *(f"no tier from {tier_strategy}: needs {reason}" for reason in untiered),
        *all_notes(
            groups,
            strategies,
            metrics,
            comparisons,
            baseline=baseline,
            sizes=(smallest, largest),
            complete_only=options.complete_only,
        ),
        *step_reward_notes(groups),
        *noise.notes,
        *((_TIERS_OF_OWN_MAKING.format(tier_strategy),) if tiers else ()),
    )
    return Comparison(
        runs=tuple(runs),
        options=filled,
        strategies=strategies,
        groups=groups,
        metrics=metrics,
        tiers=tiers,
        size=smallest,
        comparisons=comparisons,
        pairs=beside(compare_pairs(main_series(series), strategies, seed=options.seed), noise),
        trends=all_trends(main_series(series), strategies, seed=options.seed),
        noise=noise,
        notes=tuple(printable(note) for note in notes),
        correction=correction,
    )


def _correction(runs: Sequence[Run], options: CompareOptions) -> Correction | None:
    if options.complete_only and not (options.labels is None and options.reference is None):
        raise InputError(
            "--complete-only: labels and reference are samples of all pairs; leave one of the two options out"
        )
    return find_correction(runs, labels=options.labels, reference=options.reference)


def _estimator_notes(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        if said := estimator_sentence(run.manifest):
            yield f"process diversity of {run.path} is estimated as {said}; its parts are means of their scored pairs"


def _metrics(members: Sequence[RunGroup], thresholds: Thresholds) -> tuple[ProcessMetric, ...]:
    """All, without that of the responses that were not cut where none was cut: it would be the diversity again."""
    some_cut = any(is_cut(response) for member in members if member.judgments for response in member.responses)
    return tuple(m for m in process_metrics(thresholds) if some_cut or m.name != COMPLETE.metric)


def _chosen(option: str, name: str | None, strategies: Sequence[str], default: str) -> str:
    if name is None:
        return USUAL_BASELINE if USUAL_BASELINE in strategies else default
    if name not in strategies:
        raise InputError(printable(f"{option} {name}: no such strategy; there are {', '.join(strategies)}"))
    return name


def _process_rows(
    groups: Sequence[GroupMeasures], strategies: Sequence[str], metrics: Sequence[ProcessMetric], size: int
) -> Iterator[ProcessRow]:
    for strategy in strategies:
        mine = [group for group in groups if group.strategy == strategy]
        for metric in metrics:
            estimate = metric.level([value for _, value in known_values(mine, metric)], size)
            if estimate.n:
                yield ProcessRow(strategy, metric.name, estimate.value, estimate.low, estimate.high, estimate.n)
