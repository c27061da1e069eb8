"""Everything that a scoring run is asked to do, as one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from diversity_judge.engine.options import EngineOptions
from diversity_judge.judges.presets import JudgeSpec
from diversity_judge.planning.groups import Showing
from diversity_judge.planning.pairs import PairDesign
from diversity_judge.planning.prompting import DEFAULT_PROMPT
from diversity_judge.runs.layout import LEDGER


@dataclass(frozen=True)
class ScoreOptions:
    """What to score, by whom, and within which limits; the command line fills one of these.

    Attributes:
        inputs: Files of responses.
        judge: Who judges.
        prompt: Name or path of the judge's template.
        design: Which pairs.
        showing: What the judge sees of a response.
        engine: Speed, retries and budget.
        out: The run folder; default `results/<stem of the first input>`.
        ledger: A ledger to share; default `ledger.sqlite` in the run folder.
        input_format: Of the files; `auto` detects it.
        offline: Rebuild every output from the ledger, without a call.
        dry_run: Show the bill and stop.
        overwrite: Replace the tables of another judge's or prompt's run.
        all_pairs: Judge all pairs of a group, however many they are.
        heatmaps: Draw the pictures.
        quiet: Print errors only.
    """

    inputs: Sequence[Path]
    judge: JudgeSpec
    prompt: str = DEFAULT_PROMPT
    design: PairDesign = field(default_factory=PairDesign)
    showing: Showing = field(default_factory=Showing)
    engine: EngineOptions = field(default_factory=EngineOptions)
    out: Path | None = None
    ledger: Path | None = None
    input_format: str = "auto"
    offline: bool = False
    dry_run: bool = False
    overwrite: bool = False
    all_pairs: bool = False
    heatmaps: bool = True
    quiet: bool = False

    @property
    def folder(self) -> Path:
        """Where the outputs go."""
        return self.out or Path("results") / self.inputs[0].name.split(".")[0]

    @property
    def ledger_path(self) -> Path:
        """Where the judgments are."""
        return self.ledger or self.folder / LEDGER

    @property
    def shown(self) -> Showing:
        """What the judge sees: as asked for, and identical texts too where the judge must look at them itself."""
        return replace(self.showing, judge_duplicates=True) if self.judge.judges_duplicates else self.showing

    @property
    def sends_calls(self) -> bool:
        """Whether the judge may be asked at all."""
        return not (self.offline or self.dry_run)
