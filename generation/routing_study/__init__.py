"""What the routers of a model do: watched while it samples, and reported."""
