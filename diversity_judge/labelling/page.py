"""The label sheet as one offline HTML page.

What would tell a person more than the texts do is not in it: no strategy, no id of a problem or response, no path, and
not which items are controls.
"""

from __future__ import annotations

from diversity_judge import pages
from diversity_judge.labelling.sheet import Item, Sheet
from diversity_judge.rubric import MEANINGS

_PACKAGE = "diversity_judge.labelling"


def render(sheet: Sheet) -> bytes:
    """The page."""
    script = pages.script(_PACKAGE, ("labels.js",))
    data = {"name": sheet.name, "items": [_item(sheet, item) for item in sheet.items]}
    page = pages.environment(_PACKAGE).get_template("labels.html.j2")
    html = page.render(
        sheet=sheet.name,
        n_items=len(sheet.items),
        meanings=MEANINGS,
        data=pages.embed(data),
        script=script,
        policy=pages.policy(script),
        style=pages.static(_PACKAGE, "labels.css"),
    )
    return html.encode("utf-8", "replace")


def _item(sheet: Sheet, item: Item) -> dict[str, str | None]:
    left, right = (sheet.shown(place) for place in item.sides)
    return {"id": item.name, "problem": item.chosen.first.group.group.problem, "left": left, "right": right}
