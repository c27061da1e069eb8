"""What a person reads of the classes, in 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console

from diversity_judge.display import counted
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.route_utility import ALL, NAIVE, SECOND_SET, null_best_beats
from diversity_judge.terminal import Column, print_table
from diversity_judge.wording import interval, number
from generation.route_report.summary import CLASS_NAMES, Found, of_last_layer
from generation.route_report.verdicts import placebo_fails, verdicts

_TITLES = {
    SECOND_SET: "Classes by the median of a second set of routes",
    NAIVE: "Classes by the route's own probability (naive: they select their own finding)",
}


def print_summary(console: Console, found: Sequence[Found]) -> None:
    """The classes of the deepest layer by both definitions, what the placebo says, and the verdicts."""
    for definition, title in _TITLES.items():
        classes = of_last_layer(found, definition)
        facts = [_facts(classes), _boundaries(classes)] if definition == SECOND_SET else []
        print_table(console, title, facts, _columns(classes))
    classes = of_last_layer(found)
    for fact in (*_placebo(classes), *_chosen(classes)):
        console.print(fact, markup=False, highlight=False)
    for verdict in verdicts(classes):
        console.print(f"{verdict.claim}: {verdict.verdict}", style="bold", markup=False, highlight=False)
        console.print(f"  {verdict.because}", markup=False, highlight=False)


def _facts(classes: Mapping[str, Found]) -> str:
    everything = classes[ALL]
    tau = "" if everything.tau is None else f", tau {everything.tau:g}"
    finding = everything.finding
    return (
        f"layer {everything.layer}, {everything.n_alternatives} alternatives by {everything.scheme}{tau}; "
        f"{counted(finding.n_tokens, 'token')} of {counted(finding.n_problems, 'problem')}"
    )


def _boundaries(classes: Mapping[str, Found]) -> str:
    shown = [classes[name] for name in CLASS_NAMES if name in classes]
    return "; ".join(f"{one.name}: {one.above:g} < p <= {one.up_to:g}" for one in shown)


def _columns(classes: Mapping[str, Found]) -> list[Column]:
    shown = [classes[name] for name in (*CLASS_NAMES, ALL) if name in classes]
    return [
        Column("class", [one.name for one in shown], is_name=True),
        Column("tokens", [f"{one.finding.n_tokens:,}" for one in shown]),
        Column("beats", [_cell(one["rank"], 2) for one in shown]),
        Column("regret, mnat", [_thousandths(one["regret"]) for one in shown]),
        Column("chance", [number(1000 * one["placebo_regret"].value, 1) for one in shown]),
        Column("placebo", [number(one["placebo_rank"].value, 2) for one in shown]),
    ]


def _thousandths(estimate: Estimate) -> str:
    return interval(1000 * estimate.value, 1000 * estimate.low, 1000 * estimate.high, 1)


def _cell(estimate: Estimate, digits: int) -> str:
    return interval(estimate.value, estimate.low, estimate.high, digits)


def _placebo(classes: Mapping[str, Found]) -> list[str]:
    everything = classes[ALL]
    best, null = everything["best_beats"], null_best_beats(everything.n_alternatives)
    said = [
        f"The best alternative beats the standard route in {_cell(best, 3)} of the tokens; "
        f"{null:.3f} where the router knows nothing."
    ]
    fails = placebo_fails(classes)
    if fails:
        said.append(f"A random route in its place should beat 0.5 in every class, and does not: {'; '.join(fails)}")
    by_class = ", ".join(
        f"{number(classes[name]['mass_correlation'].value, 2)} {name}" for name in CLASS_NAMES if name in classes
    )
    return [*said, f"Rank correlation of the routes' router mass with their utility: {by_class}."]


def _chosen(classes: Mapping[str, Found]) -> list[str]:
    n = classes[ALL].finding.chosen_tokens
    if not n:
        return ["No two responses of a problem share a context: no route was chosen on other continuations."]
    gain, own = classes[ALL]["chosen_gain"], classes[ALL]["regret_where_chosen"]
    return [
        f"Chosen on the other half of a context's continuations ({counted(n, 'token')}), the best route gains "
        f"{_cell(gain, 3)} nats; chosen and scored on the same token {_cell(own, 3)}."
    ]
