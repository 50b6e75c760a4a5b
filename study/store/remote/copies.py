"""The local copies of studies at a URL: where they lie, and which of two records is the later."""

import hashlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from study.errors import StorageError
from study.files import atomic_write
from study.store.remote.lease import LEASE_FILE, read_lease
from study.store.remote.mirror import MirroredFolder
from study.store.remote.remote import Remote
from study.store.remote.snapshots import Snapshots

FOLDER_VARIABLE = "APP_STUDY_COPIES"
_RECORD, _CONFIG = "record.jsonl", "study.yaml"
_ARRIVALS = "arrivals"  # each is called by its digest, and never changes
# What the driver writes beside a model while the trial may still be leaving others.
CARDS = frozenset({"model_card.json", "README.md"})


def is_url(text: str) -> bool:
    """Whether a store is at a URL, and no folder's path."""
    return "://" in text


@dataclass(frozen=True)
class StoreCopy:
    """A store at a URL, and where each machine has its copy of it."""

    remote: Remote

    @property
    def root(self) -> Path:
        """The copy's folder on this machine, in ``APP_STUDY_COPIES`` or the user's cache."""
        given = os.environ.get(FOLDER_VARIABLE)
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "app-study"
        url = self.remote.url.rstrip("/")
        readable = re.sub(r"[^A-Za-z0-9]+", "-", url)[:60]
        digest = hashlib.sha256(url.encode()).hexdigest()[:12]
        return Path(given or cache).expanduser().absolute() / f"{readable}-{digest}"

    def study(self, name: str) -> "StudyCopy":
        """The copy of a study."""
        return StudyCopy(self, name)

    def names(self) -> list[str]:
        """The studies at the URL and in the copy, sorted."""
        there = [name for name in self.remote.names() if self.study(name).snapshots().newest()]
        here = [path.parent.name for path in self.root.glob(f"*/{_RECORD}")]
        return sorted({*there, *here})


@dataclass(frozen=True)
class StudyCopy:
    """A study at a URL, and the copy of it that this machine has or is to have."""

    store: StoreCopy
    name: str

    @property
    def path(self) -> Path:
        """The copy."""
        return self.store.root / self.name

    @property
    def remote(self) -> Remote:
        """The study's folder at the URL."""
        return self.store.remote / self.name

    def snapshots(self) -> Snapshots:
        """Of its record and study file."""
        return Snapshots(self.remote)

    def trial(self, key: str) -> MirroredFolder:
        """A trial's folder."""
        return MirroredFolder(
            self.path / "trials" / key, self.remote / "trials" / key, excluding=CARDS
        )

    def trial_keys(self) -> list[str]:
        """The trials that have left something at the URL."""
        return (self.remote / "trials").names()

    def is_held(self) -> bool:
        """Whether a process has the study, as far as its lease shows."""
        lease = read_lease(self.remote / LEASE_FILE)
        return lease is not None and lease.lives(time.time())

    def pull(self, *, with_data: bool) -> None:
        """Bring the copy up to what is at the URL; see :meth:`StudyMirror.pull`."""
        StudyMirror(self).pull(with_data=with_data)


class StudyMirror:
    """The record, the study file and the later data of a copy, and their snapshots.

    The record is append-only: of two of which one begins the other the longer is the later.
    """

    def __init__(self, copy: StudyCopy) -> None:
        self._copy = copy
        self._snapshots = copy.snapshots()
        self._sent: tuple[int, ...] = ()
        self._has_begun = False

    def pull(self, *, with_data: bool = True) -> None:
        """Bring the copy up to what is at the URL; one that has more is left as it is.

        Args:
            with_data: Fetch the data, too, that came after the streams: who writes must have it.

        Raises:
            StorageError: The store cannot be read, or each of the two records has what the other
                has not.
        """
        snapshot = self._snapshots.newest()
        if snapshot is None:
            return
        self._has_begun = True
        record, config = (self._snapshots.read(snapshot, name) for name in (_RECORD, _CONFIG))
        if record is None or config is None:
            raise StorageError(
                f"{self._copy.remote}: the study's record is damaged there; if no machine has a "
                f"copy of it ({self._copy.path} here), remove it and begin the study anew"
            )
        for path in snapshot.files if with_data else ():
            here_too = self._copy.path / path
            if path.startswith(f"{_ARRIVALS}/") and not here_too.exists():
                self._snapshots.fetch(snapshot, path, here_too)
        here = _whole_lines(self._copy.path / _RECORD)  # after the other: it may be growing
        if here.startswith(record) and here != record:
            return
        if not record.startswith(here):
            raise StorageError(
                f"the record in {self._copy.path} and the one at {self._copy.remote} each have "
                f"what the other has not: another machine went on with the study before all of "
                f"this one's had been sent. Remove {self._copy.path} to go on with what is at the "
                f"URL"
            )
        self._copy.path.mkdir(parents=True, exist_ok=True)
        atomic_write(self._copy.path / _CONFIG, config, is_private=True)
        if here != record:
            atomic_write(self._copy.path / _RECORD, record, is_private=True)

    def push(self) -> None:
        """Send the record's whole lines and the rest, if they are there and have changed.

        Raises:
            OvertakenError: Another process has written there.
            StorageError: The store refuses, or the copy was taken away.
        """
        paths = [self._copy.path / name for name in (_RECORD, _CONFIG)]
        if not all(path.is_file() for path in paths):
            if self._has_begun:
                raise StorageError(f"the copy of the study in {self._copy.path} is gone")
            return
        state = tuple(n for p in paths for n in (p.stat().st_size, p.stat().st_mtime_ns))
        if state == self._sent:
            return
        record, config = _whole_lines(paths[0]), paths[1].read_bytes()
        data = {f"{_ARRIVALS}/{p.name}": p for p in self._arrivals()}
        self._snapshots.write({_RECORD: record, _CONFIG: config, **data})
        self._sent, self._has_begun = state, True

    def _arrivals(self) -> list[Path]:
        found = (self._copy.path / _ARRIVALS).glob("[!.]*")
        return sorted(path for path in found if path.is_file())


def _whole_lines(path: Path) -> bytes:
    """What is there but for a last line that is being written, or was torn."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return b""
    return content[: content.rfind(b"\n") + 1]
