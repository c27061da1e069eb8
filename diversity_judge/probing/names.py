"""The probes by name, and what a user may call them."""

from __future__ import annotations

from collections.abc import Iterable

from diversity_judge.errors import InputError
from diversity_judge.text_safety import printable

INSTRUMENT = "instrument"
RETEST = "retest"
ORDER = "order"
IDENTICAL = "control-identical"
REFORMATTED = "control-reformatted"
ANSWER = "control-answer"
UNRELATED = "control-unrelated"
PADDING = "control-padding"
CUT = "control-cut"
INJECTION = "control-injection"
TEMPLATE = "template"
NUISANCE = "nuisance"
STRATEGY = "strategy"

HIGH = (IDENTICAL, REFORMATTED, ANSWER)
"""Controls whose two texts reason alike."""
STRESS = (PADDING, CUT, INJECTION)
"""Controls of which the run has the unchanged pair."""
CONTROLS = (*HIGH, UNRELATED, *STRESS)
PROBES = (INSTRUMENT, RETEST, ORDER, *CONTROLS, TEMPLATE, NUISANCE, STRATEGY)
"""All of them, in the order of the tables; what costs nothing is among them."""
_FAMILIES = {"control": CONTROLS, "controls": CONTROLS, "all": PROBES}


def probes_meant(names: Iterable[str]) -> tuple[str, ...]:
    """The probes that are meant, each once, in the order of the tables; `control` means all controls.

    Raises:
        InputError: there is no such probe, or none is named; the message says which was meant.
    """
    wanted: set[str] = set()
    for name in names:
        if name not in PROBES and name not in _FAMILIES:
            from diversity_judge.command import meant  # Its console would be waited for by who asks for help.

            hint = meant(name, (*PROBES, *_FAMILIES)) or f"; there are {', '.join(PROBES)}"
            raise InputError(f"there is no probe {printable(repr(name), 60)}{hint}")
        wanted.update(_FAMILIES.get(name, (name,)))
    if not wanted:
        raise InputError(f"--probes names no probe; there are {', '.join(PROBES)}")
    return tuple(probe for probe in PROBES if probe in wanted)
