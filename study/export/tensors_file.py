"""Tensors in a safetensors file."""

from pathlib import Path

from safetensors.torch import save
from torch import Tensor


def write_tensors(
    tensors: dict[str, Tensor], path: Path, *, metadata: dict[str, str] | None = None
) -> None:
    """Write ``tensors``, contiguous and sharing no memory, readable as any new file is.

    What the library itself writes as a file only its owner can read.

    Raises:
        OSError: The disk is full or cannot be written.
    """
    path.write_bytes(save(tensors, metadata))
