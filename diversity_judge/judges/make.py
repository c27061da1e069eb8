"""From a preset to a judge that can be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from diversity_judge.hosts.secrets import read_key
from diversity_judge.judges.base import Judge
from diversity_judge.judges.chat import ChatJudge
from diversity_judge.judges.countdown import CountdownJudge
from diversity_judge.judges.presets import COUNTDOWN, PROXY, JudgeSpec
from diversity_judge.judges.proxy import ProxyJudge
from diversity_judge.planning.prompting import PromptTemplate

_EMBEDDED_JUDGES: Mapping[str, Callable[[JudgeSpec], Judge]] = {PROXY: ProxyJudge, COUNTDOWN: CountdownJudge}


def make_judge(
    spec: JudgeSpec,
    template: PromptTemplate,
    *,
    sends_calls: bool,
    deadline_s: float,
) -> Judge:
    """The judge of a run.

    Args:
        spec: Which judge.
        template: The prompt of an LLM judge.
        sends_calls: Whether it will be asked; then its key must be there.
        deadline_s: Total seconds that a call may take.

    Raises:
        InputError: the judge's key is not in the environment or cannot be one, or the environment's proxy or
            certificates are of no use.
    """
    if spec.is_embedded:
        return _EMBEDDED_JUDGES[spec.kind](spec)
    key = read_key(spec.api_key_env, spec.host) if sends_calls else None
    return ChatJudge(spec, template, key, deadline_s=deadline_s)
