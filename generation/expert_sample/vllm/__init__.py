"""Expert-Sample inside vLLM: the router, the runners that feed it, and the front end that takes the settings."""
