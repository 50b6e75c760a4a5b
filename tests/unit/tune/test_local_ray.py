"""A Ray of our own that does not start at once."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from study.errors import StudyError
from study.tune.cluster import connection


@pytest.mark.parametrize(("num_failures", "starts"), [(0, True), (1, True), (2, False)])
def test_a_start_that_fails_once_is_tried_again_and_then_told(
    num_failures: int, starts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [num_failures]

    @contextlib.contextmanager
    def opened(settings: Any, **options: Any) -> Iterator[None]:  # noqa: ARG001  # as the other
        if left[0]:
            left[0] -= 1
            raise RuntimeError("Failed to start GCS.\nand more")
        yield

    monkeypatch.setattr(connection, "opened_ray", opened)
    said = pytest.raises(StudyError, match=r"cannot be started.*Failed to start GCS; try again")
    with contextlib.nullcontext() if starts else said, connection.local_ray():
        pass


def test_what_goes_wrong_within_is_no_failure_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "opened_ray", lambda *_, **__: contextlib.nullcontext())
    with pytest.raises(ZeroDivisionError), connection.local_ray():
        _ = 1 / 0
