"""The page of a study that runs is written anew until nothing runs any more."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from analysis.errors import ReportError
from analysis.page import live_page
from analysis.page.answer import answer
from analysis.page.live_page import is_running, watch
from analysis.page.page import WrittenReport, page
from analysis.runs.study_runs import Runs
from tests.helpers.fake_study import FakeTrial, runs_of

RUNNING = runs_of([FakeTrial(0)], running=True)
ENDED = runs_of([FakeTrial(0)])
CONFIRMING = dataclasses.replace(ENDED, load_confirmation=lambda: RUNNING)
AWAY = ReportError("MLflow is away")


def seen(
    monkeypatch: pytest.MonkeyPatch,
    looks: Sequence[Runs | ReportError],
    clock: Callable[[], float] = time.monotonic,
) -> list[str | int | None]:
    """What each look came to: an error's text, or in how many seconds the page reloads itself."""
    left = iter(looks)
    told: list[int | None] = []

    def load(*_: object) -> Runs:
        found = next(left)
        if isinstance(found, ReportError):
            raise found
        return found

    def write(_: Runs, out: Path, *, every: int | None = None) -> WrittenReport:
        told.append(every)
        return WrittenReport(out / "index.html", ())

    monkeypatch.setattr(live_page, "_load", load)
    monkeypatch.setattr(live_page, "write_page", write)
    # Of this module alone: threads of other tests may sleep, and look at the clock.
    here = SimpleNamespace(monotonic=clock, sleep=lambda _: None)
    monkeypatch.setattr(live_page, "time", here)
    came = [
        str(look) if isinstance(look, ReportError) else told[-1]
        for look in watch("it", tracking_uri="", out=Path(), every=30)
    ]
    assert list(left) == []
    return came


def test_it_ends_when_nothing_ran_at_two_looks_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seen(monkeypatch, [RUNNING, RUNNING, ENDED, ENDED]) == [30, 30, 30, None]


def test_a_confirmation_may_start_a_moment_after_its_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = [RUNNING, ENDED, CONFIRMING, ENDED, ENDED]
    assert seen(monkeypatch, looks) == [30, 30, 30, 30, None]


def test_a_study_that_has_ended_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seen(monkeypatch, [ENDED]) == [None]


def test_a_look_that_fails_is_said_and_the_next_one_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    came = seen(monkeypatch, [RUNNING, AWAY, RUNNING, ENDED, ENDED])
    assert came == [30, "MLflow is away", 30, 30, None]


def test_a_first_look_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ReportError, match="away"):
        seen(monkeypatch, [AWAY])


def test_a_page_says_when_the_next_one_comes_where_a_look_takes_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Of each look: it begins, it has read, it has written.
    times = iter([0, 20, 30, 100, 105, 110, 200, 201, 202, 300, 301])
    looks = [RUNNING, RUNNING, ENDED, ENDED]
    assert seen(monkeypatch, looks, lambda: next(times)) == [60, 90, 30, None]


def test_what_runs_is_the_study_its_confirmation_or_a_part() -> None:
    assert is_running(RUNNING)
    assert is_running(CONFIRMING)
    assert not is_running(ENDED)
    assert is_running(dataclasses.replace(ENDED, parts=(ENDED, RUNNING)))


def test_only_a_page_that_is_written_anew_reloads_itself() -> None:
    assert 'class="live"' not in page(ENDED, [], {})
    assert 'data-every="30"' in page(RUNNING, [], {}, every=30)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("running", "its results so far; if it was cut off, app-study resume demo continues it."),
        ("interrupted", "its results so far (app-study resume demo continues it)."),
    ],
)
def test_a_study_that_runs_is_not_said_to_need_a_resume(outcome: str, said: str) -> None:
    study = dataclasses.replace(RUNNING.study, outcome=outcome, name="demo")
    assert any(s.endswith(said) for s in answer(dataclasses.replace(RUNNING, study=study)))
