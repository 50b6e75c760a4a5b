"""The tidy frames as files, for whatever a report does not answer."""

from pathlib import Path
from typing import TYPE_CHECKING

from analysis.exports.written import Written, folder_for

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs


def write_frames(runs: "Runs", out: Path) -> Written:
    """Write trials, megabatches and layers as Parquet and CSV into ``out``, creating it.

    A frame without rows is written too, with its columns. A column that mixes kinds of value, such
    as a param that is a number in one trial and a word in another, is text in the Parquet file.

    Raises:
        ReportError: They cannot be written.
    """
    written: list[Path] = []
    with folder_for(out):
        for name in ("trials", "megabatches", "layers"):
            frame = getattr(runs, name)
            mixed = [
                column
                for column in frame.columns
                if frame[column].dtype == object and frame[column].dropna().map(type).nunique() > 1
            ]
            texts = {column: frame[column].map(str, na_action="ignore") for column in mixed}
            parquet, text = out / f"{name}.parquet", out / f"{name}.csv"
            frame.assign(**texts).to_parquet(parquet, index=False)
            frame.to_csv(text, index=False, lineterminator="\n")
            written += [parquet, text]
    return Written(tuple(written))
