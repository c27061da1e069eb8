"""The random order in which a thinned design lays the responses of a group: lots drawn by a hash.

What identifies a response is its text: positions change with the order of the file, and sample ids are often no more
than positions. So the same responses are compared whatever the order of the file, in every view and by every judge,
and paid judgments are found again. A hash knows nothing of what a text says, so the choice is random with respect to
the content. Each group has lots of its own. Equal texts are told apart by counting them, or they would be neighbours
and their pairs judged more often than others.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter

from diversity_judge.inputs.responses import Group

_LOT_FORMAT = "1"
"""Version of how a lot is made; a change of it chooses other pairs, which would have to be bought."""


def drawn_order(group: Group, seed: int) -> list[int]:
    """The positions of a group's responses in the order of their lots, which depends on the texts and the seed alone.

    Args:
        group: The responses.
        seed: Another one, another order.
    """
    lots = hashlib.sha256(json.dumps([_LOT_FORMAT, seed, group.problem_id, group.strategy]).encode())
    seen: Counter[bytes] = Counter()
    drawn = []
    for response in group.responses:
        text = hashlib.sha256(response.text.encode()).digest()
        lot = lots.copy()
        lot.update(text + seen[text].to_bytes(8, "big"))
        seen[text] += 1
        drawn.append(lot.digest())
    return sorted(range(len(drawn)), key=drawn.__getitem__)
