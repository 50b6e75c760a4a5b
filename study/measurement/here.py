"""Networks timed where this runs, beside what their study had found where it ran."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from study.export.folder import load_model, read_card
from study.export.formats import FORMATS, Onnx, format_called
from study.export.smallest import smallest
from study.export.trial_model import TrialModel
from study.measurement.network import (
    BATCH_SIZES,
    LatencyFound,
    dense_network,
    latencies,
    network_latency,
)
from study.measurement.runtimes import OnnxRuntime, Runtime, Torch, torch_threads


@dataclass(frozen=True)
class LatencyHere:
    """A network's latency here and in its study.

    Attributes:
        title: What it is, with its trial's number.
        here: As measured just now.
        recorded: The metrics that the study has of it.
        recorded_with: By what it had measured them; empty where it had not.
    """

    title: str
    here: LatencyFound
    recorded: Mapping[str, float]
    recorded_with: str


def model_latency(
    model: TrialModel, *, threads: int, batch_sizes: Sequence[int] = BATCH_SIZES
) -> LatencyHere:
    """The model of a trial, as its study measures it.

    Args:
        model: At its end.
        threads: Of the runtime.
        batch_sizes: Images that are answered at once.
    """
    source, record = model.source, model.record
    exported = smallest(model.network, model.mask, source.network)
    found = network_latency(
        exported.network, exported.spec, threads=threads, batch_sizes=batch_sizes
    )
    title = f"Trial {source.trial_number}, {source.title}"
    return LatencyHere(title, found, record.metrics, record.measured_with)


def exported_latency(
    folder: Path,
    *,
    threads: int,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    plugins: Sequence[str] = (),
) -> LatencyHere:
    """A model that ``app-study export`` wrote, without its study.

    It and the dense network run by what its file is for: a graph of ONNX by ONNX Runtime, all
    else by torch.

    Args:
        folder: Of the model.
        threads: Of the runtime.
        batch_sizes: Images that are answered at once.
        plugins: Modules of the user's to import first.

    Raises:
        PluginImportError: A module cannot be imported, or the architecture's has not been.
        ExportError: The folder holds no model that can be read here, or what runs it is missing.
    """
    with torch_threads(threads):
        format_called(read_card(folder).format)  # what runs it is there
        card, own = load_model(folder, plugins=plugins)
        runtime: Runtime = Torch(threads)
        if FORMATS.get(card.format) is Onnx:
            runtime = onnx = OnnxRuntime(threads)
            own = onnx.load_file(folder / Onnx.file_name)
        dense = runtime.load(dense_network(card.network), card.network)
        found = latencies(own, dense, card.network, batch_sizes=batch_sizes)
    title = f"{folder}: {card.study} {card.name}, {card.title}"
    found_here = LatencyFound(found, runtime.conditions)
    return LatencyHere(title, found_here, card.metrics, card.measured_with)
