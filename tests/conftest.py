"""What holds for all tests: a process has one thread, and what takes longest begins first."""

import os
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event

# Before torch is imported: as many processes as there are cores run at once under `make test`.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the studies on Ray before all else, which then fills the gaps between them."""
    items.sort(key=lambda item: item.get_closest_marker("ray") is None)


@pytest.fixture(autouse=True, scope="session")
def _databases_do_not_wait_for_the_disk() -> Iterator[None]:
    """MLflow's hundreds of commits take a test's process longer than all else; none is to last."""

    def without_waiting(connection: Any, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", without_waiting)
    yield
    event.remove(Engine, "connect", without_waiting)
