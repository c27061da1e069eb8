"""A tokens.parquet of planted truth (`tests.planted_routes`), as generation.counterfactual writes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from diversity_judge.measures.route_utility import TokenUtilities
from generation.route_report.tokens import TOKENS, UTILITIES
from tests.planted_routes import Lead, no_lead, planted_tokens

RESPONSES_EACH = 2
K = 4
N_EXPERTS = 32


def write_planted(
    folder: Path,
    *,
    leads: Sequence[Lead] = (no_lead,),
    n_problems: int = 20,
    tokens_each: int = 30,
    n_alternatives: int = 8,
    text: str = " 7",
    seed: int = 0,
) -> Path:
    """One layer a lead; each problem has two responses that share its tokens equally."""
    generator = np.random.default_rng(seed)
    frames = []
    for layer, lead in enumerate(leads):
        tokens = planted_tokens(
            generator, lead=lead, n_problems=n_problems, tokens_each=tokens_each, n_alternatives=n_alternatives
        )
        frames.append(_frame(tokens, layer, tokens_each, n_alternatives, text, generator))
    folder.mkdir(parents=True, exist_ok=True)
    pd.concat(frames).to_parquet(folder / TOKENS, index=False)
    return folder


def _frame(
    tokens: TokenUtilities, layer: int, tokens_each: int, m: int, text: str, generator: np.random.Generator
) -> pd.DataFrame:
    n = len(tokens)
    within = np.arange(n) % tokens_each
    length = tokens_each // RESPONSES_EACH
    frame = pd.DataFrame(
        {
            "problem_id": [f"p{number}" for number in np.asarray(tokens.problems)],
            "strategy": "token-normal",
            "response": within // length,
            "correct": True,
            "position": within % length,
            "token_id": within,
            "token": text,
            "layer": layer,
            "scheme": "gumbel",
            "tau": 1.0,
            "n_alternatives": m,
            "standard_route": [sorted(generator.choice(N_EXPERTS, K, replace=False).tolist()) for _ in range(n)],
            "best_route": [sorted(generator.choice(N_EXPERTS, K, replace=False).tolist()) for _ in range(n)],
        }
    )
    for name, column in UTILITIES.items():
        frame[column] = getattr(tokens, name).astype(np.float32)
    return frame
