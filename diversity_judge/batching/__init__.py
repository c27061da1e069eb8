"""Calls as files: what a provider's batch API, or an engine that reads a file, is given, and what comes back."""
