"""How to make one of our torchvision networks with torchvision alone."""

import functools
from collections.abc import Iterator

import torch
from torch import nn
from torchvision import models

from study.models.architecture import Architecture
from study.models.shapes import ImageShape
from study.models.torchvision_networks.networks import TorchvisionNetwork
from study.models.torchvision_networks.small_stems import Request, options_of


@functools.cache
def plain_torchvision_code(
    architecture: Architecture, image_shape: ImageShape, num_classes: int
) -> tuple[str, ...] | None:
    """Lines of Python that make ``model``, to whose names the weights fit.

    They need ``import torchvision`` and ``from torch import nn``.

    Returns:
        None for a network that torchvision has not got, or that differs from it in more than
        single layers (a vision transformer for small images).
    """
    if not isinstance(architecture, TorchvisionNetwork):
        return None
    name = architecture.torchvision_name
    request = Request(models.get_model_builder(name), image_shape, num_classes)
    options = {"num_classes": num_classes, **options_of(request)}
    with torch.random.fork_rng(devices=[]):  # RegNets cannot be made without storage
        ours = architecture.build(image_shape, num_classes)
        plain = request.construct(**options_of(request))
    arguments = ", ".join(f"{key}={value!r}" for key, value in options.items())
    lines = [f"model = torchvision.models.{name}({arguments})"]
    for place, layer in list(_differences(plain, ours)):
        plain.set_submodule(place, layer)
        lines.append(f'model.set_submodule("{place}", nn.{layer!r})')
    return tuple(lines) if _are_alike(plain, ours) else None


def _differences(
    plain: nn.Module, ours: nn.Module, place: str = ""
) -> Iterator[tuple[str, nn.Module]]:
    """Layers of torch in ``ours`` for which ``plain`` has something else, by their place."""
    is_layer = type(ours).__module__.startswith("torch.nn.") and not list(ours.children())
    if is_layer and repr(plain) != repr(ours):
        yield place, ours
        return
    theirs = dict(plain.named_children())
    for name, child in ours.named_children():
        if name in theirs:
            yield from _differences(theirs[name], child, f"{place}.{name}".lstrip("."))


def _are_alike(plain: nn.Module, ours: nn.Module) -> bool:
    shapes = [{n: t.shape for n, t in m.state_dict().items()} for m in (plain, ours)]
    return shapes[0] == shapes[1] and repr(plain) == repr(ours)
