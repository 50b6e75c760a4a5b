"""Begins a study, or goes on with it: checks first, then everything it needs is opened."""

import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from rich.console import Console

from study import __version__
from study.checks import load_and_check
from study.config.addresses import LOCAL
from study.config.study import StudyConfig
from study.constraints import constraints_text
from study.data.dataset import ImageDataset
from study.datasets import DatasetKey
from study.tracking.tracker import Tracker
from study.tune.ending import StudyEnd
from study.tune.local_ray import alive_nodes
from study.tune.naming import free_name, named_anew, newly_locked
from study.tune.ray_session import chosen_address, ray_session
from study.tune.record import Record
from study.tune.resources import trial_resources
from study.tune.standing import num_trials, shown_metrics
from study.tune.store import StudyFolder, StudyStore
from study.tune.study_run import StudyRun, labels_of
from study.tune.warm_start import read_earlier, warm_start

if TYPE_CHECKING:
    from study.tune.nodes import Nodes


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
        StorageError: The store fails before training begins, or another process took the study.
    """
    with contextlib.ExitStack() as stack:
        if fresh:
            free_name(store, study.name)
        else:
            hold = stack.enter_context(store.folder(study.name).lock())
        status = stack.enter_context(console.status("reading the data, starting Ray"))
        datasets = load_and_check({trial.key(): trial for trial in study.corners()})
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=1))
        opening = pool.submit(open_tracker)
        address = chosen_address(study.resources.address)
        stack.enter_context(ray_session(address, study.plugins))
        is_cluster = address != LOCAL
        resources = trial_resources(study.resources, alive_nodes(), elastic=is_cluster)
        tracker = opening.result()
        if fresh:
            earlier = read_earlier(study, store, tracker)
            study = named_anew(study, store, tracker, console)
            hold = stack.enter_context(newly_locked(store.folder(study.name)))
        folder = store.folder(study.name)
        if fresh:
            folder.write_config(study)
        nodes = _checked_nodes(study, folder, datasets) if is_cluster else None
        record = stack.enter_context(Record.open(folder.record_path))
        record.begin_session(
            version=__version__,
            num_trials=num_trials(study),
            shown=shown_metrics(study),
            constraints=constraints_text(study.objective.limits),
            tracking=tracker.address,
            experiment=study.tracking.experiment,
        )
        if fresh:
            for sentence in warm_start(study, earlier, record):
                console.print(sentence, markup=False, highlight=False, soft_wrap=True)
        status.stop()
        run = StudyRun(study, folder, record, datasets, tracker, console, resources, nodes, hold)
        return run.to_its_end()


def _checked_nodes(
    study: StudyConfig, folder: StudyFolder, datasets: Mapping[DatasetKey, ImageDataset]
) -> "Nodes":
    """The cluster's nodes, each of which has what trials need."""
    from study.tune.nodes import NodeDemands, Nodes

    on_node = datasets if study.resources.data == "on_node" else {}
    place = folder.copy.remote if folder.copy else folder.path
    found = {label: (key, on_node[key]) for key, label in labels_of(on_node).items()}
    nodes = Nodes(NodeDemands.of(place, study.plugins, found), study.resources)
    nodes.check()
    return nodes
