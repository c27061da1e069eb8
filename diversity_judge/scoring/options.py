"""Everything that a scoring run is asked to do, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from diversity_judge.choices import DEFAULT_PROMPT, LEVELS, Clusters, HeatmapChoice, JudgeInput, Level
from diversity_judge.engine.options import EngineOptions
from diversity_judge.errors import InputError
from diversity_judge.inputs.in_memory import Given, InMemory, as_inputs
from diversity_judge.inputs.opening import default_name
from diversity_judge.judges.presets import JudgeSpec, find_judge
from diversity_judge.planning.groups import Showing
from diversity_judge.planning.pairs import PairDesign
from diversity_judge.planning.summaries import COMPARE
from diversity_judge.runs.layout import LEDGER

if TYPE_CHECKING:
    from diversity_judge.runs.sources import RunLike

NO_SURROGATE, PROXY_SURROGATE = "none", "proxy"
"""What `--surrogate` takes besides a run."""

_MOST_DRAWN = 50
_MOST_DRAWN_OF_A_COMPUTED_RUN = 5
"""Problems that have a picture where nobody says how many. One takes a third of a second, as long as 500 calls of a
judge or 3,000 computed judgments: so of a run of 300 groups a seventh of the time goes into pictures."""


@dataclass(frozen=True)
class ScoreOptions:
    """What to score, by whom, and within which limits; `keywords` makes one from the names of the options.

    Attributes:
        inputs: Files of responses, pipes, `-` for standard input, folders of data sets, or responses in memory.
        judge: Who judges; a name is that of a preset.
        prompt: Name or path of the judge's template; the default one is another where summaries are compared.
        design: Which pairs.
        showing: What the judge sees of a response.
        engine: Speed, retries and budget; a judge that computes gets no lead and no second try.
        out: The run folder. None: `default_folder` where answers are paid for, and no folder at all for a judge that
            computes.
        ledger: A ledger to share; default `ledger.sqlite` in the run folder.
        input_format: Of the files; `auto` detects it.
        strategies: Of the input, those that are scored; None for all.
        limit: Problems of the input that are scored, the first ones; None for all.
        offline: Rebuild every output from the ledger, without a call.
        dry_run: Show the bill and stop.
        anchors: A file of pairs that are asked at the beginning and the end, to see whether the judge changes.
        surrogate: What sharpens the estimate of a thinned design: `none`, `proxy`, or another run of these responses.
        target_width: Judge in two stages: a pilot, and as many pairs as it says that an interval of this width needs.
        level: Whose interval that is.
        overwrite: Replace the run of another instrument in the folder.
        clusters: Who sorts the responses of a group by approach: the similarities alone (`matrix`), or the judge too,
            in one call a group (`judge`).
        judge_input: What a judgment compares: the responses, or their summaries, which are bought first, in one call a
            response.
        reference_approaches: Ask, in one call a group, which approach of its problem's list each response takes.
        all_pairs: Judge all pairs of a group, however many they are.
        heatmaps: Which pictures are drawn: one a problem (`problems`), one a group too (`all`), none; None: those of
            the first problems.
        quiet: Print errors only.
        verbose: Print the groups however many they are.
    """

    inputs: Given
    judge: JudgeSpec  # or the name of a preset; see `__post_init__`
    prompt: str = DEFAULT_PROMPT
    design: PairDesign = field(default_factory=PairDesign)
    showing: Showing = field(default_factory=Showing)
    engine: EngineOptions = field(default_factory=EngineOptions)
    out: Path | None = None
    ledger: Path | None = None
    input_format: str = "auto"
    strategies: tuple[str, ...] | None = None
    limit: int | None = None
    offline: bool = False
    dry_run: bool = False
    anchors: Path | None = None
    surrogate: RunLike = NO_SURROGATE
    target_width: float | None = None
    level: Level = "strategy"
    overwrite: bool = False
    clusters: Clusters = "matrix"
    judge_input: JudgeInput = "responses"
    reference_approaches: bool = False
    all_pairs: bool = False
    heatmaps: HeatmapChoice | None = None
    quiet: bool = False
    verbose: bool = False

    def __post_init__(self) -> None:
        """Bring what may be given in several forms into one.

        Raises:
            InputError: there is no preset of this name, or no input; or the judge cannot sort or summarise, or has
                no cheap hours to wait for.
        """
        inputs = as_inputs(self.inputs)
        judge = find_judge(self.judge) if isinstance(self.judge, str) else self.judge
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "judge", judge)
        _refuse_what_asks_an_llm(self, judge)
        if self.judge_input == "summaries" and self.anchors is not None:
            raise InputError("--anchors are pairs of responses, and --judge-input summaries shows the judge none")
        if self.judge_input == "summaries" and self.prompt == DEFAULT_PROMPT:
            object.__setattr__(self, "prompt", COMPARE)
        if self.target_width is not None:
            _check_target(self.target_width, self.design, self.level)
        if self.engine.when == "cheap" and judge.off_peak is None:
            raise InputError(
                f"--when cheap: no cheaper hours are known of {judge.label}: leave it out, or give its preset off_peak "
                "in a --judges-file"
            )
        if judge.is_embedded:
            # No cache to warm, and the same texts get the same reply however often they are shown.
            object.__setattr__(self, "engine", replace(self.engine, prefix_lead_s=0.0, max_unusable=1))

    @property
    def source(self) -> tuple[Path, ...] | InMemory:
        """The files of responses, or what is in memory."""
        return cast("tuple[Path, ...] | InMemory", self.inputs)

    @property
    def folder(self) -> Path | None:
        """Where the outputs go; None where nothing is written."""
        return self.out or (None if self.judge.is_embedded else default_folder(self.source))

    @property
    def most_problems_drawn(self) -> int | None:
        """How many problems get a picture; None for all."""
        if self.heatmaps is not None:
            return None
        return _MOST_DRAWN_OF_A_COMPUTED_RUN if self.judge.is_embedded else _MOST_DRAWN

    @property
    def ledger_path(self) -> Path | None:
        """Where the judgments are; None where nothing says where to keep them."""
        return self.ledger or (None if self.folder is None else self.folder / LEDGER)

    @property
    def shown(self) -> Showing:
        """What the judge sees: as asked for, and identical texts too where the judge must look at them itself."""
        return replace(self.showing, judge_duplicates=True) if self.judge.judges_duplicates else self.showing

    @property
    def sends_calls(self) -> bool:
        """Whether the judge may be asked at all."""
        return not (self.offline or self.dry_run)


def _refuse_what_asks_an_llm(options: ScoreOptions, judge: JudgeSpec) -> None:
    """A judge that computes asks no LLM: the proxy sorts nothing, the exact one knows no lists."""
    if options.clusters == "judge" and judge.is_proxy:
        raise InputError(
            "--clusters judge asks an LLM to sort the responses, and the proxy judge is none; compare counts the "
            "approaches from its similarities without that"
        )
    if options.reference_approaches and judge.is_embedded:
        raise InputError(f"--reference-approaches asks an LLM, and the judge {judge.name} is none")
    if options.judge_input == "summaries" and judge.is_embedded:
        raise InputError(
            f"--judge-input summaries asks an LLM for the summaries, and the judge {judge.name} is none: it computes "
            "its scores from the responses"
        )


def default_folder(source: tuple[Path, ...] | InMemory) -> Path:
    """`results/<stem of the first file>` (`stdin`, `stream`), or `results/responses` for responses in memory."""
    name = "responses" if isinstance(source, InMemory) else default_name(source[0])
    return Path("results") / name


def _check_target(width: float, design: PairDesign, level: Level) -> None:
    if not 0 < width < 1:
        raise InputError(f"--target-width is in units of diversity: between 0 and 1, not {width:g}")
    if design.pairs_per_group is not None:
        raise InputError("--target-width finds out how many pairs are needed: leave --pairs-per-group out")
    if level not in LEVELS:
        raise InputError(f"--for must be one of {', '.join(LEVELS)}, not {level!r}")
