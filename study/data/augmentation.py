"""What SGD sees instead of an image: crops, mirrored half of the time."""

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor

Augmentation = Literal["none", "crop_and_flip", "random_resized_crop"]
CROP_PADDING = 4
# Of ImageNet's usual training: the share of an image's area, and width over height.
AREAS = (0.08, 1.0)
RATIOS = (3 / 4, 4 / 3)


class Drawn(Protocol):
    """How each image of a pass is changed."""

    def to(self, device: torch.device) -> "Drawn":
        """The same on another device."""

    def apply(self, images: Tensor, chosen: slice) -> Tensor:
        """The images of the pass at ``chosen``, changed.

        Args:
            images: ``uint8 [B, C, H, W]``.
            chosen: Their places in the pass.

        Returns:
            ``[B, C, H, W]``, in the range of bytes.
        """


def draw(augmentation: Augmentation, num_images: int, generator: torch.Generator) -> Drawn | None:
    """What happens to the images of a pass; None where nothing does.

    Args:
        augmentation: Which.
        num_images: Of the pass.
        generator: On the CPU.
    """
    if augmentation == "crop_and_flip":
        return _Crops.draw(num_images, generator)
    if augmentation == "random_resized_crop":
        return _ResizedCrops.draw(num_images, generator)
    return None


@dataclass(frozen=True)
class _Crops:
    """Of the image padded with black pixels, as small images are cropped.

    Attributes:
        corners: Row and column of the upper left corner in the padded image, ``int64 [2, N, 1]``.
        mirrored: ``bool [N, 1]``.
    """

    corners: Tensor
    mirrored: Tensor

    @classmethod
    def draw(cls, num_images: int, generator: torch.Generator) -> "_Crops":
        corners = torch.randint(2 * CROP_PADDING + 1, (2, num_images, 1), generator=generator)
        return cls(corners, _mirrored(num_images, generator))

    def to(self, device: torch.device) -> "_Crops":
        return _Crops(
            self.corners.to(device, non_blocking=True), self.mirrored.to(device, non_blocking=True)
        )

    def apply(self, images: Tensor, chosen: slice) -> Tensor:
        """One gather over the flat pixels of the padded images, still uint8."""
        size, channels, height, width = images.shape
        padded_width = width + 2 * CROP_PADDING
        across = torch.arange(width, device=images.device)
        rows = self.corners[0, chosen] + torch.arange(height, device=images.device)
        columns = self.corners[1, chosen] + torch.where(
            self.mirrored[chosen], across.flip(0), across
        )
        pixels = (rows * padded_width).unsqueeze(2) + columns.unsqueeze(1)
        index = pixels.view(size, 1, height * width)
        padded = F.pad(images, (CROP_PADDING,) * 4).flatten(2)
        gathered = padded.gather(2, index.expand(-1, channels, -1))
        return gathered.view(size, channels, height, width)


@dataclass(frozen=True)
class _ResizedCrops:
    """Of a part of the image, brought to its size again (Szegedy et al. 2015, 1409.4842).

    Attributes:
        places: Centre and half of the size, across and down, of an image from −1 to 1; mirrored
            where the half across is negative: ``float32 [N, 4]``.
    """

    places: Tensor

    @classmethod
    def draw(cls, num_images: int, generator: torch.Generator) -> "_ResizedCrops":
        """A share of the area, a ratio of the sides, and a place, each uniform (the ratio's log).

        A side that would be longer than the image's is as long.
        """
        area, log_ratio, across, down = torch.rand(4, num_images, generator=generator)
        area = AREAS[0] + (AREAS[1] - AREAS[0]) * area
        low, high = math.log(RATIOS[0]), math.log(RATIOS[1])
        ratio = torch.exp(low + (high - low) * log_ratio)
        half_width = (area * ratio).sqrt().clamp(max=1.0)
        half_height = (area / ratio).sqrt().clamp(max=1.0)
        centre_x = (2 * across - 1) * (1 - half_width)
        centre_y = (2 * down - 1) * (1 - half_height)
        mirrored = _mirrored(num_images, generator)[:, 0]
        half_width = torch.where(mirrored, -half_width, half_width)
        return cls(torch.stack([centre_x, centre_y, half_width, half_height], dim=1))

    def to(self, device: torch.device) -> "_ResizedCrops":
        return _ResizedCrops(self.places.to(device, non_blocking=True))

    def apply(self, images: Tensor, chosen: slice) -> Tensor:
        """Bilinear; a part is never larger than the image, so that nothing has to be smoothed."""
        centre_x, centre_y, half_width, half_height = self.places[chosen].unbind(1)
        zero = torch.zeros_like(centre_x)
        across = torch.stack([half_width, zero, centre_x], dim=1)
        down = torch.stack([zero, half_height, centre_y], dim=1)
        maps = torch.stack([across, down], dim=1)
        grid = F.affine_grid(maps, list(images.shape), align_corners=False)
        return F.grid_sample(
            images.to(torch.float32), grid, padding_mode="border", align_corners=False
        )


def _mirrored(num_images: int, generator: torch.Generator) -> Tensor:
    """``bool [N, 1]``, half of them."""
    return torch.randint(2, (num_images, 1), generator=generator).bool()
