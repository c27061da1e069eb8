"""Anchors of a run: asked before its first call and after its last, and held against those of earlier runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from diversity_judge.engine.bill import Bill
from diversity_judge.engine.options import EngineOptions
from diversity_judge.engine.session import buy
from diversity_judge.engine.spending import check_spending
from diversity_judge.engine.tally import Ending, Tally
from diversity_judge.engine.workload import Workload, make_workload
from diversity_judge.errors import InputError
from diversity_judge.files import finite_or_none
from diversity_judge.judges.base import Judge
from diversity_judge.judges.make import make_judge
from diversity_judge.ledger import Ledger
from diversity_judge.ledger.judgments import read_judgments
from diversity_judge.measures.drift import ASSUMED_DEGREES, ASSUMED_NOISE, Drift, drift
from diversity_judge.planning.anchors import plan_anchors
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.runs.anchors import AnchorSet
from diversity_judge.runs.instrument import WHO, Instrument, differences
from diversity_judge.runs.layout import MANIFEST, read_manifest
from diversity_judge.scoring.result import ScoreResult
from diversity_judge.text_safety import printable

MARK = "warning: anchors moved"
"""Stands behind the judge in every table of a run whose anchors say that it changed."""
_MOST_MOMENTS = 100_000
_LONGEST = 60


@dataclass(frozen=True)
class Moment:
    """One asking of all anchors.

    Attributes:
        number: From 0, in this ledger.
        scores: (A,) NaN where one is missing.
        models: Names under which the host answered.
        fingerprints: Of what it served.
        since: When the first reply came.
    """

    number: int
    scores: NDArray[np.float64]
    models: tuple[str, ...]
    fingerprints: tuple[str, ...]
    since: str


@dataclass(frozen=True)
class Watch:
    """What is needed to ask the anchors of a run.

    Attributes:
        anchors: The set.
        judge: Who would be asked; not asked itself.
        template: The prompt.
        instrument: Of the run.
    """

    anchors: AnchorSet
    judge: Judge
    template: PromptTemplate
    instrument: Instrument

    def workload(self, moment: int, ledger: Ledger | None) -> Workload:
        """What a moment asks."""
        return make_workload(plan_anchors(self.anchors.anchors, moment), self.judge, ledger, self.template)

    def moments(self, ledger: Ledger) -> list[Moment]:
        """What the ledger has, up to the first moment of which it has nothing."""
        found = []
        for number in range(_MOST_MOMENTS):
            moment = self._moment(number, ledger)
            if moment is None:
                break
            found.append(moment)
        return found

    def _moment(self, number: int, ledger: Ledger) -> Moment | None:
        plans = plan_anchors(self.anchors.anchors, number)
        keys = [key for plan in plans for key in plan.keys(self.judge.fingerprint(plan)) if key is not None]
        origins = ledger.origins(keys)
        if not origins:
            return None
        scores = [read_judgments(plan, self.judge, ledger)[0].score for plan in plans]
        return Moment(
            number,
            np.array([np.nan if score is None else score for score in scores], dtype=np.float64),
            tuple(sorted({str(origin.model) for origin in origins if origin.model})),
            tuple(sorted({str(origin.system_fingerprint) for origin in origins if origin.system_fingerprint})),
            origins[0].created,
        )


def with_anchors(bill: Bill, watch: Watch) -> Bill:
    """The bill of a run with that of its anchors, at its beginning and its end; of a run that buys nothing as it is."""
    if not bill.calls:
        return bill
    asked = watch.workload(0, None).bill
    cost = None if bill.cost_usd is None or asked.cost_usd is None else bill.cost_usd + 2 * asked.cost_usd
    return replace(
        bill,
        calls=bill.calls + 2 * asked.calls,
        input_tokens=bill.input_tokens + 2 * asked.input_tokens,
        output_tokens=bill.output_tokens + 2 * asked.output_tokens,
        cost_usd=cost,
    )


def ask(watch: Watch, ledger: Ledger, engine: EngineOptions, console: Console) -> Tally:
    """Ask all anchors at a moment of their own."""
    moment = len(watch.moments(ledger))
    judge = make_judge(watch.judge.spec, watch.template, sends_calls=True, deadline_s=engine.deadline_s)
    return buy(watch.workload(moment, ledger), judge, ledger, engine, console)


def buy_between(
    watch: Watch, workload: Workload, judge: Judge, ledger: Ledger, engine: EngineOptions, console: Console
) -> Tally:
    """Ask the anchors, buy what the run wants, and ask the anchors again; all of it within the run's limits.

    A run that needs no call asks none. Where the first asking fails or is interrupted nothing else is sent.
    """
    if not workload.bill.calls:
        return buy(workload, judge, ledger, engine, console)
    check_spending(with_anchors(workload.bill, watch), engine, watch.judge.spec)
    engine = replace(engine, yes=True)  # Asked once, before the anchors are.
    begun = ask(watch, ledger, engine, console)
    if begun.ending in (Ending.FAILED, Ending.INTERRUPTED):
        tally = Tally.of(workload.bill)
        tally.missing[begun.ending.value] += workload.bill.calls
        tally.ending, tally.message = begun.ending, begun.message
        tally.spend(begun)
        return tally
    tally = buy(workload, judge, ledger, engine.after(begun.calls, begun.cost_usd), console)
    tally.spend(begun)
    if tally.ending is Ending.DONE:
        tally.spend(ask(watch, ledger, engine.after(tally.calls, tally.cost_usd), console))
    return tally


@dataclass(frozen=True)
class Anchored:
    """What the anchors of a run say.

    Attributes:
        sentences: For people.
        warning: Why the judge may be another one than it was; empty where nothing says so.
        record: What run.json holds.
    """

    sentences: tuple[str, ...]
    warning: str
    record: dict[str, Any]


def anchored(watch: Watch, ledger: Ledger, n_before: int) -> Anchored:
    """What the anchors say: this run's askings against the earlier ones, and the last against the first.

    Args:
        watch: The anchors.
        ledger: With all replies.
        n_before: Moments that the ledger had before this run.
    """
    moments = watch.moments(ledger)
    earlier, mine = moments[:n_before], moments[n_before:]
    history = [moment.scores for moment in earlier]
    if _is_same_judge(watch):
        scores = [anchor.score for anchor in watch.anchors.anchors]
        history.insert(0, np.array([np.nan if score is None else score for score in scores], dtype=np.float64))
    found: dict[str, Drift] = {}
    if mine and history:
        found["since earlier askings"] = _drift(watch, mine[0].scores, history)
    if len(mine) > 1:
        found["during this run"] = _drift(watch, mine[-1].scores, [mine[0].scores])
    sentences = list(_sentences(watch, mine, found))
    warning = " ".join(_warnings(earlier, mine, found))
    return Anchored(
        tuple(printable(sentence) for sentence in sentences),
        printable(warning),
        {
            "file": str(watch.anchors.path),
            "n": len(watch.anchors.anchors),
            "noise_sd": watch.anchors.noise_sd,
            "moments": [_record(moment, is_mine=moment in mine) for moment in moments],
            "drift": {
                name: {**_numbers(each), "is_beyond_noise": each.is_beyond_noise} for name, each in found.items()
            },
            "sentences": sentences,
            "warning": warning or None,
        },
    )


def said_by(
    watch: Watch | None, ledger: Ledger, n_before: int, *, folder: Path | None, instrument: Instrument
) -> Anchored | None:
    """What anchors say of a run; where it asked none, what they said when its folder was written last.

    Args:
        watch: The anchors; None where the run was given none.
        ledger: With all replies.
        n_before: Moments that the ledger had before this run.
        folder: Of the run.
        instrument: Of the run: what was said of another one is not kept.
    """
    if watch is not None and len(watch.moments(ledger)) > n_before:
        return anchored(watch, ledger, n_before)
    kept = _kept(folder, instrument) if folder is not None else None
    return anchored(watch, ledger, n_before) if kept is None and watch is not None else kept


def _kept(folder: Path, instrument: Instrument) -> Anchored | None:
    try:
        manifest = read_manifest(folder)
        record = None if manifest is None else manifest.get("anchors")
        if manifest is None or not isinstance(record, dict):
            return None
        if differences(Instrument.from_manifest(manifest, folder / MANIFEST), instrument):
            return None
    except InputError:  # A broken one, which is about to be replaced: who did not ask for that is gone by now.
        return None
    return Anchored(tuple(map(str, record.get("sentences") or ())), str(record.get("warning") or ""), record)


def marked(result: ScoreResult, record: dict[str, Any], said: Anchored) -> tuple[ScoreResult, dict[str, Any]]:
    """Result and manifest with what the anchors say; a warning stands behind the judge, and so in every table."""
    record = record | {"anchors": said.record}
    if not said.warning:
        return result, record
    label = f"{result.judge} [{MARK}]"
    return replace(result, judge=label), record | {"judge": record["judge"] | {"label": label}}


def _is_same_judge(watch: Watch) -> bool:
    made = watch.anchors.instrument
    return made is not None and not any(d.word in WHO for d in differences(made, watch.instrument))


def _drift(watch: Watch, now: NDArray[np.float64], before: Sequence[NDArray[np.float64]]) -> Drift:
    sd, degrees = watch.anchors.noise_sd, watch.anchors.noise_degrees
    return drift(
        now,
        np.column_stack(before),
        noise_sd=ASSUMED_NOISE if sd is None else sd,
        noise_degrees=ASSUMED_DEGREES if sd is None else degrees,
    )


def _sentences(watch: Watch, mine: Sequence[Moment], found: dict[str, Drift]) -> Iterator[str]:
    n = len(watch.anchors.anchors)
    if not mine:
        yield f"anchors: nothing was bought, so the {n} anchors were not asked"
    elif not found:
        yield f"anchors: {n} asked for the first time; later runs with this ledger are held against them"
    for name, each in found.items():
        if not each.n:
            yield f"anchors {name}: no anchor has a score in both askings, so nothing can be said"
            continue
        verdict = "more than the judge's noise" if each.is_beyond_noise else "within the judge's noise"
        yield (
            f"anchors {name}: {each.n} scores moved by {each.mean:+.2f} [{each.low:+.2f}, {each.high:+.2f}] points, "
            f"root mean square {each.rms:.2f} where noise alone gives {each.expected_rms:.2f}: {verdict}"
        )


def _warnings(earlier: Sequence[Moment], mine: Sequence[Moment], found: dict[str, Drift]) -> Iterator[str]:
    for name, each in found.items():
        if each.is_beyond_noise:
            yield (
                f"the judge's scores of the anchors moved by {each.mean:+.2f} points {name}, more than its noise: the "
                "host may serve another model under the same name."
            )
    before = {model for moment in earlier for model in moment.models}
    now = {model for moment in mine for model in moment.models}
    if before and now - before:
        names = (", ".join(sorted(names))[:_LONGEST] for names in (now, before))
        yield "the host names its model {} now, and {} before.".format(*names)


def _record(moment: Moment, *, is_mine: bool) -> dict[str, Any]:
    return {
        "moment": moment.number,
        "of_this_run": is_mine,
        "since": moment.since,
        "models": list(moment.models),
        "fingerprints": list(moment.fingerprints),
        "scores": [None if np.isnan(score) else float(score) for score in moment.scores],
    }


def _numbers(found: Drift) -> dict[str, float | int | None]:
    return {name: finite_or_none(value) for name, value in asdict(found).items()}
