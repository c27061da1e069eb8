"""`python -m examples.miniature.mix PEAKED FLAT --share 0.5 --out FOLDER`: a model whose router lies between two.

Models that were trained further from the same weights lie in one valley of the loss: the weighted mean of their
weights is as good a model as they are (linear mode connectivity, Frankle et al. 2020, arXiv 1912.05671; model soups,
Wortsman et al. 2022, arXiv 2203.05482). Its router's curve lies between theirs, so any share gives another router in
seconds.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import load_file, save_file

from diversity_judge.files import write_text
from examples.miniature.train import TRAINING

WEIGHTS = "model.safetensors"
CONFIG = "config.json"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m examples.miniature.mix", description=__doc__)
    parser.add_argument("first", type=Path, help="a checkpoint")
    parser.add_argument("second", type=Path, help="another that was trained from the same weights")
    parser.add_argument("--share", type=float, default=0.5, help="of the second, 0..1 (default %(default)s)")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    mix(args.first, args.second, args.share, args.out)
    return 0


def mix(first: Path, second: Path, share: float, out: Path) -> None:
    """Write the checkpoint between two; shares of 0 and 1 give their weights back to the bit.

    Args:
        first: A checkpoint's folder.
        second: That of one of the same configuration.
        share: Of the second in each weight, 0..1.
        out: The new one's folder; `training.json` in it is written last and says what was mixed.

    Raises:
        SystemExit: the share is outside of 0..1, or the two are not of one configuration.
    """
    if not 0 <= share <= 1:
        raise SystemExit(f"--share {share} is outside of 0..1: it is the second model's share in each weight")
    if (first / CONFIG).read_bytes() != (second / CONFIG).read_bytes():
        raise SystemExit(f"{first} and {second} differ in {CONFIG}: only models of one shape can be mixed")
    ours, theirs = load_file(first / WEIGHTS), load_file(second / WEIGHTS)
    mixed = {
        name: ((1 - share) * weight.float() + share * theirs[name].float()).to(weight.dtype)
        for name, weight in ours.items()
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / TRAINING).unlink(missing_ok=True)
    for file in first.iterdir():
        if file.name not in (WEIGHTS, TRAINING) and file.is_file():
            shutil.copy(file, out / file.name)
    save_file(mixed, out / WEIGHTS, metadata={"format": "pt"})
    came_about = [json.loads((folder / TRAINING).read_text(encoding="utf-8")) for folder in (first, second)]
    write_text(out / TRAINING, json.dumps({"share_of_second": share, "mixed": came_about}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
