"""Python's search for cyclic garbage, put off while very many objects are made that are none."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Within it, or a function that it decorates, no cyclic garbage is looked for.

    The search takes as long as there are objects, and comes again and again as they grow: for a
    study of 10,000 trials it takes longer than to read them.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
