"""What is measured of the networks of a trial while it runs."""

import copy
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from study.config.study_config import StudyConfig
from study.config.study_sections import MeasuredLatency
from study.config.trial import TrialConfig
from study.data.dataset import ImageDataset
from study.export.formats import DEFAULT_FORMAT, format_called
from study.export.network import NetworkSpec
from study.export.smallest import Smallest, smallest
from study.measurement.network import LatencyFound, network_latency
from study.metrics import speedup_names
from study.pruning.mask import Mask
from study.training.specs import NOTHING_MEASURED, Measured


@dataclass(frozen=True)
class TrialMeasurement:
    """Measures networks as they go into service; they stay as they are, and nothing is drawn.

    Attributes:
        spec: Of the trial's network.
        threads: As many as the trial may use.
        log_latency: Of which networks latency is measured. The file is of the last in any case,
            and of those.
    """

    spec: NetworkSpec
    threads: int
    log_latency: MeasuredLatency = "none"

    @classmethod
    def from_study(
        cls, study: StudyConfig, trial: TrialConfig, dataset: ImageDataset
    ) -> "TrialMeasurement":
        """What a study measures of a trial."""
        spec = NetworkSpec.from_trial(trial, dataset, study.plugins)
        return cls(spec, study.resources.cpus_per_trial, study.measured_latency)

    def __call__(self, network: nn.Module, mask: Mask, *, is_last: bool) -> Measured:
        """The metrics of a network, which are none where it is not to be measured."""
        if not (is_last or self.log_latency == "every_megabatch"):
            return NOTHING_MEASURED
        exported = smallest(_on_cpu(network), mask.to("cpu"), self.spec)
        metrics = {"file_bytes": float(file_bytes(exported))}
        if self.log_latency == "none":
            return Measured(metrics)
        latency = network_latency(exported.network, exported.spec, threads=self.threads)
        return Measured(metrics | latency_metrics(latency), latency.conditions)


def _on_cpu(network: nn.Module) -> nn.Module:
    """A copy, as its file holds it."""
    return copy.deepcopy(network).cpu().eval().to(memory_format=torch.contiguous_format)


def file_bytes(exported: Smallest) -> int:
    """Bytes of the file that ``app-study export`` writes in its default format."""
    export_format = format_called(DEFAULT_FORMAT)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / export_format.file_name
        export_format.write(exported.network, exported.mask, exported.spec, path)
        return path.stat().st_size


def latency_metrics(measured: LatencyFound) -> dict[str, float]:
    """Latencies by the names of their metrics."""
    made: dict[str, float] = {}
    for latency in measured.latencies:
        names = speedup_names(latency.batch_size)
        made |= {
            names.latency: 1e3 * latency.seconds,
            names.speedup: latency.speedup.median,
            names.low: latency.speedup.low,
            names.high: latency.speedup.high,
        }
    return made
