"""Whether a response is right: its answer read and compared, in a process that can be ended."""
