"""Which examples a model in service gets wrong: a bit each, as text that a record can hold."""

import base64
import zlib
from dataclasses import dataclass


@dataclass(frozen=True)
class ExampleErrors:
    """Outcomes by example of one model on one split.

    Attributes:
        num_examples: Of the split.
        bits: A bit for each example in the order of the split, 1 where it is misclassified, eight
            to a byte, the first one highest; ⌈num_examples / 8⌉ bytes, padded with zeros.
    """

    num_examples: int
    bits: bytes

    def __post_init__(self) -> None:
        if len(self.bits) != (self.num_examples + 7) // 8:
            raise ValueError(f"{len(self.bits)} bytes are no bits of {self.num_examples} examples")

    @property
    def num_wrong(self) -> int:
        """Misclassified examples."""
        return int.from_bytes(self.bits, "big").bit_count()

    def to_text(self) -> str:
        """``NUMBER:BASE64`` of the deflated bits, read back by :meth:`from_text`."""
        return f"{self.num_examples}:{base64.b64encode(zlib.compress(self.bits, 9)).decode()}"

    @classmethod
    def from_text(cls, text: str) -> "ExampleErrors":
        """What :meth:`to_text` wrote.

        Raises:
            ValueError: It is not of that form.
        """
        number, _, packed = text.partition(":")
        try:
            return cls(int(number), zlib.decompress(base64.b64decode(packed, validate=True)))
        except zlib.error as error:
            raise ValueError(f"no outcomes by example: {error}") from None
