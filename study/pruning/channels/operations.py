"""The operations that are understood. They are seen as in evaluation mode.

What is not listed here, or in :mod:`study.pruning.channels.layers`, is not understood.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx
from torch.nn import functional

from study.pruning.channels.links import Carried, Mixed, NotUnderstoodError, Weighted
from study.pruning.channels.values import Inputs, Step, Value, carried, require

Shape = Sequence[int]

_SUMS: tuple[Any, ...] = (
    operator.add,
    operator.iadd,
    operator.sub,
    torch.add,
    "add",
    "add_",
)
_POINTWISE: tuple[Any, ...] = (
    operator.mul,
    operator.imul,
    operator.neg,
    operator.truediv,
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
    "clone",
    "contiguous",
    "mul",
    "mul_",
    "relu",
    "relu_",
    "sigmoid",
    "tanh",
)
_NOT_ZERO_AT_ZERO = (operator.truediv, torch.sigmoid, functional.hardsigmoid, "sigmoid")
_POOLING: tuple[Any, ...] = (
    functional.avg_pool2d,
    functional.max_pool2d,
    functional.adaptive_avg_pool2d,
    functional.adaptive_max_pool2d,
)
_STOCHASTIC_DEPTH = ("torchvision.ops.stochastic_depth", "stochastic_depth")
_CONCATENATIONS: tuple[Any, ...] = (torch.cat, torch.concat)


def call_step(node: fx.Node, inputs: Inputs, shape: Shape, *, has_constants: bool) -> Step:
    """What a call of a function or method does to channels.

    Args:
        node: The call.
        inputs: Each tensor that depends on the images and that it is called with.
        shape: Of its result.
        has_constants: Whether it takes other tensors too, as parameters, of several values.

    Raises:
        NotUnderstoodError: It is not known.
    """
    target: Any = node.target
    # torchvision's is known by its place: to import it would take seconds, for nothing where no
    # network is torchvision's.
    place = getattr(target, "__module__", None), getattr(target, "__name__", None)
    if target in _SUMS or target in _POINTWISE or place == _STOCHASTIC_DEPTH:
        return _pointwise(node, inputs, shape, has_constants=has_constants)
    if target in _CONCATENATIONS:
        return _concatenation(node, inputs, shape)
    rule = _RULES.get(target)
    if rule is None or len(inputs) != 1:
        raise NotUnderstoodError(call_name(node))
    ((argument, value),) = inputs.items()
    return rule(node, argument, value, shape)


def call_name(node: fx.Node) -> str:
    """What the function or method is called."""
    return str(getattr(node.target, "__name__", node.target))


def _pointwise(node: fx.Node, inputs: Inputs, shape: Shape, *, has_constants: bool) -> Step:
    values = list(inputs.values())
    (dim, *others) = {value.dim for value in values}
    alike = {(len(value.shape), value.channels) for value in values}
    agree = not others and alike == {(len(shape), shape[dim])}
    require(agree, f"{call_name(node)} of values of several shapes")
    is_shifted = node.target in _SUMS and len(node.all_input_nodes) < 2
    moves = is_shifted or has_constants or node.target in _NOT_ZERO_AT_ZERO
    links = [(argument, Carried.same(value.channels)) for argument, value in inputs.items()]
    return Step(links, dim, is_fixed=has_constants, zeros=False if moves else None)


def _concatenation(node: fx.Node, inputs: Inputs, shape: Shape) -> Step:
    dim: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
    require(isinstance(dim, int), f"{call_name(node)} along a computed dimension")
    parts: Any = node.args[0] if node.args else node.kwargs["tensors"]
    is_known = all(part in inputs and inputs[part].dim == dim % len(shape) for part in parts)
    require(is_known, f"{call_name(node)} of other than channels")
    sources = []
    start = 0
    for part in parts:
        size = inputs[part].channels
        sources.append((part, Carried.placed(size, start, shape[dim])))
        start += size
    return Step(sources, dim % len(shape))


def reshaping(argument: fx.Node, value: Value, shape: Shape) -> Step:
    """From ``[B, C, …]`` to ``[B, C, …]`` of another form, or flattened to ``[B, C · …]``.

    Raises:
        NotUnderstoodError: It is of another kind.
    """
    what = f"reshaping {tuple(value.shape)} to {tuple(shape)}"
    require(value.dim == 1, what)
    if tuple(shape[:2]) == tuple(value.shape[:2]):
        return carried(argument, value)
    require(len(shape) == 2 and shape[0] == value.shape[0], what)
    times = shape[1] // value.channels
    sources = torch.arange(value.channels).repeat_interleave(times)
    return Step([(argument, Carried(sources, value.channels))], 1)


def _spatial(node: fx.Node, argument: fx.Node, value: Value, _: Shape) -> Step:
    require(value.dim == 1, f"{call_name(node)} of rows")
    return carried(argument, value)


def _mean(node: fx.Node, argument: fx.Node, value: Value, shape: Shape) -> Step:
    dims: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    dims = [dims] if isinstance(dims, int) else dims
    over = {dim % len(value.shape) for dim in dims or [0]}
    require(not over & {0, value.dim}, f"{call_name(node)} over examples or channels")
    are_gone = len(shape) < len(value.shape)
    gone = sum(dim < value.dim for dim in over) if are_gone else 0
    return Step([(argument, Carried.same(value.channels))], value.dim - gone)


def _permutation(node: fx.Node, argument: fx.Node, value: Value, _: Shape) -> Step:
    dims: Any = node.args[1] if len(node.args) == 2 else node.args[1:] or node.kwargs["dims"]
    dims = [dims] if isinstance(dims, int) else [dim % len(value.shape) for dim in dims]
    require(bool(dims[0] == 0), f"{call_name(node)} of examples")
    return Step([(argument, Carried.same(value.channels))], dims.index(value.dim))


def _batch_norm(node: fx.Node, argument: fx.Node, value: Value, _: Shape) -> Step:
    require(value.dim == 1, f"{call_name(node)} along other than channels")
    weight = node.args[3] if len(node.args) > 3 else node.kwargs.get("weight")
    return carried(argument, value, entries=_held(node, argument), zeros=weight is not None)


def _linear(node: fx.Node, argument: fx.Node, value: Value, shape: Shape) -> Step:
    require(value.dim == value.last, f"{call_name(node)} along other than channels")
    weight, *bias = _held(node, argument)
    joins = torch.ones(1, 1, dtype=torch.bool).expand(shape[-1], value.channels)
    return Step([(argument, Weighted(weight, joins, 1))], value.dim, tuple(bias), zeros=True)


def _held(node: fx.Node, argument: fx.Node) -> tuple[str, ...]:
    """Names of what a module calls one of torch's functions with and holds itself, in order."""
    own = [given for given in node.all_input_nodes if given is not argument]
    # What a graph holds itself are constants of the code.
    are_held = (g.op == "get_attr" and "_tensor_constant" not in str(g.target) for g in own)
    require(all(are_held), f"{call_name(node)} by computed values")
    return tuple(str(given.target) for given in own)


def _layer_norm(node: fx.Node, argument: fx.Node, value: Value, _: Shape) -> Step:
    normalized: Any = node.args[1] if len(node.args) > 1 else node.kwargs["normalized_shape"]
    return layer_norm(argument, value, len(normalized))


def layer_norm(argument: fx.Node, value: Value, num_dims: int) -> Step:
    """Normalisation over the last ``num_dims`` dimensions, channels among them.

    Raises:
        NotUnderstoodError: They are not among them.
    """
    require(value.dim > value.last - num_dims, "layer_norm of other than channels")
    return Step([(argument, Mixed(1))], value.dim)


def _indexing(node: fx.Node, argument: fx.Node, value: Value, _: Shape) -> Step:
    index: Any = node.args[1]
    every = slice(None)
    are_slices = isinstance(index, tuple) and all(isinstance(part, slice) for part in index)
    require(are_slices, "getitem by other than slices")
    ends = (end for part in index for end in (part.start, part.stop, part.step))
    are_plain = all(end is None or isinstance(end, int) for end in ends)
    require(are_plain, "getitem by computed numbers")
    require(index[0] == every, "getitem: a choice of examples")
    chosen = index[value.dim] if len(index) > value.dim else every
    link = Carried(torch.arange(value.channels)[chosen], value.channels)
    return Step([(argument, link)], value.dim, is_fixed=chosen != every)


def _padding(node: fx.Node, argument: fx.Node, value: Value, shape: Shape) -> Step:
    amounts: Any = node.args[1] if len(node.args) > 1 else node.kwargs["pad"]
    are_plain = all(isinstance(amount, int) for amount in amounts)
    require(are_plain, f"{call_name(node)} by computed numbers")
    place = 2 * (value.last - value.dim)  # amounts run from the last dimension to the first
    before, after = amounts[place : place + 2] or (0, 0)
    is_constant = node.kwargs.get("mode", "constant") == "constant" and len(node.args) < 3
    of_examples = amounts[2 * value.last :]
    is_known = min(before, after) >= 0 and is_constant and not any(of_examples)
    require(bool(is_known), f"{call_name(node)} of another kind")
    link = Carried.placed(value.channels, before, shape[value.dim])
    return Step([(argument, link)], value.dim, is_fixed=before + after > 0)


_Rule = Callable[[fx.Node, fx.Node, Value, Shape], Step]
_RULES: dict[Any, _Rule] = {
    operator.getitem: _indexing,
    functional.pad: _padding,
    functional.batch_norm: _batch_norm,
    functional.linear: _linear,
    functional.layer_norm: _layer_norm,
    torch.permute: _permutation,
    "permute": _permutation,
    torch.mean: _mean,
    "mean": _mean,
}
_RULES |= dict.fromkeys(_POOLING, _spatial)
_RULES |= dict.fromkeys(
    (torch.flatten, torch.reshape, torch.squeeze, "flatten", "reshape", "squeeze", "view"),
    lambda _, argument, value, shape: reshaping(argument, value, shape),
)
