"""Launch or resume a study: check it, open all that it needs, train."""

import contextlib
import importlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console

from study import __version__
from study.config.study import renamed
from study.config.study_config import StudyConfig
from study.config.study_sections import ResourcesSection
from study.constraints import constraints_text
from study.data.dataset import ImageDataset
from study.errors import StudyError
from study.search.earlier import read_transferred_trials
from study.search.warm_start import warm_start
from study.session.console import say, spinner
from study.session.end import StudyEnd
from study.store.folder import StudyFolder, StudyStore
from study.store.remote.hold import Hold
from study.tracking.tracker import Tracker
from study.trial.datasets import DatasetKey, dataset_key, dataset_labels
from study.trial.program_plugins import program_plugins
from study.trial.read_data import load_and_check
from study.tune.cluster.connection import alive_nodes, chosen_address
from study.tune.cluster.ray_restarts import RayHasDiedError
from study.tune.cluster.resources import (
    TrialResources,
    is_worth_a_gpu,
    trial_resources,
    with_gpus,
)
from study.tune.cluster.study_ray import StudyRay
from study.tune.run import StudyRun

if TYPE_CHECKING:
    from study.tune.cluster.nodes import Nodes


def run_study(
    study: StudyConfig,
    store: StudyStore,
    open_tracker: Callable[[], Tracker],
    console: Console,
    ray: StudyRay,
    *,
    fresh: bool,
) -> StudyEnd:
    """Launch or resume a study.

    Args:
        study: Checked, its plug-ins imported.
        store: Where studies live.
        open_tracker: Opens the tracker; called in another thread while Ray starts.
        console: Where progress is shown.
        ray: Ray, for the study that follows too; its owner ends it.
        fresh: Launch it, as ``NAME-2`` and so on where NAME is finished; else resume it.

    Raises:
        RayHasDiedError: It has, and the program may begin anew.
        ConfigError: A trial does not fit the data, or workers cannot import a plug-in.
        StudyError: It is to be launched and was before, runs in another process, or no node can
            run a trial.
        StorageError: The store fails before training begins, or another process took the study.
    """
    sent = program_plugins(study)
    with contextlib.ExitStack() as stack:
        if fresh:
            free_name(store, study.name)
        else:
            hold = stack.enter_context(store.folder(study.name).lock())
        status = stack.enter_context(contextlib.ExitStack())
        status.enter_context(spinner(console, "reading the data, starting Ray"))
        datasets = load_and_check({trial.key(): trial for trial in study.corners()})
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=1))
        opening = pool.submit(open_tracker)  # waited for: a database half made is none
        is_over = not fresh and store.folder(study.name).is_finished()  # what is unsent is sent
        on_ray = None if is_over else _on_ray(study, ray, datasets, console)
        if on_ray:  # what training needs is imported while the tracker is being opened
            importlib.import_module("study.tune.tuner")
        tracker = opening.result()
        if fresh:
            earlier = read_transferred_trials(study, store, tracker)
            study = with_free_name(study, store, tracker, console)
            hold = stack.enter_context(locked_for_launch(store.folder(study.name)))
        folder = store.folder(study.name)
        if fresh:
            folder.write_config(study)
        nodes = _checked_nodes(study, on_ray, folder, datasets) if on_ray else None
        record = stack.enter_context(folder.open_record())
        if not fresh:  # it may have been interrupted in its warm start
            is_warm = record.is_warm or is_over
            earlier = () if is_warm else read_transferred_trials(study, store, tracker)
        record.begin_session(
            version=__version__,
            num_trials=study.num_trials,
            shown=study.shown_metrics,
            varied=study.differing,
            constraints=constraints_text(study.objective.limits),
            tracking=tracker.address,
            experiment=study.tracking.experiment,
            confirmation=study.confirmation,
        )
        sentences = [*(on_ray.sentences if on_ray else ())]
        sentences += warm_start(study, earlier, record)
        for sentence in sentences:
            say(console, sentence)
        status.close()
        owns_ray = nodes is None and not ray.is_found
        run = StudyRun(
            study,
            folder,
            record,
            datasets,
            tracker,
            console,
            on_ray.trials if on_ray else None,
            nodes,
            hold,
            ray.restarts if owns_ray else None,
            owns_ray,
            sent,
        )
        return run.execute()


@dataclass(frozen=True)
class _OnRay:
    """What trials may use: as the study ``asked``, what each gets, and what people should know."""

    asked: ResourcesSection
    trials: TrialResources
    is_cluster: bool
    sentences: tuple[str, ...]


def _open_ray(study: StudyConfig, ray: StudyRay, console: Console) -> None:
    """Start or join Ray if none is there."""
    try:
        ray.open(chosen_address(study.resources.address), study.plugins)
    except StudyError as error:
        restarts = ray.restarts
        if restarts is None or not restarts.number:
            raise
        # In the place of a program under which Ray has died: it may have died once more by now.
        if restarts.may_restart:
            say(console, f"{error}; it is tried again")
        remedy = f"resume the study with: {restarts.command(study.name)}"
        raise RayHasDiedError(f"{error}; {remedy}", study.name) from error


def _on_ray(
    study: StudyConfig,
    ray: StudyRay,
    datasets: Mapping[DatasetKey, ImageDataset],
    console: Console,
) -> _OnRay:
    """Start or join Ray if none is there."""
    _open_ray(study, ray, console)
    nodes = alive_nodes()
    is_cluster = ray.is_cluster(chosen_address(study.resources.address))
    asked, said = with_gpus(
        study.resources,
        nodes,
        is_worth_one=lambda: any(
            is_worth_a_gpu(trial, datasets[dataset_key(trial.data)]) for trial in study.corners()
        ),
    )
    trials = trial_resources(asked, nodes, elastic=is_cluster)
    return _OnRay(asked, trials, is_cluster, (said,) if said else ())


def _checked_nodes(
    study: StudyConfig,
    on_ray: _OnRay,
    folder: StudyFolder,
    datasets: Mapping[DatasetKey, ImageDataset],
) -> "Nodes | None":
    """The cluster's nodes, each of which has what trials need; None of this machine alone."""
    if not on_ray.is_cluster:
        return None
    from study.tune.cluster.nodes import NodeDemands, Nodes

    on_node = datasets if study.resources.data == "on_node" else {}
    place = folder.copy.remote if folder.copy else folder.path
    found = {label: (key, on_node[key]) for key, label in dataset_labels(on_node).items()}
    nodes = Nodes(NodeDemands.from_datasets(place, study.plugins, found), on_ray.asked)
    nodes.check()
    return nodes


@contextlib.contextmanager
def locked_for_launch(folder: StudyFolder) -> Iterator[Hold | None]:
    """Lock the folder of a study that is to be launched; yields as the lock does.

    Raises:
        StudyError: Another process has launched it just now.
    """
    with folder.lock() as hold:
        if folder.exists:
            raise StudyError(f"the study {folder.name!r} was launched by another process just now")
        yield hold


def with_free_name(
    study: StudyConfig, store: StudyStore, tracker: Tracker, console: Console
) -> StudyConfig:
    """The study under the first free name; printed where that is not its own."""
    name = free_name(store, study.name, tracker)
    if name == study.name:
        return study
    say(console, f"The study {study.name} is finished; this one is called {name}.")
    return renamed(study, name)


def free_name(store: StudyStore, name: str, tracker: Tracker | None = None) -> str:
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
                else f"is not finished; resume it with: {folder.command('resume')}"
            )
            raise StudyError(f"the study {candidate!r} {remedy}")
        if not folder.exists and not (tracker and tracker.has_study(candidate)):
            return candidate
    raise AssertionError("unreachable")
