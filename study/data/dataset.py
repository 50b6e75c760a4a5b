"""What a data set is to the rest of the program, and the registry of where they come from."""

import dataclasses
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from study.errors import UserError
from study.registry import Registry

UInt8Array = NDArray[np.uint8]
IndexArray = NDArray[np.int64]


class DataError(UserError, ValueError):
    """Data that is missing or broken; the message names the path and the remedy.

    Attributes:
        summary: The message without its details.
        details: Everything that is wrong, e.g. a line for each broken file.
    """

    def __init__(self, summary: str, details: Sequence[str] = ()) -> None:
        self.summary = summary
        self.details = tuple(details)
        super().__init__("\n  ".join([summary, *self.details]))

    def __reduce__(self) -> tuple[type["DataError"], tuple[str, tuple[str, ...]]]:
        # It crosses processes, and by default would be made anew from its text alone.
        return type(self), (self.summary, self.details)


@dataclass(frozen=True)
class ImageDataset:
    """Images, decoded once, and never written to: in memory, or mapped from a file.

    Attributes:
        train_images: ``uint8 [N, C, H, W]``.
        train_labels: ``int64 [N]``, 0 … C − 1.
        test_images, test_labels: The data set's own test split, or None where it has none.
        class_names: One a class, in label order.
        mean, std: Per channel, of images scaled to [0, 1]; published constants or 0.5 and 0.25,
            never measured on the stream.
        crop_and_flip: Whether training images are augmented by default (natural images are,
            digits are not: a mirrored 2 is no 2).
        arrival_sizes: Training examples of each part that arrived after the data set was whole;
            together they are the last ones, and no split is drawn from them.

    Raises:
        DataError: The arrays are not of these types and shapes, do not belong together, or hold a
            label out of range.
    """

    train_images: UInt8Array
    train_labels: IndexArray
    test_images: UInt8Array | None
    test_labels: IndexArray | None
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop_and_flip: bool
    arrival_sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if (self.test_images is None) != (self.test_labels is None):
            raise DataError("there are test images or test labels, but not both")
        self._check_part("training", self.train_images, self.train_labels)
        if self.test_images is not None and self.test_labels is not None:
            self._check_part("test", self.test_images, self.test_labels)
        for name in ("mean", "std"):
            if len(getattr(self, name)) != self.image_shape[0]:
                raise DataError(
                    f"{name} has {len(getattr(self, name))} values for "
                    f"{self.image_shape[0]} channels"
                )

    def _check_part(self, part: str, images: UInt8Array, labels: IndexArray) -> None:
        if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape:
            raise DataError(
                f"{part} images must be uint8 [N, C, H, W], none of them 0, got {images.dtype} "
                f"{list(images.shape)}"
            )
        if labels.dtype != np.int64 or labels.shape != (len(images),):
            raise DataError(
                f"{part} labels must be int64 [{len(images)}], one an image, got {labels.dtype} "
                f"{list(labels.shape)}"
            )
        if images.shape[1:] != self.image_shape:
            raise DataError(
                f"{part} images are {list(images.shape[1:])} and training images "
                f"{list(self.image_shape)} (channels, height, width); make them alike"
            )
        wrong = np.flatnonzero((labels < 0) | (labels >= self.num_classes))
        if len(wrong):
            raise DataError(
                f"{len(wrong)} {part} labels are out of range: example {wrong[0]} is of class "
                f"{labels[wrong[0]]}, but the {self.num_classes} classes are "
                f"0 … {self.num_classes - 1}"
            )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        channels, height, width = self.train_images.shape[1:]
        return channels, height, width

    @property
    def num_before_arrivals(self) -> int:
        """Training examples of the data set itself."""
        return len(self.train_labels) - sum(self.arrival_sizes)

    def check_arrival(self, arrival: "Arrival") -> None:
        """Whether images could be more of these.

        Raises:
            DataError: They are of another kind or of other classes.
        """
        self._check_part("arrived", arrival.images, arrival.labels)

    def with_arrivals(self, arrivals: Sequence["Arrival"]) -> "ImageDataset":
        """The data set and what has arrived since, behind it in this order.

        Raises:
            DataError: An arrival is of other images or of classes that the data set has not got.
        """
        if not arrivals:
            return self
        for arrival in arrivals:
            self.check_arrival(arrival)
        return dataclasses.replace(
            self,
            train_images=np.concatenate([self.train_images, *(a.images for a in arrivals)]),
            train_labels=np.concatenate([self.train_labels, *(a.labels for a in arrivals)]),
            arrival_sizes=(*self.arrival_sizes, *(len(a.labels) for a in arrivals)),
        )

    def in_memory(self) -> "ImageDataset":
        """The same with images that another machine can be sent."""
        return dataclasses.replace(
            self,
            train_images=np.array(self.train_images, subok=False),
            test_images=(
                None if self.test_images is None else np.array(self.test_images, subok=False)
            ),
        )

    def digest(self) -> str:
        """Hash over all that a trial sees of the data: 16 hexadecimal digits."""
        arrays = (self.train_images, self.train_labels, self.test_images, self.test_labels)
        later = (self.arrival_sizes,) if self.arrival_sizes else ()
        facts = (self.class_names, self.mean, self.std, self.crop_and_flip, *later)
        return _digest(*arrays, facts=facts)

    @property
    def num_classes(self) -> int:
        """How many classes the labels may take."""
        return len(self.class_names)


def _digest(*arrays: UInt8Array | IndexArray | None, facts: tuple[object, ...]) -> str:
    made = hashlib.blake2b(digest_size=8)
    for array in arrays:
        if array is not None:
            made.update(repr(array.shape).encode())
            made.update(np.ascontiguousarray(array).data)
    made.update(repr(facts).encode())
    return made.hexdigest()


@dataclass(frozen=True)
class Arrival:
    """Labelled images that came after a data set was whole: one further megabatch.

    Attributes:
        images: ``uint8 [N, C, H, W]``.
        labels: ``int64 [N]``.
    """

    images: UInt8Array
    labels: IndexArray

    def digest(self) -> str:
        """Hash over images, labels and their shapes: 16 hexadecimal digits."""
        return _digest(self.images, self.labels, facts=())


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
