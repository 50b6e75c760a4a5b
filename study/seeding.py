"""Seeds for named random streams.

Every use of chance has a name and a position, e.g. ``("order", megabatch, epoch)``, and its seed
is a hash of the trial's seed with both. So nothing has to be remembered between two uses: a trial
restarted in the middle draws what it would have drawn.
"""

import hashlib


def derive_seed(seed: int, *name: str | int) -> int:
    """A 63-bit seed for the random stream ``name`` of a trial or data set seeded with ``seed``."""
    text = "/".join(str(part) for part in (seed, *name))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
