"""Checkpoints of a trial on disk: written whole or not at all, checked when read."""

import hashlib
import io
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from study.files import UNFINISHED, atomic_write
from study.results import EpochRecord, MegabatchRecord

if TYPE_CHECKING:
    from study.training.anytime import AnytimeLearner

logger = logging.getLogger(__name__)

NUM_KEPT = 2
_DIGEST_LENGTH = 16


class CheckpointFolder:
    """The newest checkpoints of one trial, and the best.

    A file is called POSITION-DIGEST.pt, and POSITION-DIGEST-ERROR.pt where an error rate of its
    network is known; the best has the lowest, the latest of equals.

    Args:
        folder: Made at the first save.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(
        self, state: dict[str, Any], *, position: int, error_rate: float | None = None
    ) -> Path:
        """Write ``state`` (tensors and plain values) as the newest checkpoint.

        Args:
            state: What :meth:`load_latest` gives back.
            position: Rises along the trial; of two checkpoints the higher is newer.
            error_rate: Of the network on the holdout, where it has just been measured.

        Raises:
            OSError: The disk is full or cannot be written; the checkpoints before are untouched.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        # In memory first: torch's writer takes a disk that fills up for a fault of its own.
        content = io.BytesIO()
        torch.save(state, content)
        digest = hashlib.sha256(content.getbuffer()).hexdigest()[:_DIGEST_LENGTH]
        error = "" if error_rate is None else f"-{error_rate:.6f}"
        path = self.folder / f"{position:08d}-{digest}{error}.pt"
        atomic_write(path, content.getbuffer())
        self._clean(path)
        return path

    def save_learner(
        self, learner: "AnytimeLearner", record: EpochRecord | MegabatchRecord
    ) -> Path:
        """Write where a learner is, just after ``record``, as the newest checkpoint.

        Raises:
            OSError: See :meth:`save`.
        """
        return self.save(
            learner.state_dict(),
            position=learner.position,
            error_rate=record.metrics.get("holdout_error_rate"),
        )

    def _clean(self, newest: Path) -> None:
        """Leave the newest and the best alone: none else, no leftovers of a killed process."""
        others = [p for p in self._newest_first() if p != newest]
        # What lies at or after the newest is damaged, or was given up.
        stale = [p for p in others if _position(p) >= _position(newest)]
        earlier = [p for p in others if p not in stale]
        best = _best([newest, *earlier])
        old = [p for p in earlier[NUM_KEPT - 1 :] if p != best]
        for path in [*stale, *old, *self.folder.glob(f"{UNFINISHED}*")]:
            path.unlink(missing_ok=True)

    def best(self) -> Path | None:
        """The checkpoint whose network has the lowest known error rate; None without one."""
        return _best(self._newest_first())

    def torn(self) -> list[Path]:
        """Checkpoints that are not what was written, newest first."""
        return [path for path in self._newest_first() if not _is_whole(path)]

    def leftovers(self) -> list[Path]:
        """What a killed process was writing."""
        return sorted(self.folder.glob(f"{UNFINISHED}*"))

    def load_latest(self) -> dict[str, Any] | None:
        """The newest checkpoint that is whole, on the CPU; None where there is none.

        A torn or altered file is passed over for the one before it, with a warning in the log.
        """
        for path in self._newest_first():
            if not _is_whole(path):
                logger.warning("checkpoint %s is damaged; going back to the one before", path)
                continue
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            return state
        return None

    def _newest_first(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return sorted(self.folder.glob("[0-9]*-*.pt"), reverse=True)


def checkpointed(
    learner: "AnytimeLearner",
    save: Callable[[EpochRecord | MegabatchRecord], None],
    *,
    every_s: float = 0.0,
) -> Iterator[EpochRecord | MegabatchRecord]:
    """Train, and come back with each record that ``save`` has just been called with.

    Args:
        learner: Where it stands.
        save: Writes a checkpoint of the learner, just after a record.
        every_s: A checkpoint is due with each megabatch, and with an epoch once so many seconds
            have passed since this went on.

    Raises:
        TrialError: Training fails.
    """
    since = time.monotonic()
    for record in learner.run():
        if isinstance(record, MegabatchRecord) or time.monotonic() - since >= every_s:
            save(record)
            yield record
            since = time.monotonic()


def _position(path: Path) -> int:
    return int(_parts(path)[0])


def _best(newest_first: list[Path]) -> Path | None:
    rated = [path for path in newest_first if len(_parts(path)) > 2]
    return min(rated, key=lambda path: float(_parts(path)[2]), default=None)


def _parts(path: Path) -> list[str]:
    return path.stem.split("-")


def _is_whole(path: Path) -> bool:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return digest[:_DIGEST_LENGTH] == _parts(path)[1]
