"""Process diversity of language-model reasoning, measured by pairwise LLM judgments.

In Python: `score(responses, judge="proxy")` judges responses, `load_run(folder)` reads a finished run, `compare(run)`
puts strategies beside each other, `agree(run, reference)` holds a judge against another one or people, `panel(runs)`
takes several judges together, `reliability(run)` asks whether one can be believed, `labels_make(run)` and
`labels_read(files, key=...)` have people label its pairs, `plan(responses)` says what a study would cost and show. All
are imported when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from diversity_judge.public_names import publish

if TYPE_CHECKING:
    from diversity_judge.agree import agree as agree
    from diversity_judge.agreeing.labelled import LabelAgreement as LabelAgreement
    from diversity_judge.agreeing.result import JudgeAgreement as JudgeAgreement
    from diversity_judge.budgeting.result import Plan as Plan
    from diversity_judge.compare import compare as compare
    from diversity_judge.comparing.result import CompareOptions as CompareOptions
    from diversity_judge.comparing.result import Comparison as Comparison
    from diversity_judge.engine.bill import Bill as Bill
    from diversity_judge.errors import DiversityJudgeError as DiversityJudgeError
    from diversity_judge.errors import InputError as InputError
    from diversity_judge.errors import RunError as RunError
    from diversity_judge.inputs.responses import Response as Response
    from diversity_judge.judges.presets import JudgeSpec as JudgeSpec
    from diversity_judge.labelling.result import LabelsRead as LabelsRead
    from diversity_judge.labelling.sheet import Sheet as Sheet
    from diversity_judge.labels import labels_make as labels_make
    from diversity_judge.labels import labels_read as labels_read
    from diversity_judge.panel import panel as panel
    from diversity_judge.plan import plan as plan
    from diversity_judge.pooling.result import Panel as Panel
    from diversity_judge.probing.options import ReliabilityOptions as ReliabilityOptions
    from diversity_judge.probing.result import Reliability as Reliability
    from diversity_judge.reliability import reliability as reliability
    from diversity_judge.runs.loading import Run as Run
    from diversity_judge.runs.loading import load_run as load_run
    from diversity_judge.score import score as score
    from diversity_judge.scoring.options import ScoreOptions as ScoreOptions
    from diversity_judge.scoring.result import ScoreResult as ScoreResult

__version__ = "0.1.0"

publish(
    __name__,
    {
        "Bill": "diversity_judge.engine.bill",
        "CompareOptions": "diversity_judge.comparing.result",
        "Comparison": "diversity_judge.comparing.result",
        "DiversityJudgeError": "diversity_judge.errors",
        "InputError": "diversity_judge.errors",
        "JudgeAgreement": "diversity_judge.agreeing.result",
        "JudgeSpec": "diversity_judge.judges.presets",
        "LabelAgreement": "diversity_judge.agreeing.labelled",
        "LabelsRead": "diversity_judge.labelling.result",
        "Panel": "diversity_judge.pooling.result",
        "Reliability": "diversity_judge.probing.result",
        "ReliabilityOptions": "diversity_judge.probing.options",
        "Plan": "diversity_judge.budgeting.result",
        "Response": "diversity_judge.inputs.responses",
        "Run": "diversity_judge.runs.loading",
        "RunError": "diversity_judge.errors",
        "ScoreOptions": "diversity_judge.scoring.options",
        "ScoreResult": "diversity_judge.scoring.result",
        "Sheet": "diversity_judge.labelling.sheet",
        "agree": "diversity_judge.agree",
        "compare": "diversity_judge.compare",
        "labels_make": "diversity_judge.labels",
        "labels_read": "diversity_judge.labels",
        "load_run": "diversity_judge.runs.loading",
        "panel": "diversity_judge.panel",
        "reliability": "diversity_judge.reliability",
        "plan": "diversity_judge.plan",
        "score": "diversity_judge.score",
    },
)
