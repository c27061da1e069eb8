"""A comparison for a paper: its tables in LaTeX and Markdown, and a paragraph on how the numbers were made.

The paragraph is put together from what the runs recorded, so that nothing in it has to be remembered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diversity_judge import __version__
from diversity_judge.comparing.process_metrics import ProcessMetric
from diversity_judge.comparing.result import Comparison
from diversity_judge.comparing.tables import ALL_TIERS, OutcomeRow
from diversity_judge.planning.sorting import APPROACHES, REFERENCES
from diversity_judge.runs.layout import PANEL
from diversity_judge.runs.loading import Run
from diversity_judge.runs.surrogates import estimator_sentence
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval, p_number

_TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
    }
)
_SHORT_HASH = 12
_REFERENCES = """\
References: process diversity, Chen et al. 2026 (arXiv 2602.02443), section 3.3; pass@k, Chen et al. 2021 (arXiv
2107.03374); Vendi score, Friedman and Dieng 2023 (arXiv 2210.02410); dyadic variance, Aronow, Samii and Assenova 2015
(arXiv 1312.3398); intervals of outcomes, Rubin 1981, Jeffreys; subset means, Hartigan 1969; sign flips, Phipson and
Smyth 2010; Holm 1979."""


@dataclass(frozen=True)
class PaperTable:
    """A table as a paper prints it.

    Attributes:
        name: For a label.
        caption: What it shows.
        columns: Headings, the first of the rows' names.
        rows: Cells.
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def paper_tables(comparison: Comparison) -> tuple[PaperTable, ...]:
    """Process diversity, outcomes over all problems, and differences to the baseline; those that have rows."""
    tables = (_process(comparison), _outcomes(comparison), _differences(comparison))
    return tuple(table for table in tables if table.rows)


def markdown(tables: Sequence[PaperTable]) -> str:
    """The tables in Markdown, each below its caption."""
    return "\n".join(_markdown(table) for table in tables)


def latex(tables: Sequence[PaperTable]) -> str:
    """The tables in LaTeX, for the package booktabs."""
    return "% needs \\usepackage{booktabs}\n" + "\n".join(_latex(table) for table in tables)


def methods(comparison: Comparison) -> str:
    """How the numbers were made, in Markdown to copy."""
    sizes = sorted({group.n_responses for group in comparison.groups})
    responses = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    problems, strategies = len(comparison.problems), len(comparison.strategies)
    first = (
        f"{problems} problem{_s(problems)} under {strategies} sampling strateg{'y' if strategies == 1 else 'ies'} "
        f"({', '.join(map(printable, comparison.strategies))}), {responses} responses a problem and strategy, were "
        f"compared with diversity_judge {__version__}."
    )
    paragraphs = [first, *(_judged(run) for run in comparison.runs if run.is_judged), _statistics(comparison)]
    return "# Methods\n\n" + "\n\n".join(paragraphs) + "\n\n" + _REFERENCES + "\n"


def _process(comparison: Comparison) -> PaperTable:
    metrics = [
        m for m in comparison.metrics if m.is_shown and not m.is_detail and comparison.process.where(metric=m.name)
    ]
    judges = "; ".join(comparison.judges)
    return PaperTable(
        "process",
        f"Process diversity a strategy: means over problems with 95 % intervals. Judge: {judges}.",
        ("strategy", "problems", *(metric.label for metric in metrics)),
        tuple(
            (strategy, _count(comparison, strategy), *(_metric_cell(comparison, strategy, m) for m in metrics))
            for strategy in comparison.strategies
            if comparison.process.where(strategy=strategy)
        ),
    )


def _count(comparison: Comparison, strategy: str) -> str:
    rows = comparison.process.where(strategy=strategy, metric="diversity")
    return str(rows[0].n_problems) if rows else "0"


def _metric_cell(comparison: Comparison, strategy: str, metric: ProcessMetric) -> str:
    rows = comparison.process.where(strategy=strategy, metric=metric.name)
    digits = 3 if metric.bounds else 2
    return interval(rows[0].value, rows[0].ci_low, rows[0].ci_high, digits) if rows else ""


def _outcomes(comparison: Comparison) -> PaperTable:
    rows = comparison.outcomes.where(tier=ALL_TIERS)
    largest = max((row.k for row in rows if row.metric == "pass_at_k"), default=0)
    named = dict.fromkeys((row.metric, row.k if row.metric == "pass_at_k" else None) for row in rows)
    keys = [(metric, k) for metric, k in named if k in (None, largest)]
    labels = [f"pass@{k}" if k is not None else metric.replace("_", " ") for metric, k in keys]
    return PaperTable(
        "outcomes",
        "Outcomes a strategy: means over problems with 95 % intervals.",
        ("strategy", *labels),
        tuple(
            (strategy, *(_outcome_cell(rows, strategy, metric, k) for metric, k in keys))
            for strategy in comparison.strategies
            if any(row.strategy == strategy for row in rows)
        ),
    )


def _outcome_cell(rows: Sequence[OutcomeRow], strategy: str, metric: str, k: int | None) -> str:
    for row in rows:
        if (row.strategy, row.metric) == (strategy, metric) and k in (None, row.k):
            return interval(row.value, row.ci_low, row.ci_high)
    return ""


def _differences(comparison: Comparison) -> PaperTable:
    return PaperTable(
        "differences",
        f"Differences to {comparison.baseline}, paired on problems, with 95 % intervals; p after Holm, by metric.",
        ("strategy", "metric", "problems", "difference", "p (Holm)", "verdict"),
        tuple(
            (
                row.strategy,
                row.metric.replace("_", " "),
                str(row.n_problems),
                interval(row.difference, row.ci_low, row.ci_high, signed=True),
                p_number(row.p_holm, missing=""),
                row.verdict,
            )
            for row in comparison.differences
        ),
    )


def _markdown(table: PaperTable) -> str:
    lines = [table.columns, tuple("---" for _ in table.columns), *table.rows]
    cells = ("| " + " | ".join(printable(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
    return f"{printable(table.caption)}\n\n" + "\n".join(cells) + "\n"


def _latex(table: PaperTable) -> str:
    def line(cells: Sequence[str]) -> str:
        return " & ".join(_tex(cell) for cell in cells) + r" \\"

    body = "\n".join(line(row) for row in table.rows)
    return (
        "\\begin{table}\n\\centering\n"
        f"\\caption{{{_tex(table.caption)}}}\n\\label{{tab:{table.name}}}\n"
        f"\\begin{{tabular}}{{l{'r' * (len(table.columns) - 1)}}}\n\\toprule\n{line(table.columns)}\n\\midrule\n"
        f"{body}\n\\bottomrule\n\\end{{tabular}}\n\\end{{table}}\n"
    )


def _tex(text: str) -> str:
    return printable(text).translate(_TEX)


def _judged(run: Run) -> str:
    """How one run's scores were made."""
    return " ".join(_judged_sentences(run)).replace(" ;", ";").replace(" .", ".")


def _judged_sentences(run: Run) -> Iterator[str]:
    manifest = run.manifest
    judge, design, counts = manifest["judge"], manifest["design"], manifest.get("judgments", {})
    yield f"The similarity of the reasoning of each pair of responses, 0 to 5, was given by {printable(run.judge)}"
    if sha := manifest["prompt"].get("sha256"):
        yield f"with the prompt template {printable(run.prompt)}, SHA-256 {sha[:_SHORT_HASH]}...;"
    elif judge["kind"] == PANEL:
        yield f"with the prompts {printable(run.prompt)};"
    else:
        yield "without a prompt;"
    per_group = design.get("pairs_per_group")
    yield f"{'all pairs' if per_group is None else f'a balanced choice of {per_group:,} pairs'} of a group,"
    yield "in both orders," if design["orders"] == "both" else "each in one order, with balanced orientation,"
    draws = design.get("draws", 1)
    yield f"{draws} judgment{_s(draws)} each."
    showing = manifest["showing"]
    if showing["view"] != "full":
        yield f"The judge saw the {showing['view']} part of each response."
    if showing["truncate_tokens"] is not None:
        yield f"Texts longer than about {showing['truncate_tokens']:,} tokens were cut in the middle."
    if counts:
        each = " (each draw counted)" if draws > 1 else ""
        yield f"{counts['scored']:,} of {counts['wanted']:,} wanted pairs{each} have a score"
        shared = [f"{counts['duplicates']:,} of identical texts, scored 5 without a call"] * (counts["duplicates"] > 0)
        shared += [f"{counts['repeats']:,} by the judgment of the same two texts"] * (counts.get("repeats", 0) > 0)
        yield f"({'; '.join(shared)});" if shared else ";"
        yield "diversity is 1 - mean / 5 over those that have."
        if estimator := estimator_sentence(manifest):
            yield f"Diversity of a group: {printable(estimator)} (PPI++, Angelopoulos et al. 2023, arXiv 2311.01453)."
        yield f"The judge gave {counts['replies']:,} replies"
        if counts.get("prompt_tokens"):
            yield f"to {counts['prompt_tokens']:,} tokens with {counts['completion_tokens']:,} tokens"
        cost = counts.get("cost_usd")
        has_prices = judge.get("prices_usd_per_million_tokens") is not None
        yield f"at {cost:,.2f} USD (prices of {judge.get('prices_as_of')})." if cost and has_prices else "."
    yield from _sorting_sentences(manifest.get("sortings") or {})


def _sorting_sentences(sortings: Mapping[str, Any]) -> Iterator[str]:
    """What the judge was asked about whole groups."""
    wanted, answered = (sortings.get(name) for name in ("wanted", "answered"))
    if not (isinstance(wanted, int) and isinstance(answered, int) and wanted):
        return
    prompts = sortings.get("prompts") or {}

    def asked(name: str) -> str:
        prompt = prompts.get(name)
        return (
            f"prompt {prompt['label']}, SHA-256 {prompt['sha256'][:_SHORT_HASH]}..." if prompt else "without a prompt"
        )

    if sortings.get("clusters") == "judge":
        yield f"In one call a group the judge also sorted all responses by approach ({asked(APPROACHES)})."
    if sortings.get("reference_approaches"):
        yield f"In one call a group it said which approach of a list each response takes ({asked(REFERENCES)})."
    cost = sortings.get("cost_usd")
    yield f"{answered:,} of {wanted:,} such calls were answered" + (
        f", at {cost:,.2f} USD." if isinstance(cost, float) and cost else "."
    )


def _statistics(comparison: Comparison) -> str:
    compared = len(comparison.strategies) - 1
    text = (
        "Intervals are 95 % over problems: Student's t on the logit for diversities, Dirichlet weights for outcomes, "
        "and where all values are equal what so many of them leave open."
    )
    if compared > 0:
        text += (
            f" Differences to {printable(comparison.baseline)} are paired on problems; p is the larger of Student's t "
            f"and of sign flips, adjusted by Holm among the {compared} comparison{_s(compared)} of a metric; a "
            "difference is called confirmed where it is at most 0.05."
        )
    if comparison.options.complete_only:
        text += " Process diversity is that of responses that were not cut."
    sizes = {group.process.n_responses for group in comparison.groups if group.process is not None} - {0, 1}
    if len(sizes) > 1:
        text += (
            f" Vendi score and number of approaches are expected values in {comparison.size} responses of a group "
            "(rarefaction), because groups differ in size."
        )
    if comparison.tiers:
        text += f" Tiers of problems come from the responses of {printable(comparison.tier_strategy)}."
    return text


def _s(count: int) -> str:
    return "" if count == 1 else "s"
