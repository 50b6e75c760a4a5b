"""A run of a study leaves no thread behind, however it ends."""

import io
import threading
from pathlib import Path

import pytest
from rich.console import Console

from study.errors import StudyError
from study.store.folder import StudyStore
from study.store.record import Record
from study.trial.datasets import dataset_key, load_dataset
from study.tune.cluster.ray_restarts import RayHasDiedError
from study.tune.run import StudyRun
from tests.helpers.small_studies import search
from tests.helpers.trackers import RecordingTracker


@pytest.mark.parametrize(
    "error", [StudyError("No space left on device"), RayHasDiedError("dead", "small")]
)
def test_a_run_that_breaks_off_leaves_no_thread_that_logs(
    error: StudyError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*_: object) -> bool:
        raise error

    study, before = search(), set(threading.enumerate())
    data = dataset_key(next(iter(study.corners())).data)
    folder = StudyStore(tmp_path).folder("small")
    monkeypatch.setattr(StudyRun, "_train", train)
    with Record.open(folder.record_path) as record:
        run = StudyRun(
            study,
            folder,
            record,
            {data: load_dataset(data)},
            RecordingTracker(),
            Console(file=io.StringIO()),
            None,
            None,
            None,
        )
        with pytest.raises(type(error)) as raised:
            run.execute()
    assert raised.value is error
    assert set(threading.enumerate()) <= before
