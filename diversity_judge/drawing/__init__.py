"""Pictures: heat maps, and the look that all figures share."""
