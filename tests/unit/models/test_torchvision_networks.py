"""torchvision's networks: published parameter counts, small-image stems, clear refusals."""

import pytest
import torch
from torch import nn
from torchvision import models

from study.models.architecture import ARCHITECTURES
from study.models.torchvision_networks import networks

NAMED_BY_THE_PAPER = {
    "resnet18": 11173962,
    "resnet34": 21282122,
    "resnet50": 23520842,
    "resnet101": 42512970,
    "vgg16_bn": 14728266,
}
OTHERS = [
    "wide_resnet50_2",
    "wide_resnet101_2",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "convnext_tiny",
    "vit_b_16",
]


def build(
    name: str, image_shape: tuple[int, int, int], num_classes: int = 10, **settings: object
) -> nn.Module:
    """The network without storage."""
    with torch.device("meta"):
        return ARCHITECTURES.get(name)(**settings).build(image_shape, num_classes)


def num_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def bottleneck_parameters(blocks: tuple[int, ...], inner: int, num_classes: int) -> int:
    """Of a bottleneck residual network with a 3×3 stem, from the paper's table of layers."""
    total, in_channels = 27 * 64 + 2 * 64, 64
    for stage, num_blocks in enumerate(blocks):
        width, out_channels = inner * 2**stage, 256 * 2**stage
        for block in range(num_blocks):
            total += in_channels * width + 9 * width**2 + width * out_channels
            total += 2 * (width + width + out_channels)
            total += in_channels * out_channels + 2 * out_channels if block == 0 else 0
            in_channels = out_channels
    return total + in_channels * num_classes + num_classes


@pytest.mark.parametrize("name", NAMED_BY_THE_PAPER)
def test_a_network_of_the_paper_has_the_known_parameters_on_small_images(name: str) -> None:
    assert num_parameters(build(name, (3, 32, 32))) == NAMED_BY_THE_PAPER[name]


@pytest.mark.parametrize(
    ("name", "blocks", "inner"),
    [
        ("resnet50", (3, 4, 6, 3), 64),
        ("wide_resnet50_2", (3, 4, 6, 3), 128),
        ("wide_resnet101_2", (3, 4, 23, 3), 128),
    ],
)
def test_bottleneck_networks_have_the_parameters_of_the_layer_table(
    name: str, blocks: tuple[int, ...], inner: int
) -> None:
    assert num_parameters(build(name, (3, 32, 32))) == bottleneck_parameters(blocks, inner, 10)


@pytest.mark.parametrize("name", [*NAMED_BY_THE_PAPER, *OTHERS])
def test_at_full_size_a_network_has_the_parameters_that_torchvision_publishes(name: str) -> None:
    published = models.get_model_weights(name).DEFAULT.meta["num_params"]
    assert num_parameters(build(name, (3, 224, 224), 1000)) == published


def test_every_classifier_of_torchvision_is_registered_under_its_own_class() -> None:
    names = models.list_models(module=models)
    assert set(names) <= set(ARCHITECTURES)
    assert len({ARCHITECTURES.get(name) for name in names}) == len(names)
    assert all(
        getattr(networks, ARCHITECTURES.get(name).__name__) is ARCHITECTURES.get(name)
        for name in names
    )


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "convnext_tiny"])
def test_the_small_stem_keeps_more_pixels_and_is_for_small_images_alone(name: str) -> None:
    def reduction(side: int, **settings: object) -> int:
        model = build(name, (3, side, side), **settings)
        first = next(m for m in model.modules() if isinstance(m, nn.Conv2d))
        return first.stride[0]

    small, large = reduction(64), reduction(65)
    assert small < large
    assert reduction(65, small_image_stem=True) == small
    assert reduction(64, small_image_stem=False) == large


def test_a_small_resnet_has_no_max_pooling() -> None:
    model = build("resnet18", (3, 32, 32))
    assert not any(isinstance(module, nn.MaxPool2d) for module in model.modules())


def test_a_vision_transformer_cuts_a_cifar_image_into_patches_of_four_pixels() -> None:
    model = build("vit_b_16", (3, 32, 32))
    assert (model.image_size, model.patch_size, model.seq_length) == (32, 4, 65)


@pytest.mark.parametrize("name", ["resnet18", "vgg11", "mobilenet_v2", "squeezenet1_1"])
def test_the_first_convolution_has_the_channels_of_the_images(name: str) -> None:
    for side in (32, 128):
        model = build(name, (1, side, side))
        first = next(m for m in model.modules() if isinstance(m, nn.Conv2d))
        assert first.in_channels == 1


def test_a_small_vgg_starts_as_torchvision_starts_it() -> None:
    torch.manual_seed(0)
    model = ARCHITECTURES.get("vgg11_bn")().build((3, 32, 32), 100)
    conv = model.features[11].weight
    assert conv.std().item() == pytest.approx((2 / (conv.shape[0] * 9)) ** 0.5, rel=0.02)
    assert model.classifier.weight.std().item() == pytest.approx(0.01, rel=0.05)
    norm = model.features[1]
    assert norm.weight.eq(1).all()
    assert norm.running_var.eq(1).all()
    assert norm.running_mean.eq(0).all()


def test_in_training_mode_a_network_with_auxiliary_classifiers_returns_logits_alone() -> None:
    model = ARCHITECTURES.get("googlenet")().build((3, 32, 32), 10).train()
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize(
    ("name", "image_shape", "reason"),
    [
        ("vgg16_bn", (3, 8, 8), "too small"),
        ("densenet121", (3, 16, 16), "too small"),
        ("inception_v3", (3, 32, 32), "8|size"),
        ("maxvit_t", (3, 32, 32), "partition"),
        ("vit_b_16", (3, 32, 40), "square"),
        ("vit_b_16", (3, 100, 100), "divisible"),
    ],
)
def test_images_that_do_not_fit_are_refused_with_name_size_and_remedy(
    name: str, image_shape: tuple[int, int, int], reason: str
) -> None:
    size = f"{image_shape[1]}×{image_shape[2]}"
    with pytest.raises(ValueError, match=rf"(?s){name}.*{size}.*({reason}).*use larger images"):
        build(name, image_shape)


def test_a_small_stem_is_refused_where_the_family_has_none() -> None:
    with pytest.raises(ValueError, match=r"small_image_stem: 'alexnet'.*leave the setting out"):
        build("alexnet", (3, 64, 64), small_image_stem=True)
