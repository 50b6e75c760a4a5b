"""Which channels of a network fall together, found on its traced graph."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from study.models.shapes import ImageShape, on_meta
from study.pruning.channels.cutting import cut_
from study.pruning.channels.groups import Axes, ChannelGroups
from study.pruning.channels.links import Carried, Link, NotUnderstoodError, Weighted
from study.pruning.channels.tracing import TracedNetwork, trace
from study.pruning.channels.union import NEVER, Channels
from study.pruning.channels.values import Step, require
from study.pruning.prunable import prunable_parameters


def channel_groups(
    model: nn.Module, image_shape: ImageShape, *, exclude: Sequence[str] = ()
) -> ChannelGroups:
    """The groups of channels of ``model`` that fall together; ``model`` is left as it was.

    Every value of the traced network has a row of channels. A convolution or linear layer makes
    new ones. Sums and products make two channels one, as do depthwise and grouped convolutions
    those that they read and write in a group; an index map does not. Never to fall are the
    channels of the images and the logits, outputs of layers that are not prunable, and what is
    normalised across channels, where a silent channel would still count in mean and variance.

    Args:
        model: The network, whole.
        image_shape: Channels, height and width.
        exclude: Patterns of names of weights or modules whose outputs are kept (``fc``).

    Raises:
        ValueError: The network has an operation that is not understood, which is named, or no
            channel that could fall; or a pattern matches nothing.
    """
    prunable = prunable_parameters(model, exclude=exclude)
    sizes = {name: weight.shape for name, weight in prunable.items()}
    try:
        network = trace(model, image_shape)
        walk = _Walk(network, sizes)
        groups = walk.groups(sizes)
        _check_by_cutting(model, image_shape, groups, walk)
    except NotUnderstoodError as error:
        reason = str(error).partition("\n")[0]  # what follows is about the graph
        raise ValueError(
            f"which channels of this network fall together is not known, because of {reason}; "
            "prune single weights (pruning.granularity: weight)"
        ) from error
    return groups


class _Walk:
    """The channels of every value and tensor of a traced network.

    Attributes:
        found: Channels by value.
    """

    def __init__(self, network: TracedNetwork, prunable: Mapping[str, torch.Size]) -> None:
        self._channels = Channels()
        self._prunable = prunable
        self._axes: dict[str, tuple[Tensor | None, Tensor | None]] = {}
        self.found: dict[str, Tensor] = {}
        is_silent: dict[str, bool] = {}
        for node, step in network.steps.items():
            value = network.values[node]
            self.found[node.name] = self._step(step, value.channels, is_silent)
            arguments = (is_silent[argument.name] for argument, _ in step.sources)
            is_silent[node.name] = all(arguments) if step.zeros is None else step.zeros
        self._channels.unite(self.found[network.logits.name], NEVER)

    def _step(self, step: Step, size: int, is_silent: Mapping[str, bool]) -> Tensor:
        """The channels of a value, from those of the values that it comes from."""
        result = torch.full((size,), -1)
        for argument, link in step.sources:
            before = self.found[argument.name]
            if isinstance(link, Carried) and link.index_map is not None:
                require(
                    is_silent[argument.name],
                    f"{link.index_map} of channels that are not zero when they are silenced",
                )
            after = self._through(link, before, size)
            both = (result >= 0) & (after >= 0)
            self._channels.unite(result[both], after[both])
            result = torch.where(result >= 0, result, after)
            if step.is_fixed:
                self._channels.unite(before, NEVER)
        if step.is_fixed:
            self._channels.unite(result[result >= 0], NEVER)
        result[result < 0] = NEVER  # the images, and channels from nowhere
        for name in step.entries:
            self._record(name, result, None)
        return result

    def _through(self, link: Link, before: Tensor, size: int) -> Tensor:
        """The channels of a result by one link; -1 where it brings none."""
        if isinstance(link, Weighted):
            return self._weighted(link, before)
        if isinstance(link, Carried):
            if link.index_map is None:
                return torch.cat([before, before.new_full((1,), -1)])[link.sources]
            after = self._channels.new(size)
            self._record(link.index_map, after, before)
            return after
        self._channels.unite(before, NEVER)
        return torch.full((size,), NEVER)

    def _weighted(self, link: Weighted, before: Tensor) -> Tensor:
        size = len(link.joins)
        after = self._channels.new(size)
        if link.name not in self._prunable:
            self._channels.unite(after, NEVER)
        if link.groups == 1:
            self._record(link.name, after, before)
        else:
            for channels in (after, before):
                by_group = channels.reshape(link.groups, -1)
                first = after.reshape(link.groups, -1)[:, :1].expand_as(by_group)
                self._channels.unite(by_group.flatten(), first.flatten())
            self._record(link.name, after, None)
        return after

    def _record(self, name: str, rows: Tensor, columns: Tensor | None) -> None:
        """Note the channels of a tensor; of one that is used again, they are the same."""
        if name in self._axes:
            for old, new in zip(self._axes[name], (rows, columns), strict=True):
                if old is not None and new is not None:
                    self._channels.unite(old, new)
        self._axes[name] = rows, columns

    def groups(self, sizes: Mapping[str, torch.Size]) -> ChannelGroups:
        """What can fall, numbered in the order of computation."""
        numbers = self._channels.numbers()
        self.found = {name: numbers[channels] for name, channels in self.found.items()}
        axes = {}
        for name, (rows, columns) in self._axes.items():
            found = Axes(_numbered(numbers, rows), _numbered(numbers, columns))
            if found.rows is not None or found.columns is not None:
                axes[name] = found
        num_groups = int(numbers.max()) + 1
        require(num_groups > 0, "no channel that could fall")
        return ChannelGroups(axes, _interchangeable(axes, num_groups), sizes)


def _numbered(numbers: Tensor, channels: Tensor | None) -> Tensor | None:
    if channels is None or bool((numbers[channels] < 0).all()):
        return None
    return numbers[channels]


def _interchangeable(axes: Mapping[str, Axes], num_groups: int) -> Tensor:
    """Equal numbers for groups that have as many slices of the same tensors."""
    sets = np.zeros(num_groups, dtype=np.int64)
    for axis in (axis for each in axes.values() for axis in (each.rows, each.columns)):
        if axis is None:
            continue
        touched, counts = np.unique(axis[axis >= 0].numpy(), return_counts=True)
        keys = sets[touched] * (counts.max() + 1) + counts
        sets[touched] = sets.max() + 1 + np.unique(keys, return_inverse=True)[1]
    _, first, sets = np.unique(sets, return_index=True, return_inverse=True)
    in_order = first.argsort().argsort()  # of the first group of each
    return torch.from_numpy(in_order[sets])


def _check_by_cutting(
    model: nn.Module, image_shape: ImageShape, groups: ChannelGroups, walk: _Walk
) -> None:
    """Cut a copy without storage, and see that each value has the channels that it should have.

    Raises:
        NotUnderstoodError: It has not.
    """
    kept = groups.everything()
    # The first of each set, so that a layer keeps some wherever it had several.
    order = groups.sets.argsort(stable=True)
    starts = torch.cat([torch.tensor([True]), groups.sets[order].diff() != 0])
    kept[order[starts]] = False
    alone = groups.sets.bincount() == 1
    kept[alone[groups.sets]] = True
    twin = on_meta(model)
    cut_(twin, groups, groups.everything(), kept)
    cut = trace(twin, image_shape)
    expected = {
        name: len(numbers) - int((~kept[numbers[numbers >= 0]]).sum())
        for name, numbers in walk.found.items()
    }
    found = {node.name: value.channels for node, value in cut.values.items()}
    wrong = [name for name in expected if found.get(name) != expected[name]]
    require(
        not wrong and len(found) == len(expected), f"{', '.join(wrong[:1])}: channels by number"
    )
