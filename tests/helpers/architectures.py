"""Every architecture of the registry, at the smallest images that it takes."""

import pytest
import torch
from _pytest.mark import ParameterSet
from torch import nn
from torchvision import models

from study.models import cifar_resnet, convnet, mlp  # noqa: F401  # register
from study.models.architecture import ARCHITECTURES, Architecture

_LARGEST_QUICK = 2_300_000
_SIDES = (32, 64, 96, 224)
NUM_CLASSES = 5


def published_parameters(name: str) -> int:
    """What torchvision publishes for the network; 0 for ours, which are all small."""
    if name not in models.list_models(module=models):
        return 0
    return int(models.get_model_weights(name).DEFAULT.meta["num_params"])


def family(name: str) -> str:
    """The module that holds the network's relatives."""
    if name in models.list_models(module=models):
        return str(models.get_model_builder(name).__module__)
    return ARCHITECTURES.get(name).__module__


def cases() -> list[ParameterSet]:
    """Every registered name; large ones, and all but the smallest of a family, marked slow."""
    slow = [pytest.mark.slow, pytest.mark.timeout(600)]
    smallest: dict[str, str] = {}
    for name in sorted(ARCHITECTURES, key=published_parameters):
        smallest.setdefault(family(name), name)
    return [
        pytest.param(
            name,
            marks=[]
            if published_parameters(name) <= _LARGEST_QUICK and name in smallest.values()
            else slow,
        )
        for name in ARCHITECTURES
    ]


def smallest_side(name: str) -> int:
    """The first of a few sides of square images that the network takes; smaller ones it refuses.

    It is looked for on the meta device, but for networks that cannot be built there.
    """
    device = "cpu" if name.startswith("regnet") else "meta"
    for side in _SIDES[:-1]:
        with torch.device(device):
            message = refusal(ARCHITECTURES.get(name)(), side)
        if message is None:
            return side
        assert "use larger images" in message
        assert f"{side}×{side}" in message
    return _SIDES[-1]


def refusal(architecture: Architecture, side: int) -> str | None:
    """What ``build`` says to images that it does not take, None if it takes them."""
    try:
        architecture.build((3, side, side), NUM_CLASSES)
    except ValueError as error:
        return str(error)
    return None


def built(name: str, side: int, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return ARCHITECTURES.get(name)().build((3, side, side), NUM_CLASSES)
