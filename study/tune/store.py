"""Where studies live on disk: one folder a study, one process at a time in it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock

from study.config.errors import shown
from study.config.study import NAME, StudyConfig, parse_study
from study.config.yaml_io import read_yaml_file, write_yaml
from study.tune.errors import StudyError
from study.tune.places import DEFAULT_STORE, LOCK_FILE, RECORD_FILE, no_such_study
from study.tune.private_files import write_private
from study.tune.record import ARRIVALS_FOLDER, Record

__all__ = ["DEFAULT_STORE", "StudyFolder", "StudyStore"]


@dataclass(frozen=True)
class StudyFolder:
    """The folder of one study.

    ``study.yaml`` is the study as it was launched, ``record.jsonl`` what became of it, and
    ``trials/KEY`` holds a trial's checkpoints.
    """

    path: Path

    @property
    def name(self) -> str:
        """The study's name."""
        return self.path.name

    @property
    def exists(self) -> bool:
        """Whether a study was ever launched here."""
        return self.record_path.is_file()

    @property
    def record_path(self) -> Path:
        """The append-only record."""
        return self.path / RECORD_FILE

    @property
    def config_path(self) -> Path:
        """The study file, overrides included."""
        return self.path / "study.yaml"

    @property
    def ray_path(self) -> Path:
        """What Ray Tune writes for itself; nothing is ever read from it."""
        return self.path / "ray"

    @property
    def arrivals_path(self) -> Path:
        """Data that came after the study's streams."""
        return self.path / ARRIVALS_FOLDER

    def trial_path(self, trial_key: str) -> Path:
        """The folder of a trial."""
        return self.path / "trials" / trial_key

    def is_finished(self) -> bool:
        """Whether the study has come to its end."""
        return Record.read(self.record_path).is_finished

    def write_config(self, study: StudyConfig) -> None:
        """Keep the study as launched, or as extended; whole or not at all."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_private(self.config_path, write_yaml(study.to_dict()))

    def read_config(self) -> StudyConfig:
        """The study as launched; its plug-ins must have been imported."""
        return parse_study(read_yaml_file(self.config_path))

    def is_running(self) -> bool:
        """Whether a living process has the study."""
        if not self.path.is_dir():
            return False
        try:
            with self.lock():
                return False
        except StudyError:
            return True

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the study; a dead process does not.

        Raises:
            StudyError: Another process runs the study.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.path / LOCK_FILE, timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise StudyError(
                f"the study {self.name!r} is running in another process; wait for it, or stop it"
            ) from None
        try:
            yield
        finally:
            lock.release()


class StudyStore:
    """A folder of studies."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()

    def folder(self, name: str) -> StudyFolder:
        """The folder of the study called ``name``, which need not exist.

        Raises:
            StudyError: No study can have that name.
        """
        if not NAME.fullmatch(name):
            raise StudyError(
                f"no study can be called {shown(name)}: up to 80 letters, digits, '-', '_' and "
                f"'.', the first a letter or digit"
            )
        return StudyFolder(self.root / name)

    def existing(self, name: str) -> StudyFolder:
        """The folder of a study that was launched.

        Raises:
            StudyError: There is none, with the names there are.
        """
        folder = self.folder(name)
        if not folder.exists:
            raise no_such_study(self.root, name)
        return folder
