"""Errors that are the user's to mend, and those of the machine that are."""

import errno

# What the machine refuses and its user can mend.
_MENDABLE = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG,
    errno.ENOTDIR, errno.EISDIR,
)  # fmt: skip


class UserError(Exception):
    """The base of every error whose message is for the user: what, where, and the remedy."""


class SeveralError(UserError):
    """Several messages to end with."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__("\n".join(messages))


class StorageError(UserError, OSError):
    """The store refuses something, or what it holds is not what was written; names the place."""


class OvertakenError(StorageError):
    """Somebody else has written, since we last looked, what is ours alone to write."""


class ExportError(UserError, RuntimeError):
    """A model that cannot be exported, registered or replaced; with the reason and what to do."""


class StudyError(UserError, RuntimeError):
    """Something about a study that its user can mend; the message has the remedy."""


class TrialError(UserError, RuntimeError):
    """A trial that cannot give a result: it fails with this reason, and the study goes on."""


def is_users(error: Exception) -> bool:
    """Whether the message is for the user, and no fault of ours."""
    if isinstance(error, UserError):
        return True
    return isinstance(error, OSError) and error.errno in _MENDABLE
