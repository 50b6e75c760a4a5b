"""Files that their owner alone may read."""

import os
from pathlib import Path

_OWNER_ALONE = 0o600


def write_private(path: Path, text: str) -> None:
    """Write a text, whole or not at all, that is on disk when this returns, over an earlier one.

    Raises:
        OSError: It cannot be written.
    """
    temporary = path.with_name(f".{path.name}.writing")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ALONE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, _OWNER_ALONE)  # of one that was left by a process that died
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)
