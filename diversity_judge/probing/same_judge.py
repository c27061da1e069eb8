"""The judge of a finished run again: the same model, host, parameters and template, shown the same texts.

A probe says something about a run only if it asks the run's own instrument. So everything is taken from the run's
manifest, and the proof is in the keys: those that are made here for the run's judgments must be those that stand in
its pairs.csv. Where one of them differs, something has changed that a key depends on, and nothing is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from diversity_judge.choices import DEFAULT_PROMPT, ORDERS, VIEWS
from diversity_judge.errors import InputError
from diversity_judge.judges.base import Judge
from diversity_judge.judges.make import make_judge
from diversity_judge.judges.presets import EMBEDDED, JudgeSpec, Prices, adjust, load_presets
from diversity_judge.ledger import Ledger
from diversity_judge.planning.groups import GroupPlan, Showing, plan_groups
from diversity_judge.planning.pairs import PairDesign
from diversity_judge.planning.prompt_files import PromptFile
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.probing.options import JudgeOptions
from diversity_judge.runs import layout
from diversity_judge.runs.instrument import Instrument, differences
from diversity_judge.runs.loading import Run

_KEYS_LOOKED_FOR = 500
"""Of the run's judgments in its ledger: a part of them, in the order of pairs.csv, may have been lost."""

_AGAIN = "score the responses again into this folder, then probe the judge"


@dataclass(frozen=True)
class SameJudge:
    """A run, and all that is needed to ask its judge again.

    Attributes:
        run: As it was read.
        spec: The judge, its typical reply as long as the run's replies were.
        template: The prompt.
        plans: One a judged group: the texts as the judge saw them.
    """

    run: Run
    spec: JudgeSpec
    template: PromptTemplate
    plans: tuple[GroupPlan, ...]

    def judge(self, *, sends_calls: bool, deadline_s: float, template: PromptTemplate | None = None) -> Judge:
        """The judge, with the run's template or another one.

        Raises:
            InputError: it is to be asked, and its key is not in the environment.
        """
        return make_judge(self.spec, template or self.template, sends_calls=sends_calls, deadline_s=deadline_s)


def same_judge(run: Run, options: JudgeOptions) -> SameJudge:
    """The judge of a run, held against what the run recorded of it.

    Raises:
        InputError: the run does not say who judged it, or what is found today is another instrument.
    """
    if not run.is_judged:
        raise InputError(f"{run.path}: these are responses without a judge; name a run folder of score")
    path = run.path / layout.MANIFEST
    if layout.entry(layout.entry(run.manifest, path, "judge", dict), path, "kind", str) == layout.PANEL:
        raise InputError(f"{run.path}: a panel's mean has no judge that could be asked; probe the run of each judge")
    spec, template = _spec(run, path, options), _template(run, path)
    design, showing = _design(run, path), _showing(run, path)
    judge = make_judge(spec, template, sends_calls=False, deadline_s=1.0)
    now = Instrument.of(
        spec,
        prompt=judge.prompt_label,
        prompt_sha256=None if spec.is_embedded else template.digest,
        design=design,
        showing=showing,
    )
    if changes := differences(run.instrument, now):
        said = "; ".join(f"another {change.word}: {change.one} in the run, {change.other} now" for change in changes)
        raise InputError(f"{path}: this would be {said}. Only the judge of the run can say how reliable the run is")
    members = [member for member in run.groups if member.judgments]
    plans = plan_groups([member.group for member in members], design, showing)
    _check_keys(run, plans, judge)
    return SameJudge(run, spec, template, tuple(plans))


def _spec(run: Run, path: Path, options: JudgeOptions) -> JudgeSpec:
    record = layout.entry(run.manifest, path, "judge", dict)
    kind = layout.entry(record, path, "kind", str)
    model = layout.entry(record, path, "model", str)
    preset = layout.entry_or_none(record, path, "preset", str) or "custom"
    if kind in EMBEDDED:
        return JudgeSpec(preset, model, kind, prices=Prices(0.0, 0.0), prices_as_of="free")
    host, parameters = layout.entry(record, path, "host", str), layout.entry(record, path, "parameters", dict)
    known = load_presets(options.judges_file).get(preset)
    if known is None or known.model != model or known.host != host:
        known = JudgeSpec(
            preset,
            model,
            kind,
            base_url=options.base_url or host,
            prices=_prices(record, path),
            prices_as_of=layout.entry_or_none(record, path, "prices_as_of", str),
        )
    elif options.base_url is not None:
        known = replace(known, base_url=options.base_url)
    variable = layout.entry_or_none(record, path, "api_key_env", str)
    spec = replace(
        known,
        parameters=parameters,
        api_key_env=known.api_key_env if variable is None else variable,
        typical_output_tokens=_usual_reply(run) or known.typical_output_tokens,
    )
    limit = {} if options.max_tokens is None else {spec.limit_parameter: options.max_tokens}
    return adjust(spec, api_key_env=options.api_key_env, parameters=limit)


def _prices(record: Mapping[str, Any], path: Path) -> Prices | None:
    prices = layout.entry_or_none(record, path, "prices_usd_per_million_tokens", dict)
    try:
        return None if prices is None else Prices(**prices)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: the judge's prices are none: {error}") from error


def _usual_reply(run: Run) -> int:
    """Tokens of the run's mean reply, 0 where the run does not know."""
    counts = run.manifest.get("judgments")
    if not isinstance(counts, dict):
        return 0
    tokens, replies = counts.get("completion_tokens"), counts.get("replies")
    return round(tokens / replies) if isinstance(tokens, int) and isinstance(replies, int) and replies else 0


def _template(run: Run, path: Path) -> PromptTemplate:
    """The run's own template: its text stands in the manifest."""
    if run.manifest["judge"]["kind"] in EMBEDDED:
        return PromptTemplate.load(DEFAULT_PROMPT)  # Such a judge reads none.
    record = layout.entry(run.manifest, path, "prompt", dict)
    name, version, text, digest = (
        layout.entry(record, path, key, str) for key in ("name", "version", "text", "sha256")
    )
    template = PromptTemplate(PromptFile(name, version, text, path))
    if template.digest != digest:
        raise InputError(
            f"{path}: the prompt's text is not the one that its hash {digest[:8]} names: it was edited, or this "
            f"version puts texts between other markers; {_AGAIN}"
        )
    return template


def _design(run: Run, path: Path) -> PairDesign:
    record = layout.entry(run.manifest, path, "design", dict)
    orders = layout.entry(record, path, "orders", str)
    if orders not in ORDERS:
        raise InputError(f"{path}: the design's orders are {orders!r}; there are {', '.join(ORDERS)}")
    return PairDesign(orders=orders)


def _showing(run: Run, path: Path) -> Showing:
    record = layout.entry(run.manifest, path, "showing", dict)
    view = layout.entry(record, path, "view", str)
    if view not in VIEWS:
        raise InputError(f"{path}: the view is {view!r}; there are {', '.join(VIEWS)}")
    return Showing(
        view,
        layout.entry_or_none(record, path, "truncate_tokens", int),
        bool(layout.entry_or_none(record, path, "judge_duplicates", bool)),
    )


def refuse_anothers_ledger(run: Run, ledger: Ledger) -> None:
    """Refuse a ledger that does not hold what the run bought: its own judgments would be bought again.

    Raises:
        InputError: none of the first judgments of the run is there; nothing was sent.
    """
    scored = (j.key for member in run.groups for j in member.judgments if j.key is not None and j.score is not None)
    keys = list(dict.fromkeys(islice(scored, _KEYS_LOOKED_FOR)))
    if keys and not ledger.replies(keys):
        raise InputError(
            f"{ledger.path}: holds none of the judgments of {run.path}, which would be bought again: name the run's "
            "own ledger with --ledger"
        )


def _check_keys(run: Run, plans: Sequence[GroupPlan], judge: Judge) -> None:
    """Make sure that a judgment which the run has is found again, and not bought again.

    Raises:
        InputError: a key is another one.
    """
    members = [member for member in run.groups if member.judgments]
    for member, plan in zip(members, plans, strict=True):
        asked = [judgment for judgment in member.judgments if judgment.key is not None]
        keys = plan.keys(judge.fingerprint(plan), [judgment.pair for judgment in asked])
        if [judgment.key for judgment in asked] != keys:
            raise InputError(
                f"{run.path / layout.PAIRS}: the keys of {member.problem_id} / {member.strategy} are not those of this "
                f"judge, template and texts: the run was made by another version, or the folder was edited; {_AGAIN}"
            )
