"""Whether two runs are of the same responses: only then is a difference between their scores one between judges."""

from __future__ import annotations

from diversity_judge.errors import InputError
from diversity_judge.runs.loading import Run, RunGroup
from diversity_judge.text_safety import printable


def refuse_other_responses(ours: RunGroup, theirs: RunGroup, tested: Run, reference: Run) -> None:
    """Refuse a group of two runs whose responses are not the same, in the same order.

    Args:
        ours: The group in one run.
        theirs: In the other one.
        tested: The one run.
        reference: The other one.

    Raises:
        InputError: they differ; the message says where first.
    """
    name = f"{ours.problem_id} / {ours.strategy}"
    if len(ours.responses) != len(theirs.responses):
        what = f"{len(ours.responses)} responses of {name}, {reference.path} has {len(theirs.responses)}"
    else:
        pairs = zip(ours.responses, theirs.responses, strict=True)
        places = [place for place, (one, other) in enumerate(pairs) if one.text != other.text]
        if not places:
            return
        sample = ours.responses[places[0]].sample_id
        what = f"other responses of {name} than {reference.path}: {len(places)} differ, first sample {sample}"
    raise InputError(printable(f"{tested.path} has {what}; score the same file of responses with both judges"))
