"""Which model is in service after each megabatch, and what it is worth: the trial's records."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from study.data.dataset import IndexArray
from study.metrics import chance_error
from study.results import EpochRecord, MegabatchRecord, TrialHistory
from study.training import epochs
from study.training.budget import Cost
from study.training.evaluation import (
    Metrics,
    ServiceTerms,
    accuracy_metrics,
    along_stream,
    cost_metrics,
    density_metrics,
    example_errors,
    num_parameters_left,
    service_metrics,
    size_metrics,
    waiting_metrics,
)
from study.training.kernels import Kernels
from study.training.progress import Progress
from study.training.specs import NOTHING_MEASURED, LearnerSpec, Measure, TaskData
from study.training.trained_network import TrainedNetwork


@dataclass(frozen=True)
class Trained:
    """How the network of a megabatch came about.

    Attributes:
        kept: The epoch whose network it is.
        examples: What it was trained on.
        earlier: Metrics of the megabatch before; before the first, of the dense network.
        scoring: What the megabatch's pruning event took.
    """

    kept: EpochRecord
    examples: IndexArray
    earlier: Metrics
    scoring: Cost


class Service:
    """Evaluates the network of a trial as it goes into service, and records it.

    Args:
        data: Images and stream.
        spec: The method.
        network: What is trained; it is evaluated as it stands.
        measure: Called with each network that goes into service; what it takes is in no metric.
    """

    def __init__(
        self, data: TaskData, spec: LearnerSpec, network: TrainedNetwork, measure: Measure
    ) -> None:
        self._data = data
        self._spec = spec
        self._network = network
        self._measure = measure
        self._terms = ServiceTerms(
            num_megabatches=len(data.megabatches),
            chance=chance_error(data.num_classes),
            service_after=spec.service_after,
            split_sizes={"holdout": len(data.holdout), "test": len(data.test)},
        )

    def after_training(
        self,
        done: Progress,
        trained: Trained,
        *,
        kernels: Kernels,
        started: float,
    ) -> MegabatchRecord:
        """The open megabatch closed with the network as it is now.

        Args:
            done: All that came before.
            trained: How it came about.
            kernels: By which it was trained, and is evaluated.
            started: When the megabatch was opened or gone on with, by ``time.perf_counter``.

        Raises:
            TrialError: The network is not what its mask says.
        """
        network = self._network
        network.pruner.check_network(network.model, network.mask)
        held = network.pruner.held(network.mask)
        orders = {
            "train": trained.examples,
            "holdout": self._data.holdout,
            "test": self._data.test,
        }
        wrong = {
            name: self.wrong(name, order, kernels=kernels)
            for name, order in orders.items()
            if len(order)
        }
        rates = {name: int(bits.sum()) / len(bits) for name, bits in wrong.items()}
        metrics = {
            **accuracy_metrics(rates, trained.kept),
            "asked_density": done.asked_density,
            **density_metrics(
                network.mask,
                done.layers,
                num_left=num_parameters_left(network.model, held),
                num_parameters=network.num_parameters,
            ),
            **size_metrics(network.model, held, network.flops),
            **cost_metrics(
                network.flops,
                held,
                earlier=trained.earlier,
                scoring=trained.scoring,
                samples_seen=done.samples_seen,
                seconds=done.seconds + time.perf_counter() - started,
            ),
        }
        bits = {name: example_errors(b).to_text() for name, b in wrong.items() if name != "train"}
        return self._record(done, metrics, wrong=bits, kept=trained.kept, kernels=kernels)

    def after_waiting(self, done: Progress) -> MegabatchRecord:
        """An arrival after which nothing is trained: what is in service stays."""
        records = done.history.megabatches
        served = records[-1] if records else None
        metrics = waiting_metrics(served, self._terms.split_sizes, chance=self._terms.chance)
        return self._record(done, metrics, wrong=served.example_errors if served else {})

    def _record(
        self,
        done: Progress,
        metrics: Metrics,
        *,
        wrong: Mapping[str, str],
        kept: EpochRecord | None = None,
        kernels: Kernels | None = None,
    ) -> MegabatchRecord:
        """With the metrics along the stream; ``kept`` and ``kernels`` where it was trained."""
        earlier = [m.metrics for m in done.history.megabatches]
        running, summary = service_metrics([*earlier, metrics], self._terms)
        measured = NOTHING_MEASURED
        if kept is not None or summary:
            network = self._network
            measured = self._measure(network.model, network.mask, is_last=bool(summary))
        return MegabatchRecord(
            megabatch_index=done.megabatch_index,
            stream_fraction=(done.megabatch_index + 1) / self._terms.num_megabatches,
            kept_epoch_index=None if kept is None else kept.epoch_index,
            metrics={**metrics, **running, **measured.metrics},
            summary=summary,
            layers=done.layers,
            measured_with=measured.conditions,
            kernels=kernels or "",
            example_errors=wrong,
        )

    def along(self, history: TrialHistory) -> TrialHistory:
        """A predecessor's history, whose stream was shorter, with the metrics of this stream."""
        return along_stream(history, self._terms)

    def wrong(self, split: str, order: IndexArray, *, kernels: Kernels) -> torch.Tensor:
        """Whether the network is wrong about each example of ``order``, as booleans ``[n]``.

        They are test images for the split ``test``, training images else.
        """
        images = self._data.test_images if split == "test" else self._data.train_images
        precision = self._spec.training.precision
        return epochs.wrong_examples(
            self._network.model, images, order, precision=precision, kernels=kernels
        )
