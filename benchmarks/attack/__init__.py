"""The parts of `benchmarks.soak`: what the tool is attacked with, and what is expected of it each time."""
