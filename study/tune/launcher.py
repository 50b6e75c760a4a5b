"""Runs a study on Ray: checks first, then one process that proposes, records and tracks."""

import collections
import itertools
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from study import __version__
from study.assembly import DatasetKey, dataset_key
from study.checks import load_and_check
from study.config.study import StudyConfig
from study.config.trial import parse_trial
from study.data.dataset import ImageDataset
from study.results import Outcome
from study.tracking.tracker import Tracker
from study.tune.describe import TrialDescriber, study_info
from study.tune.progress import TerminalDisplay
from study.tune.record import Record
from study.tune.session import StudySession
from study.tune.store import StudyError, StudyFolder, StudyStore

# Ray reads these when it is imported: it is, below, only once they are set.
_RAY_SETTINGS = {
    "RAY_AIR_NEW_OUTPUT": "0",  # our own display, not Tune's
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # results go to the record and to MLflow
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # trial metrics exist at the end only
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative plug-ins and data are the user's
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
_MAX_RESTARTS = 2  # of a trial whose worker died


@dataclass(frozen=True)
class StudyEnd:
    """How far a study has come when this process leaves it."""

    name: str
    is_finished: bool
    num_complete: int
    num_failed: int
    failures: tuple[tuple[str, int], ...]  # reason, how often


def run_study(
    study: StudyConfig,
    store: StudyStore,
    open_tracker: Callable[[], Tracker],
    console: Console,
    *,
    fresh: bool,
) -> StudyEnd:
    """Begin a study, or go on with it.

    Args:
        study: Checked, its plug-ins imported.
        store: Where studies live.
        open_tracker: Opens the tracker; called in another thread while Ray starts.
        console: Where progress is shown.
        fresh: Begin it: under ``NAME-2`` and so on where NAME is finished. Otherwise go on.

    Raises:
        ConfigError: A trial does not fit the data.
        StudyError: It is unfinished and to begin, runs in another process, or no node can run a
            trial.
    """
    datasets = load_and_check({trial.key(): trial for trial in study.corners()})
    with ThreadPoolExecutor(max_workers=1) as pool:
        opening = pool.submit(open_tracker)
        with _local_ray():
            tracker = opening.result()
            if fresh:
                name = _free_name(store, study.name, tracker)
                if name != study.name:
                    console.print(
                        f"The study {study.name} is finished; this one is called {name}.",
                        markup=False,
                        highlight=False,
                    )
                    study = study.renamed(name)
            folder = store.folder(study.name)
            with folder.lock():
                if fresh:
                    folder.write_config(study)
                with Record.open(folder.record_path) as record:
                    record.begin_session(version=__version__)
                    return _run(study, folder, record, datasets, tracker, console)


def _free_name(store: StudyStore, name: str, tracker: Tracker) -> str:
    """The first of ``name``, ``name-2``, ``name-3`` … that no study has."""
    for number in itertools.count(1):
        candidate = name if number == 1 else f"{name}-{number}"
        folder = store.folder(candidate)
        if folder.exists and not folder.is_finished():
            raise StudyError(
                f"the study {candidate!r} is not finished; go on with it by: "
                f"app-study resume {candidate}"
            )
        if not folder.exists and not tracker.has_study(candidate):
            return candidate
    raise AssertionError("unreachable")


def _run(
    study: StudyConfig,
    folder: StudyFolder,
    record: Record,
    datasets: Mapping[DatasetKey, ImageDataset],
    tracker: Tracker,
    console: Console,
) -> StudyEnd:
    num_trials = len(study.points) + study.num_proposals
    describer = TrialDescriber(study, datasets)
    tracker.start_study(study_info(study, num_trials=num_trials))
    objectives = study.objective.metrics if study.search else ()
    display = TerminalDisplay(
        console, study=folder.name, objectives=objectives, num_trials=num_trials
    )
    session = StudySession(study, record, tracker, describer, display)
    session.repair()
    display.recorded(
        [(session.info(t.key), t) for t in record.trials.values() if t.outcome is not None]
    )
    with display:
        is_finished = _fit(session, folder, datasets)
    session.end(is_finished=is_finished)
    outcomes = collections.Counter(trial.outcome for trial in record.trials.values())
    failures = collections.Counter(
        trial.reason for trial in record.trials.values() if trial.outcome is Outcome.ERROR
    )
    return StudyEnd(
        name=folder.name,
        is_finished=is_finished,
        num_complete=outcomes[Outcome.COMPLETE],
        num_failed=outcomes[Outcome.ERROR],
        failures=tuple(failures.most_common()),
    )


class _local_ray:  # noqa: N801  # used as a function
    """A Ray of our own on this machine, on loopback, without dashboard."""

    def __enter__(self) -> None:
        for name, value in _RAY_SETTINGS.items():
            os.environ.setdefault(name, value)
        import ray

        if not ray.is_initialized():
            ray.init(
                address="local",
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )

    def __exit__(self, *error: object) -> None:
        import ray

        ray.shutdown()


def _fit(
    session: StudySession, folder: StudyFolder, datasets: Mapping[DatasetKey, ImageDataset]
) -> bool:
    """Train what is left; whether the study has come to its end."""
    import ray
    from ray import tune

    from study.tune.callback import StudyCallback
    from study.tune.resources import trial_resources
    from study.tune.searcher import StudySearch
    from study.tune.trainable import StudyTrainable, WorkerContext

    study = session.study
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]  # Ray's
    resources = trial_resources(study.resources, nodes)
    labels = {key: str(index) for index, key in enumerate(datasets)}
    search = StudySearch(
        session, dataset_of=lambda config: labels[dataset_key(parse_trial(config).data)]
    )
    if search.is_exhausted():
        return True
    context = WorkerContext(
        datasets={labels[key]: ray.put(dataset) for key, dataset in datasets.items()},
        trials_path=folder.path / "trials",
        plugins=study.plugins,
        service_after=study.objective.service_after,
        checkpoint_every_s=study.resources.checkpoint_every_s,
        cpus=resources.cpus,
        hide_gpus=resources.gpus == 0,
    )
    trainable = tune.with_resources(
        tune.with_parameters(StudyTrainable, context=context), resources.as_request()
    )
    tuner = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=search,
            num_samples=-1,  # the searcher says when it is over
            max_concurrent_trials=resources.max_concurrent,
            reuse_actors=True,
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_name,
        ),
        run_config=tune.RunConfig(
            name=folder.ray_path.name,
            storage_path=str(folder.path),
            callbacks=[StudyCallback(session)],
            failure_config=tune.FailureConfig(max_failures=_MAX_RESTARTS),
            verbose=0,
        ),
    )
    shutil.rmtree(folder.ray_path, ignore_errors=True)
    tuner.fit()
    is_over = search.is_over and not session.record.unfinished()
    shutil.rmtree(folder.ray_path, ignore_errors=True)
    return is_over


def _trial_name(trial: Any) -> str:
    return str(trial.config["trial_key"])
