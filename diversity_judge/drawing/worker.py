"""A process that draws heat maps for `workers`: groups in at standard input, a picture out at standard output."""

from __future__ import annotations

import gc
import os
import pickle
import sys

from diversity_judge.drawing.heatmaps import png_of
from diversity_judge.drawing.workers import receive, send


def main() -> None:
    """Draw until the input ends; what cannot be drawn is answered with nothing, and the asker finds out why."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What a library prints is no picture.
    while (message := receive(sys.stdin.buffer)) is not None:
        shown, judge = pickle.loads(message)  # noqa: S301 - from the process that started this one
        try:
            png = png_of(shown, judge=judge)
        except Exception:
            png = b""
        send(answers, png)
        gc.collect()


if __name__ == "__main__":
    main()
