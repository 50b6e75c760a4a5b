"""The token that the processes of a Ray of our own authenticate with."""

import contextlib
import os
import secrets
from pathlib import Path

from study.errors import StudyError

_ELSEWHERE = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")  # where else Ray takes a token from


def make_token() -> None:
    """Make the user's token where Ray looks for it, ``~/.ray/auth_token``, unless there is one.

    Ray would do so itself, and two that start at once would each write theirs: the one whose token
    is overwritten then refuses its own processes, for as long as its driver lives. A token is put
    in its place whole here, and never over another.

    Raises:
        StudyError: It cannot be written.
    """
    is_asked_for = os.environ.get("RAY_AUTH_MODE", "token").lower() == "token"
    if not is_asked_for or any(os.environ.get(name) for name in _ELSEWHERE):
        return
    path = Path.home() / ".ray" / "auth_token"
    if path.exists():
        return
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.touch(mode=0o600, exist_ok=False)
            draft.write_text(secrets.token_hex(32))
            with contextlib.suppress(FileExistsError):  # another process was first
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise StudyError(
            f"{path}, the token that Ray's processes authenticate with, cannot be written "
            f"({error.strerror or error}); make the folder writable or set RAY_AUTH_TOKEN"
        ) from None
