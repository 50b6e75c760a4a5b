"""FLOPs of a network by layer, and its size in bytes, dense and sparse.

FLOPs are counted by torch's own counter: convolutions and matrix products, a multiplication and an
addition being two. A training step (forward and backward) is taken as three times the forward
pass, one for the gradient of the activations and one for the gradient of the weights, as usual;
torch's counter finds a little less, as the first layer needs no gradient of its input.
"""

import enum
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.utils.flop_counter import FlopCounterMode

from study.models.shapes import ImageShape, on_meta

TRAINING_PER_FORWARD = 3
_PROJECTIONS = (torch.ops.aten.mm, torch.ops.aten.addmm, torch.ops.aten.convolution)
_ATTENTION_WEIGHTS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")


@dataclass(frozen=True)
class FlopCount:
    """FLOPs of the forward pass of one example, in evaluation mode.

    Attributes:
        forward: Of the whole network.
        by_parameter: Those that multiply a weight of a convolution, a linear layer or an
            attention projection, by the weight's name; the part that pruning the weight saves.
    """

    forward: int
    by_parameter: Mapping[str, int]

    @property
    def other(self) -> int:
        """FLOPs that no weight takes part in, as the products of queries and keys."""
        return self.forward - sum(self.by_parameter.values())


def layer_flops(model: nn.Module, image_shape: ImageShape) -> FlopCount:
    """Count the forward FLOPs of one image ``[C, H, W]``; ``model`` is not run, nor changed.

    Where a module multiplies by weights of modules that it does not call (torch's attention does
    so), its matrix products are shared out in proportion to the weights' sizes. That is exact
    where all of them see the same number of rows, as in self-attention.

    Raises:
        ValueError: The network cannot take such images.
    """
    twin = on_meta(model)
    counter = FlopCounterMode(display=False)
    try:
        with torch.enable_grad(), counter:
            twin(torch.empty(1, *image_shape, device="meta"))
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"the network cannot take images of {image_shape}: {error}") from error

    totals = _projection_totals(counter, twin)
    own = dict(totals)
    for module_name, total in totals.items():
        if module_name:
            own[_caller(module_name.rpartition(".")[0], totals)] -= total

    first_name = {id(parameter): name for name, parameter in twin.named_parameters()}
    users: dict[str, list[nn.Parameter]] = defaultdict(list)
    for module_name, parameter in _weights(twin):
        users[_caller(module_name, totals)].append(parameter)
    by_parameter: dict[str, int] = defaultdict(int)
    for caller, parameters in users.items():
        size = sum(parameter.numel() for parameter in parameters)
        for parameter in parameters:
            share = own[caller] * parameter.numel() // size
            by_parameter[first_name[id(parameter)]] += share
    return FlopCount(counter.get_total_flops(), dict(by_parameter))


def _caller(module_name: str, called: Collection[str]) -> str:
    """The innermost of ``called`` modules that ``module_name`` is or is in; "" is the network."""
    while module_name not in called:
        module_name = module_name.rpartition(".")[0]
    return module_name


def _projection_totals(counter: FlopCounterMode, model: nn.Module) -> dict[str, int]:
    """FLOPs of products with weights by name of the module that was called ("" is the network)."""
    root = type(model).__name__
    return {
        name.removeprefix(root).removeprefix("."): sum(
            flops for op, flops in by_op.items() if op in _PROJECTIONS
        )
        for name, by_op in counter.get_flop_counts().items()
        if name != "Global"
    }


def _weights(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The weights that pruning may thin out, with the names of their modules."""
    for module_name, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            is_weight = isinstance(module, _ConvNd | nn.Linear) and name == "weight"
            is_attention = isinstance(module, nn.MultiheadAttention) and name in _ATTENTION_WEIGHTS
            if is_weight or is_attention:
                yield module_name, parameter


def training_flops(count: FlopCount, num_examples: int) -> int:
    """FLOPs of training on ``num_examples`` examples, forward and backward, counted dense."""
    return TRAINING_PER_FORWARD * count.forward * num_examples


def sparse_training_flops(
    count: FlopCount, num_examples: int, densities: Mapping[str, float]
) -> float:
    """FLOPs of training when a pruned weight costs nothing.

    Args:
        count: Of the dense network.
        num_examples: Examples through SGD.
        densities: Kept fraction by weight name; weights that are not named count dense.

    Raises:
        ValueError: A name that ``count`` does not know.
    """
    unknown = densities.keys() - count.by_parameter.keys()
    if unknown:
        raise ValueError(f"no FLOPs were counted for {', '.join(sorted(unknown))}")
    per_example = count.other + sum(
        flops * densities.get(name, 1.0) for name, flops in count.by_parameter.items()
    )
    return TRAINING_PER_FORWARD * per_example * num_examples


def model_bytes(model: nn.Module) -> int:
    """Bytes of all parameters and buffers, a tied one once."""
    return sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))


class Stored(enum.Enum):
    """How a sparse file holds a layer of which some weights are kept."""

    DENSE = "every weight"
    BITS = "the kept weights, and a bit for each weight"
    POSITIONS = "the kept weights, and their positions"


def position_bytes(size: int) -> int:
    """Bytes of a position among ``size`` weights: 2 up to 65,536, else 4, beyond 2³² 8."""
    return 2 if size <= 2**16 else 4 if size <= 2**32 else 8


def stored_as(size: int, kept: int, *, value_bytes: int) -> tuple[Stored, int]:
    """The way that takes the fewest bytes, and how many; of equals the first of :class:`Stored`.

    Args:
        size: Weights of the layer.
        kept: Those that are kept.
        value_bytes: Bytes of a weight.
    """
    costs = {
        Stored.DENSE: size * value_bytes,
        Stored.BITS: kept * value_bytes + math.ceil(size / 8),
        Stored.POSITIONS: kept * (value_bytes + position_bytes(size)),
    }
    return min(costs.items(), key=lambda way: way[1])


def sparse_bytes(model: nn.Module, kept_counts: Mapping[str, int]) -> int:
    """Bytes of the network in a sparse file, without the file's header.

    A layer of n weights with k kept is stored as its k values in their own type, and their
    positions: a bit for each of the n, or the k positions, of 2 bytes where n is at most 65,536,
    else 4 (8 beyond 2³²); whichever is the smallest, and never more than the layer stored
    densely. All else is dense.

    Args:
        model: The network.
        kept_counts: Kept weights by parameter name.

    Raises:
        ValueError: A name that is no parameter, or a count that the layer cannot have.
    """
    parameters = dict(model.named_parameters())
    total = model_bytes(model)
    for name, kept in kept_counts.items():
        if name not in parameters:
            raise ValueError(f"{name!r} is no parameter of the network")
        weights = parameters[name]
        if not 0 <= kept <= weights.numel():
            raise ValueError(
                f"{name} has {weights.numel()} weights, so {kept} of them cannot be kept"
            )
        _, stored = stored_as(weights.numel(), kept, value_bytes=weights.element_size())
        total += stored - weights.nbytes
    return total
