"""Where a studied model is computed, and how precisely, as every command names it; importable without torch."""

from __future__ import annotations

DTYPES = ("auto", "bfloat16", "float16", "float32")
DEVICES = ("cpu", "cuda")
