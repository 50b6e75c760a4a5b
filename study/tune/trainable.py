"""The Ray Tune trainable: one trial on an actor, which the next trial may reuse."""

import contextlib
import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import ray
from ray import tune

from study.config.plugins import load_builtin_plugins, load_user_plugins
from study.config.study_sections import LogModels
from study.config.trial import parse_trial
from study.data.dataset import ImageDataset
from study.errors import StorageError, TrialError
from study.files import atomic_write
from study.results import EpochRecord, MegabatchRecord, Outcome, TrialHistory
from study.session.service_models import keep_model
from study.store.remote.copies import StudyCopy
from study.store.remote.remote import Remote
from study.training.anytime import AnytimeLearner
from study.training.checkpoint import CheckpointFolder, checkpointed
from study.trial.assembly import assemble
from study.tune.cluster.nodes import node_keeper
from study.tune.cluster.resources import limit_process
from study.tune.worker_deaths import is_out_of_memory

T = TypeVar("T")

_FIRST_WAITS_S = (1.0, 5.0, 15.0, *[30.0] * 20)  # a store that is away fails no trial at once
_LAST_WAITS_S = (1.0, 5.0, 15.0)  # what a trial writes at its end, nobody sends later


@dataclass(frozen=True)
class WorkerContext:
    """What every trial of a study shares.

    Attributes:
        datasets: Where each data set lies in Ray's object store, by the label in a trial's
            config; those that are not here lie on each node.
        trials_path: Folder of the trials' folders, absolute.
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


class StudyTrainable(tune.Trainable):
    """Trains one trial; a step ends with a megabatch, or sooner at an epoch once time is up."""

    def setup(self, config: dict[str, Any], context: WorkerContext | None = None) -> None:
        """Prepare the process, once an actor, and the first trial."""
        assert context is not None, "made by the launcher with tune.with_parameters"
        self._context = context
        limit_process(context.cpus, sees_gpus=not context.hide_gpus)
        load_builtin_plugins()
        load_user_plugins(context.plugins)
        self._datasets: dict[str, ImageDataset] = {}
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Another trial on the same actor: nothing of the one before is left."""
        self.cleanup()
        self._begin(new_config)
        return True

    def cleanup(self) -> None:
        """Leave no folder on a node, where the study has all of it at its URL."""
        here = self._context.driver_node
        if self._is_sent and ray.get_runtime_context().get_node_id() != here:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _begin(self, config: dict[str, Any]) -> None:
        self._config = config
        self._learner: AnytimeLearner | None = None
        self._run: Iterator[EpochRecord | MegabatchRecord] = iter(())
        self._reported = TrialHistory()
        self._notices: list[str] = []
        copy = self._context.copy
        self._mirror = copy.trial(str(config["trial_key"])) if copy else None
        self._is_sent = False

    def _prepare(self) -> AnytimeLearner:
        """The learner at its newest checkpoint; made in the first step, which reports errors."""
        label = self._config["dataset"]
        if label not in self._datasets:
            # Shared memory of the node, read-only: no copy.
            self._datasets[label] = ray.get(self._place_of(label))
        learner = assemble(
            parse_trial(self._config["trial"]),
            self._datasets[label],
            service_after=self._context.service_after,
        )
        self._checkpoints = CheckpointFolder(self._folder / "checkpoints")
        pulled = self._pulled()
        torn = [path.name for path in self._checkpoints.torn()] + pulled
        state = self._checkpoints.load_latest()
        if state is not None:
            learner.load_state_dict(state)
        if torn:
            damaged = ", ".join(torn)
            where = f"record {learner.position}" if state is not None else "its beginning"
            self._notices.append(f"damaged checkpoint {damaged} passed over: goes on from {where}")
        self._run = checkpointed(
            learner,
            lambda record: self._save(learner, record),
            every_s=self._context.checkpoint_every_s,
        )
        return learner

    def _pulled(self) -> list[str]:
        """Have what the trial has left at the study's URL, of which some may be damaged."""
        return _with_retries(self._mirror.pull, _FIRST_WAITS_S) if self._mirror else []

    def _place_of(self, label: str) -> "ray.ObjectRef[ImageDataset]":
        if label in self._context.datasets:
            return self._context.datasets[label]
        place: ray.ObjectRef[ImageDataset] = ray.get(node_keeper().dataset.remote(label))[0]
        return place

    def _node_problem(self) -> str:
        """What the node lacks, which it may have joined without."""
        return str(ray.get(node_keeper().problem.remote())) if self._context.on_cluster else ""

    @property
    def _folder(self) -> Path:
        if self._mirror is not None:
            return self._mirror.local
        return self._context.trials_path / str(self._config["trial_key"])

    def step(self) -> dict[str, Any]:
        """Train until there is something to report."""
        try:
            if self._learner is None:
                if problem := self._node_problem():
                    return self._handed_back(problem)
                self._learner = self._prepare()
            next(self._run, None)
        except Exception as error:  # the study goes on, whatever a trial runs into
            # Its memory is given back before the next trial comes.
            self._learner, self._run = None, iter(())
            self._keep_trace()
            if is_out_of_memory(repr(error)):
                # The driver starts it again, once, on another actor.
                raise MemoryError(str(error).partition("\n")[0]) from None
            return self._failure(error)
        history = self._learner.history
        new_records = history.after(self._reported)
        self._reported = history
        is_done = bool(history.megabatches) and history.megabatches[-1].is_last
        return self._report(new_records, Outcome.COMPLETE if is_done else None)

    def _report(
        self, new_records: TrialHistory, outcome: Outcome | None = None, reason: str = ""
    ) -> dict[str, Any]:
        """What Tune hands to the driver; with an outcome it is the trial's last."""
        return {
            "trial_key": self._config["trial_key"],
            "history": new_records.to_json(),
            "outcome": outcome.value if outcome else "",
            "reason": reason,
            "notices": self._notices,
            tune.result.DONE: outcome is not None,
        }

    def _save(self, learner: AnytimeLearner, record: EpochRecord | MegabatchRecord) -> None:
        if isinstance(record, MegabatchRecord):
            with self._tolerated("the model"):
                keep_model(learner, self._folder, self._context.log_models)
        with self._tolerated("a checkpoint"):
            self._checkpoints.save_learner(learner, record)
        is_last = isinstance(record, MegabatchRecord) and record.is_last
        self._send(_LAST_WAITS_S if is_last else ())

    def _send(self, waits_s: Sequence[float] = ()) -> None:
        """Send what the trial has left here to the study's URL, trying as often again."""
        if self._mirror is None:
            return
        self._is_sent = False
        with self._tolerated("what the trial has left", self._mirror.remote):
            _with_retries(self._mirror.push, waits_s)
            self._is_sent = True

    @contextlib.contextmanager
    def _tolerated(self, what: str, where: Path | Remote | None = None) -> Iterator[None]:
        """A disk that refuses a file costs that file and a notice; it does not cost the trial."""
        try:
            yield
        except OSError as error:
            place, why = where or self._folder, error.strerror or error
            self._notices.append(
                f"{what} could not be written to {place} ({why}): the trial goes on, and tries "
                f"again at the next boundary"
            )

    def _keep_trace(self) -> None:
        with contextlib.suppress(OSError):  # a full disk is no further failure
            self._folder.mkdir(parents=True, exist_ok=True)
            trace = traceback.format_exc().encode()
            atomic_write(self._folder / "error.txt", trace, is_private=True)
        self._send()

    def _failure(self, error: Exception) -> dict[str, Any]:
        reason = str(error) if isinstance(error, TrialError | ValueError) else repr(error)
        return self._report(TrialHistory(), Outcome.ERROR, reason)

    def _handed_back(self, problem: str) -> dict[str, Any]:
        """The last report of a trial that another node is to train."""
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


def _with_retries(ask: Callable[[], T], waits_s: Sequence[float]) -> T:
    """Ask a store, and again after each of these seconds where it refuses.

    Raises:
        StorageError: It refuses the last time, too.
    """
    for wait_s in waits_s:
        with contextlib.suppress(StorageError):
            return ask()
        time.sleep(wait_s)
    return ask()
