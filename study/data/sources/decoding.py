"""Image files of any kind decoded to small uint8 arrays of one size."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from study.data.dataset import UInt8Array

# One of Pillow's other readers, that of PostScript, would start a program.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MAX_PIXELS = Image.MAX_IMAGE_PIXELS or 89_478_485

# Beyond that Pillow warns, and reads on up to twice as many; and it warns of odd metadata, which
# do not concern the pixels. Not undone: restoring the filters, as catch_warnings does, would
# disturb those of other threads.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


@dataclass(frozen=True)
class DecodeSettings:
    """What decoded pixels depend on, besides the files."""

    image_size: int
    grayscale: bool

    @property
    def num_channels(self) -> int:
        """1 or 3."""
        return 1 if self.grayscale else 3


class UnreadableImageError(ValueError):
    """A file that is broken, no image, or of a kind that cannot become 8 bits; with the reason."""


def decode_image(image: Path | bytes, settings: DecodeSettings) -> UInt8Array:
    """One image, a file or its bytes, as ``uint8 [C, size, size]``.

    Turned upright by its EXIF data, 16-bit values to their upper 8 bits, transparency over white,
    CMYK without a colour profile, of an animation the first picture; then resized, bicubic with
    antialiasing, so that the shorter side fits, and cropped to the centre.

    Raises:
        UnreadableImageError: It is broken, no image, has more than :data:`MAX_PIXELS`, or pixels
            of 32 bits, whose range is unknown.
    """
    try:
        return _decoded(image, settings)
    except UnreadableImageError:
        raise
    except UnidentifiedImageError:
        why = f"no image of a kind that is read: {', '.join(FORMATS)}"
        size = len(image) if isinstance(image, bytes) else image.stat().st_size
        raise UnreadableImageError(why if size else "the file is empty") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UnreadableImageError(f"more than {MAX_PIXELS:,} pixels; make it smaller") from None
    except Exception as error:  # Pillow's readers raise whatever they stumble over
        raise UnreadableImageError(f"{type(error).__name__}: {error}") from error


def _decoded(image: Path | bytes, settings: DecodeSettings) -> UInt8Array:
    size = settings.image_size
    file = io.BytesIO(image) if isinstance(image, bytes) else image
    with Image.open(file, formats=FORMATS) as opened:
        # JPEG can be decoded at an eighth of its size; twice ours leaves the quality.
        opened.draft(None, (2 * size, 2 * size))
        upright = ImageOps.exif_transpose(opened)
        eight_bit = _opaque(_to_eight_bit(upright, opened.format))
        converted = eight_bit.convert("L" if settings.grayscale else "RGB")
    pixels = np.asarray(_fit(converted, size), dtype=np.uint8)
    return pixels[None] if settings.grayscale else pixels.transpose(2, 0, 1)


def _to_eight_bit(image: Image.Image, kind: str | None) -> Image.Image:
    """Modes with more than 8 bits, which ``convert`` would clip to white or black."""
    if image.mode == "F" or (image.mode == "I" and kind == "TIFF"):
        raise UnreadableImageError(
            "pixels of 32 bits, whose range is unknown; convert it to 8 or 16 bits"
        )
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    if "transparency" in image.info:  # of grey images with 16 bits, the value that is transparent
        values[values == image.info["transparency"]] = 0xFFFF
    return Image.fromarray((values.clip(0, 0xFFFF) >> 8).astype(np.uint8))


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
    if fitted[0] * fitted[1] > MAX_PIXELS:
        raise UnreadableImageError(
            f"{width} × {height} pixels: at {size} on its shorter side it would have more than "
            f"{MAX_PIXELS:,}; crop it"
        )
    if fitted != image.size:
        image = image.resize(fitted, Image.Resampling.BICUBIC)
    left, top = (fitted[0] - size) // 2, (fitted[1] - size) // 2
    return image.crop((left, top, left + size, top + size))
