"""Weights from a file: read without running code, checked name by name, put into a network."""

import functools
import hashlib
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from study.text import count

_MOST_SHOWN = 8
# What torch raises depends on how far it gets in bytes that are no pickle.
_UNREADABLE = (
    SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError, LookupError,
    ValueError,
)  # fmt: skip
# Counters of normalisation that old files have not, and that nothing depends on.
_COUNTER = "num_batches_tracked"
_PIN = "#sha256="


@dataclass(frozen=True)
class WeightsFile:
    """A network's ``state_dict`` in a file: safetensors, or what torch saved of tensors alone.

    Attributes:
        path: Where it lies.
        digest: Of its bytes (:func:`digest_of`), as it was when the trial was made.
    """

    path: Path
    digest: str

    def tensors(self) -> Mapping[str, Tensor]:
        """All of it, on the CPU; read once a process.

        Raises:
            ValueError: It is not there, is none, or has changed.
        """
        found = digest_of(self.path)
        if found != self.digest:
            raise ValueError(
                f"{self.path} has changed: its digest is {found}, where the trial was made with "
                f"{self.digest}; bring that file back, or begin another study"
            )
        return _read(self.path, self.digest)

    def new_classifier(self, model: nn.Module) -> str:
        """The layer of the logits, where the file's has another number of them; else empty.

        Raises:
            ValueError: With all tensors that are missing, unknown or of another shape.
        """
        own, given = model.state_dict(), self.tensors()
        last = classifier_of(model)
        mine = [name for name in own if name.startswith(f"{last}.")]
        is_other = any(
            name in given
            and given[name].shape != own[name].shape
            and given[name].shape[1:] == own[name].shape[1:]
            for name in mine
        )
        problems = [
            f"{name} is missing"
            for name in own
            if name not in given and not name.endswith(_COUNTER)
        ]
        problems += [f"{name} is not in the network" for name in given if name not in own]
        problems += [
            f"{name} is {list(given[name].shape)}, in the network {list(tensor.shape)}"
            for name, tensor in own.items()
            if name in given
            and given[name].shape != tensor.shape
            and not (is_other and name in mine and given[name].shape[1:] == tensor.shape[1:])
        ]
        if problems:
            more = len(problems) - _MOST_SHOWN
            rest = f"; and {more} more" if more > 0 else ""
            many = "does not fit" if len(problems) == 1 else "do not fit"
            raise ValueError(
                f"{self.path} is not of this network, {count(len(problems), 'tensor')} {many}: "
                f"{'; '.join(problems[:_MOST_SHOWN])}{rest}"
            )
        return last if is_other else ""

    def load_(self, model: nn.Module, *, with_classifier: bool) -> None:
        """Put the weights into ``model``, in place.

        Args:
            model: Newly initialised.
            with_classifier: Whether the layer of the logits is taken from the file too, where it
                has as many; else it stays as it was drawn.

        Raises:
            ValueError: See :meth:`new_classifier`.
        """
        replaced = self.new_classifier(model)
        left = replaced if with_classifier else classifier_of(model)
        taken = {
            name: tensor
            for name, tensor in self.tensors().items()
            if not (left and name.startswith(f"{left}."))
        }
        model.load_state_dict({**model.state_dict(), **taken}, strict=True)


def pinned(where: str) -> str:
    """``where`` as an absolute path and the digest of what lies there, as ``unpinned`` reads it.

    What is pinned already stays as it is, and nothing is read: a study that was launched is known
    by the file that it was launched with, whatever becomes of the file.

    Raises:
        ValueError: There is no file to be read.
    """
    if unpinned(where)[1]:
        return where
    path = Path(where).expanduser().absolute()
    return f"{path}{_PIN}{digest_of(path)}"


def unpinned(where: str) -> tuple[str, str | None]:
    """Path and digest of ``PATH#sha256=DIGEST``; the digest is None where none is given."""
    path, _, digest = where.rpartition(_PIN)
    return (path, digest) if path and digest else (where, None)


def classifier_of(model: nn.Module) -> str:
    """The name of the layer of the logits: the last one with a matrix of weights."""
    found = ""
    for name, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, Tensor) and weight.dim() > 1:
            found = name
    return found


def digest_of(path: Path) -> str:
    """A digest of a file's bytes, 16 hexadecimal digits; known while the file does not change.

    Raises:
        ValueError: It cannot be read.
    """
    try:
        facts = path.stat()
        return _digest(path, facts.st_mtime_ns, facts.st_size)
    except OSError as error:
        raise ValueError(
            f"no file {path} ({error.strerror}); give a safetensors file or a state_dict, "
            f"absolute or relative to the working directory"
        ) from error


@functools.lru_cache(maxsize=64)
def _digest(path: Path, mtime_ns: int, size: int) -> str:  # noqa: ARG001  # what tells a file from another
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


@functools.lru_cache(maxsize=4)
def _read(path: Path, digest: str) -> Mapping[str, Tensor]:  # noqa: ARG001  # what tells a file from another
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a pickle that torch did not write
            found = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        why = (str(error) or type(error).__name__).splitlines()[0][:200]
        if isinstance(error, pickle.UnpicklingError):  # torch's advice is to read it all the same
            why = "it is no file of tensors, or holds code"
        raise ValueError(
            f"{path} cannot be read as weights ({why}); give a safetensors file, or what "
            f"torch.save has written of a state_dict"
        ) from error
    if not isinstance(found, Mapping) or not all(isinstance(v, Tensor) for v in found.values()):
        raise ValueError(
            f"{path} holds no state_dict, names and tensors alone; save model.state_dict()"
        )
    return dict(found)
