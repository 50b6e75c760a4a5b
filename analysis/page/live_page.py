"""The page of a study that runs, written anew until it has ended."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.errors import ReportError
from analysis.page.page import WrittenReport, write_page

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs

# At most this share of the time is spent on reading and drawing, however large the study.
_BUSY = 0.25


def watch(
    *studies: str, tracking_uri: str, out: Path, every: int
) -> Iterator[WrittenReport | ReportError]:
    """Write the page about every so many seconds while a study or its confirmation runs.

    A page says after how long the next one comes, by how long the last one took.

    It ends when none of them ran at two looks in a row, as a confirmation starts a moment after
    its search has ended; the last page does not reload itself. A look that fails, such as while a
    server is away, is an error among what is yielded, and the next one follows.

    Raises:
        ReportError: The first look fails.
    """
    idle, is_first, taken = 1, True, 0.0
    while True:
        begun = time.monotonic()
        try:
            runs = _load(studies, tracking_uri)
            idle = 0 if is_running(runs) else idle + 1
            pause = _pause(every, max(taken, time.monotonic() - begun))
            yield write_page(runs, out, every=round(pause) if idle < 2 else None)
        except ReportError as error:
            if is_first:
                raise
            yield error
        if idle >= 2:
            return
        is_first, taken = False, time.monotonic() - begun
        time.sleep(_pause(every, taken))


def _pause(every: int, taken: float) -> float:
    """Seconds until the next look after one that took ``taken``."""
    return max(every, (1 / _BUSY - 1) * taken)


def _load(studies: tuple[str, ...], tracking_uri: str) -> "Runs":
    from analysis.runs.several_studies import load_all

    return load_all(studies, tracking_uri=tracking_uri)


def is_running(runs: "Runs") -> bool:
    """Whether any of the studies, or what confirms it, is still going on."""
    return any(
        part.study.running or (part.confirmation is not None and part.confirmation.study.running)
        for part in runs.parts or (runs,)
    )
