"""Runs a study on Ray: checks first, then one process that proposes, records and tracks."""

import collections
import contextlib
import itertools
import shutil
from collections.abc import Callable, Iterator, Mapping
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
from study.tracking.background import BackgroundTracker, Undelivered
from study.tracking.tracker import Tracker
from study.tune.describe import TrialDescriber, study_info
from study.tune.errors import StudyError
from study.tune.local_ray import alive_nodes, local_ray
from study.tune.models import ModelShelf
from study.tune.progress import TerminalDisplay
from study.tune.record import Record
from study.tune.resources import TrialResources, trial_resources
from study.tune.savings import Savings, savings
from study.tune.session import StudySession
from study.tune.standing import num_trials, shown_metrics
from study.tune.store import StudyFolder, StudyStore
from study.tune.warm_start import check_earlier, warm_start

_MAX_RESTARTS = 2  # of a trial whose worker died


@dataclass(frozen=True)
class StudyEnd:
    """How far a study has come when this process leaves it."""

    name: str
    is_finished: bool
    num_complete: int
    num_failed: int
    failures: tuple[tuple[str, int], ...]  # reason, how often
    savings: Savings  # of early stopping
    undelivered: Undelivered | None = None


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
    with contextlib.ExitStack() as stack:
        if fresh:
            _free_name(store, study.name)
            check_earlier(study, store)
        else:
            stack.enter_context(store.folder(study.name).lock())
        status = stack.enter_context(console.status("reading the data, starting Ray"))
        datasets = load_and_check({trial.key(): trial for trial in study.corners()})
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=1))
        opening = pool.submit(open_tracker)
        stack.enter_context(local_ray())
        resources = trial_resources(study.resources, alive_nodes())
        tracker = opening.result()
        if fresh:
            study = _named_anew(study, store, tracker, console)
            stack.enter_context(_newly_locked(store.folder(study.name)))
        folder = store.folder(study.name)
        if fresh:
            folder.write_config(study)
        record = stack.enter_context(Record.open(folder.record_path))
        record.begin_session(version=__version__)
        if fresh:
            for sentence in warm_start(study, store, record):
                console.print(sentence, markup=False, highlight=False, soft_wrap=True)
        status.stop()
        run = _Run(study, folder, record, datasets, tracker, console, resources)
        return run.to_its_end()


@contextlib.contextmanager
def _newly_locked(folder: StudyFolder) -> Iterator[None]:
    with folder.lock():
        if folder.exists:
            raise StudyError(f"the study {folder.name!r} was launched by another process just now")
        yield


def _named_anew(
    study: StudyConfig, store: StudyStore, tracker: Tracker, console: Console
) -> StudyConfig:
    name = _free_name(store, study.name, tracker)
    if name == study.name:
        return study
    console.print(
        f"The study {study.name} is finished; this one is called {name}.",
        markup=False,
        highlight=False,
    )
    return study.renamed(name)


def _free_name(store: StudyStore, name: str, tracker: Tracker | None = None) -> str:
    """The first of ``name``, ``name-2``, ``name-3`` … that no study has.

    Raises:
        StudyError: A study of one of these names is not finished.
    """
    for number in itertools.count(1):
        candidate = name if number == 1 else f"{name}-{number}"
        folder = store.folder(candidate)
        if folder.exists and not folder.is_finished():
            remedy = (
                "runs in another process; wait for it, or stop it"
                if folder.is_running()
                else f"is not finished; go on with it by: app-study resume {candidate}"
            )
            raise StudyError(f"the study {candidate!r} {remedy}")
        if not folder.exists and not (tracker and tracker.has_study(candidate)):
            return candidate
    raise AssertionError("unreachable")


@dataclass(frozen=True)
class _Run:
    """This process's part of a study, everything being open."""

    study: StudyConfig
    folder: StudyFolder
    record: Record
    datasets: Mapping[DatasetKey, ImageDataset]
    tracker: Tracker
    console: Console
    resources: TrialResources

    def to_its_end(self) -> StudyEnd:
        """Go on until all is done, or a signal comes."""
        study, record = self.study, self.record
        describer = TrialDescriber(study, self.datasets)
        display = TerminalDisplay(
            self.console,
            study=self.folder.name,
            metrics=shown_metrics(study),
            num_trials=num_trials(study),
            constraints=study.objective.limits,
        )
        tracker = BackgroundTracker(self.tracker, notice=display.notice)
        tracker.start_study(study_info(study, num_trials=num_trials(study)))
        shelf = ModelShelf(study, self.folder.path / "trials", self.datasets)
        session = StudySession(study, record, tracker, describer, display, shelf.news)
        try:
            session.repair()
            ended = [t for t in record.trials.values() if t.outcome is not None]
            display.recorded([(session.info(trial.key), trial) for trial in ended])
            with display:
                is_finished = record.is_finished or self._fit(session)
        except KeyboardInterrupt:  # before Tune listens to signals, or a second one
            is_finished = False
        session.end(is_finished=is_finished)
        return self._end(is_finished=is_finished, undelivered=tracker.undelivered)

    def _end(self, *, is_finished: bool, undelivered: Undelivered | None) -> StudyEnd:
        trials = self.record.trials.values()
        outcomes = collections.Counter(trial.outcome for trial in trials)
        failures = collections.Counter(t.reason for t in trials if t.outcome is Outcome.ERROR)
        return StudyEnd(
            name=self.folder.name,
            is_finished=is_finished,
            num_complete=outcomes[Outcome.COMPLETE],
            num_failed=outcomes[Outcome.ERROR],
            failures=tuple(failures.most_common()),
            savings=savings(trials),
            undelivered=undelivered,
        )

    def _fit(self, session: StudySession) -> bool:
        """Train what is left; whether the study has come to its end."""
        from ray import tune

        from study.tune.callback import StudyCallback
        from study.tune.scheduler import StudyScheduler
        from study.tune.searcher import StudySearch

        labels = {key: str(index) for index, key in enumerate(self.datasets)}
        search = StudySearch(
            session, dataset_of=lambda config: labels[dataset_key(parse_trial(config).data)]
        )
        if search.is_exhausted():
            return True
        tuner = tune.Tuner(
            self._trainable(labels),
            tune_config=tune.TuneConfig(
                search_alg=search,
                scheduler=StudyScheduler(session),
                num_samples=-1,  # the searcher says when it is over
                max_concurrent_trials=self.resources.max_concurrent,
                reuse_actors=True,
                trial_name_creator=_trial_name,
                trial_dirname_creator=_trial_name,
            ),
            run_config=tune.RunConfig(
                name=self.folder.ray_path.name,
                storage_path=str(self.folder.path),
                callbacks=[StudyCallback(session)],
                failure_config=tune.FailureConfig(max_failures=_MAX_RESTARTS),
                verbose=0,
            ),
        )
        shutil.rmtree(self.folder.ray_path, ignore_errors=True)
        try:
            tuner.fit()
        except Exception:  # Tune makes its own errors of ours
            if session.errors:
                raise session.errors[0] from None
            raise
        finally:
            shutil.rmtree(self.folder.ray_path, ignore_errors=True)
        if session.errors:
            raise session.errors[0]
        return search.is_over and not session.record.unfinished()

    def _trainable(self, labels: Mapping[DatasetKey, str]) -> Any:
        import ray
        from ray import tune

        from study.tune.trainable import StudyTrainable, WorkerContext

        context = WorkerContext(
            datasets={labels[key]: ray.put(dataset) for key, dataset in self.datasets.items()},
            trials_path=self.folder.path / "trials",
            plugins=self.study.plugins,
            service_after=self.study.objective.service_after,
            checkpoint_every_s=self.study.resources.checkpoint_every_s,
            log_models=self.study.tracking.log_models,
            cpus=self.resources.cpus,
            hide_gpus=self.resources.gpus == 0,
        )
        return tune.with_resources(
            tune.with_parameters(StudyTrainable, context=context), self.resources.as_request()
        )


def _trial_name(trial: Any) -> str:
    return str(trial.config["trial_key"])
