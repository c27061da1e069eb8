"""Tests of the grid behind the law."""
