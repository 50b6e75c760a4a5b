"""The status of studies, now and until one ends, whoever runs it."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from study.errors import UserError

if TYPE_CHECKING:
    from study.operations.status import StudyStatus
    from study.store.store import StorePlace


def read_study_status(place: "StorePlace", name: str) -> "StudyStatus":
    """The status of a study and of the one that confirms it, wherever they run."""
    from study.operations.status import read_status

    study = read_status(place.root, name, is_held=place.look(name))
    confirming = study.confirmed_by
    if confirming in place.names():
        is_held = place.look(confirming)
        study.confirmation = read_status(place.root, confirming, is_held=is_held)
    return study


def read_all_statuses(place: "StorePlace") -> "list[StudyStatus]":
    """The status of every study of a store; one that cannot be read does not hide the others."""
    return [_status_or_trouble(place, name) for name in place.names()]


def _status_or_trouble(place: "StorePlace", name: str) -> "StudyStatus":
    from study.operations.status import StudyStatus

    try:
        return read_study_status(place, name)
    except (UserError, OSError) as error:
        return StudyStatus(name, state="unreadable", trouble=str(error))


def watch_study(place: "StorePlace", name: str, *, every_s: float) -> "Iterator[StudyStatus]":
    """The status of a study every few seconds, until nobody runs it at two looks in a row.

    In between its confirmation may follow its search.

    Args:
        place: The store.
        name: The study's.
        every_s: Seconds from one to the next, above 0.

    Raises:
        StudyError: There is none of that name, or its record is damaged.
    """
    was_running = True
    while True:
        status = read_study_status(place, name)
        yield status
        if not (status.is_running or was_running):
            return
        was_running = status.is_running
        time.sleep(every_s)
