"""Ray Tune as a study runs it; imported once the settings are there that Ray reads then."""

import contextlib
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Final

import ray
from ray import tune

from study.search.budget import Budget
from study.session.session import StudySession
from study.trial.datasets import dataset_labels
from study.tune.callback import SilentReporter, StudyCallback
from study.tune.cluster.ray_watch import RayWatch
from study.tune.scheduler import BudgetStopper, StudyScheduler
from study.tune.searcher import StudySearch
from study.tune.study_parts import StudyParts
from study.tune.trainable import StudyTrainable, WorkerContext

_RAYS_MLFLOW: Final = "ray.air.integrations.mlflow"


@contextlib.contextmanager
def without_rays_mlflow() -> Iterator[None]:
    """A context in which Ray does not import MLflow, which takes a second and 40 MB.

    It would when it begins to train, to count the callbacks of its own among a study's. Within,
    its module for MLflow is there as if MLflow were not installed; afterwards it is as before.
    """
    if "mlflow" in sys.modules or _RAYS_MLFLOW in sys.modules:
        yield
        return
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]  # Python's own way
    modules["mlflow"] = None
    try:
        with contextlib.suppress(ImportError):  # a Ray that has it elsewhere
            importlib.import_module(_RAYS_MLFLOW)
    finally:
        del modules["mlflow"]
    try:
        yield
    finally:
        parent, _, name = _RAYS_MLFLOW.rpartition(".")
        if sys.modules.pop(_RAYS_MLFLOW, None) is not None:
            delattr(sys.modules[parent], name)


def make_tuner(
    run: StudyParts, session: StudySession, search: StudySearch, budget: Budget, watch: RayWatch
) -> tune.Tuner:
    """The Tuner that trains what ``search`` proposes, until it or the budget ends."""
    assert run.resources is not None
    return tune.Tuner(
        _trainable(run),
        tune_config=tune.TuneConfig(
            search_alg=search,
            scheduler=StudyScheduler(session),
            num_samples=-1,  # the searcher ends it
            max_concurrent_trials=run.resources.max_concurrent,
            reuse_actors=True,
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_name,
        ),
        run_config=tune.RunConfig(
            name=run.folder.ray_path.name,
            storage_path=str(run.folder.path),
            callbacks=[StudyCallback(session, run.deaths, watch, run.nodes, run.hold)],
            failure_config=tune.FailureConfig(max_failures=-1),  # see study.tune.worker_deaths
            stop=BudgetStopper(budget),
            verbose=0,
            progress_reporter=SilentReporter(),
        ),
    )


def _trainable(run: StudyParts) -> Any:
    """What trains a trial, with all that its process needs to know."""
    assert run.resources is not None, "trials are left to train"
    resources, labels = run.resources, dataset_labels(run.datasets)
    context = WorkerContext(
        datasets={
            # What is mapped from a file of this machine is not there on another.
            labels[key]: ray.put(dataset if run.nodes is None else dataset.in_memory())
            for key, dataset in run.datasets.items()
            if run.nodes is None or run.study.resources.data == "shipped"
        },
        trials_path=run.folder.path / "trials",
        plugins=run.study.plugins,
        sent_plugins=run.sent_plugins,
        service_after=run.study.objective.service_after,
        checkpoint_every_s=run.study.resources.checkpoint_every_s,
        log_models=run.study.tracking.log_models,
        log_latency=run.study.measured_latency,
        cpus=resources.cpus,
        hide_gpus=resources.gpus == 0,
        on_cluster=run.nodes is not None,
        copy=run.folder.copy,
        driver_node=ray.get_runtime_context().get_node_id(),
    )
    return tune.with_resources(
        tune.with_parameters(StudyTrainable, context=context), resources.placement
    )


def _trial_name(trial: Any) -> str:
    return str(trial.config["trial_key"])
