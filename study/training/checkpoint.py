"""Checkpoints of a trial on disk: written whole or not at all, checked when read."""

import hashlib
import logging
import os
from pathlib import Path
from typing import Any

import torch

logger = logging.getLogger(__name__)

NUM_KEPT = 2
_DIGEST_LENGTH = 16


class CheckpointFolder:
    """The newest checkpoints of one trial; a file's name holds its place there and a digest.

    Args:
        folder: Made at the first save.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, state: dict[str, Any], *, position: int) -> Path:
        """Write ``state`` (tensors and plain values) as the newest checkpoint.

        Args:
            state: What :meth:`load_latest` gives back.
            position: Rises along the trial; of two checkpoints the higher is newer.

        Raises:
            OSError: The disk is full or cannot be written; the checkpoints before are untouched.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f".writing-{os.getpid()}"
        try:
            with temporary.open("wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
            path = self.folder / f"{position:08d}-{_digest(temporary)}.pt"
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(self.folder)
        self._clean(path)
        return path

    def _clean(self, newest: Path) -> None:
        """Leave the newest checkpoints alone: no older ones, no leftovers of a killed process."""
        others = [p for p in self._newest_first() if p != newest]
        # What lies at or after the newest is damaged, or was given up.
        stale = [p for p in others if _position(p) >= _position(newest)]
        earlier = [p for p in others if p not in stale]
        for old in [*stale, *earlier[NUM_KEPT - 1 :], *self.folder.glob(".writing-*")]:
            old.unlink(missing_ok=True)

    def load_latest(self) -> dict[str, Any] | None:
        """The newest checkpoint that is whole, on the CPU; None where there is none.

        A torn or altered file is passed over for the one before it, with a warning in the log.
        """
        for path in self._newest_first():
            if _digest(path) != path.stem.rpartition("-")[2]:
                logger.warning("checkpoint %s is damaged; going back to the one before", path)
                continue
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            return state
        return None

    def _newest_first(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return sorted(self.folder.glob("[0-9]*-*.pt"), reverse=True)


def _position(path: Path) -> int:
    return int(path.stem.partition("-")[0])


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:_DIGEST_LENGTH]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
