"""What is asked of a judge before it is believed: one probe a module, each from arrays to findings."""
