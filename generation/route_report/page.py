"""The page: responses with their tokens marked by class, and for each token its routes and what they are worth.

Offline, one file. Texts of responses are data in it, never markup (`pages`).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from diversity_judge import pages
from diversity_judge.measures.route_utility import ALL, SECOND_SET, class_of
from diversity_judge.wording import number, spread
from generation.route_report.summary import CLASS_NAMES, Found, of_last_layer
from generation.route_report.tokens import Part
from generation.route_report.verdicts import Verdict

if TYPE_CHECKING:
    import pandas as pd

_PACKAGE = "generation.route_report"
MOST_RESPONSES = 60
"""What a reader looks through; the table holds all."""
_DIGITS = 4
_COLUMNS = {
    "beaten_by": 3,
    "best_beats": 3,
    "regret": 4,
    "placebo_rank": 3,
    "placebo_regret": 4,
    "mass_correlation": 3,
}
"""The table's estimates, and their digits."""


def render(
    parts: Sequence[Part],
    found: Sequence[Found],
    said: Sequence[Verdict],
    figures: Mapping[str, bytes],
    boundaries: Sequence[float],
    problems: Mapping[str, str],
) -> bytes:
    """The page.

    Args:
        parts: The table by layer and scheme.
        found: The classes of every part.
        said: Verdicts on the claims.
        figures: PNGs by what is said of them.
        boundaries: Of the classes.
        problems: Texts of the problems by id, where they are known.
    """
    script = pages.script(_PACKAGE, ("routes.js",))
    keys = _chosen_responses(parts[-1])
    views = [_view(part, keys, boundaries) for part in parts]
    data = {"responses": list(_responses(parts[-1], keys, problems)), "views": views, "classes": CLASS_NAMES}
    classes = of_last_layer(found)
    page = pages.environment(_PACKAGE).get_template("counterfactual.html.j2")
    html = page.render(
        facts=classes[ALL],
        rows=[(classes[name], _cells(classes[name])) for name in (*CLASS_NAMES, ALL) if name in classes],
        verdicts=said,
        figures=[(caption, base64.b64encode(picture).decode("ascii")) for caption, picture in figures.items()],
        n_shown=len(keys),
        n_responses=len(_keys_of(parts[-1].rows)),
        views=[_name(part) for part in parts],
        class_names=CLASS_NAMES,
        boundaries=boundaries,
        data=pages.embed(data),
        script=script,
        policy=pages.policy(script),
        style=pages.static(_PACKAGE, "routes.css"),
    )
    return html.encode("utf-8", "replace")


def _cells(one: Found) -> list[tuple[str, str]]:
    """Values with their intervals."""
    shown = ((one[name], digits) for name, digits in _COLUMNS.items())
    return [(number(e.value, digits), "" if np.isnan(e.low) else spread(e.low, e.high, digits)) for e, digits in shown]


def _name(part: Part) -> str:
    tau = "" if np.isnan(part.tau) else f", tau {part.tau:g}"
    return f"layer {part.layer}, {part.scheme}{tau}"


def _keys_of(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[["problem_id", "strategy", "response"]].drop_duplicates()


def _chosen_responses(part: Part) -> list[tuple[str, str, int]]:
    """The first response of each problem in turn, then the second, up to the most that are shown."""
    keys = _keys_of(part.rows)
    turn = keys.groupby("problem_id", sort=False).cumcount()
    first = keys.assign(turn=turn).sort_values("turn", kind="stable").head(MOST_RESPONSES).sort_index()
    return [(str(p), str(s), int(r)) for p, s, r in first[["problem_id", "strategy", "response"]].to_numpy().tolist()]


def _responses(
    part: Part, keys: Sequence[tuple[str, str, int]], problems: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    grouped = part.rows.groupby(["problem_id", "strategy", "response"], sort=False)
    for key in keys:
        rows = grouped.get_group(key).sort_values("position")
        correct = rows["correct"].iloc[0]
        yield {
            "problem": key[0],
            "strategy": key[1],
            "response": key[2],
            "text": problems.get(key[0], ""),
            "correct": None if correct is None or correct != correct else bool(correct),
            "tokens": rows["token"].astype(str).tolist(),
        }


def _view(part: Part, keys: Sequence[tuple[str, str, int]], boundaries: Sequence[float]) -> dict[str, Any]:
    """Of one layer and scheme: for each response, each token's class, figures and routes."""
    rows = part.rows.assign(place=class_of(SECOND_SET, part.utilities.standard, part.utilities, boundaries))
    grouped = rows.groupby(["problem_id", "strategy", "response"], sort=False)
    return {"name": _name(part), "responses": [_tokens(grouped.get_group(key).sort_values("position")) for key in keys]}


def _tokens(rows: pd.DataFrame) -> list[list[Any]]:
    """Class, probabilities by the standard route, the median of the second set and the best, rank, mass, routes."""
    logs = rows[["standard_logprob", "second_median_logprob", "best_logprob"]].to_numpy(np.float64)
    columns = [
        rows["place"].tolist(),
        *np.round(np.exp(logs), _DIGITS).T.tolist(),
        np.round(logs[:, 2] - logs[:, 0], _DIGITS).tolist(),
        rows["rank"].round(_DIGITS).tolist(),
        rows["router_mass"].round(_DIGITS).tolist(),
        [[int(e) for e in route] for route in rows["standard_route"]],
        [[int(e) for e in route] for route in rows["best_route"]],
    ]
    return [list(token) for token in zip(*columns, strict=True)]
