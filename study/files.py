"""Files that are written whole or not at all, what a study is called, and which a folder holds."""

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

DEFAULT_STORE = "app-studies"
RECORD_FILE = "record.jsonl"
# What a killed process leaves is called so, and belongs to nobody.
UNFINISHED = ".writing-"
_OWNER_ALONE, _AS_USUAL = 0o600, 0o666  # the second as the process's umask has it
_DEVICES = (
    "[cC][oO][nN]|[pP][rR][nN]|[aA][uU][xX]|[nN][uU][lL]|[cC][oO][mM][0-9]|[lL][pP][tT][0-9]"
)
# What a study is called, which is also a folder's name wherever the store lies: some names are
# devices, or end differently, there.
# A pattern of JSON Schemas too, whose dialect knows neither (?i:) nor a look behind.
NAME = re.compile(
    rf"(?!(?:{_DEVICES})(?:\.|$))[A-Za-z0-9](?:[A-Za-z0-9._-]{{0,78}}[A-Za-z0-9_-])?"
)


@contextlib.contextmanager
def atomic_replacement(path: Path, *, is_private: bool = False) -> Iterator[Path]:
    """An empty file beside ``path`` to be written, which then takes its place and is on disk.

    Where writing it fails it is removed, and ``path`` is as it was.

    Args:
        path: In a folder that exists.
        is_private: For its owner alone.

    Raises:
        OSError: The disk is full or cannot be written.
    """
    temporary = path.with_name(f"{UNFINISHED}{os.getpid()}-{secrets.token_hex(4)}")
    mode = _OWNER_ALONE if is_private else _AS_USUAL
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _flush(path.parent)


def atomic_write(path: Path, content: bytes | memoryview, *, is_private: bool = False) -> None:
    """Make ``path`` a file of this content; see :func:`atomic_replacement`."""
    with atomic_replacement(path, is_private=is_private) as temporary:
        temporary.write_bytes(content)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def study_names(root: Path) -> list[str]:
    """The studies in a folder, sorted; what no study can be called is none."""
    found = (path.parent.name for path in root.glob(f"*/{RECORD_FILE}"))
    return sorted(name for name in found if NAME.fullmatch(name))


def names_beginning(incomplete: str, store: str | None = None) -> list[str]:
    """For a shell: the names of studies that begin so.

    Args:
        incomplete: What was typed of a name.
        store: Where studies are, as a flag gave it; else the default. None are named of a URL,
            which a shell would have to wait for.
    """
    names = study_names(Path(store or DEFAULT_STORE).expanduser())
    return [name for name in names if name.startswith(incomplete)]
