"""What options may be, and what they are by default: for those who read a command line, and import nothing for it.

`--help` is asked for by people who wait; the modules that these choices belong to need numpy, or read many formats.
"""

from __future__ import annotations

from typing import Literal, get_args

FORMATS = ("responses", "problems", "csv", "chat", "batch", "inspect", "lm-eval", "lighteval", "noveltybench", "pairs")
"""Names that `--format` takes besides `auto`."""

View = Literal["full", "thinking", "final"]
VIEWS: tuple[View, ...] = get_args(View)

Orders = Literal["one", "both"]
ORDERS: tuple[Orders, ...] = get_args(Orders)

MOST_PAIRS = 20_000
"""Unordered pairs of a group that are judged without a second thought: those of 200 responses. The number grows with
the square of the responses, so that one large group can cost more than all others together."""

DEFAULT_JUDGE = "deepseek-r1"
DEFAULT_PROMPT = "process_similarity"

Clusters = Literal["matrix", "judge"]
CLUSTERS: tuple[Clusters, ...] = get_args(Clusters)

JudgeInput = Literal["responses", "summaries"]
JUDGE_INPUTS: tuple[JudgeInput, ...] = get_args(JudgeInput)
"""What a judgment compares: the responses, or summaries of them that the judge writes first."""

Level = Literal["group", "strategy", "difference"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""Whose interval is planned: of a group, a strategy, or the difference of two strategies."""

USUAL_RESPONSE_TOKENS = 8000
"""Of a long reasoning response, where a study is planned before there are any."""

HeatmapChoice = Literal["all", "problems", "none"]
HEATMAP_CHOICES: tuple[HeatmapChoice, ...] = get_args(HeatmapChoice)

SAME_APPROACH = 4.0
"""From this score on the rubric says "essentially the same approach"."""
OTHER_ROUTE = 2.0
"""Up to this score the rubric says "different overall approach"."""

SMALLEST_INTERESTING = 0.03
"""A difference in diversity that one would like to see, for the number of problems that a study needs."""

DEFAULT_EPSILON = 0.2
"""Of the alternative annotator test: its authors' for experts; 0.15 for skilled people, 0.1 for crowd workers."""
