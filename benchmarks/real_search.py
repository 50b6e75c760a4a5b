"""Does the replay tell the truth? The same search in real studies, against random.

    python -m benchmarks.real_search FOLDER [--seeds 10]

launches, for each seed, a study of digits that is searched by the defaults and one by random
without stopping, one trial at a time, each until it has had a given number of examples through
SGD. Beside the best service error that they had found is what replays on the recorded table say of
the same searches. Studies that FOLDER holds already are not run again; what was interrupted goes
on.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.search import DEFAULT, FOLDER, table_of
from benchmarks.studies import ROOT
from study.config.loading import study_from_raw
from study.config.plugins import load_builtin_plugins
from study.config.study_config import StudyConfig
from study.config.yaml_io import read_yaml_file, write_yaml
from study.simulation.comparison import CONTROL
from study.simulation.simulator import replay, searched_anew
from study.simulation.table import Table
from study.store.record import Record, RecordedTrial

WAYS: dict[str, tuple[Mapping[str, Any], int]] = {
    # Trials enough for the examples below: some are stopped early.
    "random": (CONTROL, 40),
    "tpe": (DEFAULT, 64),
}
EXAMPLES = (100_000, 200_000, 400_000, 600_000, 800_000)
NUM_REPLAYS = 200
_NUM_RESAMPLES = 4000


def study_of(way: str, seed: int) -> StudyConfig:
    """The study of the digits table in its bounded space, searched one trial at a time."""
    changes, num_trials = WAYS[way]
    raw = read_yaml_file(FOLDER / "digits_bounded_table.yaml")
    raw |= {"name": f"digits-{way}-{seed}", "budget": {"trials": num_trials}}
    raw["search"] = {**raw["search"], **changes, "seed": seed}
    return study_from_raw(raw)


def launch(study: StudyConfig, folder: Path) -> Sequence[RecordedTrial]:
    """The trials of a study that FOLDER holds, launched or resumed where it is not finished."""
    place = folder / "app-studies" / study.name
    file = folder / f"{study.name}.yaml"
    if not place.exists() or not Record.read(place / "record.jsonl").is_finished:
        file.write_text(write_yaml(study.to_dict()), encoding="utf-8")
        words = ["resume", study.name] if place.exists() else ["launch", file.name]
        ended = subprocess.run(
            [sys.executable, "-m", "study.cli", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            raise RuntimeError(f"{study.name}: {ended.stdout}{ended.stderr}")
    record = Record.read(place / "record.jsonl")
    if not record.trials:
        raise RuntimeError(
            f"{study.name}: there are no trials in {place}; where its MLflow has an earlier "
            f"study of this name, give another folder"
        )
    return sorted(record.trials.values(), key=lambda trial: trial.ended_at)


def curve(trials: Sequence[RecordedTrial]) -> list[float]:
    """The best service error after each of :data:`EXAMPLES`; a guess's before any trial ended."""
    best, samples, found = 0.9, 0.0, {}
    for trial in trials:
        samples += trial.history.megabatches[-1].metrics["samples_seen"]
        values = trial.values(("service_error",))
        best = min(best, values[0]) if values else best
        found[samples] = best
    return [
        min((error for used, error in found.items() if used <= most), default=0.9)
        for most in EXAMPLES
    ]


def replayed(table: Table, way: str, num_seeds: int) -> np.ndarray:
    """The same curves by replays, one row a seed."""
    changes, num_trials = WAYS[way]
    return np.array(
        [
            curve(
                [
                    ended.trial
                    for ended in replay(
                        table,
                        searched_anew(table.study, changes, seed=1000 + seed),
                        max_trials=num_trials,
                    )
                ]
            )
            for seed in range(num_seeds)
        ]
    )


def interval(differences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % percentile bootstrap of the mean over rows."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(differences), size=(_NUM_RESAMPLES, len(differences)))
    low, high = np.percentile(differences[drawn].mean(axis=1), [2.5, 97.5], axis=0)
    return low, high


def comparison(real: Mapping[str, np.ndarray], simulated: Mapping[str, np.ndarray]) -> RichTable:
    """Best service error at equal examples: real studies, replays, and random less the search."""
    made = RichTable(title="best service error by examples through SGD", box=None)
    for column in ("", *(f"{examples:,}" for examples in EXAMPLES)):
        made.add_column(column, justify="right")
    for words, found in (("real", real), ("replayed", simulated)):
        for way, curves in found.items():
            cells = (f"{value:.2%}" for value in curves.mean(axis=0))
            made.add_row(f"{way}, {words}", *cells)
    saved = real["random"] - real["tpe"]
    low, high = interval(saved)
    intervals = zip(saved.mean(axis=0), low, high, strict=True)
    made.add_row(
        "random − tpe, real", *(f"{m:+.2%} [{a:+.2%}, {b:+.2%}]" for m, a, b in intervals)
    )
    expected = simulated["random"].mean(axis=0) - simulated["tpe"].mean(axis=0)
    made.add_row("random − tpe, replayed", *(f"{value:+.2%}" for value in expected))
    return made


def main() -> None:
    """Launch what is not there, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--at-once", type=int, default=1, help="studies, each of one thread")
    arguments = parser.parse_args()
    load_builtin_plugins()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    studies = [(w, study_of(w, seed)) for seed in range(arguments.seeds) for w in WAYS]
    with ThreadPoolExecutor(arguments.at_once) as pool:
        found = list(pool.map(lambda pair: launch(pair[1], arguments.folder), studies))
    curves = [curve(trials) for trials in found]
    real = {
        way: np.array([c for (w, _), c in zip(studies, curves, strict=True) if w == way])
        for way in WAYS
    }
    table = table_of("digits")
    simulated = {way: replayed(table, way, NUM_REPLAYS) for way in WAYS}
    Console(width=140).print(comparison(real, simulated))


if __name__ == "__main__":
    main()
