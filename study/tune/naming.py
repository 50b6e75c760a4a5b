"""Which name a new study gets, and who holds it."""

import contextlib
import itertools
from collections.abc import Iterator

from rich.console import Console

from study.config.study import StudyConfig
from study.storage.hold import Hold
from study.tracking.tracker import Tracker
from study.tune.errors import StudyError
from study.tune.store import StudyFolder, StudyStore


@contextlib.contextmanager
def newly_locked(folder: StudyFolder) -> Iterator[Hold | None]:
    """Hold the folder of a study that is to begin; yields as its lock does.

    Raises:
        StudyError: Another process was quicker.
    """
    with folder.lock() as hold:
        if folder.exists:
            raise StudyError(f"the study {folder.name!r} was launched by another process just now")
        yield hold


def named_anew(
    study: StudyConfig, store: StudyStore, tracker: Tracker, console: Console
) -> StudyConfig:
    """The study under the first free name; says so where that is another than its own."""
    name = free_name(store, study.name, tracker)
    if name == study.name:
        return study
    console.print(
        f"The study {study.name} is finished; this one is called {name}.",
        markup=False,
        highlight=False,
    )
    return study.renamed(name)


def free_name(store: StudyStore, name: str, tracker: Tracker | None = None) -> str:
    """The first of ``name``, ``name-2``, ``name-3`` … that no study has.

    Raises:
        StudyError: A study of one of these names is not finished.
    """
    for number in itertools.count(1):
        candidate = name if number == 1 else f"{name}-{number}"
        folder = store.folder(candidate)
        if folder.exists and not folder.is_finished():
            remedy = (
                "runs in another process; wait for it, or stop it"
                if folder.is_running()
                else f"is not finished; go on with it by: app-study resume {candidate}"
            )
            raise StudyError(f"the study {candidate!r} {remedy}")
        if not folder.exists and not (tracker and tracker.has_study(candidate)):
            return candidate
    raise AssertionError("unreachable")
