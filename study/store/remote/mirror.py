"""A folder here whose snapshots are at a URL: a trial's, on the machine that trains it."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from study.store.remote.remote import Remote
from study.store.remote.snapshots import Snapshot, Snapshots, digest_of

_MARK = ".snapshot"  # the index of the last that was pulled or pushed


class MirroredFolder:
    """A folder and its snapshots. Hidden files are left out: they are what is being written.

    Args:
        local: Need not exist.
        remote: Where its snapshots are.
        excluding: Names of files that are somebody else's and left out, too.
    """

    def __init__(
        self, local: Path, remote: Remote, *, excluding: frozenset[str] = frozenset()
    ) -> None:
        self.local = local
        self.remote = remote
        self._excluding = excluding
        self._snapshots = Snapshots(remote)

    def push(self) -> None:
        """Make what is here the newest snapshot.

        Raises:
            OSError: The store refuses it, or somebody else has written one since the last one
                that was pulled or pushed; what was there before still is.
        """
        self._snapshots.see(self._mark())
        newest = self._snapshots.write({path: self.local / path for path in self._files()})
        self._set_mark(newest)

    def pull(self) -> list[str]:
        """Bring the folder up to the newest snapshot, to be gone on with.

        If that is the last one that this folder was sent as or made from, what has been added
        since and could not be sent stays. Otherwise the trial went on elsewhere, or the study is
        another: nothing stays but what the snapshot has, none being an empty one.

        Returns:
            Files that are not at the URL as they were written, and so are not here either.

        Raises:
            StorageError: The store cannot be read.
        """
        snapshot = self._snapshots.newest()
        if self._mark() != (snapshot.index if snapshot else ""):
            self._remove_all_but(snapshot.files if snapshot else {})
        if snapshot is None:
            return []
        damaged = [path for path in snapshot.files if not self._is_here(snapshot, path)]
        self._set_mark(snapshot)
        return damaged

    def _remove_all_but(self, files: Mapping[str, str]) -> None:
        for path in sorted(self.local.rglob("*"), reverse=True):  # what is in a folder first
            if path.is_dir():
                with contextlib.suppress(OSError):  # there is something in it
                    path.rmdir()
            elif path.relative_to(self.local).as_posix() not in files:
                path.unlink()

    def fetch(self, subfolder: str) -> None:
        """Add what the newest snapshot has below a folder, such as ``models``, and is not here."""
        snapshot = self._snapshots.newest()
        for path in snapshot.files if snapshot else ():
            if path.startswith(f"{subfolder}/"):
                assert snapshot is not None
                self._is_here(snapshot, path)

    def _mark(self) -> str:
        try:
            return (self.local / _MARK).read_text(encoding="ascii")
        except FileNotFoundError:
            return ""

    def _set_mark(self, snapshot: Snapshot) -> None:
        self.local.mkdir(parents=True, exist_ok=True)
        (self.local / _MARK).write_text(snapshot.index, encoding="ascii")

    def _is_here(self, snapshot: Snapshot, path: str) -> bool:
        here = self.local / path
        if here.is_file() and digest_of(here) == snapshot.files[path]:
            return True
        return self._snapshots.fetch(snapshot, path, here)

    def _files(self) -> Iterator[str]:
        for path in sorted(self.local.rglob("*")):
            inside = path.relative_to(self.local)
            is_hidden = any(part.startswith(".") for part in inside.parts)
            if path.is_file() and not is_hidden and path.name not in self._excluding:
                yield inside.as_posix()
