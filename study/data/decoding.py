"""Image files of any kind decoded to small uint8 arrays of one size, once."""

import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from study.data.dataset import DataError, UInt8Array

CACHE_FOLDER = ".app-study-cache"
_DECODER_VERSION = 1  # part of the key: raise it when decoded pixels would differ
_MAX_NAMED = 10
_CHUNK = 64
# What Pillow raises on files that are broken or no images.
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DecodeSettings:
    """What decoded pixels depend on, besides the files."""

    image_size: int
    grayscale: bool

    @property
    def num_channels(self) -> int:
        """1 or 3."""
        return 1 if self.grayscale else 3


def decode_cached(files: Sequence[Path], root: Path, settings: DecodeSettings) -> UInt8Array:
    """All files as ``uint8 [N, C, size, size]``, from the cache if they were decoded before.

    The cache is a ``.npy`` in ``ROOT/.app-study-cache``, or in the user's cache directory where
    the root cannot be written. Its name is a hash of every file's relative path, size and time
    of change, and of the settings: so it is never stale.

    Raises:
        DataError: Broken images, up to ten of them by path.
    """
    name = f"{_fingerprint(files, root, settings)}.npy"
    shape = (len(files), settings.num_channels, settings.image_size, settings.image_size)
    places = (root / CACHE_FOLDER, _user_cache())
    for place in places:
        cached = _read_cache(place / name, shape)
        if cached is not None:
            return cached
    logger.info("decoding %d images of %s, once", len(files), root)
    start = time.monotonic()
    images = _decode_all(files, settings)
    logger.info("decoded %d images in %.1f s", len(files), time.monotonic() - start)
    if not any(_write_cache(place / name, images) for place in places):
        logger.warning(
            "decoded images of %s cannot be kept: neither %s nor %s can be written; they will be "
            "decoded again next time",
            root,
            *places,
        )
    return images


def decode_image(path: Path, settings: DecodeSettings) -> UInt8Array:
    """One image as ``uint8 [C, size, size]``.

    Turned upright by its EXIF data, 16-bit values to their upper 8 bits, transparency over white;
    then resized, bicubic with antialiasing, so that the shorter side fits, and cropped to the
    centre.
    """
    size = settings.image_size
    with Image.open(path) as image:
        # JPEG can be decoded at an eighth of its size; twice ours leaves the quality.
        image.draft(None, (2 * size, 2 * size))
        upright = ImageOps.exif_transpose(image)
        eight_bit = _opaque(_to_eight_bit(upright))
        converted = eight_bit.convert("L" if settings.grayscale else "RGB")
    pixels = np.asarray(_fit(converted, size), dtype=np.uint8)
    return pixels[None] if settings.grayscale else pixels.transpose(2, 0, 1)


def _to_eight_bit(image: Image.Image) -> Image.Image:
    """Modes with more than 8 bits, which ``convert`` would clip to white."""
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        return Image.fromarray((values.clip(0, 0xFFFF) >> 8).astype(np.uint8))
    return image


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    coloured = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", coloured.size, "white"), coloured)


def _fit(image: Image.Image, size: int) -> Image.Image:
    """Shorter side to ``size``, then the centre."""
    width, height = image.size
    scale = size / min(width, height)
    fitted = (max(size, round(width * scale)), max(size, round(height * scale)))
    if fitted != image.size:
        image = image.resize(fitted, Image.Resampling.BICUBIC)
    left, top = (fitted[0] - size) // 2, (fitted[1] - size) // 2
    return image.crop((left, top, left + size, top + size))


def _decode_all(files: Sequence[Path], settings: DecodeSettings) -> UInt8Array:
    size = settings.image_size
    images = np.empty((len(files), settings.num_channels, size, size), dtype=np.uint8)

    def decode_chunk(start: int) -> list[str]:
        broken = []
        for index in range(start, min(start + _CHUNK, len(files))):
            try:
                images[index] = decode_image(files[index], settings)
            except _DECODE_ERRORS as error:
                broken.append(f"{files[index]} ({error})")
        return broken

    broken: list[str] = []
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for found in pool.map(decode_chunk, range(0, len(files), _CHUNK)):
            broken += found
            if len(broken) >= _MAX_NAMED:
                pool.shutdown(cancel_futures=True)
                break
    if broken:
        named = "\n  ".join(broken[:_MAX_NAMED])
        raise DataError(f"images that cannot be read; repair or remove them:\n  {named}")
    return images


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


def _read_cache(path: Path, shape: tuple[int, ...]) -> UInt8Array | None:
    try:
        images: UInt8Array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError) as error:
        logger.warning("the cache %s is unreadable and made anew: %s", path, error)
        return None
    if images.shape != shape or images.dtype != np.uint8:
        logger.warning("the cache %s holds something else and is made anew", path)
        return None
    return images


def _write_cache(path: Path, images: UInt8Array) -> bool:
    """Write so that another process never sees half a file; False if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as out:
                np.save(out, images, allow_pickle=False)
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError:
        return False
    return True
