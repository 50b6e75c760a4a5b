"""What a data set is to the rest of the program, and the registry of where they come from."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from study.registry import Registry

UInt8Array = NDArray[np.uint8]
IndexArray = NDArray[np.int64]


class DataError(ValueError):
    """Data that is missing or broken; the message names the path and the remedy."""


@dataclass(frozen=True)
class ImageDataset:
    """Images in memory, decoded once, and never written to.

    Attributes:
        train_images: ``uint8 [N, C, H, W]``.
        train_labels: ``int64 [N]``, 0 … C − 1.
        test_images, test_labels: The data set's own test split, or None where it has none.
        class_names: One a class, in label order.
        mean, std: Per channel, of images scaled to [0, 1]; published constants or 0.5 and 0.25,
            never measured on the stream.
        crop_and_flip: Whether training images are augmented by default (natural images are,
            digits are not: a mirrored 2 is no 2).
    """

    train_images: UInt8Array
    train_labels: IndexArray
    test_images: UInt8Array | None
    test_labels: IndexArray | None
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop_and_flip: bool

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        channels, height, width = self.train_images.shape[1:]
        return channels, height, width

    @property
    def num_classes(self) -> int:
        """How many classes the labels may take."""
        return len(self.class_names)


@dataclass(frozen=True)
class DatasetSource(ABC):
    """Plug-in: where a data set comes from. Fields are its settings under ``data.``."""

    # The directory with the files must be given (by ``data.root`` or APP_STUDY_DATA).
    needs_root: ClassVar[bool] = True

    @abstractmethod
    def load(self, root: Path | None) -> ImageDataset:
        """Read the whole data set.

        Args:
            root: Folder with the data, absolute; None where the source needs none.

        Raises:
            DataError: With the path that was expected and what to do about it.
        """


DATASETS: Registry[DatasetSource] = Registry("data set")
