"""Constructors of torchvision's networks: for small images, and for any number of channels."""

import math
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torchvision import models

from study.models.shapes import ImageShape


@dataclass(frozen=True)
class Request:
    """What is to be built: torchvision's builder of the network, the images, the classes."""

    builder: Callable[..., nn.Module]
    image_shape: ImageShape
    num_classes: int

    @property
    def family(self) -> type[nn.Module]:
        """The class of the network, which the builder declares as what it returns."""
        family: type[nn.Module] = typing.get_type_hints(self.builder)["return"]
        return family

    @property
    def side(self) -> int:
        """Side of the images, for families that take square ones only.

        Raises:
            ValueError: They are not square.
        """
        _, height, width = self.image_shape
        if height != width:
            raise ValueError("it takes square images only")
        return height

    def construct(self, **options: Any) -> nn.Module:
        """The network as torchvision makes it, never with downloaded weights."""
        return self.builder(weights=None, num_classes=self.num_classes, **options)


def kaiming(conv: nn.Conv2d) -> None:
    """As torchvision starts the convolutions of its ResNet, VGG, MobileNet and EfficientNet."""
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")


def truncated_normal(conv: nn.Conv2d) -> None:
    """As torchvision starts the patch embedding of ConvNeXt."""
    nn.init.trunc_normal_(conv.weight, std=0.02)


def truncated_fan_in(conv: nn.Conv2d) -> None:
    """As torchvision starts the patch embedding of its vision transformers."""
    nn.init.trunc_normal_(conv.weight, std=math.sqrt(1 / conv.weight[0].numel()))


_INITIALISERS: Mapping[type[nn.Module], Callable[[nn.Conv2d], None]] = {
    models.ConvNeXt: truncated_normal,
    models.VisionTransformer: truncated_fan_in,
}


def change_first_convolution_(model: nn.Module, **changes: Any) -> None:
    """Replace the first convolution by a fresh one with other settings, if they are other.

    Args:
        model: The network, changed in place.
        changes: Arguments of ``nn.Conv2d``, with pairs for sizes.
    """
    name, old = next((n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d))
    settings: dict[str, Any] = {
        "in_channels": old.in_channels,
        "out_channels": old.out_channels,
        "kernel_size": old.kernel_size,
        "stride": old.stride,
        "padding": old.padding,
        "bias": old.bias is not None,
    }
    if settings == settings | changes:
        return
    new = nn.Conv2d(**settings | changes)
    _INITIALISERS.get(type(model), kaiming)(new)
    if new.bias is not None:
        nn.init.zeros_(new.bias)
    model.set_submodule(name, new)


def resnet(request: Request) -> nn.Module:
    """ResNet, Wide-ResNet and ResNeXt: a 3×3 stem with stride 1, no max-pooling."""
    model = request.construct()
    change_first_convolution_(
        model,
        in_channels=request.image_shape[0],
        kernel_size=(3, 3),
        stride=(1, 1),
        padding=(1, 1),
    )
    model.maxpool = nn.Identity()
    return model


def vgg(request: Request) -> nn.Module:
    """VGG: one linear classifier on the pooled 512 channels."""
    # Without storage first: the classifier that is thrown away has 120 million weights.
    with torch.device("meta"):
        model = request.construct(init_weights=False)
        change_first_convolution_(model, in_channels=request.image_shape[0])
        model.avgpool = nn.AdaptiveAvgPool2d(1)
        model.classifier = nn.Linear(512, request.num_classes)
    model.to_empty(device=torch.get_default_device())
    # The initialisation of torchvision's VGG.
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
        elif isinstance(module, nn.Conv2d | nn.Linear):
            if isinstance(module, nn.Conv2d):
                kaiming(module)
            else:
                nn.init.normal_(module.weight, 0, 0.01)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model


def first_stride_one(request: Request) -> nn.Module:
    """MobileNet and EfficientNet: the first convolution does not halve the image."""
    model = request.construct()
    change_first_convolution_(model, in_channels=request.image_shape[0], stride=(1, 1))
    return model


def convnext(request: Request) -> nn.Module:
    """ConvNeXt: patches of 2×2 (of one pixel where the image's side is under 16)."""
    model = request.construct()
    patch = (2, 2) if min(request.image_shape[1:]) >= 16 else (1, 1)
    change_first_convolution_(
        model, in_channels=request.image_shape[0], kernel_size=patch, stride=patch
    )
    return model


def vision_transformer(request: Request) -> nn.Module:
    """Vision transformer: about 8×8 patches (4×4 pixels in an image of 32×32)."""
    side = request.side
    divisors = [size for size in range(1, side + 1) if side % size == 0]
    with torch.device("meta"):
        published: Any = request.construct()
    layers = published.encoder.layers
    model: nn.Module = models.VisionTransformer(
        image_size=side,
        patch_size=min(divisors, key=lambda size: abs(8 * size - side)),
        num_layers=len(layers),
        num_heads=layers[0].num_heads,
        hidden_dim=published.hidden_dim,
        mlp_dim=published.mlp_dim,
        dropout=published.dropout,
        attention_dropout=published.attention_dropout,
        num_classes=request.num_classes,
    )
    change_first_convolution_(model, in_channels=request.image_shape[0])
    return model


SMALL_IMAGE_CONSTRUCTORS: Mapping[type[nn.Module], Callable[[Request], nn.Module]] = {
    models.ResNet: resnet,
    models.VGG: vgg,
    models.MobileNetV2: first_stride_one,
    models.MobileNetV3: first_stride_one,
    models.EfficientNet: first_stride_one,
    models.ConvNeXt: convnext,
    models.VisionTransformer: vision_transformer,
}

# A network returns one tensor of logits, so auxiliary classifiers are off.
_OPTIONS: Mapping[type[nn.Module], Callable[[Request], dict[str, Any]]] = {
    models.GoogLeNet: lambda _: {"aux_logits": False, "init_weights": True},
    models.Inception3: lambda _: {"aux_logits": False, "init_weights": True},
    models.VisionTransformer: lambda request: {"image_size": request.side},
    models.MaxVit: lambda request: {"input_size": request.image_shape[1:]},
}


def options_of(request: Request) -> dict[str, Any]:
    """What torchvision's builder must be given beyond the number of classes."""
    options = _OPTIONS.get(request.family)
    return options(request) if options else {}


def as_published(request: Request) -> nn.Module:
    """The network as torchvision makes it, but for the number of input channels."""
    model = request.construct(**options_of(request))
    change_first_convolution_(model, in_channels=request.image_shape[0])
    return model
