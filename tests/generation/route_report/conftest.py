"""Tiny products are quicker in one thread, and many threads wait for each other on a busy machine."""

from tests.generation.moe_models.conftest import _one_thread

__all__ = ["_one_thread"]
