"""A run on disk: where its parts lie, and how it is read."""
