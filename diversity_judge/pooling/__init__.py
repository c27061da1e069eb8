"""A panel: several judges' runs over the same responses, their agreement, and their mean as a run of its own.

runs -> members (the same responses, seen alike) -> scores (each judge's, pair by pair) -> result -> run folder, console
"""
