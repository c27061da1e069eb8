"""Sample responses from a language model by token sampling or by Expert-Sample routing.

In Python: `sample(SampleOptions(problems="problems.jsonl", model="..."))`. What is named here is imported when it is
first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from diversity_judge.public_names import publish

if TYPE_CHECKING:
    from generation.rewarding.options import RewardOptions as RewardOptions
    from generation.rewarding.run import RewardResult as RewardResult
    from generation.rewarding.run import reward as reward
    from generation.sampling.options import SampleOptions as SampleOptions
    from generation.sampling.run import SamplingResult as SamplingResult
    from generation.sampling.run import sample as sample

publish(
    __name__,
    {
        "RewardOptions": "generation.rewarding.options",
        "RewardResult": "generation.rewarding.run",
        "SampleOptions": "generation.sampling.options",
        "SamplingResult": "generation.sampling.run",
        "reward": "generation.rewarding.run",
        "sample": "generation.sampling.run",
    },
)
