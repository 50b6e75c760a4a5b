"""Dead channels: those that pruned weights have cut off, so that no logit needs them."""

import copy
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from study.models.shapes import ImageShape
from study.pruning.channels.cutting import cut_
from study.pruning.channels.effective import Flow, flow_through, with_masks
from study.pruning.channels.graph import channel_groups
from study.pruning.channels.groups import Axes, ChannelGroups
from study.pruning.channels.links import Carried, Link, Weighted
from study.pruning.channels.tracing import TracedNetwork, trace
from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters


@dataclass(frozen=True, eq=False)
class Alive:
    """A network without its dead channels.

    Attributes:
        network: A smaller copy, whose logits are those of the original.
        groups: Of the original.
        kept: bool ``[num_groups]``: what is left.
    """

    network: nn.Module
    groups: ChannelGroups
    kept: Tensor

    def mask(self, mask: Mask) -> Mask:
        """What is left of a mask of the original, in the shapes of the smaller network."""
        return Mask({name: self._left(name, tensor) for name, tensor in mask.tensors.items()})

    def _left(self, name: str, tensor: Tensor) -> Tensor:
        for dim, indices in enumerate(self.groups.slices(name, self.kept)):
            if indices is not None:
                tensor = tensor.index_select(dim, indices.to(tensor.device))
        return tensor

    @property
    def removed(self) -> dict[str, tuple[int, ...]]:
        """Every group that is gone, as a row (or rows) of the first tensor that it writes."""
        sought = ~self.kept
        found: dict[str, tuple[int, ...]] = {}
        for name, axes in self.groups.axes.items():
            if axes.rows is not None:
                rows = ((axes.rows >= 0) & sought[axes.rows]).nonzero().flatten()
                sought[axes.rows[rows]] = False
                if len(rows):
                    found[name] = tuple(rows.tolist())
        return found


def of_mask(model: nn.Module, small: nn.Module, mask: Mask, image_shape: ImageShape) -> Alive:
    """A network that was pruned by channels, seen from the one that it was built as.

    Args:
        model: As its architecture builds it.
        small: What is left of it under ``mask``.
        mask: In the shapes of ``model``; a layer without one was left out of pruning.
        image_shape: Channels, height and width.
    """
    exclude = [name for name in prunable_parameters(model) if name not in mask.tensors]
    groups = channel_groups(model, image_shape, exclude=exclude)
    return Alive(small, groups, groups.kept_in(mask.to("cpu")))


def remove_(
    model: nn.Module, image_shape: ImageShape, removed: Mapping[str, Sequence[int]]
) -> None:
    """Cut off a network of the same kind what :attr:`Alive.removed` says, in place.

    Raises:
        ValueError: It has no such channels.
    """
    groups = channel_groups(model, image_shape)
    kept = groups.everything()
    for name, rows in removed.items():
        axis = groups.axes.get(name, Axes(None, None)).rows
        fallen = torch.tensor(rows, dtype=torch.int64)
        if axis is None or not bool(((fallen >= 0) & (fallen < len(axis))).all()):
            raise ValueError(f"{name} has no such channels as {list(rows)}")
        if bool((axis[fallen] < 0).any()):
            raise ValueError(f"channels {list(rows)} of {name} cannot be removed")
        kept[axis[fallen]] = False
    cut_(model, groups, groups.everything(), kept)


def without_dead_channels(model: nn.Module, mask: Mask, image_shape: ImageShape) -> Alive:
    """Remove the channels that change no logit, whatever the image.

    A channel is dead if, wherever a layer reads it, one of these holds:

    - no path of kept weights leads from there to the logits;
    - none leads to it from the image, so that it is constant, and it is zero, or the layer's bias
      takes it up: that of a linear layer, or of a convolution without padding if the channel is
      the same all over. What a padded convolution makes of it is less at the border; it stays.

    A layer keeps at least one.

    Args:
        model: In evaluation mode, on the CPU, its pruned weights zero; left as it was.
        mask: Of its weights; layers without one are dense.
        image_shape: Channels, height and width.

    Raises:
        ValueError: It has an operation that is not understood, which is named.
    """
    groups = channel_groups(model, image_shape)
    traced = trace(model, image_shape)
    pruned = Mask({**groups.mask(groups.everything()).tensors, **mask.to("cpu").tensors})
    constants = _constants(model, with_masks(traced, pruned.tensors), image_shape)
    readers = _readers(model, traced, groups, constants)
    kept, fewer = groups.everything(), None
    while fewer is None or not torch.equal(fewer, kept):
        kept = kept if fewer is None else fewer
        # What has fallen wants nothing any more, so that more may fall.
        left = with_masks(traced, (pruned & groups.mask(kept)).tensors)
        fewer = _with_one_a_layer(groups, _needed(readers, left, groups.num_groups), among=kept)
    small = copy.deepcopy(model)
    for reader in readers:
        reader.take_up_(small, kept)
    cut_(small, groups, groups.everything(), kept)
    return Alive(small, groups, kept)


_Constants = Mapping[fx.Node, Tensor]


@dataclass(frozen=True, eq=False)
class _Reader:
    """A layer, or a function that is called with a weight, whose input channels may fall.

    Attributes:
        node: Its result in the traced network.
        name: Of the module; empty for a function.
        groups: int64, by input channel: its group; -1 if it never falls.
        constant: float64, by input channel: its value, if that depends on no image and is the
            same all over; otherwise NaN, as it is for all that a function reads.
        takes_up: Whether the layer's bias can hold what a constant adds to its outputs.
    """

    node: fx.Node
    name: str
    groups: Tensor
    constant: Tensor
    takes_up: bool

    def needs(self, network: TracedNetwork, flow: Flow) -> Tensor:
        """Input channels without which a logit might be another, bool ``[in]``."""
        ((_, link),) = network.steps[self.node].sources
        is_harmless = ~self.constant.isnan() if self.takes_up else self.constant == 0
        return link.backward(flow.wanted[self.node]) & ~is_harmless

    def take_up_(self, model: nn.Module, kept: Tensor) -> None:
        """Add to the layer's bias what the constants that fall have added to its outputs."""
        if not self.takes_up:
            return
        fall = (self.groups >= 0) & ~kept[self.groups] & ~self.constant.isnan()
        layer: Any = model.get_submodule(self.name)
        weight = layer.weight.detach().double()
        by_channel = weight if weight.dim() == 2 else weight.flatten(2).sum(2)
        with torch.no_grad():
            layer.bias += by_channel[:, fall] @ self.constant[fall]


def _readers(
    model: nn.Module, network: TracedNetwork, groups: ChannelGroups, constants: _Constants
) -> list[_Reader]:
    uses = Counter(name for step in network.steps.values() for name in step.entries)
    readers = []
    for node, (argument, link) in _reading(network).items():
        columns = groups.axes.get(_tensor_name(link), Axes(None, None)).columns
        if columns is None:
            continue
        if node in constants:
            name, bias = str(node.target), network.steps[node].entries
            is_padded = _is_padded(model.get_submodule(name))
            takes_up = len(bias) == 1 and uses[bias[0]] == 1 and not is_padded
            readers.append(_Reader(node, name, columns, constants[node], takes_up))
        else:
            unknown = torch.full((network.values[argument].channels,), torch.nan)
            readers.append(_Reader(node, "", columns, unknown.double(), takes_up=False))
    return readers


def _reading(network: TracedNetwork) -> dict[fx.Node, tuple[fx.Node, Link]]:
    """The steps that read channels by a weight or an index map, in their order: by which link."""
    only = {
        node: step.sources[0] for node, step in network.steps.items() if len(step.sources) == 1
    }
    return {node: source for node, source in only.items() if _tensor_name(source[1])}


def _tensor_name(link: Link) -> str:
    """The weight or index map by which a layer reads; empty if it carries channels one by one."""
    if isinstance(link, Weighted):
        return link.name
    return (link.index_map or "") if isinstance(link, Carried) else ""


def _is_padded(layer: nn.Module) -> bool:
    padding = getattr(layer, "padding", "valid")
    return padding != "valid" and (padding == "same" or any(padding))


def _constants(model: nn.Module, network: TracedNetwork, image_shape: ImageShape) -> _Constants:
    """Of each module that reads channels: what it reads that depends on no image."""
    reached = flow_through(network).reached
    found: dict[fx.Node, Tensor] = {}
    twin = copy.deepcopy(model).double()
    for name, nodes in _calls(network).items():
        remaining = iter(nodes)  # a layer may be called several times, in this order

        def note(
            _: nn.Module, arguments: tuple[Tensor, ...], remaining: Iterator[fx.Node] = remaining
        ) -> None:
            node = next(remaining)
            ((argument, _link),) = network.steps[node].sources
            value = arguments[0].movedim(network.values[argument].dim, 0).flatten(1)
            is_constant = (value == value[:, :1]).all(1) & ~reached[argument]
            found[node] = torch.where(is_constant, value[:, 0], torch.nan)

        twin.get_submodule(name).register_forward_pre_hook(note)
    with torch.no_grad():
        twin(torch.zeros(1, *image_shape, dtype=torch.float64))
    return found


def _calls(network: TracedNetwork) -> dict[str, list[fx.Node]]:
    """By module: the steps in which it reads channels, in their order."""
    calls: dict[str, list[fx.Node]] = defaultdict(list)
    for node in _reading(network):
        if node.op == "call_module":
            calls[str(node.target)].append(node)
    return calls


def _needed(readers: Sequence[_Reader], network: TracedNetwork, num_groups: int) -> Tensor:
    """Groups of which any channel is needed by any layer, bool ``[num_groups]``."""
    flow = flow_through(network)
    needed = torch.zeros(num_groups, dtype=torch.bool)
    for reader in readers:
        numbers = reader.groups[reader.needs(network, flow)]
        needed[numbers[numbers >= 0]] = True
    return needed


def _with_one_a_layer(groups: ChannelGroups, kept: Tensor, *, among: Tensor) -> Tensor:
    """``kept``, and one of those ``among`` in each layer that would have no channel left."""
    result = kept.clone()
    for axes in groups.axes.values():
        for axis in (axes.rows, axes.columns):
            if axis is not None and not bool((axis < 0).any()) and not bool(result[axis].any()):
                result[axis[among[axis]].min()] = True
    return result
