"""A Ray of our own that does not start at once."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from study.errors import StudyError
from study.tune.cluster import connection


def test_a_start_that_fails_is_an_error_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def opened(settings: Any, **options: Any) -> Iterator[None]:  # noqa: ARG001  # as the other
        raise RuntimeError("Failed to start GCS.\nand more")
        yield

    monkeypatch.setattr(connection, "opened_ray", opened)
    said = r"cannot be started.*Failed to start GCS; try again"
    with pytest.raises(StudyError, match=said), connection.local_ray():
        pass


def test_what_goes_wrong_within_is_no_failure_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "opened_ray", lambda *_, **__: contextlib.nullcontext())
    with pytest.raises(ZeroDivisionError), connection.local_ray():
        _ = 1 / 0
