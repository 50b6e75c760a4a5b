"""Folders of images decoded once, and kept beside them with a checksum."""

import hashlib
import logging
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from study.data.dataset import UInt8Array
from study.data.sources.decoding import DecodeSettings, UnreadableImageError, decode_image
from study.data.sources.memory import check_fits
from study.files import atomic_replacement

CACHE_FOLDER = ".app-study-cache"
_DECODER_VERSION = 2  # part of the key: raise it when decoded pixels or the cache would differ
_CHUNK = 64
_DIGEST_SIZE = 32

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BrokenImage:
    """A file that cannot be read, and why."""

    path: Path
    reason: str


def decode_cached(
    files: Sequence[Path], root: Path, settings: DecodeSettings
) -> UInt8Array | list[BrokenImage]:
    """All files as ``uint8 [N, C, size, size]``, from the cache if they were decoded before.

    The cache is a ``.npy`` in ``ROOT/.app-study-cache``, or in the user's cache directory where
    the root cannot be written. Its name is a hash of every file's relative path, size and time
    of change, and of the settings: it is stale only if a file is exchanged for another of equal
    size and time. A checksum of name and pixels follows the array; a cache that does not agree
    with it is made anew.

    Returns:
        The images; or, where any is broken, every one that is, in order, and nothing is kept.

    Raises:
        DataError: This machine cannot hold them.
    """
    shape = (len(files), settings.num_channels, settings.image_size, settings.image_size)
    num_bytes = int(np.prod([float(length) for length in shape]))
    check_fits(
        num_bytes, f"{len(files):,} images decoded at {shape[1:]} (channels, height, width)"
    )
    name = f"{_fingerprint(files, root, settings)}.npy"
    folders = (root / CACHE_FOLDER, _user_cache())
    for folder in folders:
        cached = _read_cache(folder / name, shape)
        if cached is not None:
            return cached
    logger.info("decoding %d images of %s, once", len(files), root)
    start = time.monotonic()
    images = np.empty(shape, dtype=np.uint8)
    broken = _decode_into(images, files, settings)
    if broken:
        return broken
    logger.info("decoded %d images in %.1f s", len(files), time.monotonic() - start)
    if not any(_write_cache(folder / name, images) for folder in folders):
        logger.warning(
            "decoded images of %s cannot be kept: neither %s nor %s can be written; they will be "
            "decoded again next time",
            root,
            *folders,
        )
    return images


def _decode_into(
    images: UInt8Array, files: Sequence[Path], settings: DecodeSettings
) -> list[BrokenImage]:
    def decode_chunk(start: int) -> list[BrokenImage]:
        broken = []
        for index in range(start, min(start + _CHUNK, len(files))):
            try:
                images[index] = decode_image(files[index], settings)
            except UnreadableImageError as error:
                broken.append(BrokenImage(files[index], str(error)))
        return broken

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        found = list(pool.map(decode_chunk, range(0, len(files), _CHUNK)))
    return [broken for chunk in found for broken in chunk]


def _fingerprint(files: Sequence[Path], root: Path, settings: DecodeSettings) -> str:
    digest = hashlib.sha256(f"{_DECODER_VERSION} {settings}".encode())
    for file in files:
        status = file.stat()
        line = (str(file.relative_to(root)), status.st_size, status.st_mtime_ns)
        digest.update(repr(line).encode())
    return digest.hexdigest()[:32]


def _user_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "app-study"


def _checksum(name: str, images: UInt8Array) -> bytes:
    digest = hashlib.blake2b(name.encode(), digest_size=_DIGEST_SIZE)
    digest.update(np.ascontiguousarray(images).data)
    return digest.digest()


def _read_cache(path: Path, shape: tuple[int, ...]) -> UInt8Array | None:
    try:
        with path.open("rb") as file:
            expected = int(np.prod(shape))
            # A header is not trusted: it could ask for any amount of memory.
            if not expected < path.stat().st_size < expected + 1000:
                raise ValueError("not of the size that these images have")
            images: UInt8Array = np.load(file, allow_pickle=False)
            kept = file.read()
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, MemoryError) as error:
        logger.warning("the cache %s is unreadable and made anew: %s", path, error)
        return None
    if images.shape != shape or images.dtype != np.uint8 or kept != _checksum(path.name, images):
        logger.warning("the cache %s holds something else and is made anew", path)
        return None
    return images


def _write_cache(path: Path, images: UInt8Array) -> bool:
    """Write so that another process never sees half a file; False if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_replacement(path, is_private=True) as temporary, temporary.open("wb") as out:
            np.save(out, images, allow_pickle=False)
            out.write(_checksum(path.name, images))
    except OSError:
        return False
    return True
