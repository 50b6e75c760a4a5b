"""Where studies live on disk: one folder a study, one process at a time in it."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from study.config.problems import in_file, shown
from study.config.study import parse_study, plain_study
from study.config.study_config import StudyConfig
from study.config.yaml_io import read_yaml_file, write_yaml
from study.errors import StudyError
from study.files import DEFAULT_STORE, NAME, RECORD_FILE, atomic_write
from study.store.lock import is_locked, locked
from study.store.record import ARRIVALS_FOLDER, Record
from study.store.remote.copies import StudyCopy
from study.store.remote.hold import Hold, held
from study.store.remote.lease import LeaseHeldError
from study.store.remote.mirror import MirroredFolder
from study.store.store import StorePlace

__all__ = ["DEFAULT_STORE", "StudyFolder", "StudyStore"]


@dataclass(frozen=True)
class StudyFolder:
    """The folder of one study.

    ``study.yaml`` is the study as it was launched, ``record.jsonl`` what became of it, and
    ``trials/KEY`` holds a trial's checkpoints. Where the study is at a URL the folder is this
    machine's ``copy`` of it.
    """

    path: Path
    copy: StudyCopy | None = None

    @property
    def name(self) -> str:
        """The study's name."""
        return self.path.name

    @property
    def place(self) -> StorePlace:
        """The store that it is in."""
        return StorePlace(self.path.parent, self.copy.store if self.copy else None)

    def command(self, words: str) -> str:
        """What is to be typed to do something with the study: ``app-study WORDS NAME``."""
        return self.place.command(words, self.name)

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

    def open_record(self) -> Record:
        """The record, made if need be, to go on with; see :meth:`Record.open`."""
        return Record.open(self.record_path, place=self.place)

    def trial_path(self, trial_key: str) -> Path:
        """The folder of a trial."""
        return self.path / "trials" / trial_key

    def mirror(self, trial_key: str) -> MirroredFolder | None:
        """A trial's folder with its snapshots, where the study is at a URL."""
        return self.copy.trial(trial_key) if self.copy is not None else None

    def fetch_trial(self, trial_key: str, subfolder: str) -> None:
        """Have here what a trial has left at the study's URL, if it has one, in a sub-folder.

        Raises:
            StorageError: The store cannot be read.
        """
        if self.copy is not None:
            self.copy.trial(trial_key).fetch(subfolder)

    def fetch_models(self, trial_key: str) -> None:
        """Have the models here that a trial has left."""
        self.fetch_trial(trial_key, "models")

    def pull_trials(self) -> list[tuple[str, list[str]]]:
        """Make the trials' folders what they are at the study's URL, if it has one.

        Returns:
            Key and damaged files of each trial that has some there.

        Raises:
            StorageError: The store cannot be read.
        """
        if self.copy is None:
            return []
        pulled = [(key, self.copy.trial(key).pull()) for key in self.copy.trial_keys()]
        return [(key, damaged) for key, damaged in pulled if damaged]

    def push_trials(self) -> None:
        """Make the trials' folders at the study's URL what they are here.

        Raises:
            StorageError: The store refuses.
        """
        if self.copy is None:
            return
        for key in self.copy.trial_keys():
            trial = self.copy.trial(key)
            if trial.local.is_dir():
                trial.push()
            else:
                trial.remote.remove_tree()

    def is_finished(self) -> bool:
        """Whether the study has come to its end."""
        return Record.read(self.record_path).is_finished

    def write_config(self, study: StudyConfig) -> None:
        """Keep the study as launched, or as extended; whole or not at all."""
        self.path.mkdir(parents=True, exist_ok=True)
        atomic_write(self.config_path, write_yaml(study.to_dict()).encode(), is_private=True)

    def read_plain(self) -> Mapping[str, Any]:
        """The study as launched, in plain values.

        Raises:
            ConfigError: Its file cannot be read, or is no study's.
        """
        with in_file(self.config_path):
            return plain_study(read_yaml_file(self.config_path))

    def read_config(self) -> StudyConfig:
        """The study as launched; its plug-ins must have been imported."""
        return parse_study(self.read_plain())

    def is_running(self) -> bool:
        """Whether a living process has the study."""
        if self.copy is not None and self.copy.is_held():
            return True
        return is_locked(self.path)

    @contextlib.contextmanager
    def lock(self) -> Iterator[Hold | None]:
        """Hold the study, which is as its URL has it then; a dead process does not.

        Yields:
            What sends the study to its URL; None where it has none.

        Raises:
            StudyError: Another process runs the study.
            StorageError: The store fails.
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(self.path))
            except filelock.Timeout:
                raise StudyError(
                    f"the study {self.name!r} is running in another process; wait for it, or "
                    f"stop it"
                ) from None
            if self.copy is None:
                yield None
                return
            try:
                hold = stack.enter_context(held(self.copy))
            except LeaseHeldError as error:
                raise StudyError(f"the study {self.name!r} is running {error}") from None
            yield hold


class StudyStore:
    """A folder of studies.

    Args:
        where: Its path, or the URL that it is at.

    Raises:
        StudyError: No store can be there.
    """

    def __init__(self, where: Path | str) -> None:
        self.place = StorePlace.from_address(where)

    def folder(self, name: str) -> StudyFolder:
        """The folder of the study called ``name``, which need not exist, up to date.

        Raises:
            StudyError: No study can have that name.
            StorageError: The store cannot be read.
        """
        if not NAME.fullmatch(name):
            raise StudyError(
                f"no study can be called {shown(name)}: up to 80 letters, digits, '-', '_' and "
                f"'.', the first a letter or digit"
            )
        if self.place.copy is None:
            return StudyFolder(self.place.root / name)
        copy = self.place.copy.study(name)
        copy.pull(with_data=True)
        return StudyFolder(copy.path, copy)

    def existing(self, name: str) -> StudyFolder:
        """The folder of a study that was launched.

        Raises:
            StudyError: There is none, with the names there are.
        """
        folder = self.folder(name)
        if not folder.exists:
            raise self.place.no_such_study(name)
        return folder
