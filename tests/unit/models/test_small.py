"""The networks for small images: parameter counts, sizes, and that they learn and are quick."""

import dataclasses

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from study.models.channel_map import ChannelMap
from study.models.cifar_resnet import (
    CifarResNet,
    PaddedShortcut,
    ResNet20,
    ResNet32,
    ResNet44,
    ResNet56,
)
from study.models.convnet import Convnet
from study.models.mlp import Mlp


def num_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("architecture", "published"),
    [(ResNet20(), 269722), (ResNet32(), 464154), (ResNet44(), 658586), (ResNet56(), 853018)],
)
def test_a_cifar_resnet_has_the_published_number_of_parameters(
    architecture: CifarResNet, published: int
) -> None:
    with torch.device("meta"):
        assert num_parameters(architecture.build((3, 32, 32), 10)) == published


@pytest.mark.parametrize("image_shape", [(1, 8, 8), (1, 28, 28), (3, 7, 9), (2, 1, 1)])
@pytest.mark.parametrize("architecture", [ResNet20(width=4), Convnet(), Convnet(depth=5), Mlp()])
def test_networks_for_small_images_take_any_size_and_number_of_channels(
    architecture: CifarResNet | Convnet | Mlp, image_shape: tuple[int, int, int]
) -> None:
    model = architecture.build(image_shape, 7)
    logits = model(torch.randn(3, *image_shape))
    assert logits.shape == (3, 7)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_the_padded_shortcut_takes_every_second_pixel_and_adds_silent_channels() -> None:
    x = torch.arange(1.0, 33.0).reshape(1, 2, 4, 4)
    y = PaddedShortcut(2, 4)(x)
    assert torch.equal(y[:, 1:3], x[:, :, ::2, ::2])
    assert y[:, [0, 3]].abs().sum() == 0


def test_a_channel_map_brings_channels_to_their_places_and_zeros_elsewhere() -> None:
    x = torch.arange(1.0, 13.0).reshape(1, 3, 2, 2).requires_grad_()
    y = ChannelMap([2, -1, 0, 2])(x)
    assert torch.equal(y, torch.cat([x[:, 2:], 0 * x[:, :1], x[:, :1], x[:, 2:]], 1))
    y.sum().backward()
    assert x.grad is not None
    assert x.grad[0, :, 0, 0].tolist() == [1, 0, 2]


def test_convolutions_of_a_cifar_resnet_start_with_the_variance_of_he() -> None:
    torch.manual_seed(0)
    weight = ResNet20().build((3, 32, 32), 10).get_parameter("layer3.1.conv1.weight")
    assert weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)


def test_an_mlp_has_the_hidden_layers_that_it_was_asked_for() -> None:
    model = Mlp(hidden_sizes=(5, 3), batch_norm=False).build((1, 2, 2), 2)
    shapes = [tuple(layer.weight.shape) for layer in model if isinstance(layer, nn.Linear)]
    assert shapes == [(5, 4), (3, 5), (2, 3)]
    assert not any(isinstance(layer, nn.BatchNorm1d) for layer in model)


@pytest.mark.parametrize(
    ("architecture", "changes", "message"),
    [
        (Mlp(), {"hidden_sizes": (8, 0)}, r"model\.hidden_sizes .* \[8, 0\]"),
        (Convnet(), {"width": 0}, r"model\.width .* 0"),
        (Convnet(), {"depth": 9}, r"model\.depth .* 9"),
        (ResNet20(), {"width": -1}, r"model\.width .* -1"),
    ],
)
def test_settings_out_of_range_are_refused_by_their_path(
    architecture: Mlp | Convnet | CifarResNet, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(architecture, **changes)


def test_the_convnet_reads_handwritten_digits() -> None:
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 8 - 1
    labels = torch.tensor(digits.target)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    train, test = order[:1437], order[1437:]
    torch.manual_seed(0)
    model = Convnet().build((1, 8, 8), 10)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(10):
        for indices in train[torch.randperm(len(train))].split(64):
            optimiser.zero_grad()
            functional.cross_entropy(model(images[indices]), labels[indices]).backward()
            optimiser.step()
    model.eval()
    with torch.no_grad():
        accuracy = (model(images[test]).argmax(1) == labels[test]).float().mean().item()
    assert accuracy > 0.97
