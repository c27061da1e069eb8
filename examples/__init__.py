"""Examples that the documentation runs."""
