"""Folders of images decoded once, and kept beside them with a checksum."""

import contextlib
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from study.data.dataset import UInt8Array
from study.data.mapped import map_images
from study.data.sources.decoding import DecodeSettings, UnreadableImageError, decode_image
from study.data.sources.memory import check_fits
from study.files import atomic_replacement

CACHE_FOLDER = ".app-study-cache"
_DECODER_VERSION = 2  # part of the key: raise it when decoded pixels or the cache would differ
_CHUNK = 64
# Decoded images of so many bytes stay in the cache's file, and are not brought into memory.
MAPPED_FROM = 2**30
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
    with it is made anew. From :data:`MAPPED_FROM` bytes on the images stay in that file
    (:class:`~study.data.mapped.MappedImages`), and are decoded into it.

    Returns:
        The images; or, where any is broken, every one that is, in order, and nothing is kept.

    Raises:
        DataError: This machine cannot hold them, on a disk or in memory.
    """
    shape = (len(files), settings.num_channels, settings.image_size, settings.image_size)
    num_bytes = int(np.prod([float(length) for length in shape]))
    is_mapped = num_bytes >= MAPPED_FROM
    name = f"{_fingerprint(files, root, settings)}.npy"
    folders = (root / CACHE_FOLDER, _user_cache())
    for folder in folders:
        cached = _read_cache(folder / name, shape, is_mapped=is_mapped)
        if cached is not None:
            return cached
    logger.info("decoding %d images of %s, once", len(files), root)
    start = time.monotonic()
    what = f"{len(files):,} images decoded at {shape[1:]} (channels, height, width)"
    if is_mapped:
        found = _decode_to_disk(files, settings, shape, folders, name)
        if found is not None:
            logger.info("decoded %d images in %.1f s", len(files), time.monotonic() - start)
            return found
        logger.warning("%s are held in memory: they cannot be written to a cache", what)
    check_fits(num_bytes, what)
    images = np.empty(shape, dtype=np.uint8)
    broken = _decode_into(images, files, settings)
    if broken:
        return broken
    logger.info("decoded %d images in %.1f s", len(files), time.monotonic() - start)
    if is_mapped or not any(_write_cache(folder / name, images) for folder in folders):
        logger.warning(
            "decoded images of %s cannot be kept: neither %s nor %s can be written; they will be "
            "decoded again next time",
            root,
            *folders,
        )
    return images


def _decode_to_disk(
    files: Sequence[Path],
    settings: DecodeSettings,
    shape: tuple[int, ...],
    folders: Sequence[Path],
    name: str,
) -> UInt8Array | list[BrokenImage] | None:
    """Decode into the cache's file; None where none of the folders can hold it."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(folder).free
            if int(np.prod(shape)) > free:
                logger.warning("%s has %.1f GiB free, too few for the cache", folder, free / 2**30)
                continue
            with atomic_replacement(folder / name, is_private=True) as temporary:
                images = np.lib.format.open_memmap(
                    temporary, mode="w+", dtype=np.uint8, shape=shape
                )
                _allocate(temporary)
                broken = _decode_into(images, files, settings)
                if broken:
                    raise _BrokenImagesError(broken)
                images.flush()
                checksum = _checksum(name, images)
                del images
                with temporary.open("ab") as out:
                    out.write(checksum)
            return _read_cache(folder / name, shape, is_mapped=True)
        except _BrokenImagesError as error:
            with contextlib.suppress(OSError):  # it holds other caches
                folder.rmdir()
            return error.broken
        except OSError as error:
            logger.warning("%s cannot hold the cache: %s", folder, error)
    return None


def _allocate(path: Path) -> None:
    """Give a sparse file its blocks: writing to a mapping on a full disk would kill the process.

    Raises:
        OSError: The disk does not have them.
    """
    if hasattr(os, "posix_fallocate"):  # not on macOS
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


class _BrokenImagesError(Exception):
    """Images that cannot be read were found while a cache was written."""

    def __init__(self, broken: list[BrokenImage]) -> None:
        super().__init__(f"{len(broken)} broken images")
        self.broken = broken


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


def _read_cache(
    path: Path, shape: tuple[int, ...], *, is_mapped: bool = False
) -> UInt8Array | None:
    try:
        with path.open("rb") as file:
            expected = int(np.prod(shape))
            # A header is not trusted: it could ask for any amount of memory.
            if not expected < path.stat().st_size < expected + 1000:
                raise ValueError("not of the size that these images have")
            images = _mapped(path, file) if is_mapped else np.load(file, allow_pickle=False)
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


def _mapped(path: Path, file: BinaryIO) -> UInt8Array:
    """The array of an open ``.npy`` where it lies, and the file behind it; one of bytes."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    shape, is_fortran, dtype = read(file) if version == (1, 0) else ((), True, None)
    if is_fortran or dtype != np.uint8:
        raise ValueError("not an array of bytes")
    images = map_images(path, file.tell(), shape)
    file.seek(images.nbytes, os.SEEK_CUR)
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
