"""Talking to a host that serves a model, for the judge and for the generation servers alike.

    address (where, and what of it may be shown)   secrets (keys, and texts without them)   descriptors
      -> calls (what an HTTP status means) -> client, over connections and transport (one call)
      -> replicas (one of several addresses)
      -> completion (what a reply says)

Whatever a host sends, a call ends in a text or in a `CallError` that says what to do about it.
"""
