"""A made-up data set that can be learned, of any size: for trying things out and for tests."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from study.data.dataset import DATASETS, DatasetSource, ImageDataset, IndexArray, UInt8Array
from study.data.sources.memory import check_fits

_COARSE = 4  # patterns are random 4×4 mosaics
_BYTES_A_PIXEL = 33  # four arrays of doubles while they are drawn, and the image


@DATASETS.register("synthetic")
@dataclass(frozen=True)
class Synthetic(DatasetSource):
    """One random mosaic a class, seen through noise; classes are equally frequent.

    Attributes:
        num_examples: Training images.
        num_test_examples: Test images.
        num_classes: Classes, at least two.
        image_size: Height and width of the images, in pixels.
        num_channels: Channels of the images.
        noise: Standard deviation of each pixel, of images in [0, 1]: at 0 the classes are
            distinguished by one pixel, at 1 hardly at all.
        synthetic_seed: Of patterns and noise.
    """

    needs_root: ClassVar[bool] = False

    num_examples: int = 1000
    num_test_examples: int = 200
    num_classes: int = 4
    image_size: int = 16
    num_channels: int = 3
    noise: float = 0.25
    synthetic_seed: int = 0

    def __post_init__(self) -> None:
        least = {"num_classes": 2, "image_size": 4, "num_channels": 1, "num_test_examples": 0}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise ValueError(f"{name} must be at least {low}, got {getattr(self, name)}")
        if self.num_examples < self.num_classes:
            raise ValueError(
                f"num_examples must be at least num_classes ({self.num_classes}), "
                f"got {self.num_examples}"
            )
        if self.noise < 0:
            raise ValueError(f"noise must not be negative, got {self.noise}")

    def load(self, root: Path | None) -> ImageDataset:  # noqa: ARG002 - made, not read
        """Draw patterns, then training images, then test images (none if none are wanted)."""
        num_pixels = self.num_channels * self.image_size**2
        num_images = max(self.num_examples, self.num_test_examples)
        check_fits(
            _BYTES_A_PIXEL * num_images * num_pixels,
            f"{num_images:,} synthetic images of {num_pixels:,} values",
        )
        generator = np.random.default_rng(self.synthetic_seed)
        patterns = self._patterns(generator)
        train_images, train_labels = self._draw(patterns, self.num_examples, generator)
        test_images, test_labels = None, None
        if self.num_test_examples > 0:
            test_images, test_labels = self._draw(patterns, self.num_test_examples, generator)
        return ImageDataset(
            train_images=train_images,
            train_labels=train_labels,
            test_images=test_images,
            test_labels=test_labels,
            class_names=tuple(f"class {label}" for label in range(self.num_classes)),
            mean=(0.5,) * self.num_channels,
            std=(0.25,) * self.num_channels,
            crop_and_flip=False,
        )

    def _patterns(self, generator: np.random.Generator) -> NDArray[np.float64]:
        """One ``[C, H, W]`` in [0.25, 0.75] a class."""
        shape = (self.num_classes, self.num_channels, _COARSE, _COARSE)
        coarse = generator.uniform(0.25, 0.75, shape)
        fine = np.arange(self.image_size) * _COARSE // self.image_size
        return coarse[:, :, fine][:, :, :, fine]

    def _draw(
        self, patterns: NDArray[np.float64], num_examples: int, generator: np.random.Generator
    ) -> tuple[UInt8Array, IndexArray]:
        labels = generator.permutation(np.arange(num_examples, dtype=np.int64) % self.num_classes)
        clean = patterns[labels]
        noisy = clean + self.noise * generator.standard_normal(clean.shape)
        return np.rint(np.clip(noisy, 0, 1) * 255).astype(np.uint8), labels
