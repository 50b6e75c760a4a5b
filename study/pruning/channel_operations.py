"""The operations that are understood, and the links that they make between channels.

They are seen as in evaluation mode. What is not listed here is not understood.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.nn.modules.pooling import (
    _AdaptiveAvgPoolNd,
    _AdaptiveMaxPoolNd,
    _AvgPoolNd,
    _MaxPoolNd,
)

from study.pruning.channel_links import Link, NotUnderstoodError, Placed, Repeat, Same

Shape = Sequence[int]
Inputs = Mapping[fx.Node, Shape]

_SAME_MODULES = (
    _AdaptiveAvgPoolNd,
    _AdaptiveMaxPoolNd,
    _AvgPoolNd,
    _BatchNorm,
    _InstanceNorm,
    _MaxPoolNd,
    nn.Identity,
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Hardswish,
    nn.Hardsigmoid,
    nn.Hardtanh,
    nn.Sigmoid,
    nn.Softplus,
    nn.Tanh,
    nn.Upsample,
)
_SAME_FUNCTIONS: tuple[Callable[..., object], ...] = (
    operator.add,
    operator.iadd,
    operator.sub,
    operator.mul,
    operator.imul,
    operator.neg,
    operator.truediv,
    torch.add,
    torch.mul,
    torch.relu,
    torch.sigmoid,
    torch.tanh,
    functional.relu,
    functional.relu6,
    functional.leaky_relu,
    functional.elu,
    functional.gelu,
    functional.silu,
    functional.hardswish,
    functional.hardsigmoid,
    functional.dropout,
    functional.dropout2d,
    functional.avg_pool2d,
    functional.max_pool2d,
    functional.adaptive_avg_pool2d,
    functional.adaptive_max_pool2d,
)
_STOCHASTIC_DEPTH = ("torchvision.ops.stochastic_depth", "stochastic_depth")
_SAME_METHODS = (
    "add",
    "add_",
    "clone",
    "contiguous",
    "mul",
    "mul_",
    "relu",
    "relu_",
    "sigmoid",
    "tanh",
)


def module_link(module: nn.Module, argument: Shape, result: Shape) -> Link:
    """The link of a module without prunable weights, from the shapes of argument and result.

    Raises:
        NotUnderstoodError: It is not known what it does to channels.
    """
    if isinstance(module, _SAME_MODULES):
        return Same()
    if isinstance(module, nn.Flatten):
        return _reshaping(argument, result)
    raise NotUnderstoodError(type(module).__name__)


def call_links(node: fx.Node, inputs: Inputs, shape: Shape) -> list[tuple[fx.Node, Link]]:
    """The links into a call of a function or method, from each argument that is a tensor.

    Args:
        node: The call.
        inputs: Shape of each tensor that it is called with.
        shape: Shape of its result.

    Raises:
        NotUnderstoodError: It is not known what it does to channels.
    """
    target = node.target
    if _leaves_channels(node):
        return [(argument, Same()) for argument in inputs]
    if target in _CONCATENATIONS:
        return _concatenation(node, inputs, shape)
    rule = _RULES.get(target)
    if rule is None or len(inputs) != 1:
        raise NotUnderstoodError(str(target))
    ((argument, argument_shape),) = inputs.items()
    return [(argument, rule(node, argument_shape, shape))]


def _leaves_channels(node: fx.Node) -> bool:
    target = node.target
    if node.op == "call_method":
        return target in _SAME_METHODS
    # torchvision's is known by its place: to import it would take seconds, for nothing where no
    # network is torchvision's.
    place = getattr(target, "__module__", None), getattr(target, "__name__", None)
    return target in _SAME_FUNCTIONS or place == _STOCHASTIC_DEPTH


def _reshaping(argument: Shape, result: Shape) -> Link:
    """From ``[B, C, …]`` to ``[B, C, …]`` of another form, or flattened to ``[B, C · …]``."""
    if result[:2] == argument[:2]:
        return Same()
    if len(result) != 2 or result[0] != argument[0]:
        raise NotUnderstoodError(f"reshaping {tuple(argument)} to {tuple(result)}")
    return Repeat(result[1] // argument[1])


def _mean(node: fx.Node, argument: Shape, _: Shape) -> Link:
    dims: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    dims = [dims] if isinstance(dims, int) else dims
    if not dims or any(dim % len(argument) < 2 for dim in dims):
        raise NotUnderstoodError("a mean over examples or channels")
    return Same()


def _indexing(node: fx.Node, argument: Shape, result: Shape) -> Link:
    index: Any = node.args[1]
    every = slice(None)
    if not isinstance(index, tuple) or not all(isinstance(part, slice) for part in index):
        raise NotUnderstoodError("indexing by other than slices")
    if index[0] != every:
        raise NotUnderstoodError("a choice of examples")
    channels = index[1] if len(index) > 1 else every
    return Placed(channels, every, (argument[1], result[1]))


def _padding(node: fx.Node, argument: Shape, result: Shape) -> Link:
    amounts: Any = node.args[1]
    place = 2 * (len(argument) - 2)  # amounts run from the last dimension to the first
    before, after = amounts[place : place + 2] or (0, 0)
    is_constant = node.kwargs.get("mode", "constant") == "constant" and len(node.args) < 3
    if min(before, after) < 0 or any(amounts[place + 2 :]) or not is_constant:
        raise NotUnderstoodError("padding of another kind")
    target = slice(before, before + argument[1])
    return Placed(slice(None), target, (argument[1], result[1]))


def _concatenation(node: fx.Node, inputs: Inputs, shape: Shape) -> list[tuple[fx.Node, Link]]:
    dim: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
    parts: Any = node.args[0]
    if dim % len(shape) != 1 or any(part not in inputs for part in parts):
        raise NotUnderstoodError("concatenation of other than channels")
    links: list[tuple[fx.Node, Link]] = []
    start = 0
    for part in parts:
        size = inputs[part][1]
        links.append((part, Placed(slice(None), slice(start, start + size), (size, shape[1]))))
        start += size
    return links


_CONCATENATIONS: tuple[Any, ...] = (torch.cat, torch.concat)
_RULES: dict[Any, Callable[[fx.Node, Shape, Shape], Link]] = {
    operator.getitem: _indexing,
    functional.pad: _padding,
    torch.mean: _mean,
    "mean": _mean,
} | dict.fromkeys(
    (torch.flatten, torch.reshape, torch.squeeze, "flatten", "reshape", "squeeze", "view"),
    lambda _, argument, result: _reshaping(argument, result),
)
