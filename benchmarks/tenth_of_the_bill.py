"""The same conclusion from a tenth of the calls? Real responses, all of whose pairs are scored, judged again in part.

Every pair is scored once, by a judge that costs nothing; then random thinned designs pretend that only some were, and
their estimates, without and with a surrogate, are held against those of all pairs: how much wider the interval is, how
often it holds the value of all pairs, and how often the conclusion is the same (for a difference its verdict; for a
level nothing is concluded).

    python -m benchmarks.tenth_of_the_bill DATA_FOLDER [--designs 100] [--run RUN ...]

DATA_FOLDER holds `gpt35_temperatures.jsonl` (jhu-llm-temperature: 30 problems at several temperatures, 10 responses
each; judged by the proxy judge, surrogate: the ratio of lengths) and `game24_gpt4.jsonl` with
`game24_pairs_labelled.jsonl` (tree-of-thought-llm: 20 problems, 32 responses; judged by their computed shared steps and
by the exact judge of arithmetic steps, surrogate: the proxy judge; its two halves are two strategies that do not
differ). `--run` adds run folders of `score` with all pairs judged, such as the miniature's.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diversity_judge.countdown import read_steps, similarity
from diversity_judge.inputs.reading import read_responses
from diversity_judge.inputs.responses import Group
from diversity_judge.judges.proxy import proxy_score, proxy_similarity
from diversity_judge.measures.diversity import estimate
from diversity_judge.measures.intervals import Estimate, strategy_estimate
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.measures.paired import PairedDifference, paired_difference, with_holm
from diversity_judge.measures.surrogate import Surrogate, pooled_coefficients, slope_moments
from diversity_judge.planning.pairs import PairDesign
from diversity_judge.rubric import MAX_SCORE
from diversity_judge.runs.loading import load_run

Scores = NDArray[np.float64]
Key = tuple[str, str]
"""Problem and strategy."""
PARTS_OF_ALL = (0.065, 0.097)
"""Of all pairs that are judged: 32 and 48 of 496."""


@dataclass(frozen=True, eq=False)
class Data:
    """Responses all of whose pairs are scored.

    Attributes:
        name: For the table.
        scores: (n, n) symmetric a group, NaN where the judge has no score.
        surrogates: (n, n) likewise, without gaps.
        baseline: The strategy that the others are compared with.
    """

    name: str
    scores: Mapping[Key, Scores]
    surrogates: Mapping[Key, Scores]
    baseline: str

    @property
    def strategies(self) -> list[str]:
        """In order."""
        return list(dict.fromkeys(strategy for _, strategy in self.scores))


@dataclass(frozen=True)
class Found:
    """What one design says.

    Attributes:
        levels: A strategy's diversity.
        differences: To the baseline.
        calls: Pairs judged.
    """

    levels: Mapping[str, Estimate]
    differences: Mapping[str, PairedDifference]
    calls: int


def judged(groups: Sequence[Group], score: Callable[[Group], Scores]) -> dict[Key, Scores]:
    """Each group with all its pairs scored."""
    return {(group.problem_id, group.strategy): score(group) for group in groups}


def by_proxy(group: Group) -> Scores:
    """As the proxy judge scores."""
    similarities = proxy_similarity([response.text for response in group.responses])
    return np.asarray(np.vectorize(proxy_score)(similarities), dtype=np.float64)


def by_proxy_cosine(group: Group) -> Scores:
    """The same, not rounded."""
    return MAX_SCORE * proxy_similarity([response.text for response in group.responses])


def by_length(group: Group) -> Scores:
    """The shorter text over the longer one."""
    words = np.array([len(response.text.split()) + 1.0 for response in group.responses])
    return np.asarray(MAX_SCORE * np.minimum(words[:, None], words) / np.maximum(words[:, None], words))


def by_steps(group: Group) -> Scores:
    """As the exact judge scores arithmetic steps."""
    steps = [read_steps(response.text) for response in group.responses]
    found = np.full((len(steps), len(steps)), np.nan)
    for i, one in enumerate(steps):
        for j, other in enumerate(steps):
            if one and other and i != j:
                found[i, j] = similarity(one, other)
    return found


def labelled(path: Path, groups: Sequence[Group]) -> dict[Key, Scores]:
    """The share of steps in common, as a score."""
    sizes = {group.problem_id: (group.strategy, group.n_responses) for group in groups}
    found = {(problem, strategy): np.full((n, n), np.nan) for problem, (strategy, n) in sizes.items()}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["problem_id"] in sizes:
            scores = found[row["problem_id"], sizes[row["problem_id"]][0]]
            scores[row["i"], row["j"]] = scores[row["j"], row["i"]] = np.rint(MAX_SCORE * row["step_jaccard"])
    return found


def halves(scores: Mapping[Key, Scores]) -> dict[Key, Scores]:
    """Responses of even and of odd places as two strategies, which do not differ."""
    return {
        (problem, name): values[np.ix_(range(start, len(values), 2), range(start, len(values), 2))]
        for (problem, _), values in scores.items()
        for start, name in enumerate(("even", "odd"))
    }


def all_data(folder: Path, runs: Sequence[Path]) -> Iterator[Data]:
    """Everything there is."""
    gpt35 = read_responses(folder / "gpt35_temperatures.jsonl").groups
    yield Data("GPT-3.5, proxy", judged(gpt35, by_proxy), judged(gpt35, by_length), "T0.3")
    game24 = [g for g in read_responses(folder / "game24_gpt4.jsonl").groups if g.strategy == "cot"]
    cosines = judged(game24, by_proxy_cosine)
    steps = labelled(folder / "game24_pairs_labelled.jsonl", game24)
    yield Data("game of 24, labels", steps, cosines, "cot")
    yield Data("its halves, labels", halves(steps), halves(cosines), "even")
    yield Data("game of 24, exact", judged(game24, by_steps), cosines, "cot")
    for path in runs:
        run = load_run(path)
        mine = judged([group.group for group in run.groups], by_proxy_cosine)
        scores = {(g.problem_id, g.strategy): g.matrix.symmetric() for g in run.groups}
        yield Data(path.name, scores, mine, run.groups[0].strategy)


def look(data: Data, share: float | None, seed: int, *, with_surrogate: bool) -> Found:
    """One design.

    Args:
        data: All scores.
        share: Of the pairs that are judged; None: all.
        seed: Of the choice.
        with_surrogate: Whether the others are known by the surrogate.
    """
    matrices = {key: _thinned(scores, share, seed + at) for at, (key, scores) in enumerate(data.scores.items())}
    surrogates: list[Surrogate | None] = [None] * len(matrices)
    if with_surrogate:
        moments = [slope_moments(matrix, data.surrogates[key]) for key, matrix in matrices.items()]
        weights = pooled_coefficients(moments)
        surrogates = [Surrogate(data.surrogates[key], w) for key, w in zip(matrices, weights, strict=True)]
    values: dict[str, dict[str, float]] = {}
    for ((problem, strategy), matrix), surrogate in zip(matrices.items(), surrogates, strict=True):
        values.setdefault(strategy, {})[problem] = estimate(matrix, surrogate).value
    others = [name for name in data.strategies if name != data.baseline]
    differences = with_holm([paired_difference(values[name], values[data.baseline]) for name in others])
    return Found(
        {name: strategy_estimate(list(of.values())) for name, of in values.items()},
        dict(zip(others, differences, strict=True)),
        sum(matrix.n_pairs for matrix in matrices.values()),
    )


def _thinned(scores: Scores, share: float | None, seed: int) -> SimilarityMatrix:
    n = len(scores)
    pairs = None if share is None else max(1, round(share * n * (n - 1) / 2))
    wanted = np.zeros((n, n), dtype=np.bool_)
    for pair in PairDesign(pairs_per_group=pairs, seed=seed).plan(n):
        wanted[pair.first, pair.second] = True
    return SimilarityMatrix(np.where(wanted, scores, np.nan), wanted)


def lines(data: Data, designs: int) -> Iterator[str]:
    """The rows of one set of data."""
    whole = look(data, None, 0, with_surrogate=False)
    for share in PARTS_OF_ALL:
        for with_surrogate in (False, True):
            found = [look(data, share, 1000 * seed, with_surrogate=with_surrogate) for seed in range(1, designs + 1)]
            design = f"{found[0].calls / whole.calls:6.1%} {'surrogate' if with_surrogate else 'alone':9s}"
            pairs = [(w, f.levels[name]) for f in found for name, w in whole.levels.items()]
            yield f"{data.name:20s} level      {design} {found[0].calls:7,d} {_held(pairs)}"
            pairs = [(w.estimate, f.differences[name].estimate) for f in found for name, w in whole.differences.items()]
            if pairs:
                same = np.mean(
                    [w.verdict is f.differences[k].verdict for f in found for k, w in whole.differences.items()]
                )
                yield f"{data.name:20s} difference {design} {found[0].calls:7,d} {_held(pairs)} {same:8.1%}"


def _held(pairs: Sequence[tuple[Estimate, Estimate]]) -> str:
    widths = [(found.high - found.low) / (whole.high - whole.low) for whole, found in pairs if whole.high > whole.low]
    held = [found.low <= whole.value <= found.high for whole, found in pairs]
    return f"{np.median(widths):6.2f} {np.mean(held):8.1%}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA_FOLDER")
    parser.add_argument("--designs", type=int, default=100, help="random designs a row (default 100)")
    parser.add_argument(
        "--run", type=Path, nargs="+", default=[], metavar="RUN", help="run folders with all pairs judged"
    )
    options = parser.parse_args()
    print(f"{options.designs} random designs a row; held: intervals that hold the value of all pairs\n")
    print(f"{'data, judge':20s} {'of':10s}  share {'design':9s}   calls  width     held  verdict")
    for data in all_data(options.data, options.run):
        for line in lines(data, options.designs):
            print(line, flush=True)


if __name__ == "__main__":
    main()
