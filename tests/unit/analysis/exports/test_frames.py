"""The tidy frames as files."""

from pathlib import Path

import pandas as pd
import pytest

from analysis.errors import ReportError
from analysis.exports.frames import write_frames
from tests.helpers.fake_study import FakeTrial, runs_of, usual


@pytest.mark.parametrize("trials", [usual((4,)), []])
def test_the_exported_frames_are_those_of_the_study(
    tmp_path: Path, trials: list[FakeTrial]
) -> None:
    runs = runs_of(trials)
    written = write_frames(runs, tmp_path / "new").files
    assert len(written) == 6
    for name in ("trials", "megabatches", "layers"):
        frame = getattr(runs, name)
        read = pd.read_parquet(tmp_path / "new" / f"{name}.parquet")
        assert list(read.columns) == list(frame.columns)
        assert len(read) == len(frame)
        text = pd.read_csv(tmp_path / "new" / f"{name}.csv")
        assert list(text.columns) == list(frame.columns)
        assert len(text) == len(frame)
    read = pd.read_parquet(tmp_path / "new" / "trials.parquet")
    pd.testing.assert_series_equal(
        read["service_error"], runs.trials["service_error"], check_exact=True
    )


def test_a_param_that_is_a_number_here_and_a_word_there_is_exported_as_text(
    tmp_path: Path,
) -> None:
    runs = runs_of([FakeTrial(0), FakeTrial(1)])
    runs.trials["odd"] = pd.Series([1, "two"], dtype=object)
    write_frames(runs, tmp_path)
    assert pd.read_parquet(tmp_path / "trials.parquet")["odd"].tolist() == ["1", "two"]
    assert runs.trials["odd"].tolist() == [1, "two"]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="--out"):
        write_frames(runs_of([]), tmp_path / "file")
