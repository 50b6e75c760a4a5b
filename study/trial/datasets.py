"""Which data set a trial reads, where it lies on this machine, and reading it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from study.config.sections import DataSection
from study.data.dataset import Arrival, DataError, DatasetSource, ImageDataset
from study.data.sources.arrivals import read_arrival
from study.data.sources.memory import check_fits

DATA_ROOT_VARIABLE = "APP_STUDY_DATA"


@dataclass(frozen=True)
class DatasetKey:
    """Which data set a trial reads, whatever its splits, and what arrives after it.

    Attributes:
        root: Its folder on this machine, absolute.
        given: ``data.root`` as the study gives it.
        arrivals: ``data.arrivals`` as the study gives them.
    """

    name: str
    source: DatasetSource
    root: Path | None
    given: str | None = field(default=None, compare=False)
    arrivals: tuple[str, ...] = ()

    @property
    def arrival_paths(self) -> tuple[Path, ...]:
        """Where the arrivals lie on this machine, absolute."""
        return tuple((self.root or Path()) / path for path in self.arrivals)


def dataset_key(data: DataSection) -> DatasetKey:
    """The data set that a trial reads; equal keys are loaded once.

    Raises:
        DataError: It needs a folder and none is given.
    """
    return found_here(
        DatasetKey(data.dataset, data.plugin("dataset"), None, data.root, data.arrivals)
    )


def found_here(key: DatasetKey) -> DatasetKey:
    """The same data set on this machine: ``~``, relative folders and the variable are its own.

    Raises:
        DataError: It needs a folder and none is given.
    """
    root = key.given or os.environ.get(DATA_ROOT_VARIABLE) or None
    if root is None and key.source.needs_root:
        raise DataError(
            f"data.root: the data set {key.name!r} lies in a folder; give it with --data-root "
            f"FOLDER, the environment variable {DATA_ROOT_VARIABLE}, or data.root"
        )
    place = Path(root).expanduser().absolute() if root else None
    relative = [path for path in key.arrivals if not Path(path).is_absolute()]
    if place is None and relative:
        raise DataError(
            f"data.arrivals: {relative[0]!r} is relative, but no data.root is given; set "
            f"data.root (or {DATA_ROOT_VARIABLE}), or give an absolute path"
        )
    return replace(key, root=place)


def load_dataset(key: DatasetKey) -> ImageDataset:
    """Read a data set.

    Raises:
        DataError: It is missing or broken, or more than this machine's memory holds.
    """
    try:
        dataset = key.source.load(key.root)
        arrived = _arrived(key, dataset)
        if arrived:
            joined = [dataset.train_images, *(a.images for a in arrived)]
            num_bytes = sum(images.nbytes for images in joined)
            check_fits(num_bytes, f"the data set {key.name!r} joined with what has arrived")
        return dataset.with_arrivals(arrived)
    except MemoryError:
        raise DataError(
            f"the data set {key.name!r} does not fit in the memory of this machine; take fewer "
            f"or smaller images"
        ) from None


def _arrived(key: DatasetKey, dataset: ImageDataset) -> list[Arrival]:
    try:
        return [
            read_arrival(path, key.source, dataset, root=key.root) for path in key.arrival_paths
        ]
    except DataError as error:
        raise DataError(f"data.arrivals: {error.summary}", error.details) from None


def dataset_labels(datasets: Mapping[DatasetKey, ImageDataset]) -> dict[DatasetKey, str]:
    """A short name for each data set."""
    return {key: str(index) for index, key in enumerate(datasets)}
