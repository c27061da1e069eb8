"""What the proxy judge is worth: its figures on human labels, on arithmetic steps and over temperature.

    python -m benchmarks.proxy DATA
    python -m benchmarks.proxy --speed          about a minute

With `--speed`: CPU time of a pair over 50,000 pairs, ledger included, as the whole command takes it less what the same
command takes to read all of them from the ledger (wanted: at most 0.15 ms).

DATA holds `human_pairs.jsonl` (700 pairs, `similar` 0 or 1 by human annotators), `game24_gpt4.jsonl` with
`game24_pairs_labelled.jsonl` (share of arithmetic steps in common) and `gpt35_temperatures.jsonl`. Each
figure is printed for both corpora of the document frequencies: the pair (what the judge uses) and the group.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from benchmarks.measuring import run_measured
from benchmarks.throughput import ENVIRONMENT, write_groups
from diversity_judge.inputs.reading import read_responses
from diversity_judge.inputs.responses import Group
from diversity_judge.judges.proxy import proxy_similarity

Similarity = Callable[[Sequence[str]], NDArray[np.float64]]
CORPORA: dict[str, Similarity] = {
    "pair": proxy_similarity,
    "group": lambda texts: proxy_similarity(texts, corpus=texts),
}


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file."""
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def matrix(group: Group, similarity: Similarity) -> NDArray[np.float64]:
    """(n, n) cosines of a group."""
    return similarity([response.text for response in group.responses])


def human_auc(pairs: Sequence[dict[str, Any]], similarity: Similarity) -> float:
    """Area under the ROC curve: how often a pair that people call similar gets the higher cosine."""
    cosines = [similarity([pair["response_a"], pair["response_b"]])[0, 1] for pair in pairs]
    return float(roc_auc_score([pair["similar"] for pair in pairs], cosines))


def step_correlation(
    groups: Sequence[Group], labels: Sequence[dict[str, Any]], similarity: Similarity
) -> tuple[float, float]:
    """Spearman correlation with the share of common steps, and milliseconds a group of 32."""
    start = time.perf_counter()
    matrices = {group.problem_id: matrix(group, similarity) for group in groups}
    milliseconds = (time.perf_counter() - start) / len(groups) * 1e3
    places = {
        (group.problem_id, response.sample_id): place
        for group in groups
        for place, response in enumerate(group.responses)
    }
    cosines = [
        matrices[label["problem_id"]][places[label["problem_id"], label["i"]], places[label["problem_id"], label["j"]]]
        for label in labels
    ]
    shares = [label["step_jaccard"] for label in labels]
    return float(spearmanr(cosines, shares).statistic), milliseconds


def similarity_by_strategy(groups: Sequence[Group], similarity: Similarity) -> dict[str, float]:
    """Mean cosine of different responses, averaged over the problems of each strategy."""
    means: dict[str, list[float]] = {}
    for group in groups:
        cosines = matrix(group, similarity)
        mean = cosines[np.triu_indices(group.n_responses, k=1)].mean()
        means.setdefault(group.strategy, []).append(float(mean))
    return {strategy: float(np.mean(means[strategy])) for strategy in sorted(means)}


def print_speed() -> None:
    """Measure the command on 101 groups of 32."""
    with tempfile.TemporaryDirectory() as folder:
        responses = Path(folder) / "responses.jsonl"
        pairs = write_groups(responses, [32] * 101)
        command = [sys.executable, "-m", "diversity_judge.score", str(responses), "--judge", "proxy", "--no-heatmaps"]
        command += ["--out", str(Path(folder) / "run")]
        computed = run_measured(command, environment=ENVIRONMENT)
        read = run_measured([*command, "--offline"], environment=ENVIRONMENT)
    milliseconds = (computed.cpu_s - read.cpu_s) / pairs * 1000
    print(f"{pairs} pairs: {computed.cpu_s:.1f} s CPU, read from the ledger {read.cpu_s:.1f} s")
    print(f"  CPU time a pair (wanted <= 0.15 ms): {milliseconds:.3f} ms")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", metavar="DATA")
    parser.add_argument("--speed", action="store_true", help="measure the command instead of the scores")
    arguments = parser.parse_args()
    if arguments.speed:
        print_speed()
        return
    if arguments.data is None:
        parser.error("name the folder of data, or ask for --speed")
    data: Path = arguments.data
    pairs = list(rows(data / "human_pairs.jsonl"))
    labels = list(rows(data / "game24_pairs_labelled.jsonl"))
    labelled = {label["problem_id"] for label in labels}
    game = read_responses(data / "game24_gpt4.jsonl").groups
    game = tuple(group for group in game if group.strategy == "cot" and group.problem_id in labelled)
    temperatures = read_responses(data / "gpt35_temperatures.jsonl").groups
    for corpus, similarity in CORPORA.items():
        correlation, milliseconds = step_correlation(game, labels, similarity)
        print(f"corpus of the document frequencies: the {corpus}")
        print(f"  AUC on {len(pairs)} human pairs            {human_auc(pairs, similarity):.3f}")
        print(f"  rank correlation with common steps  {correlation:.3f} ({len(labels)} pairs)")
        print(f"  time for the 496 pairs of a group   {milliseconds:.1f} ms")
        by_strategy = similarity_by_strategy(temperatures, similarity).items()
        print("  mean similarity                     " + ", ".join(f"{s} {m:.2f}" for s, m in by_strategy))


if __name__ == "__main__":
    main()
