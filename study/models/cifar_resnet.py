"""The residual networks for 32×32 images of He et al. 2016 (arXiv 1512.03385, section 4.2)."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from study.models.architecture import ARCHITECTURES, Architecture
from study.models.channel_map import ChannelMap


class PaddedShortcut(nn.Module):
    """Option A: every second pixel, new channels all zero (half before, half after)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        before = (out_channels - in_channels) // 2
        after = out_channels - in_channels - before
        self.channels = ChannelMap([-1] * before + [*range(in_channels)] + [-1] * after)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` → ``[B, C', ⌈H/2⌉, ⌈W/2⌉]``."""
        padded: Tensor = self.channels(x[:, :, ::2, ::2])
        return padded


class BasicBlock(nn.Module):
    """Two 3×3 convolutions with normalisation around a shortcut without parameters."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        halves = in_channels != out_channels
        stride = 2 if halves else 1
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if halves:
            self.shortcut = PaddedShortcut(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` → ``[B, C', H', W']``."""
        # In place: what comes out of a normalisation is needed by nobody else.
        hidden = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        summed: Tensor = self.bn2(self.conv2(hidden)).add_(self.shortcut(x))
        return functional.relu(summed, inplace=True)


class ResidualNetwork(nn.Module):
    """Stem, three stages of blocks with 1, 2 and 4 times the stem's channels, pool, classifier."""

    def __init__(
        self, *, in_channels: int, width: int, blocks_per_stage: int, num_classes: int
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        stages: list[nn.Module] = []
        previous = width
        for channels in (width, 2 * width, 4 * width):
            blocks = []
            for _ in range(blocks_per_stage):
                blocks.append(BasicBlock(previous, channels))
                previous = channels
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3 = stages
        self.fc = nn.Linear(previous, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.zeros_(self.fc.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Images ``[B, C, H, W]`` → logits ``[B, classes]``."""
        x = functional.relu(self.bn1(self.conv1(images)), inplace=True)
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits


@dataclass(frozen=True)
class CifarResNet(Architecture):
    """Residual network of He et al. 2016 for 32×32 images, with option-A shortcuts.

    Attributes:
        width: Channels of the stem and of the first stage; 16 in the paper.
    """

    width: int = 16

    blocks_per_stage: ClassVar[int]

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"model.width must be at least 1, got {self.width}")

    def build(self, image_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
        """For images of any size; Kaiming initialisation as in the paper."""
        return ResidualNetwork(
            in_channels=image_shape[0],
            width=self.width,
            blocks_per_stage=self.blocks_per_stage,
            num_classes=num_classes,
        )


@ARCHITECTURES.register("resnet20")
@dataclass(frozen=True)
class ResNet20(CifarResNet):
    """ResNet-20 for 32×32 images (He et al. 2016): 0.27 million parameters."""

    blocks_per_stage: ClassVar[int] = 3


@ARCHITECTURES.register("resnet32")
@dataclass(frozen=True)
class ResNet32(CifarResNet):
    """ResNet-32 for 32×32 images (He et al. 2016): 0.46 million parameters."""

    blocks_per_stage: ClassVar[int] = 5


@ARCHITECTURES.register("resnet44")
@dataclass(frozen=True)
class ResNet44(CifarResNet):
    """ResNet-44 for 32×32 images (He et al. 2016): 0.66 million parameters."""

    blocks_per_stage: ClassVar[int] = 7


@ARCHITECTURES.register("resnet56")
@dataclass(frozen=True)
class ResNet56(CifarResNet):
    """ResNet-56 for 32×32 images (He et al. 2016): 0.85 million parameters."""

    blocks_per_stage: ClassVar[int] = 9
