"""Stores at URLs for tests: in memory or in a folder, and what goes wrong on the way there."""

import itertools
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from study.errors import StorageError
from study.store.remote.remote import Remote

KINDS = ("memory", "file")


def store_of_kind(kind: str, folder: Path) -> Remote:
    """A place of its own."""
    if kind == "memory":
        return Remote(f"memory://{uuid.uuid4().hex}/studies")
    (folder / "there").mkdir(exist_ok=True)
    return Remote(f"file://{folder}/there/studies")


class Deliveries:
    """What is written to every store, of which some does not arrive.

    Args:
        fate: From a delivery's number, from 0, and its file's name, to ``arrives``, ``torn``
            (half of it does), ``lost`` (nothing does) or ``unanswered`` (it does, but the writer
            hears of an error).
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fate: Callable[[int, str], str]) -> None:
        self.names: list[str] = []
        numbers = itertools.count()
        write = Remote.write_bytes

        def deliver(remote: Remote, content: bytes) -> None:
            name = remote.url.rpartition("/")[2]
            self.names.append(name)
            done = fate(next(numbers), name)
            if done != "lost":
                write(remote, content if done != "torn" else content[: len(content) // 2])
            if done != "arrives":
                raise StorageError("the store fails")

        monkeypatch.setattr(Remote, "write_bytes", deliver)
        monkeypatch.setattr(Remote, "put", lambda r, source: deliver(r, source.read_bytes()))
