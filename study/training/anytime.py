"""The anytime learner: the ALMA loop with a pruning event at the opening of each megabatch."""

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from study.data.dataset import IndexArray
from study.metrics import chance_error
from study.models.flops import layer_flops, sparse_training_flops, training_flops
from study.pruning.ledger import check_weights
from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters
from study.pruning.schedules import PruningEvent
from study.pruning.scoring import ScoringContext
from study.results import EpochRecord, LayerDensity, MegabatchRecord, TrialError, TrialHistory
from study.seeding import derive_seed
from study.training import epochs
from study.training.evaluation import (
    ServiceTerms,
    accuracy_metrics,
    density_metrics,
    service_metrics,
)
from study.training.events import pruning_event, saliency_order
from study.training.optimiser import zero_pruned_momentum_
from study.training.seeding import global_seed, torch_generator
from study.training.specs import LearnerSpec, TaskData

STATE_FORMAT = 1


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

    Raises:
        ValueError: The settings do not fit the data, with path and remedy.
    """

    def __init__(
        self,
        data: TaskData,
        build_model: Callable[[], nn.Module],
        spec: LearnerSpec,
        device: torch.device,
    ) -> None:
        self.data = data
        self.spec = spec
        self.device = device
        self._build_model = build_model
        self.model = self.fresh_model("initialisation")
        self.mask = Mask.dense(prunable_parameters(self.model, exclude=spec.pruning.exclude))
        self._optimiser = spec.training.optimiser.build(self.model)
        self._samples = self._samples_per_megabatch()
        self._flops = layer_flops(self.model, data.image_shape)
        self._terms = ServiceTerms(
            num_megabatches=len(data.megabatches),
            chance=chance_error(data.num_classes),
            service_after=spec.service_after,
            split_sizes={"holdout": len(data.holdout), "test": len(data.test)},
        )
        self.history = TrialHistory()
        self._megabatch_index = 0
        self._epoch_index = 0  # epochs done in this megabatch; 0 means it has not been opened
        self._samples_seen = 0
        self._seconds = 0.0
        self._best: dict[str, Any] | None = None
        self._layers: tuple[LayerDensity, ...] = ()

    @property
    def num_megabatches(self) -> int:
        """T."""
        return len(self.data.megabatches)

    @property
    def position(self) -> int:
        """Rises with each record: the place of a checkpoint within the trial."""
        return len(self.history.epochs) + len(self.history.megabatches)

    def fresh_model(self, *name: str | int) -> nn.Module:
        """A newly initialised network on the device, drawn from the random stream ``name``."""
        with global_seed(self.device, self.spec.seed, *name):
            model = self._build_model()
        return model.to(self.device)

    def run(self) -> Iterator[EpochRecord | MegabatchRecord]:
        """Learn the rest of the stream.

        Raises:
            TrialError: Training diverged, or an invariant of the masks is broken.
        """
        while self._megabatch_index < self.num_megabatches:
            yield from self._learn_megabatch()

    def _learn_megabatch(self) -> Iterator[EpochRecord | MegabatchRecord]:
        started = time.perf_counter()
        train, validation = self._arrived()
        sizes = self._epoch_sizes(len(train))
        if self._epoch_index == 0:
            self._open(train)
        while self._epoch_index < len(sizes):
            record = self._train_epoch(train, validation, sizes)
            self._seconds += time.perf_counter() - started
            yield record
            started = time.perf_counter()
        yield self._close(train, started=started)

    def _arrived(self) -> tuple[IndexArray, IndexArray]:
        arrived = self.data.megabatches[: self._megabatch_index + 1]
        seed = derive_seed(self.spec.seed, "replay")
        train = self.spec.replay.select([m.train for m in arrived], seed=seed)
        validation = self.spec.replay.select([m.validation for m in arrived], seed=seed)
        if len(train) == 0:
            raise TrialError(f"megabatch {self._megabatch_index} has no training examples")
        return train, validation

    def _samples_per_megabatch(self) -> list[int] | None:
        if self.spec.training.total_samples is None:
            return None
        seed = derive_seed(self.spec.seed, "replay")
        parts = [m.train for m in self.data.megabatches]
        sizes = [
            len(self.spec.replay.select(parts[: k + 1], seed=seed)) for k in range(len(parts))
        ]
        return epochs.megabatch_samples(sizes, self.spec.training.total_samples)

    def _epoch_sizes(self, num_examples: int) -> list[int]:
        if self._samples is not None:
            return epochs.epoch_sizes(num_examples, self._samples[self._megabatch_index])
        assert self.spec.training.epochs is not None
        return [num_examples] * self.spec.training.epochs

    def _open(self, train: IndexArray) -> None:
        """The pruning event; the learning rate restarts, the momentum of kept weights stays."""
        k = self._megabatch_index
        how = self.spec.pruning
        newest = self.data.megabatches[k].train
        saliency = saliency_order(how, train, newest, seed=self.spec.seed, megabatch_index=k)
        images = self.data.train_images
        context = ScoringContext(
            model=self.model,
            mask=self.mask,
            minibatches=lambda: images.minibatches(saliency, batch_size=how.saliency_batch_size),
            image_shape=self.data.image_shape,
            num_classes=self.data.num_classes,
            generator=torch_generator(self.spec.seed, "scores", k),
            fresh_model=lambda: self.fresh_model("fresh", k),
        )
        done = self.history.megabatches
        event = PruningEvent(
            k=k + 1,
            num_megabatches=self.num_megabatches,
            target_density=how.target_density,
            previous_density=self.mask.density,
            samples_arrived=sum(
                len(m.train) + len(m.validation) for m in self.data.megabatches[: k + 1]
            ),
            validation_errors=tuple(
                m.metrics["validation_error_rate"]
                for m in done
                if "validation_error_rate" in m.metrics
            ),
        )
        self.mask, self._layers = pruning_event(how, event, context)
        self.mask.apply_(self.model)
        if self.spec.training.reset_optimizer:
            self._optimiser = self.spec.training.optimiser.build(self.model)
        zero_pruned_momentum_(self._optimiser, self.model, self.mask)
        self._best = None

    def _train_epoch(
        self, train: IndexArray, validation: IndexArray, sizes: list[int]
    ) -> EpochRecord:
        how = self.spec.training
        position = (self._megabatch_index, self._epoch_index)
        size = sizes[self._epoch_index]
        order = epochs.epoch_order(train, size, seed=self.spec.seed, position=position)
        first_step = epochs.num_steps(sizes[: self._epoch_index], how.batch_size)
        total_steps = epochs.num_steps(sizes, how.batch_size)
        last_step = first_step + epochs.num_steps([size], how.batch_size) - 1
        loss, accuracy = epochs.train_epoch_(
            self.model,
            self._optimiser,
            self.mask,
            self.data.train_images,
            order,
            epochs.EpochTraining(
                optimiser=how.optimiser,
                batch_size=how.batch_size,
                augment=how.augment,
                precision=how.precision,
                seed=self.spec.seed,
                position=position,
                first_step=first_step,
                num_steps=total_steps,
            ),
        )
        self._samples_seen += size
        metrics = {
            "train_loss": loss,
            "train_accuracy": accuracy,
            "lr": how.optimiser.lr_at(last_step, num_steps=total_steps),
            "samples_seen": float(self._samples_seen),
        }
        if len(validation):
            metrics["validation_accuracy"] = self._accuracy(validation)
        record = EpochRecord(*position, step=len(self.history.epochs), metrics=metrics)
        self.history = TrialHistory((*self.history.epochs, record), self.history.megabatches)
        self._epoch_index += 1
        self._keep_if_best(record)
        return record

    def _accuracy(self, order: IndexArray) -> float:
        wrong = epochs.count_errors(
            self.model, self.data.train_images, order, precision=self.spec.training.precision
        )
        return 1.0 - wrong / len(order)

    def _keep_if_best(self, record: EpochRecord) -> None:
        accuracy = record.metrics.get("validation_accuracy")
        if self.spec.training.keep == "last" or accuracy is None:
            return
        if self._best is None or accuracy >= self._best["validation_accuracy"]:
            self._best = {
                "validation_accuracy": accuracy,
                "epoch_index": record.epoch_index,
                "model": copy.deepcopy(self.model.state_dict()),
                "optimizer": copy.deepcopy(self._optimiser.state_dict()),
            }

    def _close(self, train: IndexArray, *, started: float) -> MegabatchRecord:
        """Go back to the best epoch, evaluate it, and say what is in service now."""
        done = self.history.epochs[len(self.history.epochs) - self._epoch_index :]
        kept = done[-1]
        if self._best is not None:
            self.model.load_state_dict(self._best["model"], strict=True)
            self._optimiser.load_state_dict(self._best["optimizer"])
            kept = done[self._best["epoch_index"]]
        check_weights(self.model, self.mask)
        metrics = {
            **accuracy_metrics(self._error_rates(train), kept),
            **density_metrics(self.model, self.mask, self._layers),
            **self._cost_metrics(started),
        }
        megabatches = [*(m.metrics for m in self.history.megabatches), metrics]
        running, summary = service_metrics(megabatches, self._terms)
        record = MegabatchRecord(
            megabatch_index=self._megabatch_index,
            stream_fraction=(self._megabatch_index + 1) / self.num_megabatches,
            kept_epoch_index=kept.epoch_index,
            metrics={**metrics, **running},
            summary=summary,
            layers=self._layers,
        )
        self.history = TrialHistory(self.history.epochs, (*self.history.megabatches, record))
        self._megabatch_index += 1
        self._epoch_index = 0
        self._seconds = 0.0
        self._best = None
        return record

    def _error_rates(self, train: IndexArray) -> dict[str, float]:
        splits = {
            "train": (self.data.train_images, train),
            "holdout": (self.data.train_images, self.data.holdout),
            "test": (self.data.test_images, self.data.test),
        }
        precision = self.spec.training.precision
        return {
            name: epochs.count_errors(self.model, images, order, precision=precision) / len(order)
            for name, (images, order) in splits.items()
            if len(order)
        }

    def _cost_metrics(self, started: float) -> dict[str, float]:
        earlier = self.history.megabatches[-1].metrics if self.history.megabatches else {}
        samples = self._samples_seen - int(earlier.get("samples_seen", 0))
        densities = {layer.layer: layer.density for layer in self._layers}
        self._seconds += time.perf_counter() - started
        return {
            "samples_seen": float(self._samples_seen),
            "train_flops": float(training_flops(self._flops, self._samples_seen)),
            "train_flops_sparse": earlier.get("train_flops_sparse", 0.0)
            + sparse_training_flops(self._flops, samples, densities),
            "seconds": self._seconds,
            "images_per_second": samples / self._seconds,
        }

    def state_dict(self) -> dict[str, Any]:
        """A checkpoint: tensors and plain values only."""
        return {
            "format": STATE_FORMAT,
            "identity": self.spec.identity,
            "megabatch_index": self._megabatch_index,
            "epoch_index": self._epoch_index,
            "samples_seen": self._samples_seen,
            "seconds": self._seconds,
            "model": self.model.state_dict(),
            "mask": dict(self.mask.tensors),
            "optimizer": self._optimiser.state_dict(),
            "best": self._best,
            "history": self.history.to_json(),
            "layers": [vars(layer) for layer in self._layers],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint.

        Raises:
            ValueError: It is another trial's, or of another format.
        """
        if state["format"] != STATE_FORMAT or state["identity"] != self.spec.identity:
            raise ValueError(
                f"the checkpoint is of trial {state['identity']} (format {state['format']}), not "
                f"of {self.spec.identity} (format {STATE_FORMAT})"
            )
        self.model.load_state_dict(state["model"], strict=True)
        self.mask = Mask({n: t.to(self.device) for n, t in state["mask"].items()})
        self._optimiser.load_state_dict(state["optimizer"])
        self._best = state["best"]
        self.history = TrialHistory.from_json(state["history"])
        self._layers = tuple(LayerDensity(**layer) for layer in state["layers"])
        self._megabatch_index = state["megabatch_index"]
        self._epoch_index = state["epoch_index"]
        self._samples_seen = state["samples_seen"]
        self._seconds = state["seconds"]
