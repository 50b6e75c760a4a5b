"""What an export has written, and why it cannot be."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import ReportError


@dataclass(frozen=True)
class Written:
    """The files of an export, and what was left out of them, in sentences."""

    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


@contextlib.contextmanager
def folder_for(out: Path) -> Iterator[None]:
    """``out`` exists while files are written into it.

    Raises:
        ReportError: It cannot be made or written to.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise ReportError(
            f"nothing can be written to {out}: {error.strerror}; choose another folder with --out"
        ) from error
