"""Which errors are the user's to mend, and how a terminal shows them."""

import errno

# What the machine refuses and its user can mend.
_MENDABLE = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG,
    errno.ENOTDIR, errno.EISDIR,
)  # fmt: skip


class SeveralError(Exception):
    """Several messages to end with."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__("\n".join(messages))


def is_users(error: Exception) -> bool:
    """Whether the message is for the user, and no fault of ours."""
    if isinstance(error, SeveralError):
        return True
    if isinstance(error, OSError) and not isinstance(error, StorageError):
        return error.errno in _MENDABLE
    from analysis.errors import ReportError
    from study.config.problems import ConfigError
    from study.data.dataset import DataError
    from study.plugins import PluginImportError
    from study.results import TrialError
    from study.tracking.tracker import TrackingError

    users = (
        ConfigError, DataError, ExportError, PluginImportError, ReportError, StudyError,
        StorageError, TrackingError, TrialError,
    )  # fmt: skip
    return isinstance(error, users)


class StorageError(OSError):
    """The store refuses something, or what it holds is not what was written; says where."""


class OvertakenError(StorageError):
    """Somebody else has written, since we last looked, what is ours alone to write."""


class ExportError(RuntimeError):
    """A model that cannot be exported, registered or replaced; says why and what to do."""


class StudyError(RuntimeError):
    """Something about a study that its user can mend; the message says how."""
