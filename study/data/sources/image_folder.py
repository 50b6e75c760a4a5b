"""Any folder of images whose sub-folders are the classes."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from study.data.dataset import (
    DATASETS,
    Arrival,
    DataError,
    DatasetSource,
    ImageDataset,
    IndexArray,
    UInt8Array,
)
from study.data.sources.class_map import load_class_map
from study.data.sources.decoding import DecodeSettings
from study.data.sources.image_cache import BrokenImage, decode_cached

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
_TEST_FOLDERS = ("test", "val", "validation")
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

logger = logging.getLogger(__name__)

# Files by class; the order of the classes is the order of their labels.
ClassFiles = dict[str, list[Path]]


@DATASETS.register("image_folder")
@dataclass(frozen=True)
class ImageFolder(DatasetSource):
    """A folder of images, ``CLASS/anything.png``, or ``train/CLASS/…`` and ``test/CLASS/…``.

    ``val/`` or ``validation/`` serves as test where there is no ``test/``. Each image is decoded
    once, its shorter side resized and its centre cropped. Every broken image, every class folder
    without images and every class of test that is not in train is reported at once. Colour images
    are cropped and flipped in training by default, grey ones are not.

    Attributes:
        path: The file or folder with the data, absolute or relative to ``data.root``.
        image_size: Height and width of the images, in pixels.
        grayscale: Whether images are decoded to grey.
        class_map: Joins class folders into super-classes and leaves out the others: a map that
            ships (``restricted_imagenet``), or a YAML file of lines ``folder: super-class``.
    """

    path: str = "."
    image_size: int = 32
    grayscale: bool = False
    class_map: str | None = None

    def __post_init__(self) -> None:
        if self.image_size < 4:
            raise ValueError(f"image_size must be at least 4, got {self.image_size}")

    def load(self, root: Path | None) -> ImageDataset:
        """Find the classes, decode what is not in the cache yet."""
        folder = self._folder(root)
        mapping = None if self.class_map is None else load_class_map(self.class_map, folder)
        train_folder, test_folder = _split_folders(folder)
        if mapping is not None:
            _check_mapping(mapping, train_folder)
        train, wrong = _scan(train_folder, mapping, folder)
        _check_classes(train, train_folder, wrong)
        test: ClassFiles = {}
        if test_folder is not None:
            test, wrong_in_test = _scan(test_folder, mapping, folder)
            wrong += wrong_in_test + _strangers(test, test_folder, train, train_folder)
        names = (*train, *(name for name in test if name not in train))
        train_files, train_labels = _flatten(train, names)
        test_files, test_labels = _flatten(test, names)
        settings = DecodeSettings(self.image_size, self.grayscale)
        images = decode_cached([*train_files, *test_files], folder, settings)
        if isinstance(images, list):
            wrong += [f"{b.path.relative_to(folder)}: {b.reason}" for b in images]
        if wrong or isinstance(images, list):
            raise _complaint(folder, wrong)
        return ImageDataset(
            train_images=images[: len(train_files)],
            train_labels=train_labels,
            test_images=None if test_folder is None else images[len(train_files) :],
            test_labels=None if test_folder is None else test_labels,
            class_names=names,
            mean=(0.5,) if self.grayscale else _IMAGENET_MEAN,
            std=(0.25,) if self.grayscale else _IMAGENET_STD,
            crop_and_flip=not self.grayscale,
        )

    def read_arrival(
        self, folder: Path, class_names: Sequence[str], *, root: Path | None = None
    ) -> Arrival:
        """More images of classes that are known, in ``folder/CLASS/…``; not every class need come.

        Args:
            folder: What arrives.
            class_names: Of the data set.
            root: ``data.root`` of the data set, where a class map of the user's own is.

        Raises:
            DataError: There are none, one is broken, a class is unknown, or there is a test part.
        """
        train_folder, test_folder = _split_folders(folder)
        if test_folder is not None:
            raise DataError(
                f"{folder}: what arrives is trained on, and the study keeps its own test split; "
                f"give {train_folder} alone"
            )
        mapping = None
        if self.class_map is not None:
            mapping = load_class_map(self.class_map, self._folder(root))
        classes, wrong = _scan(train_folder, mapping, folder)
        known = ", ".join(class_names)
        strangers = {*classes} - {*class_names}
        wrong += [f"{name}: is no class of the study ({known})" for name in strangers]
        images: UInt8Array | list[BrokenImage] = []
        if not wrong:
            files, _ = _flatten(classes, tuple(classes))
            settings = DecodeSettings(self.image_size, self.grayscale)
            images = decode_cached(files, folder, settings)
        if isinstance(images, list):
            wrong += [f"{b.path.relative_to(folder)}: {b.reason}" for b in images]
            raise _complaint(folder, sorted(wrong))
        return Arrival(images, _flatten(classes, class_names)[1])

    def _folder(self, root: Path | None) -> Path:
        if root is None:
            raise DataError(
                "data.root is not set: set it (or APP_STUDY_DATA) to the folder of images"
            )
        folder = (root / self.path).resolve()
        if not folder.is_dir():
            raise DataError(
                f"no folder {folder}; set data.root (or APP_STUDY_DATA) and data.path to the "
                "folder whose sub-folders are the classes"
            )
        return folder


def _split_folders(folder: Path) -> tuple[Path, Path | None]:
    """Where training and test images are; a folder without ``train/`` is all training."""
    train = folder / "train"
    if not train.is_dir():
        return folder, None
    found = [folder / name for name in _TEST_FOLDERS if (folder / name).is_dir()]
    if len(found) > 1:
        logger.info("%s serves as test; %s is not used", found[0], found[1])
    return train, found[0] if found else None


def _scan(
    folder: Path, mapping: Mapping[str, str] | None, root: Path
) -> tuple[ClassFiles, list[str]]:
    """Image files of each class, in an order that does not depend on the file system.

    And what is wrong with its folders.
    """
    folders = sorted(entry for entry in folder.iterdir() if entry.is_dir() and _is_shown(entry))
    if mapping is None:
        mapping = {entry.name: entry.name for entry in folders}
    by_name = {entry.name: entry for entry in folders}
    classes: ClassFiles = {}
    wrong = []
    for name, class_name in mapping.items():
        if name not in by_name:
            continue
        files = _image_files(by_name[name])
        if not files:
            wrong.append(f"{by_name[name].relative_to(root)}: this class folder holds no images")
        classes.setdefault(class_name, []).extend(files)
    if not classes:
        wrong.append(f"{folder.relative_to(root)}: there are no class folders")
    return classes, wrong


def _image_files(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in IMAGE_SUFFIXES
        and all(_is_shown(Path(part)) for part in file.relative_to(folder).parts)
        and file.is_file()
    )


def _is_shown(path: Path) -> bool:
    return not path.name.startswith(".") and path.name != "__MACOSX"


def _check_mapping(mapping: Mapping[str, str], folder: Path) -> None:
    missing = [name for name in mapping if not (folder / name).is_dir()]
    if missing:
        raise DataError(
            f"{folder}: the class map names the folder {missing[0]!r}, which is not there "
            f"({len(missing)} of {len(mapping)} are missing); check data.class_map and data.path"
        )


def _strangers(
    test: ClassFiles, test_folder: Path, train: ClassFiles, train_folder: Path
) -> list[str]:
    return [
        f"{test_folder.name}/{name}: there is no class of that name in {train_folder.name}"
        for name in test
        if name not in train
    ]


def _check_classes(classes: ClassFiles, folder: Path, wrong: Sequence[str]) -> None:
    if len(classes) < 2:
        raise DataError(
            f"{folder}: classification needs two class folders or more, found "
            f"{', '.join(classes) or 'none'}; each class is a sub-folder with its images",
            wrong if classes else (),
        )


def _complaint(folder: Path, wrong: Sequence[str]) -> DataError:
    """Everything that is wrong with the folder, at once."""
    things = "1 thing is" if len(wrong) == 1 else f"{len(wrong):,} things are"
    return DataError(
        f"{folder}: {things} wrong; repair or remove these files, fill or remove these folders "
        f"(images are {' '.join(sorted(IMAGE_SUFFIXES))}; every class of test must be in train):",
        wrong,
    )


def _flatten(classes: ClassFiles, names: Sequence[str]) -> tuple[list[Path], IndexArray]:
    """All files in order of class, and their labels."""
    labels = {name: label for label, name in enumerate(names)}
    files = [file for members in classes.values() for file in members]
    sizes = [len(members) for members in classes.values()]
    return files, np.repeat(np.array([labels[name] for name in classes], dtype=np.int64), sizes)
