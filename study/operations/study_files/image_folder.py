"""What a folder of images holds, as far as a study of it depends on that."""

import statistics
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from study.data.dataset import DataError
from study.data.sources.image_folder import IMAGE_SUFFIXES, ImageFolder

# Pixels a side, by default: the larger one where most images have at least as many.
SMALL, LARGE = 32, 64
_GREY_MODES = frozenset({"1", "L", "LA", "I", "I;16"})
_NUM_LOOKED_AT = 200


@dataclass(frozen=True)
class FolderFacts:
    """What a folder of images holds.

    Attributes:
        root: The folder, absolute.
        num_images: Images to train on, those that become the holdout included.
        num_classes: Its classes.
        has_test: Whether it has a test part of its own.
        image_size: Pixels a side to which its images are decoded.
        is_grey: Whether its images have no colours.
    """

    root: Path
    num_images: int
    num_classes: int
    has_test: bool
    image_size: int
    is_grey: bool


def read_folder(folder: Path, *, image_size: int | None = None) -> FolderFacts:
    """Decode a folder of images, into the cache that its study will read.

    Args:
        folder: With one sub-folder a class, or ``train/`` and ``test/`` above them.
        image_size: Pixels a side; None for 32, or 64 where most images have at least as many.

    Raises:
        DataError: It is none; with everything that is wrong with it.
    """
    root = folder.expanduser().resolve()
    if not root.is_dir():
        raise DataError(f"there is no folder {root}; give one whose sub-folders are the classes")
    sizes, is_grey = _looked_at(root)
    largest = LARGE if sizes and statistics.median(sizes) >= LARGE else SMALL
    size = largest if image_size is None else image_size
    dataset = ImageFolder(image_size=size, grayscale=is_grey).load(root)
    return FolderFacts(
        root=root,
        num_images=len(dataset.train_labels),
        num_classes=len(dataset.class_names),
        has_test=dataset.test_labels is not None,
        image_size=size,
        is_grey=is_grey,
    )


def _looked_at(root: Path) -> tuple[list[int], bool]:
    """The shorter sides of some images, and whether all of these are grey; by their headers."""
    files = sorted(
        path
        for path in root.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )
    sides, modes = [], set()
    for path in files[:: max(1, len(files) // _NUM_LOOKED_AT)]:
        try:
            with Image.open(path) as image:
                sides.append(min(image.size))
                modes.add(image.mode)
        except (OSError, ValueError):  # reading the whole folder will say so
            continue
    return sides, bool(modes) and modes <= _GREY_MODES
