"""A recorded study as a table: its trials with their curves, from a record or a Parquet file."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # it ships no types

from study.config.domains import Choices
from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.config.yaml_io import read_yaml, write_yaml
from study.errors import StudyError
from study.metrics import OF_NETWORK
from study.results import MegabatchRecord, Outcome, TrialHistory
from study.store.record import RecordedTrial

_STUDY = b"study.yaml"
# What a search, its constraints and its way of stopping may ask of a megabatch.
CURVES = (
    "holdout_error_rate", "projected_service_error", "cumulative_errors", "density",
    "samples_seen", "train_flops", "train_flops_sparse",
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Trials that were trained to their end, or failed.

    Attributes:
        study: As it was launched.
        rows: Its trials, all proposed by its sampler, with their curves.
    """

    study: StudyConfig
    rows: tuple[RecordedTrial, ...]


def table_of(study: StudyConfig, trials: Iterable[RecordedTrial]) -> Table:
    """The trials of a study that can be replayed.

    Points are left out, since they are no part of the space.

    Raises:
        StudyError: There are none, or trials were stopped early, so that nobody knows their end.
    """
    if study.search is None:
        raise StudyError(
            f"the study {study.name!r} searches nothing, so no search can be replayed"
        )
    proposed = [t for t in trials if t.source == "search"]
    stopped = sum(t.outcome is Outcome.EARLY_STOPPED for t in proposed)
    if stopped:
        raise StudyError(
            f"{stopped} trials of the study {study.name!r} were stopped early: how they would "
            f"have ended is not known; record a table with search.stopping.name: none"
        )
    rows = tuple(t for t in proposed if t.outcome in (Outcome.COMPLETE, Outcome.ERROR))
    if not any(t.outcome is Outcome.COMPLETE for t in rows):
        raise StudyError(f"no proposed trial of the study {study.name!r} is complete")
    return Table(study, rows)


def under(table: Table, study: StudyConfig) -> Table:
    """The trials under another objective or a narrower space: those whose values lie in it."""
    return Table(study, tuple(row for row in table.rows if _is_in_space(row, study)))


def _is_in_space(row: RecordedTrial, study: StudyConfig) -> bool:
    flat = {**study.fixed, **row.chosen}
    active = [d for d in study.space.dimensions if d.is_active(flat)]
    return {d.path for d in active} == set(row.chosen) and all(
        row.chosen[d.path] in d.domain for d in active
    )


def write_table(table: Table, path: Path) -> None:
    """One row a trial: ``chosen.PATH``, ``curve.METRIC`` (a list) and ``final.METRIC`` columns."""
    paths = table.study.space.paths
    finals = sorted({name for row in table.rows for name in _summary(row)})
    columns: dict[str, list[Any]] = {
        "trial_key": [row.key for row in table.rows],
        "outcome": [str(row.outcome) for row in table.rows],
    }
    for path_name in paths:
        is_text = path_name in _mixed(table.study)
        values = [_plain(row.chosen.get(path_name)) for row in table.rows]
        columns[f"chosen.{path_name}"] = [
            json.dumps(v) if is_text and v is not None else v for v in values
        ]
    for name in CURVES:
        columns[f"curve.{name}"] = [
            [m.metrics[name] for m in row.history.megabatches if name in m.metrics]
            for row in table.rows
        ]
    for name in finals:
        columns[f"final.{name}"] = [_summary(row).get(name) for row in table.rows]
    made = pa.table(columns)
    text = write_yaml(table.study.to_dict()).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(made.replace_schema_metadata({_STUDY: text}), path, compression="zstd")


def read_table(path: Path) -> Table:
    """What :func:`write_table` wrote; the study's plug-ins must have been imported.

    Raises:
        StudyError: The file is no such table.
    """
    try:
        read = pq.read_table(path)
        study = parse_study(read_yaml(read.schema.metadata[_STUDY].decode()))
        rows = [_row(study, number, row) for number, row in enumerate(read.to_pylist())]
    except (OSError, pa.ArrowInvalid, KeyError, TypeError) as error:
        raise StudyError(
            f"{path}: cannot be read as a table of recorded trials: {error}"
        ) from None
    return table_of(study, rows)


def _summary(row: RecordedTrial) -> Mapping[str, float]:
    """What is known of a trial at its end alone."""
    if row.outcome is not Outcome.COMPLETE:
        return {}
    last = row.history.megabatches[-1]
    measured = {name: value for name, value in last.metrics.items() if name in OF_NETWORK}
    return {**measured, **last.summary}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _mixed(study: StudyConfig) -> frozenset[str]:
    """Paths whose choices are lists and single values, which no column holds: JSON, then."""
    return frozenset(
        d.path
        for d in study.space.dimensions
        if isinstance(d.domain, Choices)
        and len({isinstance(value, tuple) for value in d.domain.values}) > 1
    )


def _row(study: StudyConfig, number: int, row: Mapping[str, Any]) -> RecordedTrial:
    mixed = _mixed(study)
    given = {
        name.removeprefix("chosen."): value
        for name, value in row.items()
        if name.startswith("chosen.") and value is not None
    }
    read = {name: json.loads(v) if name in mixed else v for name, v in given.items()}
    chosen = {name: tuple(v) if isinstance(v, list) else v for name, v in read.items()}
    curves = {n.removeprefix("curve."): v for n, v in row.items() if n.startswith("curve.") and v}
    summary = {
        name.removeprefix("final."): value
        for name, value in row.items()
        if name.startswith("final.") and value is not None
    }
    trial = study.compose(chosen)
    length = max((len(values) for values in curves.values()), default=0)
    outcome = Outcome(row["outcome"])
    megabatches = tuple(
        MegabatchRecord(
            megabatch_index=k,
            stream_fraction=(k + 1) / trial.num_megabatches,
            kept_epoch_index=0,
            metrics={name: values[k] for name, values in curves.items()},
            summary=summary if outcome is Outcome.COMPLETE and k + 1 == length else {},
        )
        for k in range(length)
    )
    return RecordedTrial(
        key=row["trial_key"],
        number=number,
        source="search",
        chosen=chosen,
        config=trial.to_dict(),
        history=TrialHistory((), megabatches),
        outcome=outcome,
    )
