"""One trial in the foreground, without Ray and MLflow."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from study.config.problems import ConfigError, Problem
from study.config.study_config import StudyConfig
from study.config.trial import TrialConfig
from study.data.dataset import ImageDataset
from study.measurement.runtimes import torch_threads
from study.measurement.trial import TrialMeasurement
from study.metrics import OF_NETWORK
from study.results import EpochRecord, MegabatchRecord, TrialHistory
from study.session.console import say
from study.training.anytime import AnytimeLearner
from study.training.checkpoint import CheckpointFolder, checkpointed
from study.trial.assembly import assemble
from study.trial.datasets import dataset_key
from study.trial.read_data import load_and_check

_COLUMNS = (
    ("density", "density"),
    ("train accuracy", "train_accuracy"),
    ("validation accuracy", "validation_accuracy"),
    ("holdout error", "holdout_error_rate"),
    ("test error", "test_error_rate"),
    ("seconds", "seconds"),
)


def single_trial(study: StudyConfig) -> TrialConfig:
    """The one trial of a study that varies nothing.

    Raises:
        ConfigError: It varies something; the message names what needs a value.
    """
    if not study.varied and (study.search is None or len(study.points) <= 1):
        return study.compose({})
    sets = " ".join(f"--set {path}=…" for path in study.varied)
    raise ConfigError(
        [
            Problem(
                "",
                f"the study {study.name!r} has many trials; for one of them give a value to all "
                f"that it varies: {sets}",
            )
        ]
    )


def run_trial(
    study: StudyConfig, trial: TrialConfig, *, out: Path | None, console: Console
) -> TrialHistory:
    """Train a trial and print its megabatches.

    Args:
        study: It belongs to.
        trial: What to train.
        out: Folder for checkpoints, from which an earlier call is continued, and the history.
        console: Where the numbers go.

    Raises:
        ConfigError: The trial does not fit its data or this machine, or ``out`` is another's.
        TrialError: Training failed.
    """
    datasets = load_and_check({trial.key(): trial})
    checkpoints = CheckpointFolder(out / "checkpoints") if out else None
    state = checkpoints.load_latest() if checkpoints else None
    learner = _learner(study, trial, datasets[dataset_key(trial.data)], state)

    def save(record: EpochRecord | MegabatchRecord) -> None:
        if checkpoints:
            checkpoints.save_learner(learner, record)

    with torch_threads(study.resources.cpus_per_trial), _progress(console) as progress:
        task = progress.add_task(
            "training",
            total=learner.num_megabatches,
            completed=len(learner.history.megabatches),
        )
        for record in checkpointed(learner, save):
            if isinstance(record, MegabatchRecord):
                progress.advance(task)
    console.print(_megabatch_table(learner.history))
    last = learner.history.megabatches[-1]
    measured = {n: v for n, v in last.metrics.items() if n in OF_NETWORK}
    for name, value in {**last.summary, **measured}.items():
        say(console, f"{name:<22} {value:.6g}")
    if last.measured_with:
        say(console, f"Latency was measured with {last.measured_with}.")
    if out:
        (out / "history.json").write_text(learner.history.to_json() + "\n", encoding="utf-8")
    return learner.history


def _progress(console: Console) -> Progress:
    """A bar that is gone once the trial has ended."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("megabatches"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,  # in a notebook Rich would need ipywidgets for it
    )


def _learner(
    study: StudyConfig, trial: TrialConfig, dataset: ImageDataset, state: dict[str, Any] | None
) -> AnytimeLearner:
    """The trial's learner, at a checkpoint where there is one."""
    try:
        learner = assemble(
            trial,
            dataset,
            service_after=study.objective.service_after,
            measure=TrialMeasurement.from_study(study, trial, dataset),
        )
        if state is not None:
            learner.load_state_dict(state)
    except ValueError as error:
        raise ConfigError([Problem("", str(error))]) from error
    return learner


def _megabatch_table(history: TrialHistory) -> Table:
    table = Table("megabatch", box=None)
    for title, _ in _COLUMNS:
        table.add_column(title, justify="right")
    for record in history.megabatches:
        values = (record.metrics.get(name) for _, name in _COLUMNS)
        table.add_row(
            str(record.megabatch_index), *("" if v is None else f"{v:.4g}" for v in values)
        )
    return table
