"""Effective weights: those on some path from the images to the logits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from study.models.shapes import on_meta
from study.pruning.channel_links import Link, NotUnderstoodError, Weighted
from study.pruning.channel_operations import call_links, module_link

_PLAIN_VALUES = (int, float, str, torch.Size, torch.dtype, torch.device, type(None))


def effective_counts(
    model: nn.Module, tensors: Mapping[str, Tensor], image_shape: tuple[int, int, int]
) -> dict[str, int] | None:
    """Weights per layer that are kept and on some path from the input to the output.

    A weight is effective if its input channel depends on the image and its output channel reaches
    the logits, through kept weights alone. A bias or a normalisation makes a channel without
    inputs constant; a constant does not count as coming from the input. A kernel's positions are
    not distinguished, so that the count is an upper bound, above all on small images. Layers
    without a mask are dense.

    Args:
        model: The network; left as it was.
        tensors: bool, by parameter name, True for kept weights (``Mask.tensors``).
        image_shape: Channels, height and width.

    Returns:
        A count for each name of ``tensors``; None where the network cannot be traced, or has an
        operation that is not understood, as attention: never a guess.
    """
    try:
        used = _used_joins(_links(model, tensors, image_shape))
    except NotUnderstoodError:
        return None
    counts = {}
    for name, tensor in tensors.items():
        counts[name] = 0
        if name in used:
            joins = used[name].to(tensor.device)
            passed = joins.reshape(*joins.shape, *[1] * (tensor.dim() - 2))
            counts[name] = int(torch.count_nonzero(tensor & passed))
    return counts


@dataclass(frozen=True)
class _Links:
    """A traced network.

    Attributes:
        into: For each value that depends on the images, in order of computation, the links into
            it (none into the images themselves).
        channels: Number of channels of each.
        logits: The last value.
    """

    into: dict[fx.Node, list[tuple[fx.Node, Link]]]
    channels: dict[fx.Node, int]
    logits: fx.Node


def _links(
    model: nn.Module, tensors: Mapping[str, Tensor], image_shape: tuple[int, int, int]
) -> _Links:
    twin = on_meta(model)
    graph, shapes = _trace(twin, image_shape)
    names = {id(parameter): name for name, parameter in twin.named_parameters()}
    into: dict[fx.Node, list[tuple[fx.Node, Link]]] = {}
    for node, shape in shapes.items():
        inputs = {arg: shapes[arg] for arg in node.all_input_nodes if arg in into}
        if node.op == "placeholder":
            into[node] = []
        elif inputs and node.op == "call_module":
            if len(inputs) != 1:
                raise NotUnderstoodError(f"{node.target} takes several values")
            ((argument, argument_shape),) = inputs.items()
            module = graph.get_submodule(str(node.target))
            if isinstance(module, _ConvNd | nn.Linear):
                name = names[id(module.weight)]
                link: Link = _weighted(module, name, tensors.get(name), argument_shape)
            else:
                link = module_link(module, argument_shape, shape)
            into[node] = [(argument, link)]
        elif inputs and node.op != "output":
            into[node] = call_links(node, inputs, shape)
    (last,) = (node.args[0] for node in shapes if node.op == "output")
    if not isinstance(last, fx.Node) or last not in into:
        raise NotUnderstoodError("the output is not one value that depends on the images")
    return _Links(into, {node: shapes[node][1] for node in into}, last)


def _weighted(
    module: _ConvNd | nn.Linear, name: str, mask: Tensor | None, argument: Sequence[int]
) -> Weighted:
    is_rows = isinstance(module, nn.Linear) and len(argument) != 2
    if isinstance(module, _ConvTransposeNd) or is_rows:
        raise NotUnderstoodError(f"{name}: transposed convolution, or linear layer on rows")
    weight = module.weight
    joins = torch.ones(weight.shape[:2], dtype=torch.bool)
    if mask is not None:
        joins = (mask if mask.dim() == 2 else mask.flatten(2).any(2)).cpu()
    return Weighted(name, joins, module.groups if isinstance(module, _ConvNd) else 1)


def _used_joins(links: _Links) -> dict[str, Tensor]:
    """By layer, bool ``[out, in / groups]``: whether a path passes between the two channels."""
    reached: dict[fx.Node, Tensor] = {}
    for node, sources in links.into.items():
        flags = [link.forward(reached[argument]) for argument, link in sources]
        every = torch.ones(links.channels[node], dtype=torch.bool)
        if any(flag.shape != every.shape for flag in flags):
            raise NotUnderstoodError(f"{node}: values of several shapes")
        reached[node] = torch.stack(flags).any(0) if flags else every

    wanted = {node: torch.zeros_like(flags) for node, flags in reached.items()}
    wanted[links.logits].fill_(True)
    used: dict[str, Tensor] = {}
    for node in reversed(links.into):
        for argument, link in links.into[node]:
            wanted[argument] |= link.backward(wanted[node])
            if isinstance(link, Weighted):
                passed = link.joins & link.by_input(reached[argument]) & wanted[node][:, None]
                used[link.name] = used.get(link.name, torch.zeros_like(passed)) | passed
    return used


class _ShapeRecorder(fx.Interpreter):
    """Runs a graph on the meta device and notes the shape of every tensor."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.shapes: dict[fx.Node, torch.Size] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Run one node; values that are neither tensors nor plain are not understood."""
        result = super().run_node(n)
        if isinstance(result, Tensor):
            self.shapes[n] = result.shape
        elif not isinstance(result, _PLAIN_VALUES):
            raise NotUnderstoodError(f"{n} is a {type(result).__name__}")
        return result


def _trace(
    model: nn.Module, image_shape: tuple[int, int, int]
) -> tuple[fx.GraphModule, dict[fx.Node, torch.Size]]:
    """The graph of a network on meta, and the shapes of its tensors for two images."""
    try:
        graph = fx.symbolic_trace(model)
        recorder = _ShapeRecorder(graph)
        with torch.no_grad():
            recorder.run(torch.empty(2, *image_shape, device="meta"))
    # What tracing raises where the code depends on values; ValueError includes its TraceError.
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise NotUnderstoodError(str(error)) from error
    return graph, recorder.shapes
