"""The anytime learner: the ALMA loop with a pruning event at the opening of each megabatch."""

import copy
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from study.data.dataset import IndexArray
from study.data.stream import with_what_waited
from study.errors import TrialError
from study.models.flops import TRAINING_PER_FORWARD, training_flops
from study.pruning.ledger import collapsed_layers
from study.pruning.mask import Mask
from study.pruning.scoring import ScoringContext
from study.results import EpochRecord, MegabatchRecord, TrialHistory
from study.training import epochs
from study.training.budget import Cost
from study.training.evaluation import Metrics, with_flops
from study.training.generators import torch_generator
from study.training.precision import exact_fp32
from study.training.progress import (
    BestEpoch,
    Progress,
    check_state,
    is_best,
    kernels_of,
    mask_of,
    pack_state,
    unpack_state,
)
from study.training.pruning_event import PreviousEvent, opening, pruning_event, saliency_order
from study.training.service import Service, Trained
from study.training.specs import LearnerSpec, Measure, TaskData, measure_nothing
from study.training.starts import FirstModel
from study.training.trained_network import TrainedNetwork
from study.training.training_plan import TrainingPlan

logger = logging.getLogger(__name__)


class AnytimeLearner:
    """Learns a stream of megabatches, pruning as it goes.

    :meth:`run` yields a record after each epoch and each megabatch; to stop early is to stop
    iterating. Between two records :meth:`state_dict` is a checkpoint from which a new learner
    goes on to the same numbers, bit for bit on CPU.

    Args:
        data: Images and stream.
        build_model: Makes a fresh network from torch's global generator, on the CPU.
        spec: The method.
        device: Where the network lives.
        measure: Called with each network that goes into service; what it takes is in no metric.

    Raises:
        ValueError: The settings do not fit the data, with path and remedy.
    """

    def __init__(
        self,
        data: TaskData,
        build_model: Callable[[], nn.Module],
        spec: LearnerSpec,
        device: torch.device,
        measure: Measure = measure_nothing,
    ) -> None:
        self.data = data
        self.spec = spec
        self.device = device
        self.network = TrainedNetwork(build_model, spec, data.image_shape, device)
        self._service = Service(data, spec, self.network, measure)
        self._training_plan = TrainingPlan(
            data.megabatches,
            spec.replay,
            spec.training,
            seed=spec.seed,
            num_arrivals=data.num_arrivals,
        )
        self._kernels = spec.training.kernels
        self._progress = Progress()

    @property
    def num_megabatches(self) -> int:
        """T, and what arrives after the stream."""
        return len(self.data.megabatches)

    @property
    def history(self) -> TrialHistory:
        """All that was reported so far."""
        return self._progress.history

    @property
    def position(self) -> int:
        """Rises with each record: the place of a checkpoint within the trial."""
        return len(self.history.epochs) + len(self.history.megabatches)

    @property
    def model(self) -> nn.Module:
        """The network as it is now."""
        return self.network.model

    @property
    def mask(self) -> Mask:
        """What it is under, in the shapes of the network as it was built."""
        return self.network.mask

    def run(self) -> Iterator[EpochRecord | MegabatchRecord]:
        """Learn the rest of the stream.

        Raises:
            TrialError: Training diverged, the criterion does not apply to the network, or an
                invariant of the masks is broken.
        """
        while self._progress.megabatch_index < self.num_megabatches:
            records = self._learn_megabatch()
            while (record := self._next(records)) is not None:
                yield record

    def _next(
        self, records: Iterator[EpochRecord | MegabatchRecord]
    ) -> EpochRecord | MegabatchRecord | None:
        """What is trained up to the next record; None where there is none."""
        with exact_fp32(self.device):
            return next(records, None)

    def _learn_megabatch(self) -> Iterator[EpochRecord | MegabatchRecord]:
        if self.data.megabatches[self._progress.megabatch_index].waits:
            yield self._wait()
            return
        started = time.perf_counter()
        train, validation = self._training_plan.examples(self._progress.megabatch_index)
        if self._progress.epoch_index == 0:
            self._open(train)
        sizes = self._epoch_sizes(len(train))
        while self._progress.epoch_index < len(sizes):
            record = self._train_epoch(train, validation, sizes)
            seconds = self._progress.seconds + time.perf_counter() - started
            self._progress = replace(self._progress, seconds=seconds)
            yield record
            started = time.perf_counter()
        yield self._close(train, started=started)

    def _open(self, train: IndexArray) -> None:
        """The start and its pruning event; the learning rate restarts."""
        k = self._progress.megabatch_index
        network, first = self.network, self._progress.first
        is_first = not self._has_model
        served = network.mask
        if is_first and k:
            network.begin_at_(k)
        is_complete = not is_first and network.before_event_(k, first)
        target = self.spec.pruning.target_density
        event = opening(
            self.data.megabatches,
            k,
            num_scheduled=self.data.num_scheduled,
            target_density=target,
            previous_density=network.mask.density,
            history=self.history,
        )
        try:
            saliency = self._saliency(train)
            result = pruning_event(
                self.spec.pruning,
                event,
                self._context(saliency),
                self.network.pruner,
                previous_event=PreviousEvent(
                    served, 1.0 if is_complete else self._progress.asked_density
                ),
                num_saliency=len(saliency),
            )
        except ValueError as error:
            raise TrialError(f"pruning at megabatch {k}: {error}") from error
        newly_collapsed = set(collapsed_layers(result.layers)) - set(
            collapsed_layers(self._progress.layers)
        )
        if newly_collapsed:
            logger.warning(
                "trial %s, megabatch %d, density %.4g: layer collapse, nothing gets through: %s",
                self.spec.identity, k, result.mask.density, ", ".join(sorted(newly_collapsed)),
            )  # fmt: skip
        network.prune_(result.mask)
        if not is_first:
            network.after_event_(k, first)
        if self.spec.training.reset_optimizer:
            network.reset_optimiser_()
        self._progress = self._progress.after_pruning(
            with_flops(result.layers, self.network.dense_flops),
            asked_density=result.asked_density,
            num_scored=result.num_scored,
        )

    def _epoch_sizes(self, num_train: int) -> list[int]:
        """Of the open megabatch, from what was spent before it: the same after a restart."""
        done, earlier = self._progress, self._earlier
        num_samples = self._training_plan.num_samples(
            done.megabatch_index,
            num_train,
            spent=Cost(int(earlier["samples_seen"]), int(earlier["train_flops"])),
            scoring=self._scoring,
            each=Cost(1, training_flops(self.network.flops, 1)),
        )
        return epochs.epoch_sizes(num_train, num_samples)

    @property
    def _scoring(self) -> Cost:
        """What the open megabatch's pruning event took, on the network that it found."""
        forward = int(self._earlier["forward_flops"])
        if self.spec.training.start.restarts_mask:
            forward = self.network.dense_flops.forward
        return Cost(1, TRAINING_PER_FORWARD * forward).times(self._progress.scored_now)

    @property
    def _earlier(self) -> Metrics:
        """Metrics of the megabatch before; before the first, what its network is and has cost."""
        if self._has_model:
            return self.history.megabatches[-1].metrics
        dense = float(self.network.dense_flops.forward)
        return {"forward_flops": dense, "samples_seen": 0.0, "train_flops": 0.0}

    @property
    def _has_model(self) -> bool:
        """Whether a model is in service; before the first, a guess is."""
        return any(record.is_trained for record in self.history.megabatches)

    def _saliency(self, train: IndexArray) -> IndexArray:
        k, seed = self._progress.megabatch_index, self.spec.seed
        newest = with_what_waited(self.data.megabatches[: k + 1])[-1].train
        return saliency_order(self.spec.pruning, train, newest, seed=seed, megabatch_index=k)

    def _context(self, saliency: IndexArray) -> ScoringContext:
        k = self._progress.megabatch_index
        pruning, images, seed = self.spec.pruning, self.data.train_images, self.spec.seed
        return ScoringContext(
            model=self.model,
            mask=self.mask,
            minibatches=lambda: images.minibatches(
                saliency, batch_size=pruning.saliency_batch_size
            ),
            image_shape=self.data.image_shape,
            num_classes=self.data.num_classes,
            generator=torch_generator(seed, "scores", k),
            fresh_model=lambda: self.network.without_weights("fresh", k),
        )

    def _train_epoch(
        self, train: IndexArray, validation: IndexArray, sizes: list[int]
    ) -> EpochRecord:
        training, done = self.spec.training, self._progress
        position = (done.megabatch_index, done.epoch_index)
        size = sizes[done.epoch_index]
        order = epochs.epoch_order(train, size, seed=self.spec.seed, position=position)
        steps = epochs.steps_of(sizes, done.epoch_index, batch_size=training.batch_size)
        total_steps = epochs.num_steps(sizes, training.batch_size)
        loss, accuracy = epochs.train_epoch_(
            self.model,
            self.network.optimiser,
            self.network.pruner.held(self.mask),
            self.data.train_images,
            order,
            epochs.EpochTraining(
                optimiser=training.optimiser,
                batch_size=training.batch_size,
                augment=training.augment,
                precision=training.precision,
                seed=self.spec.seed,
                position=position,
                first_step=steps.start,
                num_steps=total_steps,
                forward=self.network.forward,
                kernels=self._kernels,
            ),
        )
        metrics = {
            "train_loss": loss,
            "train_accuracy": accuracy,
            "lr": training.optimiser.lr_at(steps[-1], num_steps=total_steps),
            "samples_seen": float(done.samples_seen + size),
        }
        if len(validation):
            num_wrong = self._service.wrong("train", validation, kernels=self._kernels).sum()
            metrics["validation_accuracy"] = 1.0 - int(num_wrong) / len(validation)
        record = EpochRecord(*position, step=len(self.history.epochs), metrics=metrics)
        best = done.best
        if training.keep == "best" and is_best(record, best):
            best = BestEpoch.copy_of(self.model, self.network.optimiser, record)
        self._progress = done.after_epoch(record, num_samples=size, best=best)
        return record

    def _close(self, train: IndexArray, *, started: float) -> MegabatchRecord:
        """Go back to the best epoch, and record what is in service now."""
        done = self._progress
        kept = done.open_epochs[-1]
        if done.best is not None:
            done.best.restore_(self.model, self.network.optimiser)
            kept = done.open_epochs[done.best.epoch_index]
        trained = Trained(kept, train, earlier=self._earlier, scoring=self._scoring)
        record = self._service.after_training(
            done, trained, kernels=self._kernels, started=started
        )
        self._progress = done.after_megabatch(record, first=self._first())
        return record

    def _wait(self) -> MegabatchRecord:
        """Record an arrival that waits: nothing is trained, and what is in service stays."""
        record = self._service.after_waiting(self._progress)
        self._progress = self._progress.after_megabatch(record)
        return record

    def _first(self) -> FirstModel | None:
        """The network in service, where it is the first and later ones start from it."""
        if self._has_model or not self.spec.training.start.goes_back:
            return None
        return FirstModel(copy.deepcopy(self.model.state_dict()), dict(self.mask.tensors))

    def state_dict(self) -> dict[str, Any]:
        """A checkpoint: live tensors and plain values; write it before training goes on."""
        return pack_state(
            self._progress,
            identity=self.spec.identity,
            model=self.model,
            mask=self.mask,
            optimiser=self.network.optimiser,
            kernels=self._kernels,
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint, its own or a predecessor's; its tensors stay as they are.

        By the kernels that it was trained by, whatever the machine offers.

        Raises:
            ValueError: It is another trial's, or of another format.
        """
        identity = self.spec.identity
        if state["identity"] in self.spec.predecessors:
            identity = state["identity"]
        check_state(state, identity=identity)
        assert not self.position, "a checkpoint is loaded by a learner that has learned nothing"
        self._kernels = kernels_of(state)
        self.network.prune_(mask_of(state, self.device))
        self.network.reset_optimiser_()
        progress = unpack_state(state, model=self.model, optimiser=self.network.optimiser)
        # A predecessor's stream was shorter: the metrics of its whole are made this one's.
        self._progress = replace(progress, history=self._service.along(progress.history))
