"""Whose Ray a study runs on: one that is there is used and left, another is opened and ended."""

import contextlib
import logging
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from study.tune.cluster import connection, study_ray
from study.tune.cluster.study_ray import StudyRay


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was opened and ended."""
    events: list[str] = []

    @contextlib.contextmanager
    def session(address: str, plugins: Any) -> Iterator[None]:  # noqa: ARG001  # as the other
        events.append(f"opened {address}")
        yield
        events.append("ended")

    monkeypatch.setattr(study_ray, "ray_session", session)
    return events


def there_is(monkeypatch: pytest.MonkeyPatch, is_open: bool, num_nodes: int = 1) -> None:
    monkeypatch.setattr(study_ray, "is_open", lambda: is_open)
    monkeypatch.setattr(study_ray, "alive_nodes", lambda: [{"CPU": 1.0}] * num_nodes)


def test_one_is_opened_once_for_all_studies_and_ended(
    opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there_is(monkeypatch, False)
    with StudyRay() as ray:
        ray.open("local", ())
        there_is(monkeypatch, True)
        ray.open("local", ())
        assert ray.is_found is False
        assert not ray.is_cluster("local")
        assert opened == ["opened local"]
    assert opened == ["opened local", "ended"]


@pytest.mark.parametrize(("num_nodes", "is_cluster"), [(1, False), (2, True)])
def test_one_that_is_there_is_used_and_not_ended(
    opened: list[str], monkeypatch: pytest.MonkeyPatch, num_nodes: int, is_cluster: bool
) -> None:
    there_is(monkeypatch, True, num_nodes)
    with StudyRay() as ray:
        ray.open("local", ())
        assert ray.is_found
        assert ray.is_cluster("local") == is_cluster
    assert opened == []


def test_the_process_is_as_before_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_CHDIR_TO_TRIAL_DIR", "1")
    monkeypatch.delenv("RAY_AIR_NEW_OUTPUT", raising=False)
    logger = logging.getLogger("ray.tune")
    before = logger.level, signal.getsignal(signal.SIGTERM), dict(os.environ)
    with connection.tuning(connection.RAY_SETTINGS):
        assert os.environ["RAY_AIR_NEW_OUTPUT"] == "0"
        assert os.environ["RAY_CHDIR_TO_TRIAL_DIR"] == "1"  # it had a value
        assert logger.level == logging.CRITICAL
    assert (logger.level, signal.getsignal(signal.SIGTERM)) == before[:2]
    assert "RAY_AIR_NEW_OUTPUT" not in os.environ
    assert os.environ["RAY_CHDIR_TO_TRIAL_DIR"] == "1"
