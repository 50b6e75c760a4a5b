"""Images of a Hugging Face ``Dataset`` as a plug-in: ``plugins: [examples.hugging_face_data]``.

Needs datasets (``pip install datasets``). docs/timm_and_hugging_face.md says how it is used.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from study.data.dataset import (
    DATASETS,
    DataError,
    DatasetSource,
    ImageDataset,
    IndexArray,
    UInt8Array,
)
from study.data.sources.decoding import DecodeSettings, UnreadableImageError, decode_image
from study.data.sources.memory import check_fits

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
# What save_to_disk leaves beside a data set, and beside several splits.
_SAVED = ("state.json", "dataset_dict.json")
_ALL = "train"  # what a data set without splits is called here


@DATASETS.register("hugging_face")
@dataclass(frozen=True)
class HuggingFaceData(DatasetSource):
    """Images and labels in the columns of a Hugging Face data set on disk.

    ``path``, relative to ``data.root``, is a folder that ``save_to_disk`` has written, or one of
    parquet files, or of images as ``imagefolder`` reads them. ``test_split`` left out is ``test``,
    where there is one. Each image is decoded to ``image_size`` squared pixels, as image_folder
    does it, grey if ``grayscale``. Labels are ``ClassLabel``, whole numbers from 0, or texts.
    ``download: true`` fetches ``hub_name`` (``uoft-cs/cifar10``) where ``path`` is not there yet.
    """

    path: str = "."
    image_column: str = "image"
    label_column: str = "label"
    train_split: str = "train"
    test_split: str | None = None
    image_size: int = 32
    grayscale: bool = False
    hub_name: str | None = None
    download: bool = False

    def __post_init__(self) -> None:
        if self.image_size < 4:
            raise ValueError(f"image_size must be at least 4, got {self.image_size}")
        if self.hub_name is not None and not _HUB_NAME.fullmatch(self.hub_name):
            raise ValueError(f"hub_name must be OWNER/NAME, got {self.hub_name!r}")
        if self.download and self.hub_name is None:
            raise ValueError("download needs hub_name: which data set is to be fetched")

    def load(self, root: Path | None) -> ImageDataset:
        """Read both splits; nothing but ``download: true`` asks the network."""
        if root is None:
            raise DataError(
                "data.root is not set: set it (or APP_STUDY_DATA) to the folder of the data set"
            )
        folder = (root / self.path).resolve()
        splits = self._splits(folder)
        train, test = self._chosen(splits, folder)
        class_names, train_labels = _labels(train, self.label_column, folder)
        test_images, test_labels = None, None
        if test is not None:
            _, test_labels = _labels(test, self.label_column, folder, class_names)
            test_images = self._images(test, folder)
        return ImageDataset(
            train_images=self._images(train, folder),
            train_labels=train_labels,
            test_images=test_images,
            test_labels=test_labels,
            class_names=class_names,
            mean=(0.5,) * (1 if self.grayscale else 3),
            std=(0.25,) * (1 if self.grayscale else 3),
            crop_and_flip=not self.grayscale,
        )

    def _splits(self, folder: Path) -> Mapping[str, Any]:
        """The ``Dataset`` of each split."""
        datasets = _datasets()
        if self.download and not folder.exists():
            datasets.load_dataset(self.hub_name).save_to_disk(folder)
        if not folder.is_dir():
            raise DataError(
                f"no folder {folder}; set data.root (or APP_STUDY_DATA) and data.path to a data "
                "set on disk, or data.hub_name and data.download: true to fetch it there"
            )
        try:
            if any((folder / name).is_file() for name in _SAVED):
                found = datasets.load_from_disk(folder)
            else:
                # Named, as one of the other readers would load pickled objects.
                reader = "parquet" if any(folder.rglob("*.parquet")) else "imagefolder"
                found = datasets.load_dataset(reader, data_dir=str(folder))
        except Exception as error:  # its readers raise whatever they stumble over
            raise DataError(
                f"{folder} cannot be read as a data set ({type(error).__name__}: {error}); it "
                "must be what save_to_disk writes, or hold parquet files or images"
            ) from error
        return {_ALL: found} if isinstance(found, datasets.Dataset) else found

    def _chosen(self, splits: Mapping[str, Any], folder: Path) -> tuple[Any, Any]:
        """Training and test split, the second None where there is none."""
        for name in (self.train_split, self.test_split):
            if name is not None and name not in splits:
                raise DataError(
                    f"{folder} has no split {name!r} (it has: {', '.join(splits)}); set "
                    "data.train_split and data.test_split"
                )
        return splits[self.train_split], splits.get(self.test_split or "test")

    def _images(self, split: Any, folder: Path) -> UInt8Array:
        from datasets import Image

        feature = _feature(split, self.image_column, folder)
        if not isinstance(feature, Image):
            raise DataError(
                f"{folder}: the column {self.image_column!r} holds {feature}, not images; set "
                "data.image_column, or cast it with datasets.Image()"
            )
        settings = DecodeSettings(self.image_size, self.grayscale)
        shape = (len(split), settings.num_channels, self.image_size, self.image_size)
        check_fits(int(np.prod(shape)), f"{folder}: {len(split):,} images at {shape[1:]}")
        files = split.cast_column(self.image_column, Image(decode=False))
        images = np.empty(shape, dtype=np.uint8)
        broken = []
        for row, file in enumerate(_values(files, self.image_column)):
            try:
                images[row] = decode_image(_file(file), settings)
            except (UnreadableImageError, OSError) as error:
                broken.append(f"row {row} of {split.split}: {error}")
        if broken:
            raise DataError(
                f"{folder}: {len(broken):,} of {len(split):,} images cannot be read:", broken
            )
        return images


def _datasets() -> Any:
    try:
        import datasets  # takes seconds
    except ImportError as error:
        raise DataError(f"datasets cannot be imported ({error}): pip install datasets") from error
    return datasets


def _feature(split: Any, column: str, folder: Path) -> Any:
    if column not in split.features:
        raise DataError(
            f"{folder} has no column {column!r} (it has: {', '.join(split.features)}); set "
            "data.image_column and data.label_column"
        )
    return split.features[column]


def _values(split: Any, column: str) -> Iterable[Any]:
    return (row[column] for row in split.select_columns([column]))


def _file(entry: Mapping[str, Any] | None) -> Path | bytes:
    """The bytes of an image, or where it lies."""
    if entry is None or (entry["bytes"] is None and entry["path"] is None):
        raise UnreadableImageError("there is no image")
    return Path(entry["path"]) if entry["bytes"] is None else bytes(entry["bytes"])


def _labels(
    split: Any, column: str, folder: Path, names: tuple[str, ...] = ()
) -> tuple[tuple[str, ...], IndexArray]:
    """Names of the classes, and labels; texts get their place among ``names``, if given."""
    feature = _feature(split, column, folder)
    values = list(_values(split, column))
    what = f"{folder}: the column {column!r}"
    if any(value is None for value in values):
        raise DataError(f"{what} lacks the label of row {values.index(None)}; leave the row out")
    if all(isinstance(value, str) for value in values):
        known = names or tuple(sorted(set(values)))
        strangers = sorted(set(values) - set(known))
        if strangers:
            raise DataError(f"{what}: {strangers[0]!r} is in the test split alone")
        places = {name: place for place, name in enumerate(known)}
        return known, np.array([places[value] for value in values], dtype=np.int64)
    if not all(isinstance(value, int) for value in values):
        raise DataError(f"{what} holds {feature}; labels are ClassLabel, whole numbers or texts")
    labels = np.array(values, dtype=np.int64)
    own = getattr(feature, "names", None) or [str(k) for k in range(int(labels.max()) + 1)]
    return names or tuple(own), labels
