"""The Ray Tune trainable: one trial on an actor, which the next trial may reuse."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune

from study.config.plugins import load_builtin_plugins, load_user_plugins
from study.config.study_sections import LogModels, MeasuredLatency
from study.config.trial import parse_trial
from study.data.dataset import ImageDataset
from study.errors import TrialError
from study.export.network import NetworkSpec
from study.measurement.trial import TrialMeasurement
from study.results import EpochRecord, MegabatchRecord, Outcome, TrialHistory
from study.store.remote.copies import StudyCopy
from study.training.anytime import AnytimeLearner
from study.training.checkpoint import checkpointed
from study.trial.assembly import assemble
from study.trial.program_plugins import UsedPlugin, register_plugins
from study.tune.cluster.nodes import node_keeper
from study.tune.cluster.resources import limit_process
from study.tune.trial_files import TrialFiles
from study.tune.worker_deaths import is_out_of_memory


@dataclass(frozen=True)
class WorkerContext:
    """What every trial of a study shares.

    Attributes:
        datasets: Where each data set lies in Ray's object store, by the label in a trial's
            config; those that are not here lie on each node.
        trials_path: Folder of the trials' folders, absolute.
        plugins: Modules to import.
        sent_plugins: Plug-ins that no module has, by value.
        log_latency: Of which networks latency is measured.
        cpus: Threads of a trial.
        hide_gpus: Whether trials must not see the machine's GPUs.
        copy: Of a study at a URL: each node has a folder of its own then.
        driver_node: Ray's id of the node whose folders stay.
    """

    datasets: Mapping[str, "ray.ObjectRef[ImageDataset]"]
    trials_path: Path
    plugins: tuple[str, ...]
    service_after: float
    checkpoint_every_s: float
    log_models: LogModels
    cpus: int
    hide_gpus: bool
    on_cluster: bool
    copy: StudyCopy | None = None
    driver_node: str = ""
    log_latency: MeasuredLatency = "none"
    sent_plugins: tuple[UsedPlugin, ...] = ()


class StudyTrainable(tune.Trainable):
    """Trains one trial; a step ends with a megabatch, or sooner at an epoch once time is up."""

    def setup(self, config: dict[str, Any], context: WorkerContext | None = None) -> None:
        """Prepare the process, once an actor, and the first trial."""
        assert context is not None, "made by the launcher with tune.with_parameters"
        self._context = context
        limit_process(context.cpus, sees_gpus=not context.hide_gpus)
        load_builtin_plugins()
        load_user_plugins(context.plugins)
        register_plugins(context.sent_plugins)
        self._datasets: dict[str, ImageDataset] = {}
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Another trial on the same actor, from nothing of the one before."""
        self.cleanup()
        self._begin(new_config)
        return True

    def cleanup(self) -> None:
        """Remove the trial's folder from a node, where the study has all of it at its URL."""
        kept_on = self._context.driver_node
        if self._files.is_sent and ray.get_runtime_context().get_node_id() != kept_on:
            self._files.remove()

    def _begin(self, config: dict[str, Any]) -> None:
        self._config = config
        self._learner: AnytimeLearner | None = None
        self._run: Iterator[EpochRecord | MegabatchRecord] = iter(())
        self._reported = TrialHistory()
        copy, key = self._context.copy, str(config["trial_key"])
        mirror = copy.trial(key) if copy else None
        folder = mirror.local if mirror else self._context.trials_path / key
        self._files = TrialFiles(folder, mirror, self._context.log_models)

    def _restored_learner(self) -> AnytimeLearner:
        """The learner at its newest checkpoint; made in the first step, which reports errors."""
        label = self._config["dataset"]
        if label not in self._datasets:
            # Shared memory of the node, read-only: no copy.
            self._datasets[label] = ray.get(self._dataset_ref(label))
        trial, dataset = parse_trial(self._config["trial"]), self._datasets[label]
        spec = NetworkSpec.from_trial(trial, dataset, self._context.plugins)
        learner = assemble(
            trial,
            dataset,
            service_after=self._context.service_after,
            measure=TrialMeasurement(spec, self._context.cpus, self._context.log_latency),
        )
        self._files.restore(learner)
        return learner

    def _dataset_ref(self, label: str) -> "ray.ObjectRef[ImageDataset]":
        if label in self._context.datasets:
            return self._context.datasets[label]
        ref: ray.ObjectRef[ImageDataset] = ray.get(node_keeper().dataset.remote(label))[0]
        return ref

    def _node_problem(self) -> str:
        """What the node lacks: it may have joined since the study began."""
        return str(ray.get(node_keeper().problem.remote())) if self._context.on_cluster else ""

    def step(self) -> dict[str, Any]:
        """Train until there is something to report."""
        try:
            if self._learner is None:
                if problem := self._node_problem():
                    return self._unfit_node(problem)
                self._learner = self._restored_learner()
                self._run = self._records(self._learner)
            next(self._run, None)
        except Exception as error:  # the study continues, whatever a trial runs into
            # Its memory is freed before the next trial comes.
            self._learner, self._run = None, iter(())
            self._files.save_traceback()
            if is_out_of_memory(repr(error)):
                # The driver starts it again, once, on another actor.
                raise MemoryError(str(error).partition("\n")[0]) from None
            return self._failure(error)
        history = self._learner.history
        new_records = history.after(self._reported)
        self._reported = history
        is_done = bool(history.megabatches) and history.megabatches[-1].is_last
        return self._report(new_records, Outcome.COMPLETE if is_done else None)

    def _records(self, learner: AnytimeLearner) -> Iterator[EpochRecord | MegabatchRecord]:
        return checkpointed(
            learner,
            lambda record: self._files.save(learner, record),
            every_s=self._context.checkpoint_every_s,
        )

    def _report(
        self, new_records: TrialHistory, outcome: Outcome | None = None, reason: str = ""
    ) -> dict[str, Any]:
        """What Tune passes to the driver; with an outcome it is the trial's last."""
        return {
            "trial_key": self._config["trial_key"],
            "history": new_records.to_json(),
            "outcome": outcome.value if outcome else "",
            "reason": reason,
            "notices": self._files.notices,
            tune.result.DONE: outcome is not None,
        }

    def _failure(self, error: Exception) -> dict[str, Any]:
        reason = str(error) if isinstance(error, TrialError | ValueError) else repr(error)
        return self._report(TrialHistory(), Outcome.ERROR, reason)

    def _unfit_node(self, problem: str) -> dict[str, Any]:
        """The last report on this node of a trial that another is to train."""
        return {
            **self._report(TrialHistory()),
            "unfit_node": ray.get_runtime_context().get_node_id(),
            "unfit_because": problem,
            tune.result.DONE: True,
        }

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: a trial's checkpoints are its own, found by its key."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing: see :meth:`save_checkpoint`."""
