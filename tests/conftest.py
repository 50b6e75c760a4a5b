"""What holds for all tests: a process has one thread, and what takes longest begins first."""

import os

import pytest

# Before torch is imported: as many processes as there are cores run at once under `make test`.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the studies on Ray before all else, which then fills the gaps between them."""
    items.sort(key=lambda item: item.get_closest_marker("ray") is None)
