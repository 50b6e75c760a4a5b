"""Cutting channels off a network, so that it is smaller, and silencing them, so that it is not."""

import copy
import itertools

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from study.models.channel_map import ChannelMap
from study.pruning.channels.groups import Axes, ChannelGroups


def cut_(
    model: nn.Module,
    groups: ChannelGroups,
    before: Tensor,
    after: Tensor,
    *,
    optimiser: torch.optim.Optimizer | None = None,
) -> None:
    """Cut the channels of ``model`` that ``after`` does not keep, in place.

    A tensor that loses nothing stays the object that it is; others are replaced, in their memory
    format and without gradients.

    Args:
        model: The network, from which all but ``before`` has been cut already.
        groups: Of the original network.
        before: bool ``[num_groups]``, the groups that it has now.
        after: Those that are left, all of them in ``before``.
        optimiser: Of the parameters of ``model``: takes the new ones instead, and what it
            remembers of them, as momentum, is cut likewise.

    Raises:
        ValueError: A group would come back, or ``model`` has other channels than ``before``;
            nothing has been changed.
    """
    if bool((after & ~before).any()):
        raise ValueError("channels that have been cut cannot come back")
    present, left = _with_never(before), _with_never(after)
    cuts = {
        name: (_left(axes.rows, present, left), _left(axes.columns, present, left))
        for name, axes in groups.axes.items()
    }
    _check_sizes(model, cuts)
    losing = {name: cut for name, cut in cuts.items() if _loses(cut)}
    replaced: dict[int, nn.Parameter] = {}
    for name, parameter in model.named_parameters():
        if name in losing:
            new = nn.Parameter(_sliced(parameter.detach(), losing[name]), parameter.requires_grad)
            replaced[id(parameter)] = new
            if optimiser is not None:
                _cut_state(optimiser, parameter, new, losing[name])
    for name, module in model.named_modules():
        _cut_module(module, f"{name}." if name else "", losing, replaced)


def silenced(model: nn.Module, groups: ChannelGroups, kept: Tensor) -> nn.Module:
    """A copy of the original network in which the weights, norms and biases of what falls are 0.

    Index maps bring nothing to channels that fall.

    Args:
        model: The original network; left as it was.
        groups: Of it.
        kept: bool ``[num_groups]``.
    """
    twin = copy.deepcopy(model)
    fallen = ~_with_never(kept)
    with torch.no_grad():
        for name, parameter in twin.named_parameters():
            axes = groups.axes.get(name, Axes(None, None))
            if axes.rows is not None:
                parameter[fallen[axes.rows]] = 0.0
            if axes.columns is not None:
                parameter[:, fallen[axes.columns]] = 0.0
    for name, module in twin.named_modules():
        rows = groups.axes.get(f"{name}.sources", Axes(None, None)).rows
        if isinstance(module, ChannelMap) and rows is not None:
            pairs = zip(module.sources, fallen[rows].tolist(), strict=True)
            module.sources = tuple(-1 if is_fallen else source for source, is_fallen in pairs)
    return twin


_Cut = tuple[Tensor | None, Tensor | None]
"""Of the rows and the columns that a tensor has: whether each is left. None: all of them."""


def _with_never(kept: Tensor) -> Tensor:
    """``kept`` with a last place for -1, what never falls."""
    return torch.cat([kept, kept.new_ones(1)])


def _left(axis: Tensor | None, present: Tensor, left: Tensor) -> Tensor | None:
    return None if axis is None else left[axis[present[axis]]]


def _loses(cut: _Cut) -> bool:
    return any(flags is not None and not bool(flags.all()) for flags in cut)


def _check_sizes(model: nn.Module, cuts: dict[str, _Cut]) -> None:
    """Check that every tensor has the rows and columns that are to be looked through."""
    found: dict[str, tuple[int, ...]] = {}
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        found[name] = tuple(tensor.shape[:2])
    for name, module in model.named_modules():
        if isinstance(module, ChannelMap):
            found[f"{name}.sources"] = (len(module.sources),)
    for name, (rows, columns) in cuts.items():
        size = found.get(name, ())
        wrong_rows = rows is not None and size[:1] != (len(rows),)
        # An index map's columns are no dimension of it.
        wrong_columns = columns is not None and size[1:] not in ((len(columns),), ())
        if wrong_rows or wrong_columns:
            raise ValueError(f"{name} of shape {size} is not of the network that is to be cut")


def _cut_module(
    module: nn.Module, prefix: str, losing: dict[str, _Cut], replaced: dict[int, nn.Parameter]
) -> None:
    """Give a layer its new parameters by the old ones' ids, and cut all else that it has."""
    for name, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
        if id(parameter) in replaced:
            setattr(module, name, replaced[id(parameter)])
    for name, buffer in module.named_buffers(recurse=False):
        if prefix + name in losing:
            setattr(module, name, _sliced(buffer, losing[prefix + name]))
    if isinstance(module, ChannelMap) and f"{prefix}sources" in losing:
        module.sources = _renumbered(module.sources, losing[f"{prefix}sources"])
    _set_sizes(module)


def _sliced(tensor: Tensor, cut: _Cut) -> Tensor:
    """What is left of a tensor, in its memory format."""
    left = tensor
    for dim, flags in enumerate(cut):
        if flags is not None:
            left = left.index_select(dim, flags.nonzero().flatten().to(tensor.device))
    return _in_format_of(left, tensor)


def _in_format_of(tensor: Tensor, like: Tensor) -> Tensor:
    """``tensor`` with strides of the same kind, also where a size of 1 makes several do."""
    last = torch.channels_last
    is_last = False
    if like.dim() == 4:
        strides = torch.empty(like.shape, device="meta", memory_format=last).stride()
        is_last = like.stride() == strides
    layout = last if is_last else torch.contiguous_format
    return torch.empty_like(tensor, memory_format=layout).copy_(tensor)


def _cut_state(
    optimiser: torch.optim.Optimizer, old: nn.Parameter, new: nn.Parameter, cut: _Cut
) -> None:
    """Let the optimiser have ``new`` instead of ``old``, with what it remembers of it."""
    for group in optimiser.param_groups:
        group["params"] = [new if parameter is old else parameter for parameter in group["params"]]
    if old in optimiser.state:
        optimiser.state[new] = {
            name: _sliced(value, cut)
            if isinstance(value, Tensor) and value.shape == old.shape
            else value
            for name, value in optimiser.state.pop(old).items()
        }


def _renumbered(sources: tuple[int, ...], cut: _Cut) -> tuple[int, ...]:
    """An index map between what is left of the result's and of the argument's channels."""
    rows, columns = cut
    if columns is not None:
        numbers = torch.where(columns, columns.cumsum(0) - 1, -1).tolist()
        sources = tuple(numbers[source] if source >= 0 else -1 for source in sources)
    if rows is not None:
        sources = tuple(itertools.compress(sources, rows.tolist()))
    return sources


def _set_sizes(module: nn.Module) -> None:
    """Set what a layer says of its size by the size of its tensors."""
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        outputs_per_group = module.out_channels // module.groups
        module.out_channels, inputs_per_group = module.weight.shape[:2]
        module.groups = module.out_channels // outputs_per_group if module.groups > 1 else 1
        module.in_channels = inputs_per_group * module.groups
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.PReLU):
        module.num_parameters = module.weight.numel()
    elif isinstance(module, _NormBase):
        tensors = (module.weight, module.running_mean)
        module.num_features = next(
            (len(tensor) for tensor in tensors if tensor is not None), module.num_features
        )
