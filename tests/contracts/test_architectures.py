"""What every architecture of the registry owes; all but one of each family are marked slow."""

import dataclasses
import hashlib
import pickle

import pytest
import torch
from torch import nn

from study.models import cifar_resnet, convnet, mlp  # noqa: F401  # register
from study.models.architecture import ARCHITECTURES
from tests.helpers.architectures import built, cases, smallest_side


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
