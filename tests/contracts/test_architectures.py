"""What every architecture of the registry owes; large ones are marked slow."""

import dataclasses
import hashlib
import pickle

import pytest
import torch
from _pytest.mark import ParameterSet
from torch import nn
from torchvision import models

from study.models import cifar_resnet, convnet, mlp, torchvision_models  # noqa: F401  # register
from study.models.architecture import ARCHITECTURES, Architecture

_LARGEST_QUICK = 2_300_000
_SIDES = (32, 64, 96, 224)


def published_parameters(name: str) -> int:
    """What torchvision publishes for the network; 0 for ours, which are all small."""
    if name not in models.list_models(module=models):
        return 0
    return int(models.get_model_weights(name).DEFAULT.meta["num_params"])


def cases() -> list[ParameterSet]:
    """Every registered name, large ones marked slow."""
    slow = [pytest.mark.slow, pytest.mark.timeout(600)]
    return [
        pytest.param(name, marks=slow if published_parameters(name) > _LARGEST_QUICK else [])
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
        architecture.build((3, side, side), 5)
    except ValueError as error:
        return str(error)
    return None


def built(name: str, side: int, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return ARCHITECTURES.get(name)().build((3, side, side), 5)


def fingerprint(model: nn.Module) -> str:
    """A hash of every weight and buffer, with its name."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("name", cases())
def test_an_architecture_builds_from_its_defaults_and_gives_finite_logits(name: str) -> None:
    side = smallest_side(name)
    model = built(name, side)
    with torch.no_grad():
        logits = model.eval()(torch.randn(2, 3, side, side))
    assert logits.shape == (2, 5)
    assert logits.isfinite().all()


@pytest.mark.parametrize("name", cases())
def test_the_same_seed_gives_the_same_weights_to_the_bit_and_another_seed_others(
    name: str,
) -> None:
    side = 224 if name in ("maxvit_t", "inception_v3") else 64
    first, again, other = (fingerprint(built(name, side, seed)) for seed in (0, 0, 1))
    assert first == again
    assert first != other


@pytest.mark.parametrize("name", ARCHITECTURES.names())
def test_an_architecture_is_a_frozen_value_that_pickles_and_describes_itself(name: str) -> None:
    cls = ARCHITECTURES.get(name)
    architecture = cls()
    assert pickle.loads(pickle.dumps(architecture)) == architecture
    assert type(pickle.loads(pickle.dumps(architecture))) is cls
    assert cls.__doc__
    assert not cls.__doc__.startswith(f"{cls.__name__}(")  # dataclasses make such a one up
    field = dataclasses.fields(architecture)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(architecture, field, None)
