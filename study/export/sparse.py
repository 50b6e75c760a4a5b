"""The sparse format: of pruned layers the kept weights and where they are, all else as it is.

A safetensors file. Its metadata hold ``sparse``, the version of this format, and ``shapes``, a
JSON object from the name of each layer that is not stored densely to its shape. Of such a layer
``NAME`` are the kept values in the order of memory (the last dimension runs fastest), and
``NAME.kept`` is where they belong in it: a bit for each weight if its type is U8, the first weight
being the highest bit of the first byte, and what is left of the last byte zero; otherwise the
ascending positions of the kept weights. :func:`study.models.flops.stored_as` chooses the way.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn

from study.export.tensors_file import write_tensors
from study.models.flops import Stored, position_bytes, stored_as
from study.pruning.mask import Mask

VERSION = "1"
KEPT = ".kept"
_POSITIONS = {2: torch.uint16, 4: torch.uint32, 8: torch.uint64}
NUMPY_READER = """\
import json

import numpy as np

types = {"F32": "<f4", "I64": "<i8", "U8": "u1", "U16": "<u2", "U32": "<u4"}
with open("sparse.safetensors", "rb") as file:
    header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    data = file.read()
shapes = json.loads(header.pop("__metadata__")["shapes"])
tensors = {}
for name, entry in header.items():
    values = np.frombuffer(data[slice(*entry["data_offsets"])], types[entry["dtype"]])
    tensors[name] = values.reshape(entry["shape"])
for name, shape in shapes.items():
    values, kept = tensors[name], tensors.pop(f"{name}.kept")
    tensors[name] = np.zeros(shape, values.dtype)
    tensors[name].flat[np.unpackbits(kept).nonzero() if kept.dtype == "u1" else kept] = values
"""


@dataclass(frozen=True)
class SparseWeights:
    """What a sparse file holds.

    Attributes:
        weights: By every name of the network's state dict, dense, the pruned weights zero.
        masks: bool, of the layers that are not stored densely.
    """

    weights: dict[str, Tensor]
    masks: dict[str, Tensor]


def save_sparse(network: nn.Module, mask: Mask, path: Path) -> None:
    """Write the weights that ``mask`` keeps, and all else of the network's state dict.

    The file has the bytes that :func:`study.models.flops.sparse_bytes` says (buffers that are no
    part of the state dict left out) and a header, which takes at most 100 bytes, and 250 and four
    times its name for each tensor of the network.
    """
    tensors: dict[str, Tensor] = {}
    shapes: dict[str, list[int]] = {}
    for name, tensor in _untied(network).items():
        weights = tensor.detach().cpu().contiguous()
        flags = mask.tensors[name].cpu().flatten() if name in mask.tensors else None
        way = Stored.DENSE
        if flags is not None:
            size, kept = flags.numel(), int(flags.sum())
            way, _ = stored_as(size, kept, value_bytes=weights.element_size())
        if flags is None or way is Stored.DENSE:
            tensors[name] = weights.clone()
            continue
        tensors[name] = weights.flatten()[flags]
        tensors[name + KEPT] = _packed(flags, way)
        shapes[name] = list(weights.shape)
    text = json.dumps(shapes, separators=(",", ":"), ensure_ascii=False)
    write_tensors(tensors, path, metadata={"sparse": VERSION, "shapes": text})


def _untied(network: nn.Module) -> dict[str, Tensor]:
    """The state dict, a tied tensor under its first name alone."""
    first: dict[int, str] = {}
    tensors: Mapping[str, Tensor] = network.state_dict(keep_vars=True)
    return {n: t for n, t in tensors.items() if first.setdefault(id(t), n) == n}


def _packed(flags: Tensor, way: Stored) -> Tensor:
    """Where the kept weights are, uint8 for bits."""
    if way is Stored.BITS:
        return torch.from_numpy(np.packbits(flags.numpy()))
    return flags.nonzero().flatten().to(_POSITIONS[position_bytes(flags.numel())])


def load_sparse(path: Path, network: nn.Module) -> SparseWeights:
    """Read what :func:`save_sparse` wrote of such a network, which is left as it is.

    Nothing is made in a size that the file alone asks for: layers have the network's shapes.

    Raises:
        OSError, safetensors.SafetensorError: There is no such file, or it is damaged.
        ValueError: It is no sparse file, is damaged, or is of another network.
    """
    with safe_open(path, framework="pt") as file:
        shapes = _shapes(file.metadata())
        weights: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dict
    own: Mapping[str, Tensor] = network.state_dict(keep_vars=True)
    masks: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        if name not in own or shape != list(own[name].shape):
            raise ValueError(f"{name} of shape {shape} is no layer of this network")
        if name not in weights or name + KEPT not in weights:
            raise ValueError(f"{name}: its values or their places are not in the file")
        try:
            flags = _unpacked(weights.pop(name + KEPT), own[name].numel())
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if weights[name].shape != (int(flags.sum()),):
            raise ValueError(f"{name}: not as many values as places")
        dense = torch.zeros(flags.shape, dtype=weights[name].dtype)
        dense[flags] = weights[name]
        weights[name], masks[name] = dense.reshape(shape), flags.reshape(shape)
    first: dict[int, str] = {}
    for name, tensor in own.items():
        if first.setdefault(id(tensor), name) in weights:
            weights.setdefault(name, weights[first[id(tensor)]])
    return SparseWeights(weights, masks)


def _shapes(metadata: Mapping[str, str] | None) -> dict[str, list[int]]:
    """Of the layers that are not stored densely."""
    version = (metadata or {}).get("sparse")
    if metadata is None or version != VERSION:
        raise ValueError(f"it is no sparse file of version {VERSION} (found: {version})")
    shapes = json.loads(metadata.get("shapes", ""))
    if not isinstance(shapes, dict):
        raise ValueError("the shapes of its layers are damaged")
    return shapes


def _unpacked(kept: Tensor, size: int) -> Tensor:
    """Flags of the kept weights, bool ``[size]``; the opposite of :func:`_packed`."""
    if kept.dim() != 1 or kept.dtype not in (torch.uint8, _POSITIONS[position_bytes(size)]):
        raise ValueError(f"{kept.dtype} {list(kept.shape)} are no places among {size:,} weights")
    places = kept.numpy()
    if kept.dtype == torch.uint8:
        flags = np.unpackbits(places).astype(np.bool_)
        if len(flags) != size + -size % 8 or flags[size:].any():
            raise ValueError(f"its bits are not those of {size:,} weights")
        return torch.from_numpy(flags[:size])
    if (places >= size).any() or (places[:-1] >= places[1:]).any():
        raise ValueError(f"its positions are not ascending and below {size:,}")
    flags = np.zeros(size, np.bool_)
    flags[places] = True
    return torch.from_numpy(flags)
