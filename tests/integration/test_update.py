"""Updates of a finished study: as good as data that was there from the start, whatever happens."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from study.config.problems import ConfigError
from study.data.dataset import DataError
from study.errors import StudyError, TrialError
from study.operations.opened_study import OpenedStudy
from study.operations.status import read_status
from study.operations.sync import sync_study
from study.operations.update import opened_for_writing, train_update
from study.operations.update_plan import plan_update
from study.results import Outcome
from study.search.selection import choose
from study.session.session import StudySession
from study.store.folder import StudyStore
from study.store.record import Record, RecordedTrial
from study.store.store import StorePlace
from study.training.checkpoint import CheckpointFolder
from tests.helpers.finished_study import NAME, digits_in_parts, finish_study
from tests.helpers.small_trials import assert_same_bits, numbers, trained
from tests.helpers.trackers import RecordingTracker


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """As every trial with one CPU has: sums are rounded otherwise with another number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return digits_in_parts(tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="module")
def launched(files: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("store")
    finish_study(store, files[0])
    return store


@pytest.fixture
def store(launched: Path, tmp_path: Path) -> Path:
    """A store of the test's own."""
    return Path(shutil.copytree(launched, tmp_path / "store"))


def record_of(store: Path) -> Record:
    return Record.read(store / NAME / "record.jsonl")


def update(store: Path, which: str, *paths: str, tracker: Any = None) -> RecordedTrial:
    """One call of the command, without MLflow and export."""
    with opened_for_writing(OpenedStudy.open(NAME, store, None)) as opened:
        planned = plan_update(opened, which, [Path(path) for path in paths])
        after, undelivered = train_update(
            opened, planned, lambda: tracker or RecordingTracker(), print
        )
    assert undelivered is None
    return after


def checkpoint(store: Path, key: str) -> dict[str, Any]:
    state = CheckpointFolder(store / NAME / "trials" / key / "checkpoints").load_latest()
    assert state is not None
    return {name: value for name, value in state.items() if name not in ("seconds", "history")}


def assert_as_from_the_start(store: Path, after: RecordedTrial, *, seed: int = 0) -> None:
    """The update is what its own configuration gives where all the data is there."""
    trial = OpenedStudy.open(NAME, store, None).trial(after)
    assert trial.seed == seed
    whole = trained(trial)
    assert numbers(after.history) == numbers(whole.history)
    kept, state = checkpoint(store, after.key), whole.state_dict()
    assert_same_bits(kept, {name: state[name] for name in kept})


def test_one_after_the_other_or_together_three_arrivals_make_the_same_trial(
    store: Path, files: list[str], tmp_path: Path
) -> None:
    together = Path(shutil.copytree(store, tmp_path / "together"))
    for path in files[1:]:
        after = update(store, "best", path)
    at_once = update(together, "best", *files[1:])
    assert at_once.key == after.key
    assert numbers(at_once.history) == numbers(after.history)
    best = choose(record_of(store), "best", OpenedStudy.open(NAME, store, None).study.objective)
    assert_as_from_the_start(store, after, seed=best[0].config["seed"])
    assert [u.number for u in record_of(store).updates.values()] == [2, 3, 4]
    assert [u.number for u in record_of(together).updates.values()] == [2]


def test_an_update_is_no_candidate_and_changes_no_result(store: Path, files: list[str]) -> None:
    before, was = record_of(store), read_status(store, NAME)
    after = update(store, "0", *files[1:])
    record, seen = record_of(store), read_status(store, NAME)
    assert record.trials == before.trials
    assert (record.is_finished, record.seconds) == (True, before.seconds)
    objective = OpenedStudy.open(NAME, store, None).study.objective
    old = [choose(before, which, objective) for which in ("best", "pareto")]
    assert [choose(record, which, objective) for which in ("best", "pareto")] == old
    (named,) = choose(record, str(after.number), objective)
    assert named == choose(record, after.key, objective)[0] == record.updates[after.key]
    assert after.updated_from == next(iter(record.trials))
    assert seen.trials == was.trials
    assert (seen.active_s, seen.state) == (was.active_s, was.state)
    (told,) = seen.updates.values()
    assert (told.title, told.outcome) == ("open_ended T=2+3 mlp seed=0", Outcome.COMPLETE)


def test_the_same_command_again_learns_nothing_twice(store: Path, files: list[str]) -> None:
    first = update(store, "best", files[1])
    size = (store / NAME / "record.jsonl").stat().st_size
    assert update(store, "best", files[1]) == first
    assert update(store, str(first.number), files[1]) == first
    assert (store / NAME / "record.jsonl").stat().st_size == size


class Killed(BaseException):
    """The process is gone."""


def dying(method: Callable[..., Any], *, at: float) -> Callable[..., Any]:
    """``method``, which ends the process at its ``at``-th call, before it does anything.

    At a call and a half it does what it does, and ends the process then.
    """
    calls = []

    def call(*args: Any, **kwargs: Any) -> Any:
        calls.append(None)
        if len(calls) == at:
            raise Killed
        made = method(*args, **kwargs)
        if len(calls) + 0.5 == at:
            raise Killed
        return made

    return call


@pytest.mark.parametrize(
    ("owner", "name", "at"),
    [
        *((Record, "_append", at) for at in (1, 1.5, 2, 3, 3.5, 5, 5.5)),
        *((CheckpointFolder, "save", at) for at in (1, 1.5, 2.5)),
        (StudySession, "resend_trial", 1.5),
    ],
)
def test_killed_anywhere_the_same_command_ends_the_same(
    owner: Any, name: str, at: float, store: Path, files: list[str], undisturbed: RecordedTrial
) -> None:
    tracker = RecordingTracker()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, dying(getattr(owner, name), at=at))
        with pytest.raises(Killed):
            update(store, "0", *files[1:3], tracker=tracker)
    ended = update(store, "0", *files[1:3], tracker=tracker)
    assert (ended.key, ended.number) == (undisturbed.key, undisturbed.number)
    assert numbers(ended.history) == numbers(undisturbed.history)
    finished = [args for method, args in tracker.calls if method == "finish_trial"]
    assert numbers(finished[-1][1]) == numbers(undisturbed.history)  # type: ignore[arg-type]  # a call's arguments
    assert len(record_of(store).updates) == 1


@pytest.fixture(scope="module")
def undisturbed(
    launched: Path, files: list[str], tmp_path_factory: pytest.TempPathFactory
) -> RecordedTrial:
    store = Path(shutil.copytree(launched, tmp_path_factory.mktemp("whole") / "store"))
    return update(store, "0", *files[1:3])


def archive(path: Path, images: Any, labels: Any) -> Path:
    np.savez(path, images=images, labels=labels)
    return path


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (np.zeros((4, 9, 9), np.uint8), np.zeros(4, int), r"\[1, 9, 9\] and training"),
        (np.zeros((4, 8, 8), np.uint8), np.full(4, 10), r"is of class 10, but the 10 classes"),
        (np.zeros((0, 8, 8), np.uint8), np.zeros(0, int), "is empty"),
    ],
)  # fmt: skip
def test_data_of_another_kind_is_refused_before_anything_is_written(
    images: Any, labels: Any, words: str, store: Path, files: list[str], tmp_path: Path
) -> None:
    path = archive(tmp_path / "new.npz", images, labels)
    before = record_of(store).__dict__
    with pytest.raises(DataError, match=words):
        update(store, "0", files[1], str(path))
    assert record_of(store).__dict__ == before
    assert not (store / NAME / "arrivals").exists()


def test_what_cannot_be_updated_is_refused_with_a_remedy(store: Path, files: list[str]) -> None:
    with pytest.raises(StudyError, match="given twice"):
        update(store, "0", files[1], files[1])
    with pytest.raises(StudyError, match="name it by its number"):
        update(store, "pareto", files[1])
    with pytest.raises(StudyError, match="no trial '9'"):
        update(store, "9", files[1])
    update(store, "0", *files[1:3])
    with pytest.raises(StudyError, match="was trained on this data before, as arrival 1 of 2"):
        update(store, "2", files[1], files[3])
    with (
        OpenedStudy.open(NAME, store, None).folder.lock(),
        pytest.raises(StudyError, match="running in another process"),
    ):
        update(store, "0", files[3])
    shutil.rmtree(store / NAME / "trials" / record_of(store).find(_key(store, 1)).key)
    with pytest.raises(StudyError, match="last checkpoint of trial 1 is gone"):
        update(store, "1", files[1])


def _key(store: Path, number: int) -> str:
    return next(key for key, trial in record_of(store).all.items() if trial.number == number)


def test_an_arrival_too_small_to_train_on_is_refused(files: list[str], tmp_path: Path) -> None:
    finish_study(tmp_path / "none", files[0], **{"stream.replay": "none"})
    path = archive(tmp_path / "one.npz", np.zeros((1, 8, 8), np.uint8), np.zeros(1, int))
    with pytest.raises(ConfigError, match="2 and 1 arrival leave a megabatch with one training"):
        update(tmp_path / "none", "0", str(path))


def test_a_rate_that_would_leave_nothing_of_the_network_is_refused(
    files: list[str], tmp_path: Path
) -> None:
    rate = {"pruning.schedule": "geometric", "pruning.half_life": None, "pruning.rate": 0.9}
    finish_study(tmp_path, files[0], **rate)
    with pytest.raises(ConfigError, match=r"pruning\.rate: leaves 1 of .* 2 and 1 arrival"):
        update(tmp_path, "0", files[1])


def test_an_update_that_fails_says_so_again_and_is_told_to_the_tracker(
    files: list[str], tmp_path: Path
) -> None:
    store, tracker = tmp_path / "store", RecordingTracker()
    finish_study(store, files[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("study.training.epochs.LOSS_EXPLOSION", 0.0)
        with pytest.raises(TrialError, match="training diverged"):
            update(store, "0", files[1], tracker=tracker)
    (failed,) = record_of(store).updates.values()
    assert failed.outcome is Outcome.ERROR
    assert ("finish_trial", Outcome.ERROR) in [(m, a[2]) for m, a in tracker.calls if len(a) == 4]
    with pytest.raises(StudyError, match="failed before, as trial 2: training diverged"):
        update(store, "0", files[1])


def test_nothing_depends_on_where_the_data_or_the_study_was(
    launched: Path, files: list[str], tmp_path: Path
) -> None:
    given = Path(shutil.copy(files[1], tmp_path / "given.npz"))
    store = Path(shutil.copytree(launched, tmp_path / "store"))
    first = update(store, "0", str(given))
    given.unlink()
    store = store.rename(tmp_path / "elsewhere")
    second = update(store, "2", files[2])
    assert second.updated_from == first.key
    assert_as_from_the_start(store, second)
    tracker = RecordingTracker()
    opened = OpenedStudy.open(NAME, store, None)
    assert sync_study(opened.study, opened.folder, lambda: tracker) == 4
    started = [args[0] for method, args in tracker.calls if method == "start_trial"]
    tags = {info.key: info.tags.get("updated_from", "") for info in started}  # type: ignore[attr-defined]  # a call's arguments
    updates = record_of(store).updates
    assert tags == {t.key: t.updated_from for t in record_of(store).all.values()}
    assert [u.updated_from for u in updates.values()] == [_key(store, 0), first.key]
    written = (store / NAME / "record.jsonl").read_text(encoding="utf-8").splitlines()
    assert not [line for line in written if '"update"' in line and str(tmp_path) in line]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({}, ""),
        ({"pruning.schedule": "geometric", "pruning.half_life": None}, ""),
        ({"pruning.schedule": "dense", "pruning.half_life": None}, ""),
        (
            {"pruning.schedule": "app", "pruning.final_density": 0.3, "pruning.half_life": None},
            "schedule app has reached its end at T = 2: it trains on without pruning further",
        ),
    ],
)
def test_a_schedule_at_its_end_is_said(
    overrides: dict[str, Any], words: str, files: list[str], tmp_path: Path
) -> None:
    finish_study(tmp_path, files[0], **overrides)
    planned = plan_update(OpenedStudy.open(NAME, tmp_path, None), "0", [Path(files[1])])
    assert words in planned.schedule_note
    assert bool(words) == bool(planned.schedule_note)


def test_at_a_url_one_machine_goes_on_where_another_has_updated(
    store: Path, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    url = f"file://{tmp_path}/there/studies"

    def move_to(machine: str) -> Path:
        monkeypatch.setenv("APP_STUDY_COPIES", str(tmp_path / machine))
        return StorePlace.from_address(url).root

    shutil.copytree(store, move_to("first"))
    folder = StudyStore(url).folder(NAME)
    with folder.lock():
        for trial in folder.path.glob("trials/*"):
            mirror = folder.mirror(trial.name)
            assert mirror is not None
            mirror.push()
    for machine, path in zip(("first", "second", "third"), files[1:], strict=True):
        here = move_to(machine)
        with opened_for_writing(OpenedStudy.open(NAME, url, None)) as opened:
            planned = plan_update(opened, "best", [Path(path)])
            after, _ = train_update(opened, planned, RecordingTracker, print)
    assert [u.number for u in record_of(here).updates.values()] == [2, 3, 4]
    assert_as_from_the_start(here, after, seed=after.config["seed"])
