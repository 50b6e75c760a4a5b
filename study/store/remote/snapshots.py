"""Snapshots of a folder's files at a URL: whole or not there, whatever the store does.

In the folder at the URL a file lies as DIGEST-NAME, and an index, index-GENERATION-DIGEST.json,
lists the files of a snapshot. Nothing is ever written twice under one name, and a name holds
the digest of what must be found under it: so a file that was torn on its way, or is of another
snapshot, is never taken for the one that is meant.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from study.errors import OvertakenError, StorageError
from study.files import atomic_replacement
from study.store.remote.remote import Remote

_DIGEST_LENGTH = 32
_INDEX = re.compile(rf"index-(\d{{8}})-([0-9a-f]{{{_DIGEST_LENGTH}}})\.json")
_FILE = re.compile(rf"[0-9a-f]{{{_DIGEST_LENGTH}}}-.+", re.DOTALL)


@dataclass(frozen=True)
class Snapshot:
    """What a folder held at one time.

    Attributes:
        index: The name of its index.
        files: Path within the folder, with ``/`` → digest.
    """

    index: str
    files: Mapping[str, str]

    @property
    def generation(self) -> int:
        """Rises with every snapshot of the folder."""
        match = _INDEX.fullmatch(self.index)
        assert match is not None
        return int(match[1])

    def stored_names(self) -> set[str]:
        """What belongs to it at the URL."""
        return {self.index} | {_stored_name(path, d) for path, d in self.files.items()}


class Snapshots:
    """The snapshots of one folder, of which the newest two are kept.

    One writer at a time: it writes only after the last one that it has seen or written itself.
    """

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        self._whole: dict[str, Snapshot] = {}
        self._seen: set[str] = set()
        self._digests: dict[tuple[Path, int, int], str] = {}

    def newest(self) -> Snapshot | None:
        """The newest that is whole; from now on it is seen.

        Raises:
            StorageError: The store cannot be read.
        """
        snapshot = self._newest(self.remote.names())
        if snapshot is not None:
            self._seen.add(snapshot.index)
        return snapshot

    def see(self, index: str) -> None:
        """Know a snapshot, of which only the index's name is known, as one that was seen."""
        self._seen.add(index)

    def write(self, files: Mapping[str, bytes | Path]) -> Snapshot:
        """Make what is here the newest snapshot; nothing is sent where it is that already.

        Args:
            files: Path within the folder → content, or the file that has it and does not change.

        Returns:
            The newest snapshot.

        Raises:
            OvertakenError: Somebody else has written a snapshot since.
            StorageError: The store refuses; the snapshots before are as they were.
        """
        names = self.remote.names()
        before = self._newest(names)
        if before is not None and before.index not in self._seen:
            raise OvertakenError(f"{self.remote} is being written by another process")
        digests = {path: self._digest(source) for path, source in files.items()}
        if before is not None and before.files == digests:
            return before
        kept = before.stored_names() if before else set()
        for path, source in files.items():
            name = _stored_name(path, digests[path])
            if name not in kept:  # else it may be there, torn
                self._send(name, source)
        new = self._send_index(digests, before.generation + 1 if before else 1)
        for name in set(names) - kept - new.stored_names():
            if _INDEX.fullmatch(name) or _FILE.fullmatch(name):
                with contextlib.suppress(StorageError):  # the next one removes it
                    (self.remote / name).unlink()
        return new

    def read(self, snapshot: Snapshot, path: str) -> bytes | None:
        """A file's content; None where it is not what was written."""
        digest = snapshot.files[path]
        try:
            content = (self.remote / _stored_name(path, digest)).read_bytes()
        except FileNotFoundError:
            return None
        return content if digest_of(content) == digest else None

    def fetch(self, snapshot: Snapshot, path: str, target: Path) -> bool:
        """Make ``target`` the file, whole or not at all; False where it is not as written."""
        digest = snapshot.files[path]
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Private: a trace in error.txt may name its machine.
            with atomic_replacement(target, is_private=True) as temporary:
                (self.remote / _stored_name(path, digest)).get(temporary)
                temporary.chmod(0o600)  # a driver may have made it anew
                if digest_of(temporary) != digest:
                    raise FileNotFoundError(path)
        except FileNotFoundError:
            return False
        return True

    def _digest(self, source: bytes | Path) -> str:
        """Of a file once, for each time that it was written."""
        if isinstance(source, bytes):
            return digest_of(source)
        stat = source.stat()
        key = (source, stat.st_size, stat.st_mtime_ns)
        if key not in self._digests:
            self._digests[key] = digest_of(source)
        return self._digests[key]

    def _send(self, name: str, source: bytes | Path) -> None:
        if isinstance(source, bytes):
            (self.remote / name).write_bytes(source)
        else:
            (self.remote / name).put(source)

    def _send_index(self, digests: Mapping[str, str], generation: int) -> Snapshot:
        content = json.dumps({"files": dict(sorted(digests.items()))}).encode()
        new = Snapshot(f"index-{generation:08d}-{digest_of(content)}.json", digests)
        self._seen.add(new.index)  # it may arrive though the answer does not
        self._send(new.index, content)
        self._whole[new.index] = new
        return new

    def _newest(self, names: list[str]) -> Snapshot | None:
        for name in sorted(filter(_INDEX.fullmatch, names), reverse=True):
            if name not in self._whole:
                self._read_index(name)
            if name in self._whole:
                return self._whole[name]
        return None

    def _read_index(self, name: str) -> None:
        match = _INDEX.fullmatch(name)
        assert match is not None
        with contextlib.suppress(FileNotFoundError):  # a newer one has come
            content = (self.remote / name).read_bytes()
            if digest_of(content) == match[2]:
                files = json.loads(content)["files"]
                self._whole[name] = Snapshot(name, {p: d for p, d in files.items() if _is_safe(p)})


def digest_of(source: bytes | Path) -> str:
    """Of a content, or of a file's."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()[:_DIGEST_LENGTH]
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:_DIGEST_LENGTH]


def _stored_name(path: str, digest: str) -> str:
    return f"{digest}-{PurePosixPath(path).name}"


def _is_safe(path: str) -> bool:
    """Whether it stays in the folder: whoever can write to the store could write otherwise."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not PurePosixPath(path).is_absolute() and ".." not in parts
