"""The formats that a network is exported to."""

import importlib
import importlib.util
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from study.errors import ExportError
from study.export.network import Images, Logits, NetworkSpec, ServedNetwork, logits_of
from study.export.program_file import check_program
from study.export.sparse import load_sparse, save_sparse
from study.export.tensors_file import write_tensors
from study.pruning.mask import Mask
from study.registry import Registry, nearest

Predict = Callable[[Images], Logits]
INPUT, OUTPUT = "images", "logits"
DEFAULT_FORMAT = "safetensors"  # of app-study export


@dataclass(frozen=True)
class ExportFormat(ABC):
    """Plug-in: one file with a network in it.

    Class attributes of a member: ``file_name``; ``holds_graph``, whether the file is the whole
    computation from raw images on, or the weights alone; ``needs``, modules beyond this package.
    """

    file_name: ClassVar[str]
    holds_graph: ClassVar[bool]
    needs: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def write(self, network: nn.Module, mask: Mask, spec: NetworkSpec, path: Path) -> None:
        """Write the network, which takes normalised images.

        Args:
            network: In evaluation mode, on the CPU; its pruned weights are zero.
            mask: Of its weights.
            spec: What is known of it besides.
            path: The file.

        Raises:
            ExportError: It cannot be written in this format.
        """

    @abstractmethod
    def load(self, path: Path, spec: NetworkSpec) -> Predict:
        """The file's logits of images ``uint8 [B, C, H, W]``; no code in it is run."""

    def masks(self, path: Path, spec: NetworkSpec) -> dict[str, Tensor]:  # noqa: ARG002  # most tell none
        """The masks of those layers of which the file tells them, bool."""
        return {}


def save_weights(network: nn.Module, path: Path) -> None:
    """Write weights and buffers as safetensors."""
    # Copies in the usual order of memory: the format takes no other (convolutions may be channels
    # last), and no two tensors that share memory, as tied weights do.
    tensors = {
        name: t.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, t in network.state_dict().items()
    }
    write_tensors(tensors, path, metadata={"format": "pt"})


FORMATS: Registry[ExportFormat] = Registry("export format")


class _Weights(ExportFormat):
    """Weights and buffers alone, put into a network that is built anew."""

    holds_graph: ClassVar[bool] = False

    @abstractmethod
    def read(self, path: Path, network: nn.Module) -> dict[str, Tensor]:
        """The weights of ``network`` by their names; no code in the file is run."""

    def load(self, path: Path, spec: NetworkSpec) -> Predict:
        """Every name and shape must fit."""
        network = spec.build()
        network.load_state_dict(self.read(path, network), strict=True)
        return lambda images: logits_of(network, spec, images)


@FORMATS.register("safetensors")
@dataclass(frozen=True)
class Safetensors(_Weights):
    """The weights under the network's own names for them; nothing in the file can be run."""

    file_name: ClassVar[str] = "model.safetensors"

    def write(self, network: nn.Module, mask: Mask, spec: NetworkSpec, path: Path) -> None:  # noqa: ARG002  # weights alone
        """Write weights and buffers."""
        save_weights(network, path)

    def read(self, path: Path, network: nn.Module) -> dict[str, Tensor]:  # noqa: ARG002  # all are in the file
        """The tensors of the file."""
        return load_file(path)


@FORMATS.register("state_dict")
@dataclass(frozen=True)
class StateDict(_Weights):
    """The weights as ``torch.save`` writes them, to be read with ``weights_only=True``."""

    file_name: ClassVar[str] = "state_dict.pt"

    def write(self, network: nn.Module, mask: Mask, spec: NetworkSpec, path: Path) -> None:  # noqa: ARG002  # weights alone
        """Write weights and buffers."""
        torch.save({name: t.detach().cpu() for name, t in network.state_dict().items()}, path)

    def read(self, path: Path, network: nn.Module) -> dict[str, Tensor]:  # noqa: ARG002  # all are in the file
        """The tensors of the file."""
        weights: dict[str, Tensor] = torch.load(path, weights_only=True)
        return weights


@FORMATS.register("sparse")
@dataclass(frozen=True)
class Sparse(_Weights):
    """The kept weights and where they are, in no more bytes than ``sparse_bytes`` and a header."""

    file_name: ClassVar[str] = "sparse.safetensors"

    def write(self, network: nn.Module, mask: Mask, spec: NetworkSpec, path: Path) -> None:  # noqa: ARG002  # weights alone
        """Write weights and buffers."""
        save_sparse(network, mask, path)

    def read(self, path: Path, network: nn.Module) -> dict[str, Tensor]:
        """The weights of the file, the pruned ones zero."""
        return load_sparse(path, network).weights

    def masks(self, path: Path, spec: NetworkSpec) -> dict[str, Tensor]:
        """Of the layers that are not stored densely."""
        return load_sparse(path, spec.build()).masks


@FORMATS.register("torch_export")
@dataclass(frozen=True)
class TorchExport(ExportFormat):
    """The computation from raw images to logits as a ``torch.export`` program."""

    file_name: ClassVar[str] = "model.pt2"
    holds_graph: ClassVar[bool] = True

    def write(self, network: nn.Module, mask: Mask, spec: NetworkSpec, path: Path) -> None:  # noqa: ARG002  # zeros as they are
        """Trace the network, for any number of images at once."""
        with _quiet():
            torch.export.save(_program(network, spec, self), path)

    def load(self, path: Path, spec: NetworkSpec) -> Predict:  # noqa: ARG002  # it is all in the file
        """The program itself, once nothing in it is more than tensors and a graph of them."""
        check_program(path)
        with _quiet():
            program = torch.export.load(path).module()

        def predict(images: Images) -> Logits:
            with torch.inference_mode():
                logits: Logits = program(torch.tensor(images)).numpy()
            return logits

        return predict


@FORMATS.register("onnx")
@dataclass(frozen=True)
class Onnx(ExportFormat):
    """The computation from raw images to logits as an ONNX graph, for onnxruntime and others."""

    file_name: ClassVar[str] = "model.onnx"
    holds_graph: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript", "onnxruntime")

    def write(self, network: nn.Module, mask: Mask, spec: NetworkSpec, path: Path) -> None:  # noqa: ARG002  # zeros as they are
        """Trace the network, for any number of images at once, into one file."""
        with _quiet():
            program = torch.onnx.export(
                _program(network, spec, self),
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamo=True,
                external_data=False,
                verbose=False,
            )
            assert program is not None
            program.save(path, external_data=False)

    def load(self, path: Path, spec: NetworkSpec) -> Predict:  # noqa: ARG002  # it is all in the file
        """By onnxruntime, on the CPU."""
        runtime: Any = importlib.import_module("onnxruntime")
        session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

        def predict(images: Images) -> Logits:
            logits: Logits = session.run([OUTPUT], {INPUT: images})[0]
            return logits

        return predict


def _program(
    network: nn.Module, spec: NetworkSpec, export_format: ExportFormat
) -> torch.export.ExportedProgram:
    # Two images: a size of one would be taken for a constant.
    images = torch.zeros(2, *spec.image_shape, dtype=torch.uint8)
    batch = {0: torch.export.Dim("batch")}
    try:
        return torch.export.export(
            ServedNetwork(network, spec), (images,), dynamic_shapes=(batch,)
        )
    except Exception as error:  # whatever the tracer runs into, in whatever network
        raise ExportError(
            f"{spec.model['architecture']} cannot be traced for {export_format.file_name} "
            f"({str(error).splitlines()[0]}); --format safetensors or state_dict holds the weights"
        ) from error


def _quiet() -> "warnings.catch_warnings[None]":
    """Torch's exporters warn of their own parts, of which nobody here can do anything."""
    return warnings.catch_warnings(action="ignore")


def format_called(name: str) -> ExportFormat:
    """The format of that name.

    Raises:
        ExportError: There is none, or it needs what is not installed.
    """
    if name not in FORMATS:
        guess = nearest(name, list(FORMATS))
        hint = f"; did you mean {guess!r}?" if guess else ""
        raise ExportError(f"--format {name!r} is unknown{hint} (known: {', '.join(FORMATS)})")
    chosen = FORMATS.get(name)()
    missing = [module for module in chosen.needs if importlib.util.find_spec(module) is None]
    if missing:
        raise ExportError(
            f"--format {name} needs {', '.join(missing)}: "
            f"pip install 'anytime-pruning-study[{name}]'"
        )
    return chosen
