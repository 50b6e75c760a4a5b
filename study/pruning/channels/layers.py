"""The layers that are understood: modules of a network. They are seen as in evaluation mode."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.nn.modules.pooling import (
    _AdaptiveAvgPoolNd,
    _AdaptiveMaxPoolNd,
    _AvgPoolNd,
    _MaxPoolNd,
)

from study.models.channel_map import ChannelMap
from study.pruning.channels.links import Carried, Mixed, NotUnderstoodError, Weighted
from study.pruning.channels.operations import layer_norm, reshaping
from study.pruning.channels.values import Step, Value, carried, require

_Rule = Callable[[Any, str, fx.Node, Value, Sequence[int]], Step]


def layer_step(
    module: nn.Module, name: str, inputs: Mapping[fx.Node, Value], shape: Sequence[int]
) -> Step:
    """What a layer does to channels.

    Args:
        module: The layer.
        name: Of the module.
        inputs: The value that it is called with.
        shape: Of its result.

    Raises:
        NotUnderstoodError: It is not known.
    """
    require(len(inputs) == 1, f"{type(module).__name__} of several values")
    ((argument, value),) = inputs.items()
    for kinds, rule in _RULES:
        if isinstance(module, kinds):
            return rule(module, name, argument, value, shape)
    raise NotUnderstoodError(f"{type(module).__name__} {name}")


def _pointwise(_: nn.Module, __: str, argument: fx.Node, value: Value, ___: Sequence[int]) -> Step:
    return carried(argument, value)


def _not_zero_at_zero(
    _: nn.Module, __: str, argument: fx.Node, value: Value, ___: Sequence[int]
) -> Step:
    return carried(argument, value, zeros=False)


def _spatial(
    module: nn.Module, name: str, argument: fx.Node, value: Value, _: Sequence[int]
) -> Step:
    _require_channels_first(module, name, value)
    return carried(argument, value)


def _convolution(
    module: _ConvNd, name: str, argument: fx.Node, value: Value, _: Sequence[int]
) -> Step:
    _require_channels_first(module, name, value)
    return _weighted(module, name, argument, value, module.groups)


def _linear(
    module: nn.Linear, name: str, argument: fx.Node, value: Value, _: Sequence[int]
) -> Step:
    require(value.dim == value.last, f"Linear {name} along other than channels")
    return _weighted(module, name, argument, value)


def _normalisation(
    module: _BatchNorm | _InstanceNorm,
    name: str,
    argument: fx.Node,
    value: Value,
    _: Sequence[int],
) -> Step:
    _require_channels_first(module, name, value)
    entries = _named(module, name, ("weight", "bias", "running_mean", "running_var"))
    return carried(argument, value, entries=entries, zeros=module.weight is not None)


def _prelu(module: nn.PReLU, name: str, argument: fx.Node, value: Value, _: Sequence[int]) -> Step:
    _require_channels_first(module, name, value)
    own = ["weight"] if module.weight.numel() > 1 else []
    return carried(argument, value, entries=_named(module, name, own))


def _group_norm(
    module: nn.GroupNorm, name: str, argument: fx.Node, value: Value, _: Sequence[int]
) -> Step:
    _require_channels_first(module, name, value)
    return Step([(argument, Mixed(module.num_groups))], 1)


def _layer_norm(
    module: nn.LayerNorm, _: str, argument: fx.Node, value: Value, __: Sequence[int]
) -> Step:
    return layer_norm(argument, value, len(module.normalized_shape))


def _flatten(
    _: nn.Flatten, __: str, argument: fx.Node, value: Value, shape: Sequence[int]
) -> Step:
    return reshaping(argument, value, shape)


def _channel_map(
    module: ChannelMap, name: str, argument: fx.Node, value: Value, _: Sequence[int]
) -> Step:
    _require_channels_first(module, name, value)
    link = Carried(torch.tensor(module.sources), value.channels, f"{name}.sources")
    return Step([(argument, link)], 1, zeros=True)


def _weighted(
    module: _ConvNd | nn.Linear, name: str, argument: fx.Node, value: Value, groups: int = 1
) -> Step:
    is_plain = "weight" in module._parameters  # not one that is computed from others
    require(is_plain, f"parametrised weight of {type(module).__name__} {name}")
    joins = torch.ones(1, 1, dtype=torch.bool).expand(module.weight.shape[:2])
    link = Weighted(f"{name}.weight", joins, groups)
    return Step([(argument, link)], value.dim, _named(module, name, ["bias"]), zeros=True)


def _require_channels_first(module: nn.Module, name: str, value: Value) -> None:
    require(value.dim == 1, f"{type(module).__name__} {name} along other than channels")


def _named(module: nn.Module, name: str, own_names: Iterable[str]) -> tuple[str, ...]:
    """Full names of those of a module's own parameters and buffers that it has."""
    return tuple(
        f"{name}.{own}" for own in own_names if isinstance(getattr(module, own, None), Tensor)
    )


# The first that fits.
_RULES: Sequence[tuple[tuple[type[nn.Module], ...], _Rule]] = (
    (
        (
            nn.Identity,
            nn.Dropout,
            nn.ReLU,
            nn.ReLU6,
            nn.LeakyReLU,
            nn.ELU,
            nn.SELU,
            nn.GELU,
            nn.SiLU,
            nn.Mish,
            nn.Hardswish,
            nn.Tanh,
        ),
        _pointwise,
    ),
    (
        (nn.AlphaDropout, nn.Hardsigmoid, nn.Hardtanh, nn.Sigmoid, nn.Softplus),
        _not_zero_at_zero,
    ),
    (
        (
            _AdaptiveAvgPoolNd,
            _AdaptiveMaxPoolNd,
            _AvgPoolNd,
            _MaxPoolNd,
            nn.Dropout1d,
            nn.Dropout2d,
            nn.Dropout3d,
            nn.Upsample,
        ),
        _spatial,
    ),
    ((nn.Conv1d, nn.Conv2d, nn.Conv3d), _convolution),
    ((nn.Linear,), _linear),
    ((_BatchNorm, _InstanceNorm), _normalisation),
    ((nn.PReLU,), _prelu),
    ((nn.GroupNorm,), _group_norm),
    ((nn.LayerNorm,), _layer_norm),
    ((nn.Flatten,), _flatten),
    ((ChannelMap,), _channel_map),
)
