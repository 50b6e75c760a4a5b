"""Which errors are the user's to mend, and how a terminal shows them."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from study.credentials import without_credentials
from study.storage.errors import StorageError

MAX_LINE_LENGTH = 1200
# What the machine refuses and its user can mend.
_MENDABLE = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG,
    errno.ENOTDIR, errno.EISDIR,
)  # fmt: skip


class SeveralError(Exception):
    """Several messages to end with."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__("\n".join(messages))


@contextlib.contextmanager
def in_file(path: Path) -> Iterator[None]:
    """What is wrong with a study inside is said to be in its file at ``path``."""
    from study.config.errors import ConfigError

    try:
        yield
    except ConfigError as error:
        raise error.with_source(str(path)) from None


def is_users(error: Exception) -> bool:
    """Whether the message is for the user, and no fault of ours."""
    if isinstance(error, SeveralError):
        return True
    if isinstance(error, OSError) and not isinstance(error, StorageError):
        return error.errno in _MENDABLE
    from analysis.errors import ReportError
    from study.config.errors import ConfigError
    from study.data.dataset import DataError
    from study.export.errors import ExportError
    from study.plugins import PluginImportError
    from study.results import TrialError
    from study.tracking.tracker import TrackingError
    from study.tune.errors import StudyError

    users = (
        ConfigError, DataError, ExportError, PluginImportError, ReportError, StudyError,
        StorageError, TrackingError, TrialError,
    )  # fmt: skip
    return isinstance(error, users)


def printable(text: str) -> str:
    """``text`` without what would steer a terminal, passwords, and lines that never end."""
    return "\n".join(_shown_line(line) for line in text.splitlines())


def _shown_line(line: str) -> str:
    hidden = without_credentials(line[: 10 * MAX_LINE_LENGTH])
    shown = "".join(c if c.isprintable() else "?" for c in hidden)
    return shown if len(shown) <= MAX_LINE_LENGTH else f"{shown[: MAX_LINE_LENGTH - 1]}…"
