"""A router trained alone: what is learned, from what, and the checkpoint that it becomes."""
