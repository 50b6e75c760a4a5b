"""What networks run with where they are timed: ONNX Runtime where it is installed, else torch."""

import contextlib
import importlib
import importlib.util
import logging
import platform
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from study.errors import ExportError
from study.export.formats import INPUT, OUTPUT, Onnx, Predict
from study.export.network import Images, Logits, NetworkSpec, logits_of
from study.pruning.mask import Mask
from study.text import count

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Runtime(ABC):
    """Runs networks on the CPU with a number of threads."""

    threads: int

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is, with its version."""

    @abstractmethod
    def load(self, network: nn.Module, spec: NetworkSpec) -> Predict:
        """The network, ready to run on images ``uint8 [B, C, H, W]``.

        Raises:
            ExportError: It cannot be run by this runtime.
        """

    @property
    def conditions(self) -> str:
        """Runtime, threads and processor: ``onnxruntime 1.22.0, 1 thread, AMD EPYC``."""
        return f"{self.name}, {count(self.threads, 'thread')}, {processor()}"


@dataclass(frozen=True)
class OnnxRuntime(Runtime):
    """ONNX Runtime with its defaults, but that its threads do not spin while they wait.

    A pool of threads that spins after its network has run would take time from the other network.
    """

    @property
    def name(self) -> str:
        """As it is installed."""
        return f"onnxruntime {_onnxruntime().__version__}"

    def load(self, network: nn.Module, spec: NetworkSpec) -> Predict:
        """As ``export --format onnx`` writes it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / Onnx.file_name
            Onnx().write(network, Mask({}), spec, path)  # which looks at no mask
            return self.load_file(path)

    def load_file(self, path: Path) -> Predict:
        """A network that was written as ONNX."""
        runtime = _onnxruntime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = runtime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )

        def predict(images: Images) -> Logits:
            logits: Logits = session.run([OUTPUT], {INPUT: images})[0]
            return logits

        return predict


@dataclass(frozen=True)
class Torch(Runtime):
    """Torch as it trains, without gradients."""

    @property
    def name(self) -> str:
        """As it is installed."""
        return f"torch {torch.__version__}"

    def load(self, network: nn.Module, spec: NetworkSpec) -> Predict:
        """The network itself."""
        return lambda images: logits_of(network, spec, images)


def loaded(
    networks: Sequence[nn.Module], spec: NetworkSpec, *, threads: int
) -> tuple[Runtime, list[Predict]]:
    """All networks in one runtime: ONNX Runtime where it is installed and takes them, else torch.

    Args:
        networks: In evaluation mode, on the CPU, of the same images and classes.
        spec: What they take and give.
        threads: Of the runtime.
    """
    runtime = OnnxRuntime(threads)
    if is_installed():
        try:
            return runtime, [runtime.load(network, spec) for network in networks]
        except ExportError as error:
            logger.warning("timed in torch, since it cannot be in ONNX Runtime: %s", error)
    plain = Torch(threads)
    return plain, [plain.load(network, spec) for network in networks]


def is_installed() -> bool:
    """Whether ONNX Runtime is there, and what writes networks for it."""
    return all(importlib.util.find_spec(module) is not None for module in Onnx.needs)


@contextlib.contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Torch with so many threads, and afterwards with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def processor() -> str:
    """What the machine's processor calls itself."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()


def _onnxruntime() -> Any:
    return importlib.import_module("onnxruntime")
