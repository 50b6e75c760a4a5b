"""How much memory there is, asked before data is made rather than after the process was killed."""

import os
from pathlib import Path

from study.data.dataset import DataError

# Linux: what a container may use, where that is less than the machine has.
_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


def check_fits(num_bytes: int, what: str) -> None:
    """Refuse what this machine can never hold, free memory or not.

    Args:
        num_bytes: That will be needed at once.
        what: Needs them, the subject of the message.

    Raises:
        DataError: There is less memory than that in all.
    """
    total = total_memory()
    if num_bytes > total:
        raise DataError(
            f"{what} would take {num_bytes / 2**30:,.1f} GiB, but this machine has "
            f"{total / 2**30:,.1f} GiB of memory; take fewer or smaller images"
        )


def total_memory() -> int:
    """Bytes of memory that this process may have: the machine's, or its container's."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = _CONTAINER_LIMIT.read_text(encoding="ascii").strip()
    except OSError:
        return machine
    return min(machine, int(limit)) if limit.isdigit() else machine
