"""A network as the steps that lead from its images to its logits, channel by channel."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from study.models.channel_map import ChannelMap
from study.models.shapes import ImageShape, on_meta
from study.pruning.channels.layers import layer_step
from study.pruning.channels.links import NotUnderstoodError, Weighted
from study.pruning.channels.operations import call_name, call_step
from study.pruning.channels.values import Step, Value, require

_PLAIN_VALUES = (int, float, str, torch.Size, torch.dtype, torch.device, type(None))
_NUM_EXAMPLES = 2


@dataclass(frozen=True)
class TracedNetwork:
    """The values of a network that depend on the images, in order of computation.

    Attributes:
        steps: How each comes about.
        values: Shapes and places of channels.
        logits: The last value.
    """

    steps: dict[fx.Node, Step]
    values: dict[fx.Node, Value]
    logits: fx.Node


def trace(model: nn.Module, image_shape: ImageShape) -> TracedNetwork:
    """Trace ``model``, which is left as it was, for images of ``image_shape``.

    Raises:
        NotUnderstoodError: It cannot be traced, or has an operation that is not understood.
    """
    for name, module in model.named_modules():
        is_attention = isinstance(module, nn.MultiheadAttention)
        require(not is_attention, f"MultiheadAttention {name}")
    twin = on_meta(model)
    graph, shapes = _graph(twin, image_shape)
    first_names = _first_names(twin)
    steps: dict[fx.Node, Step] = {}
    values: dict[fx.Node, Value] = {}
    for node, shape in shapes.items():
        inputs = {arg: values[arg] for arg in node.all_input_nodes if arg in values}
        if node.op == "placeholder":
            steps[node] = Step([], 1)
        elif not inputs or node.op == "output":
            continue
        elif node.op == "call_module":
            name = str(node.target)
            with _understood(name):
                step = layer_step(graph.get_submodule(name), name, inputs, shape)
            steps[node] = _by_first_name(step, first_names)
        else:
            constants = [
                shapes[arg] for arg in node.all_input_nodes if arg in shapes.keys() - values
            ]
            several = any(constant.numel() > 1 for constant in constants)
            with _told_where(node), _understood(call_name(node)):
                step = call_step(node, inputs, shape, has_constants=several)
            steps[node] = _by_first_name(step, first_names)
        values[node] = Value(shape, steps[node].dim)
    (last,) = (node.args[0] for node in shapes if node.op == "output")
    is_known = isinstance(last, fx.Node) and last in values and values[last].last == 1
    require(is_known, "output other than one value that depends on the images")
    assert isinstance(last, fx.Node)  # for the type checker
    return TracedNetwork(steps, values, last)


def _first_names(model: nn.Module) -> dict[str, str]:
    """Of each parameter, by any of its names: the first, under which it is counted."""
    first = {id(parameter): name for name, parameter in model.named_parameters()}
    every = model.named_parameters(remove_duplicate=False)
    return {name: first[id(parameter)] for name, parameter in every}


def _by_first_name(step: Step, first_names: dict[str, str]) -> Step:
    sources = [
        (argument, replace(link, name=first_names[link.name]))
        if isinstance(link, Weighted)
        else (argument, link)
        for argument, link in step.sources
    ]
    entries = tuple(first_names.get(name, name) for name in step.entries)
    return replace(step, sources=sources, entries=entries)


class _Tracer(fx.Tracer):
    """Looks into all modules but torch's own and index maps."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is one step."""
        return isinstance(m, ChannelMap) or super().is_leaf_module(m, module_qualified_name)


class _ShapeRecorder(fx.Interpreter):
    """Runs a graph on the meta device and notes the shape of every tensor."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.shapes: dict[fx.Node, torch.Size] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Run one node; values that are neither tensors nor plain are not understood."""
        with _told_where(n), _understood(call_name(n)):
            result = super().run_node(n)
            is_known = isinstance(result, (Tensor, *_PLAIN_VALUES))
            require(is_known, f"{call_name(n)}, which gives a {type(result).__name__}")
        if isinstance(result, Tensor):
            self.shapes[n] = result.shape
        return result


@contextmanager
def _understood(what: str) -> Iterator[None]:
    """Take an operation, ``what``, that goes wrong for one that is not understood."""
    try:
        yield
    except NotUnderstoodError:
        raise
    # Anything may come where an argument is another value of the graph, or is given otherwise.
    except Exception as error:
        raise NotUnderstoodError(f"{what}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    """What went wrong; what follows the first line is about the graph."""
    line = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {line}"


@contextmanager
def _told_where(node: fx.Node) -> Iterator[None]:
    """Add to what is not understood the module that does it."""
    try:
        yield
    except NotUnderstoodError as error:
        place = _within(node.meta.get("nn_module_stack") or {})
        raise NotUnderstoodError(f"{error}{place}") from error


def _within(stack: Mapping[str, tuple[str, Any]]) -> str:
    """The innermost of the modules that a call is in, as the end of a sentence."""
    for path, kind in list(stack.values())[-1:]:
        return f" in {kind if isinstance(kind, str) else kind.__name__} {path}".rstrip()
    return ""


def _graph(
    model: nn.Module, image_shape: ImageShape
) -> tuple[fx.GraphModule, dict[fx.Node, torch.Size]]:
    """The graph of a network on meta, and the shapes of its tensors for a few images."""
    tracer = _Tracer()
    try:
        graph = fx.GraphModule(model, tracer.trace(model))
    # The network's own code may raise anything where it is given what only stands for a value.
    except Exception as error:
        place = _within(tracer.module_stack) or f" in {type(model).__name__}"
        raise NotUnderstoodError(f"{_first_line(error)}{place}") from error
    recorder = _ShapeRecorder(graph)
    with torch.no_grad():
        recorder.run(torch.empty(_NUM_EXAMPLES, *image_shape, device="meta"))
    return graph, recorder.shapes
