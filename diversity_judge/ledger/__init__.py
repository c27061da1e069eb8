"""The ledger: every reply that was paid for, on disk before it is counted.

Replies are kept raw and scored when they are read, so a newer parser can score them again without a call.
One writer thread commits what has arrived since its last commit in one transaction (WAL, synchronous FULL):
a reply counts only once it survives a power cut, and the event loop never waits for the disk.

Two runs may share a ledger at a time. Before a run sends calls it claims their keys; keys that another living run
holds are left to it. A run that died holds nothing: its heartbeat stops, and on the same machine its process is gone.
"""

from diversity_judge.ledger.jobs import Claim, Failure
from diversity_judge.ledger.store import Ledger, Origin, StoredReply

__all__ = ["Claim", "Failure", "Ledger", "Origin", "StoredReply"]
