"""Images that stay in a file: read page by page through the operating system's cache."""

from pathlib import Path
from typing import Any

import numpy as np


class MappedImages(np.memmap[Any, np.dtype[np.uint8]]):
    """``uint8 [N, C, H, W]`` of a file, read-only; what is taken of it is copied.

    To another process of the machine goes where it lies, and not what it holds: all that read it
    share the pages in the operating system's cache, and none has to hold them.
    """

    def __reduce_ex__(self, protocol: Any) -> Any:
        """The file, and which part of it; an array of its own once it has been copied."""
        place = self._place()
        if place is None:
            return np.array(self, subok=False).__reduce_ex__(protocol)
        return map_images, (*place, self.shape)

    def _place(self) -> tuple[str, int] | None:
        """File and first byte; None where it is no whole part of a file."""
        mapping, name = getattr(self, "_mmap", None), self.filename
        if mapping is None or name is None or not self.flags.c_contiguous:
            return None
        first = np.frombuffer(mapping, dtype=np.uint8)
        start = self.__array_interface__["data"][0] - first.__array_interface__["data"][0]
        is_within = 0 <= start <= len(first) - self.nbytes
        return (str(name), int(start)) if is_within else None


def map_images(path: Path | str, offset: int, shape: tuple[int, ...]) -> MappedImages:
    """A part of a file as images.

    Args:
        path: Of the file.
        offset: Its first byte.
        shape: ``[N, C, H, W]``.

    Raises:
        OSError, ValueError: There is no such file, or it is shorter.
    """
    # From the file's beginning, so that places within the mapping are places within the file.
    whole = np.memmap(path, dtype=np.uint8, mode="r")
    size = int(np.prod(shape))
    if offset + size > len(whole):
        raise ValueError(f"{path} has {len(whole)} bytes, not {offset + size}")
    return whole[offset : offset + size].reshape(shape).view(MappedImages)
