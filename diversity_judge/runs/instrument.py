"""What makes two scores comparable: the one definition, which all that mixes scores asks.

A score is a reading of an instrument: of a judge, under a prompt, of what it was shown. Two readings of different
instruments cannot be told from two different strategies, so `score` puts one instrument's scores into a folder,
`compare` compares scores of one instrument, and `agree`, which is there to hold two judges against each other, says
what else differs between them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.judges.presets import LIMIT_PARAMETERS, JudgeSpec
from diversity_judge.planning.groups import Showing
from diversity_judge.planning.pairs import PairDesign
from diversity_judge.runs.layout import MANIFEST, entry, entry_or_none, read_manifest
from diversity_judge.text_safety import printable

WHO = ("judge", "model", "host", "parameters", "prompt")
"""The judge, as the words of `Difference` name its parts: what `agree` is there to compare."""
SEEN = ("view", "truncation", "judge input", "prompt of summaries")
"""What of a response the judge saw."""
RESPONSES, SUMMARIES = "responses", "summaries"
"""What a judgment compares; older runs do not say that it was the responses."""
_WORDS = {
    "truncate_tokens": "truncation",
    "judge_duplicates": "judging of duplicates",
    "judge_input": "judge input",
    "summary_prompt": "prompt of summaries",
}
"""Fields whose name is not how a person says it."""
_NONE = "none"
"""What is shown of a field without a value."""
_DIGITS = 8
"""Of a hash, where people read it."""


@dataclass(frozen=True)
class Instrument:
    """Everything that decides which score a pair gets.

    Not in it is what changes only how surely a mean of scores is known, and of which pairs: the number of draws, the
    choice of pairs and its seed, how fast and how often a host is asked. So draws and pairs can be added to a run in
    its folder. A limit on a reply's length is not in it either: a reply that ends by itself is the same under any
    higher limit, and one that was cut is no score. Both orders are in it: where a judge has a position bias, the mean
    of both orders is another number than a score in one.

    Attributes:
        judge: Its kind (`chat`, `proxy`, `countdown`); where no more was recorded, how the tables name it.
        model: Which model; None where it was not recorded.
        host: Where it runs, without credentials; None likewise.
        parameters: Of the requests, those that can change a score; None likewise.
        prompt: Name, version and beginning of the hash of the template, or that there is none.
        prompt_sha256: Of all that the template adds to the texts; None where there is none.
        view: Which part of a response is shown.
        truncate_tokens: Longer texts are cut to this; None for never.
        orders: `one` or `both`.
        judge_duplicates: Whether identical texts are judged too, instead of being given the highest score.
        judge_input: What is compared: `responses`, or `summaries` that the judge wrote of them first.
        summary_prompt: Name, version and beginning of the hash of the template of these; None where there are none.
    """

    judge: str
    model: str | None
    host: str | None
    parameters: Mapping[str, Any] | None
    prompt: str
    prompt_sha256: str | None
    view: str
    truncate_tokens: int | None
    orders: str
    judge_duplicates: bool | None
    judge_input: str = RESPONSES
    summary_prompt: str | None = None

    @classmethod
    def of(
        cls,
        spec: JudgeSpec,
        *,
        prompt: str,
        prompt_sha256: str | None,
        design: PairDesign,
        showing: Showing,
        summary_prompt: str | None = None,
    ) -> Instrument:
        """The instrument of a run that is about to begin.

        Args:
            spec: Who judges.
            prompt: The template as the tables name it.
            prompt_sha256: Its digest; None where the judge takes no template.
            design: Which pairs, in which orders.
            showing: What the judge sees.
            summary_prompt: The template of the summaries that are compared, as the tables name it; None where the
                responses are.
        """
        return cls(
            spec.kind,
            spec.model,
            spec.host,
            _that_change_a_score(spec.parameters),
            prompt,
            prompt_sha256,
            showing.view,
            showing.truncate_tokens,
            design.orders,
            showing.judge_duplicates,
            RESPONSES if summary_prompt is None else SUMMARIES,
            summary_prompt,
        )

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any], path: Path) -> Instrument:
        """The instrument of a run on disk; of older runs too, whose manifests hold it in parts.

        Args:
            manifest: What run.json holds.
            path: Of run.json, for the message.

        Raises:
            InputError: the manifest does not say with what was measured.
        """
        record = entry_or_none(manifest, path, "instrument", dict)
        if record is None:
            record = _from_parts(manifest, path)
        parameters = entry_or_none(record, path, "parameters", dict)
        return cls(
            judge=entry(record, path, "judge", str),
            model=entry_or_none(record, path, "model", str),
            host=entry_or_none(record, path, "host", str),
            parameters=None if parameters is None else _that_change_a_score(parameters),
            prompt=entry(record, path, "prompt", str),
            prompt_sha256=entry_or_none(record, path, "prompt_sha256", str),
            view=entry(record, path, "view", str),
            truncate_tokens=entry_or_none(record, path, "truncate_tokens", int),
            orders=entry(record, path, "orders", str),
            judge_duplicates=entry_or_none(record, path, "judge_duplicates", bool),
            judge_input=entry_or_none(record, path, "judge_input", str) or RESPONSES,
            summary_prompt=entry_or_none(record, path, "summary_prompt", str),
        )

    def shown(self) -> dict[str, str]:
        """Each part by the word that a message uses, as text that is safe to print and differs where the part does."""
        parts = {name: _as_text(value) for name, value in asdict(self).items()}
        del parts["prompt_sha256"]
        digest = (self.prompt_sha256 or "")[:_DIGITS]
        if digest not in self.prompt:  # The tables' name of a template holds it.
            parts["prompt"] = f"{self.prompt} ({digest})"
        return {_WORDS.get(name, name): printable(value) for name, value in parts.items()}


def _from_parts(manifest: Mapping[str, Any], path: Path) -> dict[str, Any]:
    judge, prompt, design, showing = (
        entry(manifest, path, part, dict) for part in ("judge", "prompt", "design", "showing")
    )
    return {
        "judge": judge.get("label" if judge.get("model") is None else "kind"),
        **{name: judge.get(name) for name in ("model", "host", "parameters")},
        "prompt": prompt.get("label"),
        "prompt_sha256": prompt.get("sha256"),
        "orders": design.get("orders"),
        **{name: showing.get(name) for name in ("view", "truncate_tokens", "judge_duplicates")},
    }


@dataclass(frozen=True)
class Difference:
    """One thing in which two instruments differ.

    Attributes:
        word: What, as a message names it.
        one: The first instrument's value, as text that is safe to print.
        other: The second's.
    """

    word: str
    one: str
    other: str


def differences(one: Instrument, other: Instrument) -> tuple[Difference, ...]:
    """What makes the scores of two instruments incomparable; nothing where they are the same instrument."""
    ours, theirs = one.shown(), other.shown()
    if one.prompt_sha256 is not None and one.prompt_sha256 == other.prompt_sha256:
        theirs["prompt"] = ours["prompt"]  # The same template under another name is the same template.
    return tuple(Difference(word, ours[word], theirs[word]) for word in ours if ours[word] != theirs[word])


def refuse_another_instrument(folder: Path, instrument: Instrument) -> None:
    """Refuse to put scores into a folder that holds those of another instrument.

    Raises:
        InputError: it does; the message names what differs, with both values.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return
    there = Instrument.from_manifest(manifest, folder / MANIFEST)
    found = differences(there, instrument)
    if found:
        said = "; ".join(f"another {change.word}: {change.one} there, {change.other} now" for change in found)
        raise InputError(
            f"{folder} holds a run with {said}. Name another folder with --out, or replace what is there with "
            "--overwrite"
        )


def summaries_sentence(manifest: Mapping[str, Any]) -> str:
    """What was compared, in a few words; empty where it was the responses themselves.

    Args:
        manifest: What run.json holds.
    """
    record = manifest.get("instrument", {})
    if record.get("judge_input", RESPONSES) == RESPONSES:
        return ""
    return f"{record['judge_input']} of the responses, by {record.get('summary_prompt')}"


def _that_change_a_score(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name not in LIMIT_PARAMETERS}


def _as_text(value: Any) -> str:
    if value is None:
        return _NONE
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={json.dumps(item, sort_keys=True)}" for name, item in sorted(value.items())) or _NONE
    return value if isinstance(value, str) else json.dumps(value)
