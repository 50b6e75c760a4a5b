"""A small convolutional network for small images."""

from dataclasses import dataclass

from torch import nn

from study.models.architecture import ARCHITECTURES, Architecture

_LARGEST_FEATURE_MAP = 4


@ARCHITECTURES.register("convnet")
@dataclass(frozen=True)
class Convnet(Architecture):
    """Small convolutional network for images of 8×8 to 32×32, made for quick studies on a CPU.

    Blocks of 3×3 convolution, batch normalisation, ReLU and 2×2 max-pooling, then one linear
    classifier on feature maps of at most 4×4.

    Attributes:
        width: Channels of the first block; each further one has twice as many.
        depth: Number of blocks.
    """

    width: int = 16
    depth: int = 2

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"model.width must be at least 1, got {self.width}")
        if not 1 <= self.depth <= 8:
            raise ValueError(f"model.depth must be from 1 to 8, got {self.depth}")

    def build(self, image_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
        """For images of any size: a side of one pixel is not halved any more."""
        channels, height, width = image_shape
        layers: list[nn.Module] = []
        for block_index in range(self.depth):
            out_channels = self.width * 2**block_index
            layers += [
                nn.Conv2d(channels, out_channels, 3, padding=1, bias=False),
                nn.BatchNorm2d(out_channels),
                nn.ReLU(),
            ]
            if min(height, width) >= 2:
                layers.append(nn.MaxPool2d(2))
                height, width = height // 2, width // 2
            channels = out_channels
        if max(height, width) > _LARGEST_FEATURE_MAP:
            height, width = min(height, _LARGEST_FEATURE_MAP), min(width, _LARGEST_FEATURE_MAP)
            layers.append(nn.AdaptiveAvgPool2d((height, width)))
        classifier = nn.Linear(channels * height * width, num_classes)
        return nn.Sequential(*layers, nn.Flatten(), classifier)
