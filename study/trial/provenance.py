"""Which code a study runs."""

import functools
import shutil
import subprocess
from pathlib import Path


@functools.cache
def git_commit() -> str | None:
    """The commit of the checkout that this package lies in, with ``-dirty`` where it was changed.

    None for an installed package, and where there is no git. A study's own files may lie in a
    repository too; that is no commit of the code.
    """
    checkout = Path(__file__).parents[2]
    git = shutil.which("git")
    if git is None or not (checkout / ".git").exists():
        return None
    try:
        done = subprocess.run(
            [git, "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40",
             "--exclude=*"],
            capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
    except (subprocess.SubprocessError, OSError):  # no commit yet, or another's repository
        return None
    return done.stdout.strip() or None
