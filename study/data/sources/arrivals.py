"""What arrives after a data set was whole: read, checked against it, and kept."""

from pathlib import Path

import numpy as np

from study.data.dataset import Arrival, DataError, DatasetSource, ImageDataset
from study.data.sources.arrays import channels_first, checked_labels, read_arrays
from study.data.sources.image_folder import ImageFolder
from study.files import atomic_replacement


def read_arrival(
    path: Path, source: DatasetSource, dataset: ImageDataset, *, root: Path | None = None
) -> Arrival:
    """More images for a data set.

    Args:
        path: An ``.npz`` with ``images`` and ``labels``, as the data set ``arrays`` takes them, or
            a folder of class folders. Not every class need come.
        source: Where the data set comes from; how a folder of images is read is its own setting.
        dataset: The data set, whose images they have to be like, with or without earlier arrivals.
        root: Where the data set is found.

    Raises:
        DataError: There are none, they are broken, of another shape, or of unknown classes.
    """
    if path.is_dir():
        folder_source = _folder_source(source, dataset, path)
        arrival = folder_source.read_arrival(path, dataset.class_names, root=root)
    elif path.is_file():
        arrival = _read_archive(path, dataset)
    else:
        raise DataError(
            f"no file or folder {path}; give an .npz with images and labels, or a folder with one "
            f"sub-folder a class"
        )
    try:
        dataset.check_arrival(arrival)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return arrival


def write_arrival(arrival: Arrival, path: Path) -> None:
    """Keep an arrival as an ``.npz``; whole or not at all.

    Raises:
        OSError: The disk is full or cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_replacement(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, images=arrival.images, labels=arrival.labels)


def _read_archive(path: Path, dataset: ImageDataset) -> Arrival:
    arrays = read_arrays(path)
    given = [name for name in arrays if name.startswith("test_")]
    if given:
        raise DataError(
            f"{path}: what arrives is trained on, and the study keeps its own test split; leave "
            f"{given[0]} out"
        )
    images = arrays["images"]
    # Small images may look as if their channels came last.
    is_as_kept = images.dtype == np.uint8 and images.shape[1:] == dataset.image_shape
    if not is_as_kept or not len(images):
        images = channels_first(images, f"{path}: images")
    return Arrival(images, checked_labels(arrays, "", path))


def _folder_source(source: DatasetSource, dataset: ImageDataset, path: Path) -> ImageFolder:
    if isinstance(source, ImageFolder):
        return source
    channels, height, width = dataset.image_shape
    if height != width:
        raise DataError(
            f"{path}: images of a folder are decoded square, and those of the study are {height} "
            f"high and {width} wide; give an .npz with images and labels"
        )
    return ImageFolder(image_size=height, grayscale=channels == 1)
