"""Exported models timed where they are to run."""

from collections.abc import Sequence
from pathlib import Path

from study.export.card import ModelCard
from study.export.folder import load_model
from study.export.formats import FORMATS, Onnx, format_called
from study.measurement.network import BATCH_SIZES, LatencyFound, dense_network, latencies
from study.measurement.runtimes import OnnxRuntime, Runtime, Torch, torch_threads


def exported_latency(
    folder: Path, *, threads: int, batch_sizes: Sequence[int] = BATCH_SIZES
) -> tuple[ModelCard, LatencyFound]:
    """A model that ``app-study export`` wrote, in turns with the dense one of its architecture.

    Both run by what its file is for: a graph of ONNX by ONNX Runtime, all else by torch.

    Args:
        folder: Of the model.
        threads: Of the runtime.
        batch_sizes: Images that are answered at once.

    Raises:
        ExportError: The folder holds no model that can be read here, or what runs it is missing.
    """
    with torch_threads(threads):
        card, own = load_model(folder)
        export_format = FORMATS.get(card.format)
        runtime: Runtime = Torch(threads)
        if export_format is Onnx:
            format_called(card.format)
            runtime = onnx = OnnxRuntime(threads)
            own = onnx.load_file(folder / Onnx.file_name)
        dense = runtime.load(dense_network(card.network), card.network)
        found = latencies(own, dense, card.network, batch_sizes=batch_sizes)
    return card, LatencyFound(found, runtime.conditions)
