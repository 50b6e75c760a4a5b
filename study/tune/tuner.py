"""Ray Tune as a study runs it; imported once the settings are there that Ray reads then."""

from typing import Any

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
